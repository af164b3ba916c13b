#include "ds/sparse_array.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/memory.h"
#include "base/random.h"

namespace vitrine {
namespace {

using Model = std::map<uint64_t, std::string>;

void compare(const SparseArray& array, const Model& model) {
  ASSERT_TRUE(array.sound());
  ASSERT_EQ(array.count(), model.size());
  ASSERT_EQ(array.length(), model.empty() ? 0 : model.rbegin()->first + 1);
  auto c = array.first();
  for (const auto& [index, value] : model) {
    ASSERT_TRUE(c);
    ASSERT_EQ(c.index(), index);
    ASSERT_EQ(c.value(), value);
    ++c;
  }
  ASSERT_FALSE(c);
  c = array.last();
  for (auto it = model.rbegin(); it != model.rend(); ++it, --c) ASSERT_TRUE(c && c.index() == it->first);
  ASSERT_FALSE(c);
}

void look_around(const SparseArray& array, const Model& model, uint64_t index) {
  auto after = model.lower_bound(index);
  auto c = array.at_or_after(index);
  ASSERT_EQ(bool(c), after != model.end());
  ASSERT_TRUE(!c || (c.index() == after->first && c.value() == after->second));
  auto before = model.upper_bound(index);
  c = array.at_or_before(index);
  ASSERT_EQ(bool(c), before != model.begin());
  ASSERT_TRUE(!c || c.index() == std::prev(before)->first);
  auto value = array.get(index);
  ASSERT_EQ(value.has_value(), model.contains(index));
  ASSERT_TRUE(!value || *value == model.at(index));
}

// Where the indexes of a run of steps come from: near each other, spread, everywhere, at both ends.
uint64_t some_index(Random& random, uint64_t shape, uint64_t& next) {
  switch (shape % 6) {
    case 0: return random.below(3000);
    case 1: return next++ % 5000;
    case 2: return random.below(500) * 70'000;
    case 3: return std::min(random.next() >> random.below(64), SparseArray::kMaxIndex);
    case 4: return SparseArray::kMaxIndex - random.below(400);
    default: return 1'000'000 - next++ % 5000;
  }
}

std::string some_value(Random& random, uint64_t index) {
  size_t length = random.below(random.below(3) == 0 ? 120 : 9);
  if (random.below(20) == 0) length = random.below(700);
  return std::string(length, static_cast<char>('a' + index % 26));
}

void random_step(SparseArray& array, Model& model, Random& random, uint64_t index, bool shrinking) {
  uint64_t what = random.below(100);
  if (what < (shrinking ? 30u : 75u)) {
    std::string value = some_value(random, random.next());
    ASSERT_EQ(array.set(index, value), !model.contains(index));
    model[index] = value;
  } else if (what < 90) {
    if (auto near = model.lower_bound(index); near != model.end() && random.below(3) > 0) index = near->first;
    ASSERT_EQ(array.erase(index), model.erase(index) == 1);
  } else if (what == 90) {
    uint64_t to = std::max(index, std::min(index + (random.next() >> random.below(64)), SparseArray::kMaxIndex));
    if (!shrinking) to = std::min(to, index + std::min<uint64_t>(50, SparseArray::kMaxIndex - index));
    auto low = model.lower_bound(index), high = model.upper_bound(to);
    ASSERT_EQ(array.erase_range(index, to), static_cast<uint64_t>(std::distance(low, high)));
    model.erase(low, high);
  } else {
    look_around(array, model, index);
  }
}

void expect_held(size_t said, size_t held) {
#ifdef VITRINE_SANITIZED
  // What is asked for counts, not what it takes.
  EXPECT_NEAR(static_cast<double>(said), static_cast<double>(held), 16);
#else
  EXPECT_EQ(said, held);
#endif
}

TEST(SparseArray, FollowsAModel) {
  memory::register_thread();
  for (uint64_t seed = 1; seed <= 30; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    SparseArray array;
    Model model;
    uint64_t next = 0, shape = seed;
    for (int step = 0; step < 20'000; step++) {
      if (random.below(2000) == 0) shape = random.next();
      random_step(array, model, random, some_index(random, shape, next), step / 4000 % 2 == 1);
      if (HasFatalFailure()) return;
      if (step % 499 == 0) compare(array, model);
    }
    compare(array, model);
    size_t before = memory::used_bytes();
    SparseArray copy(array);
    expect_held(copy.memory(0), memory::used_bytes() - before);
    array.erase_range(0, SparseArray::kMaxIndex);
    EXPECT_TRUE(array.empty() && array.memory(0) == 0);
    compare(copy, model);
  }
}

TEST(SparseArray, TakesLittleMemory) {
  memory::register_thread();
  auto per_value = [](uint64_t gap, Bytes value, bool shuffled) {
    SparseArray array;
    constexpr uint64_t kCount = 20'000;
    // 7919 has no divisor in common with the count: every index once.
    for (uint64_t i = 0; i < kCount; i++) array.set((shuffled ? i * 7919 % kCount : i) * gap, value);
    EXPECT_TRUE(array.sound());
    EXPECT_EQ(array.count(), kCount);
    return static_cast<double>(array.memory(0)) / kCount;
  };
  EXPECT_LT(per_value(1, "fifteen-bytes..", false), 18.2);
  EXPECT_LT(per_value(1, "12345", false), 7.8);
  EXPECT_LT(per_value(1, "fifteen-bytes..", true), 28);
  EXPECT_LT(per_value(1000, "fifteen-bytes..", false), 21);
  EXPECT_LT(per_value(uint64_t{1} << 48, "fifteen-bytes..", false), 27);
}

TEST(SparseArray, ASmallArrayIsOneBlock) {
  SparseArray array;
  array.set(5, "five");
  EXPECT_EQ(array.memory(0), 48u);
  array.set(SparseArray::kMaxIndex, "last");
  EXPECT_EQ(array.slices(), 1u);
  EXPECT_EQ(array.length(), UINT64_MAX);
  EXPECT_EQ(array.get(5), "five");
  EXPECT_EQ(array.get(SparseArray::kMaxIndex), "last");
  EXPECT_FALSE(array.get(6));
  EXPECT_EQ(array.erase_range(6, SparseArray::kMaxIndex), 1u);
  EXPECT_EQ(array.length(), 6u);
}

TEST(SparseArray, ValuesThatGrowInPlaceSplitTheirSlice) {
  SparseArray array;
  for (uint64_t i = 0; i < 200; i++) array.set(i, "x");
  EXPECT_EQ(array.slices(), 1u);
  for (uint64_t i = 0; i < 200; i++) {
    EXPECT_FALSE(array.set(i, std::string(ArraySlice::kInlineBytes, 'y')));
    ASSERT_TRUE(array.sound()) << i;
  }
  EXPECT_GT(array.slices(), 20u);
  // And back: short values again, the slices merge as values go.
  for (uint64_t i = 0; i < 200; i++) array.set(i, "");
  for (uint64_t i = 0; i < 200; i += 2) array.erase(i);
  EXPECT_TRUE(array.sound());
  EXPECT_LT(array.slices(), 8u);
}

TEST(SparseArray, KnowsItsAllocationsAndFigures) {
  SparseArray array;
  for (uint64_t i = 0; i < 1000; i++) array.set(i, "0123456789");
  for (uint64_t i = 0; i < 10; i++) array.set(1'000'000 + i * 2, std::string(500, 'z'));
  EXPECT_EQ(array.allocations(SIZE_MAX), array.slices() + 10);
  SparseArray::Figures f = array.figures();
  EXPECT_EQ(f.slices, array.slices());
  EXPECT_EQ(f.dense_values + f.sparse_values, 1010u);
  EXPECT_GE(f.sparse_values, 10u);
  EXPECT_GT(f.dense, 5u);
  EXPECT_LE(f.dense_used, f.dense_room);
  EXPECT_EQ(array.allocations(3) >= 3, true);
}

}  // namespace
}  // namespace vitrine
