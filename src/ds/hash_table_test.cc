#include "ds/hash_table.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <unordered_set>

#include "base/hash.h"

namespace vitrine {
namespace {

struct Numbers {
  static uint64_t hash(Word w) { return hash_word(w); }
  static void prefetch(Word) {}
};
using Table = HashTable<Numbers>;

auto equal_to(Word w) {
  return [w](Word other) { return other == w; };
}
bool contains(const Table& table, Word w) { return bool(table.find(hash_word(w), equal_to(w))); }

void toggle(Table& table, std::unordered_set<Word>& model, Word w) {
  auto p = table.find(hash_word(w), equal_to(w));
  ASSERT_EQ(bool(p), model.contains(w));
  if (p) {
    table.erase(p);
    model.erase(w);
  } else {
    table.insert(hash_word(w), w);
    model.insert(w);
  }
}

std::set<Word> contents(const Table& table) {
  std::set<Word> all;
  table.for_each([&](Word w) { EXPECT_TRUE(all.insert(w).second); });
  return all;
}

TEST(HashTable, BehavesAsASetWhileItGrowsAndShrinks) {
  Random random(7);
  Table table;
  std::unordered_set<Word> model;
  for (uint64_t range : {10, 1000, 200000, 50, 30000, 1}) {
    for (int i = 0; i < 100000; i++) toggle(table, model, random.below(range) + 1);
    // Falls back to what the next range can reach, so that the table shrinks too.
    for (Word w : std::vector<Word>(model.begin(), model.end()))
      if (w > range / 3) toggle(table, model, w);
    ASSERT_EQ(table.size(), model.size());
    ASSERT_EQ(contents(table), std::set<Word>(model.begin(), model.end()));
  }
}

TEST(HashTable, ScanVisitsWhatStaysWhateverElseHappens) {
  for (uint64_t seed = 0; seed < 60; seed++) {
    Random random(seed);
    Table table;
    std::set<Word> staying;
    std::unordered_set<Word> others;
    uint64_t stay = random.below(2000) + 1;
    for (Word w = 1; w <= stay; w++) table.insert(hash_word(w), w), staying.insert(w);
    bool growing = seed % 2;
    for (uint64_t n = growing ? 0 : random.below(50000); n; n--) toggle(table, others, 10000 + random.below(1 << 30));
    std::set<Word> seen;
    uint64_t cursor = 0;
    std::vector<Word> order(others.begin(), others.end());
    do {
      cursor = table.scan(cursor, [&](Word w) { seen.insert(w); });
      for (int i = 0; i < 40; i++) {
        if (growing && others.size() < 50000) toggle(table, others, 10000 + random.below(1 << 30));
        if (!growing && !order.empty()) toggle(table, others, order.back()), order.pop_back();
      }
    } while (cursor);
    for (Word w : staying) ASSERT_TRUE(seen.contains(w)) << "seed " << seed << " word " << w;
  }
}

TEST(HashTable, ScanOfAStillTableVisitsEachOnce) {
  Table table;
  for (Word w = 1; w <= 12345; w++) table.insert(hash_word(w), w);
  std::map<Word, int> seen;
  uint64_t cursor = 0;
  do cursor = table.scan(cursor, [&](Word w) { seen[w]++; });
  while (cursor);
  ASSERT_EQ(seen.size(), 12345u);
  for (auto [w, n] : seen) ASSERT_EQ(n, 1) << w;
}

TEST(HashTable, RandomIsFair) {
  Random random(3);
  Table table;
  for (Word w = 1; w <= 100; w++) table.insert(hash_word(w), w);
  std::map<Word, int> hits;
  for (int i = 0; i < 100000; i++) hits[table.random(random)]++;
  for (Word w = 1; w <= 100; w++) {
    EXPECT_GT(hits[w], 800) << w;
    EXPECT_LT(hits[w], 1200) << w;
  }
}

TEST(HashTable, KeepsFullWordsAndReplacesInPlace) {
  Table table;
  Word big = 0xffff'ffff'fff0;
  table.insert(hash_word(big), big);
  auto p = table.find(hash_word(big), equal_to(big));
  ASSERT_TRUE(p);
  EXPECT_EQ(table.at(p), big);
  table.set(p, 0x8000'0000'0001);
  EXPECT_EQ(table.at(p), 0x8000'0000'0001u);
  EXPECT_FALSE(contains(table, big));
}

TEST(HashTable, CostsUnderTenAndAHalfBytesAWordAtEverySize) {
  memory::register_thread();
  Table table;
  size_t before = memory::used_bytes();
  for (Word w = 1; w <= 2'000'000; w++) {
    table.insert(hash_word(w), w);
    if (w >= 500'000 && w % 100'000 == 0) {
      double each = double(memory::used_bytes() - before) / double(w);
      EXPECT_LT(each, 10.5) << w;
      EXPECT_GT(each, 7.0) << w;
    }
  }
}

}  // namespace
}  // namespace vitrine
