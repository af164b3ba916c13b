#include "ds/hyperloglog.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "ds/hll_sparse.h"

namespace vitrine::hll {

namespace {

uint64_t load64(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, 8);
  return word;
}

// A. Appleby's MurmurHash64A (public domain), with the seed that Redis uses.
uint64_t murmur64a(Bytes data) {
  constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995ull;
  constexpr int kShift = 47;
  uint64_t h = 0xadc83b19ull ^ (data.size() * kMultiplier);
  const char* p = data.data();
  size_t left = data.size();
  for (; left >= 8; p += 8, left -= 8) {
    uint64_t k = load64(p) * kMultiplier;
    h = (h ^ (k ^ k >> kShift) * kMultiplier) * kMultiplier;
  }
  if (left > 0) {
    uint64_t tail = 0;
    for (size_t i = 0; i < left; i++) tail |= static_cast<uint64_t>(static_cast<uint8_t>(p[i])) << (8 * i);
    h = (h ^ tail) * kMultiplier;
  }
  h = (h ^ h >> kShift) * kMultiplier;
  return h ^ h >> kShift;
}

}  // namespace

Mark mark_of(Bytes element) {
  uint64_t hash = murmur64a(element);
  // The bit behind the last ends the row of zeros.
  uint64_t rest = hash >> 14 | uint64_t{1} << 50;
  return {static_cast<uint32_t>(hash % kRegisters), static_cast<uint8_t>(std::countr_zero(rest) + 1)};
}

// ---- the header ----

bool looks_valid(Bytes sketch) {
  if (sketch.size() < kHeader || !sketch.starts_with("HYLL")) return false;
  if (sketch[4] == kDense) return sketch.size() == kDenseBytes;
  return sketch[4] == kSparse;
}

uint64_t known_estimate(Bytes sketch) { return load64(sketch.data() + 8); }

void remember_estimate(char* sketch, uint64_t estimate) { std::memcpy(sketch + 8, &estimate, 8); }

void write_header(char* sketch, Encoding encoding) {
  std::memset(sketch, 0, kHeader);
  std::memcpy(sketch, "HYLL", 4);
  sketch[4] = static_cast<char>(encoding);
  forget_estimate(sketch);
}

// ---- packed registers ----

void set(char* packed, uint32_t index, uint8_t rank) {
  uint8_t* p = reinterpret_cast<uint8_t*>(packed) + index * 6 / 8;
  unsigned shift = index * 6 % 8;
  unsigned keep = ~(63u << shift), bits = static_cast<unsigned>(rank) << shift;
  p[0] = static_cast<uint8_t>((p[0] & keep) | bits);
  if (shift > 2) p[1] = static_cast<uint8_t>((p[1] & keep >> 8) | bits >> 8);
}

namespace {

// Four registers are three bytes: 32 bits that hold those three become four bytes, and back.
constexpr uint32_t spread(uint32_t x) {
  return (x & 0x3f) | (x << 2 & 0x3f00) | (x << 4 & 0x3f0000) | (x << 6 & 0x3f000000);
}
constexpr uint32_t gather(uint32_t x) {
  return (x & 0x3f) | (x >> 2 & 0xfc0) | (x >> 4 & 0x3f000) | (x >> 6 & 0xfc0000);
}

}  // namespace

void merge_packed_plainly(uint8_t* ranks, const char* packed) {
  const uint8_t* p = reinterpret_cast<const uint8_t*>(packed);
  for (size_t i = 0; i < kRegisters; i += 4, p += 3) {
    uint32_t four = spread(p[0] | p[1] << 8 | p[2] << 16);
    for (size_t k = 0; k < 4; k++) ranks[i + k] = std::max(ranks[i + k], static_cast<uint8_t>(four >> (8 * k)));
  }
}

void write_packed_plainly(const uint8_t* ranks, char* packed) {
  for (size_t i = 0; i < kRegisters; i += 4, packed += 3) {
    uint32_t four;
    std::memcpy(&four, ranks + i, 4);
    four = gather(four);
    for (int k = 0; k < 3; k++) packed[k] = static_cast<char>(four >> (8 * k));
  }
}

namespace {

// 24 bytes, 32 registers at a time.
__attribute__((target("avx2"))) void merge_by_avx2(uint8_t* ranks, const char* packed) {
  const __m256i places = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,  //
                                          4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
  const __m256i mask0 = _mm256_set1_epi32(0x3f), mask1 = _mm256_set1_epi32(0x3f00);
  const __m256i mask2 = _mm256_set1_epi32(0x3f0000), mask3 = _mm256_set1_epi32(0x3f000000);
  for (size_t at = 0; at < kPackedBytes; at += 24) {
    // The upper half is read from four bytes before its own, so that nothing behind the end is.
    __m256i x = _mm256_loadu2_m128i(reinterpret_cast<const __m128i*>(packed + at + 8),
                                    reinterpret_cast<const __m128i*>(packed + at));
    x = _mm256_shuffle_epi8(x, places);
    __m256i low = _mm256_or_si256(_mm256_and_si256(x, mask0), _mm256_and_si256(_mm256_slli_epi32(x, 2), mask1));
    __m256i high = _mm256_or_si256(_mm256_and_si256(_mm256_slli_epi32(x, 4), mask2),
                                   _mm256_and_si256(_mm256_slli_epi32(x, 6), mask3));
    __m256i* to = reinterpret_cast<__m256i*>(ranks + at / 3 * 4);
    _mm256_store_si256(to, _mm256_max_epu8(_mm256_load_si256(to), _mm256_or_si256(low, high)));
  }
}

__attribute__((target("avx2"))) void pack_by_avx2(const uint8_t* ranks, char* packed) {
  const __m256i places = _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1,  //
                                          0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  const __m256i mask0 = _mm256_set1_epi32(0x3f), mask1 = _mm256_set1_epi32(0xfc0);
  const __m256i mask2 = _mm256_set1_epi32(0x3f000), mask3 = _mm256_set1_epi32(0xfc0000);
  for (size_t at = 0; at < kPackedBytes; at += 24) {
    __m256i x = _mm256_load_si256(reinterpret_cast<const __m256i*>(ranks + at / 3 * 4));
    __m256i low = _mm256_or_si256(_mm256_and_si256(x, mask0), _mm256_and_si256(_mm256_srli_epi32(x, 2), mask1));
    __m256i high = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(x, 4), mask2),
                                   _mm256_and_si256(_mm256_srli_epi32(x, 6), mask3));
    x = _mm256_shuffle_epi8(_mm256_or_si256(low, high), places);
    alignas(32) uint8_t bytes[32];
    _mm256_store_si256(reinterpret_cast<__m256i*>(bytes), x);
    std::memcpy(packed + at, bytes, 12);
    std::memcpy(packed + at + 12, bytes + 16, 12);
  }
}

struct Ways {
  void (*merge)(uint8_t* ranks, const char* packed);
  void (*pack)(const uint8_t* ranks, char* packed);
};

const Ways& fastest() {
  static const Ways ways = [] {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? Ways{merge_by_avx2, pack_by_avx2}
                                          : Ways{merge_packed_plainly, write_packed_plainly};
  }();
  return ways;
}

}  // namespace

void Registers::merge_packed(const char* packed) { fastest().merge(ranks, packed); }
void Registers::write_packed(char* packed) const { fastest().pack(ranks, packed); }

bool Registers::merge_runs(Bytes runs) {
  return for_each_run(runs, [this](uint32_t first, Run run) {
    if (run.rank == 0) return;
    for (uint32_t i = first; i < first + run.length; i++)
      if (run.rank > ranks[i]) ranks[i] = run.rank;
  });
}

bool Registers::merge(Bytes sketch) {
  if (encoding(sketch) == kSparse) return merge_runs(body(sketch));
  merge_packed(body(sketch).data());
  return true;
}

// ---- the estimate ----

namespace {

Histogram count_plainly(const uint8_t* ranks) {
  // Four tables: neighbours often hold the same rank, and one counter cannot be written every cycle.
  uint32_t tables[4][64] = {};
  for (size_t i = 0; i < kRegisters; i += 8) {
    uint64_t eight;
    std::memcpy(&eight, ranks + i, 8);
    for (int k = 0; k < 8; k++) tables[k % 4][eight >> (8 * k) & 63]++;
  }
  Histogram sum;
  for (size_t rank = 0; rank < 64; rank++)
    sum[rank] = tables[0][rank] + tables[1][rank] + tables[2][rank] + tables[3][rank];
  return sum;
}

// The sum of 32 bytes.
__attribute__((target("avx2"))) uint32_t sum_of(__m256i bytes) {
  alignas(32) uint64_t parts[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(parts), _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
  return static_cast<uint32_t>(parts[0] + parts[1] + parts[2] + parts[3]);
}

// Four ranks at a time, up to the highest there is: each compared with 32 registers at once.
__attribute__((target("avx2"))) Histogram count_by_avx2(const uint8_t* ranks) {
  constexpr size_t kPiece = 4096;  // 128 comparisons: a byte counts them
  static_assert(kPiece / 32 < 256 && kRegisters % kPiece == 0);
  Histogram sum{};
  uint8_t highest = 0;
  for (size_t i = 0; i < kRegisters; i++) highest = std::max(highest, ranks[i]);
  for (size_t at = 0; at < kRegisters; at += kPiece) {
    for (size_t rank = 0; rank <= highest; rank += 4) {
      const __m256i one = _mm256_set1_epi8(1), r0 = _mm256_set1_epi8(static_cast<char>(rank));
      const __m256i r1 = _mm256_add_epi8(r0, one), r2 = _mm256_add_epi8(r1, one), r3 = _mm256_add_epi8(r2, one);
      __m256i n0 = _mm256_setzero_si256(), n1 = n0, n2 = n0, n3 = n0;
      for (const uint8_t *p = ranks + at, *end = p + kPiece; p < end; p += 32) {
        __m256i x = _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
        n0 = _mm256_sub_epi8(n0, _mm256_cmpeq_epi8(x, r0));
        n1 = _mm256_sub_epi8(n1, _mm256_cmpeq_epi8(x, r1));
        n2 = _mm256_sub_epi8(n2, _mm256_cmpeq_epi8(x, r2));
        n3 = _mm256_sub_epi8(n3, _mm256_cmpeq_epi8(x, r3));
      }
      sum[rank] += sum_of(n0), sum[rank + 1] += sum_of(n1), sum[rank + 2] += sum_of(n2), sum[rank + 3] += sum_of(n3);
    }
  }
  return sum;
}

}  // namespace

Histogram histogram(const Registers& registers) {
  static const auto count = __builtin_cpu_supports("avx2") ? count_by_avx2 : count_plainly;
  return count(registers.ranks);
}

Histogram histogram_of_packed(const char* packed) {
  Registers registers;
  registers.clear();
  registers.merge_packed(packed);
  return histogram(registers);
}

bool histogram_of_runs(Bytes runs, Histogram& histogram) {
  histogram = {};
  return for_each_run(runs, [&](uint32_t, Run run) { histogram[run.rank] += run.length; });
}

bool possible(const Registers& registers) {
  uint8_t highest = 0;
  for (uint8_t rank : registers.ranks) highest = rank > highest ? rank : highest;
  return highest <= kMaxRank;
}

bool possible(const Histogram& histogram) {
  for (size_t rank = kMaxRank + 1; rank < histogram.size(); rank++)
    if (histogram[rank]) return false;
  return true;
}

namespace {

// Ertl's functions, algorithm 6 of the paper; as series, until nothing changes any more.
double sigma(double x) {
  if (x == 1) return INFINITY;
  double sum = x, before, weight = 1;
  do {
    x *= x;
    before = sum;
    sum += x * weight;
    weight += weight;
  } while (sum != before);
  return sum;
}

double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double sum = 1 - x, before, weight = 1;
  do {
    x = std::sqrt(x);
    before = sum;
    weight *= 0.5;
    sum -= (1 - x) * (1 - x) * weight;
  } while (sum != before);
  return sum / 3;
}

}  // namespace

uint64_t estimate(const Histogram& histogram) {
  constexpr double kCount = kRegisters, kAlpha = 0.721347520444481703680;  // 1 / (2 ln 2)
  double z = kCount * tau((kCount - histogram[kMaxRank]) / kCount);
  for (size_t rank = kMaxRank - 1; rank >= 1; rank--) {
    z += histogram[rank];
    z *= 0.5;
  }
  z += kCount * sigma(histogram[0] / kCount);
  double n = kAlpha * kCount * kCount / z;
  return n < 0x1p62 ? static_cast<uint64_t>(std::llround(n)) : uint64_t{1} << 62;
}

}  // namespace vitrine::hll
