#include "ds/hll_sparse.h"

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

// The run that covers the register and the one before it (or itself, if it is the first). False if none does.
bool SparseEdit::find(uint32_t index, Place& place, Place& before) const {
  place = index >= hint_.first ? hint_ : Place{kHeader, 0};
  before = place;
  while (place.at < size_) {
    Run run = run_at(place.at);
    if (place.at + run.bytes > size_) return false;
    if (index < place.first + run.length) {
      if (before.at == place.at && place.at != kHeader) {
        // Found where the search began: the run before it is only known from the very beginning.
        for (Place p{kHeader, 0}; p.at != place.at;) {
          before = p;
          Run each = run_at(p.at);
          p = {p.at + each.bytes, p.first + each.length};
        }
      }
      return true;
    }
    before = place;
    place = {place.at + run.bytes, place.first + run.length};
  }
  return false;
}

bool SparseEdit::complete_from(Place place) const {
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
