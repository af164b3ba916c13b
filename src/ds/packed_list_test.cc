#include "ds/packed_list.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/memory.h"
#include "ds/packed_samples.h"

namespace vitrine {
namespace {

using Model = std::deque<std::string>;
using Limits = PackedList::Limits;

std::string item15(size_t i) {
  std::string digits = std::to_string(i);
  return "item:" + std::string(10 - digits.size(), '0') + digits;
}

Model forwards(const PackedList& list) {
  Model all;
  for (auto i = list.begin(); i.valid(); i.next()) all.push_back(i.value().str());
  return all;
}

Model backwards(const PackedList& list) {
  Model all;
  auto i = list.end();
  for (i.prev(); i.valid(); i.prev()) all.push_front(i.value().str());
  return all;
}

Model range(const PackedList& list, size_t start, size_t n) {
  Model all;
  list.for_each_range(start, n, [&](const PackedValue& v) { all.push_back(v.str()); });
  return all;
}

void expect_same(const PackedList& list, const Model& model) {
  ASSERT_EQ(list.size(), model.size());
  ASSERT_EQ(forwards(list), model);
  ASSERT_EQ(backwards(list), model);
  ASSERT_EQ(range(list, 0, SIZE_MAX), model);
}

void expect_sound_nodes(const PackedList& list) {
  size_t bytes = 0;
  list.for_each_node([&](Bytes run, size_t count, bool plain) {
    bytes += run.size();
    if (plain) {
      ASSERT_EQ(count, 1u);
      return;
    }
    size_t counted = 0;
    const uint8_t* p = reinterpret_cast<const uint8_t*>(run.data());
    ASSERT_TRUE(packed_detail::validate(p, p + run.size(), counted));
    ASSERT_EQ(counted, count);
    ASSERT_FALSE(list.limits().exceeded(run.size() + Packed::kHeader, count));
  });
  if (list.limits().compress_depth == 0) { ASSERT_GE(list.memory_bytes(), bytes); }
  ASSERT_LE(list.compressed_nodes() + 2 * list.limits().compress_depth,
            std::max(list.node_count(), 2 * list.limits().compress_depth));
}

struct Actor {
  PackedList& list;
  Model& model;
  Random& random;
  size_t longest;

  std::string text() { return sample_text(random, longest); }

  void push() {
    std::string t = text();
    if (random.below(2)) {
      list.push_back(t);
      model.push_back(t);
    } else {
      list.push_front(t);
      model.push_front(t);
    }
    ASSERT_EQ(list.front().str(), model.front());
    ASSERT_EQ(list.back().str(), model.back());
  }

  void pop() {
    if (model.empty()) return;
    ASSERT_EQ(list.front().str(), model.front());
    ASSERT_EQ(list.back().str(), model.back());
    if (random.below(2)) {
      list.pop_back();
      model.pop_back();
    } else {
      list.pop_front();
      model.pop_front();
    }
  }

  void edit() {
    if (model.empty()) return;
    size_t index = random.below(model.size());
    int64_t signed_index = static_cast<int64_t>(index);
    auto at = list.at(random.below(2) ? signed_index : signed_index - static_cast<int64_t>(model.size()));
    ASSERT_TRUE(at.valid());
    ASSERT_EQ(at.value().str(), model[index]);
    std::string t = text();
    switch (random.below(4)) {
      case 0:
        at = list.insert_before(at, t);
        model.insert(model.begin() + index, t);
        break;
      case 1:
        at = list.insert_after(at, t);
        model.insert(model.begin() + ++index, t);
        break;
      case 2:
        at = list.replace(at, t);
        model[index] = t;
        break;
      default:
        at = list.erase(at);
        model.erase(model.begin() + index);
    }
    expect_stands_on(at, index);
  }

  // The iterator goes on from there in both directions.
  void expect_stands_on(PackedList::Iterator at, size_t index) {
    ASSERT_EQ(at.valid(), index < model.size());
    if (at.valid()) { ASSERT_EQ(at.value().str(), model[index]); }
    ASSERT_TRUE(at == list.at(static_cast<int64_t>(index)));
    auto before = at;
    before.prev();
    ASSERT_EQ(before.valid(), index > 0);
    if (index > 0) { ASSERT_EQ(before.value().str(), model[index - 1]); }
    if (!at.valid()) return;
    at.next();
    ASSERT_TRUE(at == list.at(static_cast<int64_t>(index + 1)));
  }

  void erase_some(size_t most) {
    size_t start = random.below(model.size() + 1), n = random.below(most);
    list.erase_range(start, n);
    n = std::min(n, model.size() - start);
    model.erase(model.begin() + start, model.begin() + start + n);
  }

  void read_some() {
    size_t start = random.below(model.size() + 2), n = random.below(50);
    Model expected;
    for (size_t i = start; i < model.size() && i < start + n; i++) expected.push_back(model[i]);
    ASSERT_EQ(range(list, start, n), expected);
  }
};

void live(const Limits& limits, uint64_t seed, size_t longest, int steps) {
  Random random(seed);
  PackedList list(limits);
  Model model;
  Actor actor{list, model, random, longest};
  for (int i = 0; i < steps; i++) {
    // Grows in the first half, then goes down to nothing.
    bool growing = i < steps / 2;
    switch (random.below(8)) {
      case 0: case 1: case 2: growing ? actor.push() : actor.pop(); break;
      case 3: growing ? actor.pop() : actor.push(); break;
      case 4: case 5: actor.edit(); break;
      case 6: random.below(20) == 0 ? actor.erase_some(growing ? 20 : 400) : actor.push(); break;
      default: actor.read_some();
    }
    if (::testing::Test::HasFatalFailure()) return;
    ASSERT_EQ(list.size(), model.size());
    if (i % 100 == 0) {
      ASSERT_NO_FATAL_FAILURE(expect_same(list, model));
      ASSERT_NO_FATAL_FAILURE(expect_sound_nodes(list));
    }
  }
  auto copy = list.clone();
  Model copied = model;
  while (!model.empty()) {
    ASSERT_NO_FATAL_FAILURE(expect_same(list, model));
    actor.erase_some(model.size() + 2);
  }
  ASSERT_EQ(list.node_count(), 0u);
  EXPECT_LT(list.memory_bytes(), 1000u);
  expect_same(*copy, copied);
}

TEST(PackedList, BehavesAsADeque) {
  for (int64_t fill : {-2, -1, -5, 1, 2, 3, 16, 128}) {
    for (uint64_t seed = 0; seed < 4; seed++) {
      SCOPED_TRACE(testing::Message() << "fill " << fill << " seed " << seed);
      ASSERT_NO_FATAL_FAILURE(live(Limits::of(fill), seed, seed % 2 ? 60 : 20000, 2500));
    }
  }
}

TEST(PackedList, BehavesAsADequeOfTinyNodesAndPlainItems) {
  for (uint64_t seed = 0; seed < 25; seed++) {
    SCOPED_TRACE(seed);
    Limits limits;
    limits.node_bytes = 100 + 40 * seed;
    limits.plain_bytes = seed % 3 == 0 ? 1 + seed : 1 << 30;
    ASSERT_NO_FATAL_FAILURE(live(limits, seed, 300, 1500));
  }
}

TEST(PackedList, BehavesAsADequeWithCompressedNodes) {
  for (uint64_t seed = 0; seed < 24; seed++) {
    SCOPED_TRACE(seed);
    Limits limits = Limits::of(seed % 4 == 0 ? -2 : static_cast<int64_t>(4 << seed % 4), seed % 5 ? 1 << 30 : 100);
    limits.compress_depth = 1 + seed % 3;
    ASSERT_NO_FATAL_FAILURE(live(limits, seed, seed % 2 ? 300 : 20000, 1500));
  }
}

TEST(PackedList, CompressesWhatLiesBetweenTheEnds) {
  constexpr size_t kItems = 100000;
  for (size_t depth : {1, 2, 5}) {
    PackedList plain, list(Limits::of(-2, 1 << 30, depth));
    for (size_t i = 0; i < kItems; i++) plain.push_back(item15(i)), list.push_back(item15(i));
    EXPECT_EQ(list.compressed_nodes(), list.node_count() - 2 * depth);
    EXPECT_LT(list.memory_bytes() * 5 / 2, plain.memory_bytes());
    EXPECT_EQ(forwards(list), forwards(plain));
    // One place after the other, and only the last stays open.
    for (size_t i = 7000; i < kItems; i += 7000) list.replace(list.at(static_cast<int64_t>(i)), item15(i + 1));
    EXPECT_EQ(list.compressed_nodes(), list.node_count() - 2 * depth - 1);
    EXPECT_LE(list.clone()->memory_bytes(), list.memory_bytes());
    // What comes to an end is opened.
    list.erase_range(5000, kItems - 10000);
    EXPECT_EQ(list.at(4999).value().str(), item15(4999));
    EXPECT_EQ(list.at(5000).value().str(), item15(kItems - 5000));
    while (list.node_count() > 2 * depth) list.pop_front();
    EXPECT_EQ(list.compressed_nodes(), 0u);
  }
}

TEST(PackedList, LeavesAloneWhatCompressesBadly) {
  Random random(3);
  PackedList list(Limits::of(-1, 1 << 30, 1));
  for (int i = 0; i < 2000; i++) {
    std::string noise(40, 0);
    for (char& c : noise) c = static_cast<char>(random.next());
    list.push_back(noise);
  }
  EXPECT_GT(list.node_count(), 10u);
  EXPECT_EQ(list.compressed_nodes(), 0u);
}

TEST(PackedList, ReadsTheSettingOfNodeSizes) {
  EXPECT_EQ(Limits::of(-1).node_bytes, 4096u);
  EXPECT_EQ(Limits::of(-2).node_bytes, 8192u);
  EXPECT_EQ(Limits::of(-5).node_bytes, 65536u);
  EXPECT_EQ(Limits::of(INT64_MIN).node_bytes, 65536u);
  EXPECT_EQ(Limits::of(7).node_items, 7u);
  EXPECT_EQ(Limits::of(7).node_bytes, 8192u);
  EXPECT_EQ(Limits::of(0).node_items, 1u);
  EXPECT_TRUE(Limits::of(7).exceeded(20, 8));
  EXPECT_FALSE(Limits::of(7).exceeded(8192, 7));
  EXPECT_TRUE(Limits::of(7).exceeded(8193, 7));
}

TEST(PackedList, TakesLittleMoreThanItsItems) {
  constexpr size_t kItems = 300000;
  // In hundredths of a byte; nodes of 128 items are no size class of the allocator.
  for (auto [fill, most] : {std::pair{-2, 1750}, {-1, 1750}, {128, 2050}}) {
    for (bool tail : {true, false}) {
      PackedList list(Limits::of(fill));
      for (size_t i = 0; i < kItems; i++) tail ? list.push_back(item15(i)) : list.push_front(item15(i));
      EXPECT_LE(list.memory_bytes(), kItems * most / 100) << (tail ? "tail" : "head") << " fill " << fill;
    }
  }
}

TEST(PackedList, IsAQueueThatGivesMemoryBack) {
  PackedList list;
  for (size_t i = 0; i < 100000; i++) list.push_front(item15(i));
  for (size_t i = 0; i < 99990; i++) {
    ASSERT_EQ(list.back().str(), item15(i));
    list.pop_back();
  }
  EXPECT_LE(list.memory_bytes(), 2000u);
  // A steady queue within one node.
  for (size_t i = 100000; i < 200000; i++) {
    list.push_front(item15(i));
    ASSERT_EQ(list.back().str(), item15(i - 10));
    list.pop_back();
  }
  EXPECT_LE(list.memory_bytes(), 3000u);
  EXPECT_LE(list.node_count(), 2u);
}

TEST(PackedList, NodesJoinWhenTheyBecomeSmall) {
  PackedList list;
  for (size_t i = 0; i < 100000; i++) list.push_back(item15(i));
  size_t nodes = list.node_count();
  auto i = list.begin();
  // Nine of ten go, through the iterator.
  for (size_t n = 0; i.valid(); n++) {
    if (n % 10 == 0) i.next();
    else i = list.erase(i);
  }
  EXPECT_EQ(list.size(), 10000u);
  EXPECT_LT(list.node_count(), nodes / 3);
  for (size_t n = 0; n < 10000; n += 97) EXPECT_EQ(list.at(n).value().str(), item15(n * 10));
}

TEST(PackedList, ErasesBackwardsThroughTheIterator) {
  PackedList list(Limits::of(4));
  for (int64_t n = 0; n < 1000; n++) list.push_back(PackedItem::of(n));
  auto i = list.end();
  for (i.prev(); i.valid(); i.prev())
    if (i.value().number % 3 != 0) i = list.erase(i);
  ASSERT_EQ(list.size(), 334u);
  int64_t expected = 0;
  list.for_each_range(0, SIZE_MAX, [&](const PackedValue& v) {
    EXPECT_EQ(v.number, expected);
    expected += 3;
  });
}

TEST(PackedList, StopsWhenTold) {
  PackedList list(Limits::of(4));
  for (int64_t n = 0; n < 100; n++) list.push_back(PackedItem::of(n));
  int64_t last = 0;
  list.for_each_while(10, SIZE_MAX, [&](const PackedValue& v) {
    last = v.number;
    return last < 42;
  });
  EXPECT_EQ(last, 42);
}

TEST(PackedList, BecomesABlockAndComesFromOne) {
  Random random(17);
  for (int round = 0; round < 200; round++) {
    PackedList list(round % 2 ? Limits::of(5) : Limits{.plain_bytes = 10});
    Model model;
    size_t n = random.below(60);
    for (int part = 0; part < 2; part++) {
      Packed packed = Packed::create();
      for (size_t i = 0; i < n; i++) {
        model.push_back(sample_text(random, 400));
        packed.append(model.back());
      }
      list.take_block(packed.block());
      ASSERT_NO_FATAL_FAILURE(expect_same(list, model));
      ASSERT_NO_FATAL_FAILURE(expect_sound_nodes(list));
      list.push_back(sample_text(random, 400));
      model.push_back(list.back().str());
      list.push_front(sample_text(random, 400));
      model.push_front(list.front().str());
    }
    size_t bytes = list.block_bytes();
    Packed all(list.to_block());
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(all.bytes_used(), bytes);
    ASSERT_TRUE(Packed::validate(Bytes(reinterpret_cast<char*>(all.block()), all.bytes_used())));
    Model back;
    for (PackedValue v : all) back.push_back(v.str());
    EXPECT_EQ(back, model);
    Packed::free(all.block());
  }
}

}  // namespace
}  // namespace vitrine
