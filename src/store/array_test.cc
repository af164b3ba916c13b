#include "store/array.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/memory.h"
#include "store/rdb_types.h"

namespace vitrine {
namespace {

using Model = std::map<uint64_t, std::string>;

struct Held {
  TypeContext context{0, nullptr};
  Value value{Array::make(context)};
  Array array() { return Array(*value, context); }
};

Model contents(const Object& object) {
  Model all;
  for (auto c = object.as<ArrayData>()->values.first(); c; ++c) all.emplace(c.index(), c.value());
  return all;
}

std::string digest_of(const Object& object) {
  std::string all;
  kArrayOps.digest(object, [&](std::initializer_list<Bytes> parts) {
    for (Bytes part : parts) all.append(std::to_string(part.size())).append(1, ':').append(part);
  });
  return all;
}

std::string any_value(Random& random) {
  switch (random.below(4)) {
    case 0: return std::to_string(static_cast<int64_t>(random.next() >> random.below(64)));
    case 1: return std::string(random.below(400), 'x');
    default: return "value:" + std::to_string(random.below(1000));
  }
}

TEST(Array, AppendsBehindItsCursor) {
  Held held;
  EXPECT_EQ(held.array().append("a"), 0u);
  EXPECT_EQ(held.array().append("b"), 1u);
  held.array().set(100, "far");
  EXPECT_EQ(held.array().next(), 2u);
  held.array().erase_range(0, 1);
  EXPECT_EQ(held.array().append("c"), 2u);
  held.array().seek(Array::kMaxIndex - 1);
  EXPECT_TRUE(held.array().can_append(2));
  EXPECT_FALSE(held.array().can_append(3));
  held.array().append("d");
  EXPECT_EQ(held.array().append("e"), Array::kMaxIndex);
  EXPECT_EQ(held.array().next(), Array::kExhausted);
  EXPECT_FALSE(held.array().can_append(1));
  Model wanted{{2, "c"}, {100, "far"}, {Array::kMaxIndex - 1, "d"}, {Array::kMaxIndex, "e"}};
  EXPECT_EQ(contents(*held.value), wanted);
}

TEST(Array, SaysWhetherItChanged) {
  Held held;
  held.array().set(3, "x");
  held.value->changes = 0;
  EXPECT_EQ(held.array().erase_range(4, 900), 0u);
  held.array().seek(0);
  EXPECT_EQ(held.value->changes, 0u);
  held.array().seek(1);
  EXPECT_EQ(held.value->changes, 1u);
}

// A ring as a list of what was appended, newest last; nothing for a slot that was emptied.
TEST(Array, ARingKeepsWhatWasAppendedLast) {
  for (uint64_t seed = 1; seed <= 200; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Held held;
    uint64_t size = 1 + random.below(12);
    std::vector<std::string> slots;           // oldest first, as many as the ring has been filled
    for (int step = 0; step < 300; step++) {
      if (random.below(20) == 0) {
        size = 1 + random.below(12);
        if (slots.size() > size) slots.erase(slots.begin(), slots.end() - static_cast<ptrdiff_t>(size));
      }
      std::string text = std::to_string(step);
      held.array().make_ring(size);
      uint64_t at = held.array().append_to_ring(text);
      if (slots.size() == size) slots.erase(slots.begin());
      slots.push_back(text);
      ASSERT_EQ(held.array().values().count(), slots.size());
      // Backwards from the newest, around the ring.
      for (size_t age = 0; age < slots.size(); age++) {
        uint64_t slot = (at + size - age % size) % size;
        ASSERT_EQ(held.array().values().get(slot), slots[slots.size() - 1 - age]) << "step " << step;
      }
    }
  }
}

TEST(Array, ALogBecomesARing) {
  Held held;
  for (int i = 0; i < 10; i++) held.array().append(std::to_string(i));
  held.array().erase_range(8, 8);
  held.array().make_ring(4);
  EXPECT_EQ(contents(*held.value), (Model{{0, "6"}, {1, "7"}, {3, "9"}}));
  EXPECT_EQ(held.array().append_to_ring("x"), 0u);

  Held larger;
  for (int i = 0; i < 3; i++) larger.array().append(std::to_string(i));
  larger.array().make_ring(5);
  EXPECT_EQ(larger.array().append_to_ring("3"), 3u);

  Held only_set;
  only_set.array().set(0, "a");
  only_set.array().set(uint64_t{1} << 60, "z");
  only_set.array().make_ring(7);
  EXPECT_EQ(contents(*only_set.value), (Model{{0, "a"}}));
  EXPECT_EQ(only_set.array().append_to_ring("b"), 0u);

  Held exhausted;
  exhausted.array().set(Array::kMaxIndex, "last");
  exhausted.array().set(5, "five");
  exhausted.array().seek(Array::kExhausted);
  exhausted.array().make_ring(2);
  EXPECT_EQ(contents(*exhausted.value), (Model{{1, "last"}}));
  EXPECT_EQ(exhausted.array().append_to_ring("x"), 0u);
}

// ---- what any type must do ----

std::string saved(const Object& object) {
  RdbOutput out({.version = rdb::kBaseVersion});
  kArrayOps.save(object, kArrayOps.rdb_type(object, rdb::kBaseVersion), out);
  return std::string(out.view());
}

void fill_randomly(Held& held, Random& random) {
  uint64_t spread = random.below(64);
  for (size_t n = random.below(400); n > 0; n--) {
    uint64_t index = std::min(random.next() >> spread, Array::kMaxIndex);
    random.below(2) ? static_cast<void>(held.array().set(index, any_value(random)))
                    : static_cast<void>(held.array().can_append(1) && held.array().append(any_value(random)));
  }
  if (random.below(4) == 0) held.array().seek(random.next());
  if (random.below(4) == 0) held.array().make_ring(1 + random.below(1000));
}

TEST(Array, ComesBackFromSnapshots) {
  for (uint64_t seed = 1; seed <= 200; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Held held;
    fill_randomly(held, random);
    std::string data = saved(*held.value);
    RdbInput in(data);
    Value again = kArrayOps.load(rdb::kArray, in, held.context);
    ASSERT_TRUE(again) << in.error();
    ASSERT_TRUE(in.at_end());
    ASSERT_EQ(contents(*again), contents(*held.value));
    ASSERT_EQ(digest_of(*again), digest_of(*held.value));
    ASSERT_EQ(saved(*again), data);
    ASSERT_TRUE(again->as<ArrayData>()->values.sound());
    // It goes on as the first one does.
    Array(*again, held.context).make_ring(17), held.array().make_ring(17);
    ASSERT_EQ(Array(*again, held.context).append_to_ring("x"), held.array().append_to_ring("x"));
    ASSERT_EQ(digest_of(*again), digest_of(*held.value));
  }
}

TEST(Array, RefusesDamagedSnapshots) {
  size_t refused = 0;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Held held;
    fill_randomly(held, random);
    std::string data = saved(*held.value);
    for (int round = 0; round < 60; round++) {
      std::string damaged = data;
      for (size_t n = 1 + random.below(3); n > 0; n--)
        damaged[random.below(damaged.size())] ^= static_cast<char>(1 << random.below(8));
      if (random.below(4) == 0) damaged.resize(random.below(damaged.size()));
      RdbInput in(damaged);
      Value value = kArrayOps.load(rdb::kArray, in, held.context);
      ASSERT_EQ(!value, in.failed());
      ASSERT_TRUE(!value || value->as<ArrayData>()->values.empty() || value->as<ArrayData>()->values.sound());
      refused += !value;
    }
  }
  EXPECT_GT(refused, 1000u);
}

TEST(Array, RefusesAnIndexBeyondTheLast) {
  auto load = [](std::initializer_list<uint64_t> lengths, Bytes value) {
    RdbOutput out({});
    for (uint64_t n : lengths) out.length(n);
    out.string(value);
    RdbInput in(out.view());
    return bool(kArrayOps.load(rdb::kArray, in, {0, nullptr}));
  };
  EXPECT_TRUE(load({1, 0, 0, Array::kMaxIndex}, "x"));
  EXPECT_FALSE(load({1, 0, 0, Array::kMaxIndex + 1}, "x"));
  RdbOutput out({});
  for (uint64_t n : {uint64_t{2}, uint64_t{0}, uint64_t{0}, Array::kMaxIndex}) out.length(n);
  out.string("x");
  out.length(0);
  out.string("y");
  RdbInput in(out.view());
  EXPECT_FALSE(kArrayOps.load(rdb::kArray, in, {0, nullptr}));
}

TEST(Array, CopiesAreIndependentAndMemoryIsExact) {
  memory::register_thread();
  for (uint64_t seed = 1; seed <= 50; seed++) {
    Random random(seed);
    Held held;
    fill_randomly(held, random);
    held.array().set(7, std::string(1000, 'y'));
    Model before = contents(*held.value);
    size_t used = memory::used_bytes();
    Value copy(kArrayOps.clone(*held.value));
#ifdef VITRINE_SANITIZED
    constexpr double kNear = 32;       // what is asked for counts, not what it takes
#else
    constexpr double kNear = 0;
#endif
    size_t taken = memory::used_bytes() - used;
    EXPECT_NEAR(static_cast<double>(kArrayOps.memory(*copy, 0)), static_cast<double>(taken), kNear);
    EXPECT_GE(kArrayOps.free_effort(*copy), 2u);
    held.array().set(7, "changed");
    held.array().erase_range(0, 1000);
    held.array().append("more");
    EXPECT_EQ(contents(*copy), before);
    EXPECT_EQ(kArrayOps.length(*copy), before.size());
    copy = Value();
    EXPECT_EQ(kArrayOps.encoding_name(*held.value), "sliced-array");
  }
}

}  // namespace
}  // namespace vitrine
