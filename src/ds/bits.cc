#include "ds/bits.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace vitrine {

namespace {

uint64_t load64(const uint8_t* p) {
  uint64_t word;
  std::memcpy(&word, p, 8);
  return word;
}

uint64_t count_tail(const uint8_t* p, size_t n) {
  uint64_t last = 0;
  std::memcpy(&last, p, n);
  return static_cast<uint64_t>(std::popcount(last));
}

uint64_t count_plainly(const uint8_t* p, size_t n) {
  uint64_t count = 0;
  for (; n >= 8; p += 8, n -= 8) count += static_cast<uint64_t>(std::popcount(load64(p)));
  return count + count_tail(p, n);
}

__attribute__((target("popcnt"))) uint64_t count_by_popcnt(const uint8_t* p, size_t n) {
  uint64_t a = 0, b = 0, c = 0, d = 0;
  for (; n >= 32; p += 32, n -= 32) {
    a += static_cast<uint64_t>(__builtin_popcountll(load64(p)));
    b += static_cast<uint64_t>(__builtin_popcountll(load64(p + 8)));
    c += static_cast<uint64_t>(__builtin_popcountll(load64(p + 16)));
    d += static_cast<uint64_t>(__builtin_popcountll(load64(p + 24)));
  }
  return a + b + c + d + count_plainly(p, n);
}

// Mula, Kurz, Lemire: "Faster Population Counts Using AVX2 Instructions" (2016): counts of nibbles by a table lookup.
__attribute__((target("avx2"))) uint64_t count_by_avx2(const uint8_t* p, size_t n) {
  const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                          0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
  __m256i total = zero;
  while (n >= 32) {
    // Sums of bytes: at most 8 each round, so 31 rounds fit.
    size_t rounds = std::min<size_t>(n / 32, 31);
    __m256i sums = zero;
    for (size_t i = 0; i < rounds; i++, p += 32) {
      __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
      __m256i a = _mm256_shuffle_epi8(counts, _mm256_and_si256(v, low));
      __m256i b = _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(v, 4), low));
      sums = _mm256_add_epi8(sums, _mm256_add_epi8(a, b));
    }
    n -= rounds * 32;
    total = _mm256_add_epi64(total, _mm256_sad_epu8(sums, zero));
  }
  uint64_t parts[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(parts), total);
  return parts[0] + parts[1] + parts[2] + parts[3] + count_plainly(p, n);
}

using Count = uint64_t (*)(const uint8_t*, size_t);

Count fastest_count() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) return count_by_avx2;
  return __builtin_cpu_supports("popcnt") ? count_by_popcnt : count_plainly;
}

const uint8_t* data_of(Bytes bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

// The bits of a byte that lie between `first` and `last`, as bits of the whole run.
uint8_t mask_of(uint64_t byte, uint64_t first, uint64_t last) {
  unsigned mask = 0xff;
  if (byte == first / 8) mask &= 0xffu >> (first % 8);
  if (byte == last / 8) mask &= 0xff00u >> (last % 8 + 1);
  return static_cast<uint8_t>(mask);
}

}  // namespace

uint64_t count_bits(Bytes bytes) {
  static const Count count = fastest_count();
  return count(data_of(bytes), bytes.size());
}

uint64_t count_bits(Bytes bytes, uint64_t first, uint64_t last) {
  const uint8_t* p = data_of(bytes);
  auto at_edge = [&](uint64_t byte) {
    return static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(p[byte] & mask_of(byte, first, last))));
  };
  uint64_t from = first / 8, to = last / 8;
  if (from == to) return at_edge(from);
  return at_edge(from) + count_bits(bytes.substr(from + 1, to - from - 1)) + at_edge(to);
}

int64_t find_bit(Bytes bytes, bool value, uint64_t first, uint64_t last) {
  const uint8_t* p = data_of(bytes);
  const uint8_t skipped = value ? 0 : 0xff;
  const uint64_t skipped8 = value ? 0 : ~uint64_t{0};
  for (uint64_t i = first / 8, end = last / 8; i <= end;) {
    if (i > first / 8 && i + 8 <= end && load64(p + i) == skipped8) {
      i += 8;
      continue;
    }
    uint8_t wanted = static_cast<uint8_t>((p[i] ^ skipped) & mask_of(i, first, last));
    if (wanted) return static_cast<int64_t>(8 * i + static_cast<uint64_t>(std::countl_zero(wanted)));
    i++;
  }
  return -1;
}

}  // namespace vitrine
