#include "base/glob.h"

#include <chrono>
#include <gtest/gtest.h>

#include "base/random.h"

namespace vitrine {
namespace {

TEST(Glob, Rules) {
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_FALSE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("a*", "a"));
  EXPECT_TRUE(glob_match("***", "abc"));
  EXPECT_TRUE(glob_match("h?llo", "hello"));
  EXPECT_FALSE(glob_match("h?llo", "hllo"));
  EXPECT_TRUE(glob_match("h*llo", "heeeello"));
  EXPECT_TRUE(glob_match("h[ae]llo", "hallo"));
  EXPECT_FALSE(glob_match("h[ae]llo", "hillo"));
  EXPECT_TRUE(glob_match("h[^e]llo", "hallo"));
  EXPECT_FALSE(glob_match("h[^e]llo", "hello"));
  EXPECT_TRUE(glob_match("h[b-a]llo", "hallo"));
  EXPECT_TRUE(glob_match("a\\*c", "a*c"));
  EXPECT_FALSE(glob_match("a\\*c", "abc"));
  EXPECT_TRUE(glob_match("a\\", "a\\"));
  EXPECT_TRUE(glob_match("[\\]]", "]"));
  EXPECT_TRUE(glob_match("[a", "a"));
  EXPECT_TRUE(glob_match("a*b*c", "axxbxxbxc"));
  EXPECT_FALSE(glob_match("a*b*c", "axxbxxbx"));
  EXPECT_FALSE(glob_match("[]", "]"));
  EXPECT_TRUE(glob_match("[^]", "x"));
  EXPECT_FALSE(glob_match("HELLO", "hello"));
  EXPECT_TRUE(glob_match("HE[K-M]*", "hello", true));
  EXPECT_TRUE(glob_match(Bytes("a\0*", 3), Bytes("a\0b", 3)));
}

// The plain recursive reading of the rules, without classes.
bool matches_plainly(Bytes pattern, Bytes text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*')
    return matches_plainly(pattern.substr(1), text) || (!text.empty() && matches_plainly(pattern, text.substr(1)));
  if (text.empty()) return false;
  if (pattern[0] == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
  else if (pattern[0] == '?') return matches_plainly(pattern.substr(1), text.substr(1));
  return pattern[0] == text[0] && matches_plainly(pattern.substr(1), text.substr(1));
}

TEST(Glob, AgreesWithThePlainReading) {
  Random random(3);
  int matched = 0;
  for (int i = 0; i < 100000; i++) {
    std::string pattern, text;
    for (uint64_t n = random.below(8); n > 0; n--) pattern += "ab*?\\*"[random.below(6)];
    for (uint64_t n = random.below(9); n > 0; n--) text += "ab*"[random.below(3)];
    bool expected = text.empty() ? pattern.empty() : matches_plainly(pattern, text);
    matched += expected;
    ASSERT_EQ(glob_match(pattern, text), expected) << "'" << pattern << "' '" << text << "'";
  }
  EXPECT_GT(matched, 1000);
}

TEST(Glob, NoBlowUp) {
  std::string pattern, text(5000, 'a');
  for (int i = 0; i < 500; i++) pattern += "a*";
  pattern += "b";
  auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(glob_match(pattern, text));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

}  // namespace
}  // namespace vitrine
