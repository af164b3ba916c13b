#include "ds/hll_sparse.h"

#include <emmintrin.h>

#include "base/check.h"

namespace vitrine::hll {

std::string text_of_runs(Bytes runs) {
  std::string text;
  for_each_run(runs, [&](uint32_t, Run run) {
    if (!text.empty()) text += ' ';
    if (run.rank) text += "v:" + std::to_string(run.rank) + ',' + std::to_string(run.length);
    else text += (run.bytes == 2 ? "Z:" : "z:") + std::to_string(run.length);
  });
  return text;
}

namespace {

// All return how many bytes they wrote.
size_t write_zeros(uint8_t* p, uint32_t length) {
  if (length == 0) return 0;
  uint32_t l = length - 1;
  if (length <= 64) return p[0] = static_cast<uint8_t>(l), 1;
  p[0] = static_cast<uint8_t>(0x40 | l >> 8);
  p[1] = static_cast<uint8_t>(l);
  return 2;
}
size_t write_ranks(uint8_t* p, uint8_t rank, uint32_t length) {
  if (length == 0) return 0;
  p[0] = static_cast<uint8_t>(0x80 | (rank - 1) << 2 | (length - 1));
  return 1;
}
size_t write_run(uint8_t* p, uint8_t rank, uint32_t length) {
  return rank ? write_ranks(p, rank, length) : write_zeros(p, length);
}

}  // namespace

SparseEdit::SparseEdit(Bytes sketch)
    : source_(reinterpret_cast<const uint8_t*>(sketch.data())), size_(sketch.size()) {
  if (!sketch.empty()) return;
  write_header(buffer_, kSparse);
  size_ = kHeader + write_zeros(reinterpret_cast<uint8_t*>(buffer_) + kHeader, kRegisters);
  copied_ = checked_ = true;
}

void SparseEdit::copy() {
  if (copied_) return;
  CHECK(size_ <= kRoom);
  std::memcpy(buffer_, source_, size_);
  copied_ = true;
}

void SparseEdit::forget_estimate() {
  copy();
  hll::forget_estimate(buffer_);
}

namespace {

// Sixteen bytes of runs at once. A run that ends behind them does not count.
constexpr size_t kBlock = 16;
struct Block {
  uint32_t registers;
  size_t bytes;
};

// The bits of a mask of 16 as bytes of all ones or none.
__m128i spread_bits(uint32_t mask) {
  __m128i x = _mm_cvtsi32_si128(static_cast<int>(mask));
  x = _mm_unpacklo_epi8(x, x);
  x = _mm_shuffle_epi32(_mm_shufflelo_epi16(x, 0x50), 0x50);  // eight times the low byte, eight times the high one
  const __m128i bits = _mm_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  return _mm_cmpeq_epi8(_mm_and_si128(x, bits), bits);
}

uint32_t sum_of_bytes(__m128i x) {
  x = _mm_sad_epu8(x, _mm_setzero_si128());
  return static_cast<uint32_t>(_mm_cvtsi128_si32(x) + _mm_cvtsi128_si32(_mm_unpackhi_epi64(x, x)));
}

// `p` is where a run begins. A byte that looks like the first of two may be the second of two: in a row of such bytes
// the first, third ... are first ones (the arithmetic is that for rows of backslashes: Langdale, Lemire: "Parsing
// gigabytes of JSON per second", 2019).
Block read_block(const uint8_t* p) {
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), six = _mm_set1_epi8(63);
  const __m128i pair = _mm_cmpeq_epi8(_mm_and_si128(x, _mm_set1_epi8(static_cast<char>(0xc0))), _mm_set1_epi8(0x40));
  const __m128i ranked = _mm_cmplt_epi8(x, _mm_setzero_si128()), one = _mm_set1_epi8(1);
  __m128i length = _mm_and_si128(x, _mm_or_si128(_mm_andnot_si128(ranked, six), _mm_set1_epi8(3)));
  uint32_t pairs = static_cast<uint32_t>(_mm_movemask_epi8(pair));
  if (pairs == 0) return {sum_of_bytes(_mm_add_epi8(length, one)), kBlock};
  constexpr uint32_t kEven = 0x5555;
  uint32_t behind = pairs << 1, odd_starts = pairs & ~kEven & ~behind;
  uint32_t seconds = (kEven ^ (odd_starts + pairs) << 1) & behind & 0xffff;
  uint32_t firsts = pairs & ~seconds;
  const __m128i second = spread_bits(seconds), first = spread_bits(firsts);
  length = _mm_andnot_si128(first, length);
  length = _mm_or_si128(_mm_and_si128(second, x), _mm_andnot_si128(second, _mm_add_epi8(length, one)));
  uint32_t sum = sum_of_bytes(length) + (sum_of_bytes(_mm_and_si128(first, _mm_and_si128(x, six))) << 8);
  if (firsts >> 15 == 0) return {sum, kBlock};
  return {sum - 1 - ((p[15] & 63u) << 8), kBlock - 1};
}

}  // namespace

// Goes on from `place` over whole blocks that end at or before the register. `before` is where the last of them began.
void SparseEdit::leap(uint32_t index, Place& place, Place& before) const {
  while (place.at + kBlock <= size_) {
    Block block = read_block(bytes() + place.at);
    if (place.first + block.registers > index) return;
    before = place;
    place = {place.at + block.bytes, place.first + block.registers};
  }
}

// The run that covers the register and the one before it (or itself, if it is the first). False if none does.
bool SparseEdit::find(uint32_t index, Place& place, Place& before) const {
  const Place begin{kHeader, 0};
  Place from = index >= hint_.first ? hint_ : begin, earlier = begin;
  place = from;
  leap(index, place, earlier);
  for (before = place; place.at < size_;) {
    Run run = run_at(place.at);
    if (place.at + run.bytes > size_) return false;
    if (index < place.first + run.length) break;
    before = place;
    place = {place.at + run.bytes, place.first + run.length};
  }
  if (place.at >= size_) return false;
  if (before.at != place.at || place.at == kHeader) return true;
  // Found where the search began, or a block does: the run before it is found from further ahead.
  if (place.at == from.at) {
    Place at = begin;
    leap(place.first - 1, at, earlier);
    earlier = at;
  }
  for (Place p = earlier; p.at != place.at;) {
    before = p;
    Run each = run_at(p.at);
    p = {p.at + each.bytes, p.first + each.length};
  }
  return true;
}

bool SparseEdit::complete_from(Place place) const {
  Place before;
  leap(kRegisters, place, before);
  while (place.at < size_) {
    Run run = run_at(place.at);
    if (run.length > kRegisters - place.first) return false;
    place = {place.at + run.bytes, place.first + run.length};
  }
  return place.at == size_ && place.first == kRegisters;
}

SparseEdit::Outcome SparseEdit::raise(Mark mark, size_t max_bytes) {
  Place place, before;
  if (!find(mark.index, place, before)) return Outcome::corrupt;
  Run run = run_at(place.at);
  if (run.rank >= mark.rank) return Outcome::unchanged;
  if (!checked_ && !complete_from(place)) return Outcome::corrupt;
  checked_ = true;
  if (mark.rank > kMaxSparseRank) return Outcome::too_long;
  uint8_t fresh[5];
  uint32_t left = mark.index - place.first, right = run.length - left - 1;
  size_t n = write_run(fresh, run.rank, left);
  n += write_ranks(fresh + n, mark.rank, 1);
  n += write_run(fresh + n, run.rank, right);
  if (n > run.bytes && size_ + (n - run.bytes) > max_bytes) return Outcome::too_long;
  copy();
  char* at = buffer_ + place.at;
  std::memmove(at + n, at + run.bytes, size_ - place.at - run.bytes);
  std::memcpy(at, fresh, n);
  size_ += n - run.bytes;
  join_from(before.at);
  hint_ = before;
  return Outcome::changed;
}

void SparseEdit::join_from(size_t at) {
  for (int looked = 0; looked < 5 && at < size_; looked++) {
    Run run = run_at(at);
    size_t next = at + run.bytes;
    if (run.rank && next < size_) {
      Run other = run_at(next);
      if (other.rank == run.rank && run.length + other.length <= 4) {
        write_ranks(reinterpret_cast<uint8_t*>(buffer_) + at, run.rank, run.length + other.length);
        std::memmove(buffer_ + next, buffer_ + next + 1, size_ - next - 1);
        size_--;
        continue;
      }
    }
    at = next;
  }
}

}  // namespace vitrine::hll
