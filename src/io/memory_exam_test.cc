#include "io/memory_exam.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace vitrine {
namespace {

TEST(MemoryExam, FindsNothingInGoodMemory) {
  std::vector<uint64_t> words(10000);
  EXPECT_FALSE(MemoryExam(words).pass(1));
  EXPECT_FALSE(MemoryExam(words).pass(2));
}

TEST(MemoryExam, FindsOneBitWhateverIsWritten) {
  for (const char* pattern : {"addresses", "chance", "chance, complemented", "zeros", "ones", "even bits",
                              "odd bits"}) {
    std::vector<uint64_t> words(1000);
    MemoryExam exam(words);
    exam.between = [&](const char* written) {
      if (std::strcmp(written, pattern) == 0) words[777] ^= uint64_t{1} << 40;
    };
    auto fault = exam.pass(3);
    ASSERT_TRUE(fault) << pattern;
    EXPECT_EQ(fault->word, 777u);
    EXPECT_EQ(fault->written ^ fault->read, uint64_t{1} << 40);
    EXPECT_STREQ(fault->pattern, pattern);
  }
}

// A line that does not carry its signal: two addresses are the same cell.
TEST(MemoryExam, FindsAliasedAddresses) {
  std::vector<uint64_t> words(1024);
  MemoryExam exam(words);
  exam.between = [&](const char*) { words[5] = words[5 + 512]; };
  auto fault = exam.pass(4);
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->word, 5u);
}

}  // namespace
}  // namespace vitrine
