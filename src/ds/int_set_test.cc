#include "ds/int_set.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "base/memory.h"

namespace vitrine {
namespace {

struct Owned {
  IntSet set = IntSet::create();
  ~Owned() { IntSet::free(set.block()); }
};

std::vector<int64_t> contents(const IntSet& set) {
  std::vector<int64_t> all;
  set.for_each([&](int64_t v) { all.push_back(v); });
  return all;
}

void expect_same(const IntSet& set, const std::set<int64_t>& model) {
  ASSERT_EQ(set.size(), model.size());
  ASSERT_EQ(contents(set), std::vector<int64_t>(model.begin(), model.end()));
  ASSERT_TRUE(IntSet::validate(set.raw()));
}

TEST(IntSet, BehavesAsASet) {
  for (uint64_t seed = 0; seed < 30; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Owned owned;
    IntSet& set = owned.set;
    std::set<int64_t> model;
    // The later, the wider.
    for (int i = 0; i < 1500; i++) {
      int bits = i < 500 ? 8 : i < 900 ? 16 : i < 1200 ? 32 : 64;
      int64_t v = static_cast<int64_t>(random.next()) >> (64 - bits);
      ASSERT_EQ(set.contains(v), model.contains(v));
      ASSERT_EQ(set.lower_bound(v), size_t(std::distance(model.begin(), model.lower_bound(v))));
      if (random.below(3) == 0 && !model.empty()) {
        v = random.below(2) ? set.random(random) : v;
        ASSERT_EQ(set.erase(v), model.erase(v) == 1);
      } else {
        ASSERT_EQ(set.insert(v), model.insert(v).second);
      }
      if (i % 50 == 0) { ASSERT_NO_FATAL_FAILURE(expect_same(set, model)); }
    }
    expect_same(set, model);
    IntSet copy = set.clone();
    while (!model.empty()) {
      size_t i = random.below(set.size()), n = std::min<size_t>(1 + random.below(40), set.size() - i);
      set.erase_at(i, n);
      model.erase(std::next(model.begin(), i), std::next(model.begin(), i + n));
      ASSERT_NO_FATAL_FAILURE(expect_same(set, model));
    }
    EXPECT_GT(copy.size(), 500u);
    EXPECT_LE(set.memory(), 16u);
    IntSet::free(copy.block());
  }
}

TEST(IntSet, WidensForTheFirstValueThatNeedsIt) {
  for (int64_t edge : {int64_t{INT16_MAX} + 1, int64_t{INT16_MIN} - 1, int64_t{INT32_MAX} + 1,
                       int64_t{INT32_MIN} - 1, INT64_MAX, INT64_MIN}) {
    Owned owned;
    std::set<int64_t> model = {-5, 0, 7, INT16_MAX, INT16_MIN};
    for (int64_t v : model) EXPECT_TRUE(owned.set.insert(v));
    EXPECT_EQ(owned.set.width(), 2u);
    EXPECT_FALSE(owned.set.contains(edge));
    EXPECT_FALSE(owned.set.erase(edge));
    EXPECT_TRUE(owned.set.insert(edge));
    EXPECT_FALSE(owned.set.insert(edge));
    model.insert(edge);
    expect_same(owned.set, model);
    EXPECT_EQ(owned.set.width(), edge == int32_t(edge) ? 4u : 8u);
    EXPECT_EQ(owned.set.front(), *model.begin());
    EXPECT_EQ(owned.set.back(), *model.rbegin());
  }
}

TEST(IntSet, TakesTheBytesOfItsIntegers) {
  Owned owned;
  for (int i = 0; i < 512; i++) owned.set.insert(i * 3);
  EXPECT_LE(owned.set.memory(), memory::good_size(IntSet::kHeader + 512 * 2));
}

TEST(IntSet, ValidateRefusesWhatIsNoSet) {
  Owned owned;
  for (int i : {1, 2, 3}) owned.set.insert(i);
  std::string good(owned.set.raw());
  EXPECT_TRUE(IntSet::validate(good));
  EXPECT_FALSE(IntSet::validate(Bytes(good).substr(0, good.size() - 1)));
  EXPECT_FALSE(IntSet::validate(good + "x"));
  EXPECT_FALSE(IntSet::validate(""));
  std::string bad = good;
  bad[0] = 3;
  EXPECT_FALSE(IntSet::validate(bad));
  bad = good;
  bad[4] = 4;
  EXPECT_FALSE(IntSet::validate(bad));
  bad = good;
  std::swap(bad[8], bad[10]);
  EXPECT_FALSE(IntSet::validate(bad));
  bad = good;
  bad[10] = bad[8];
  EXPECT_FALSE(IntSet::validate(bad));
}

}  // namespace
}  // namespace vitrine
