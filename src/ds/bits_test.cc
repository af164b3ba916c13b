#include "ds/bits.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace vitrine {
namespace {

// Bit by bit.
uint64_t count_slowly(Bytes bytes, uint64_t first, uint64_t last) {
  uint64_t n = 0;
  for (uint64_t i = first; i <= last; i++) n += bit_at(bytes, i);
  return n;
}
int64_t find_slowly(Bytes bytes, bool value, uint64_t first, uint64_t last) {
  for (uint64_t i = first; i <= last; i++)
    if (bit_at(bytes, i) == value) return static_cast<int64_t>(i);
  return -1;
}

std::string random_bytes(Random& random, size_t size) {
  std::string bytes(size, '\0');
  uint64_t kind = random.below(4);
  for (char& b : bytes)
    b = static_cast<char>(kind == 0 ? random.next() : kind == 1 ? 0 : kind == 2 ? 0xff : random.below(50) ? 0 : 1);
  return bytes;
}

TEST(Bits, FirstBitIsTheHighest) {
  EXPECT_TRUE(bit_at(Bytes("\x80", 1), 0));
  EXPECT_FALSE(bit_at(Bytes("\x80", 1), 1));
  EXPECT_TRUE(bit_at(Bytes("\x01", 1), 7));
  EXPECT_FALSE(bit_at(Bytes("\x01", 1), 8));
  EXPECT_EQ(count_bits(""), 0u);
}

TEST(Bits, AgreesWithTheModel) {
  constexpr uint64_t kSeed = 11;
  Random random(kSeed);
  for (int i = 0; i < 3000; i++) {
    std::string bytes = random_bytes(random, 1 + random.below(random.below(10) ? 100 : 3000));
    uint64_t bits = bytes.size() * 8;
    ASSERT_EQ(count_bits(bytes), count_slowly(bytes, 0, bits - 1)) << "seed " << kSeed << ", round " << i;
    uint64_t first = random.below(bits), last = first + random.below(bits - first);
    ASSERT_EQ(count_bits(bytes, first, last), count_slowly(bytes, first, last)) << first << ' ' << last;
    for (bool value : {false, true})
      ASSERT_EQ(find_bit(bytes, value, first, last), find_slowly(bytes, value, first, last)) << first << ' ' << last;
  }
}

}  // namespace
}  // namespace vitrine
