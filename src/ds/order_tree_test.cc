#include "ds/order_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/memory.h"
#include "base/random.h"

namespace vitrine {
namespace {

using Bound = OrderTree::Bound;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A tree, the members in it, and a std::set that says what it should hold.
class Model {
 public:
  explicit Model(uint64_t seed) : random(seed) {}
  ~Model() {
    tree.clear([](ZMember* member) { ZMember::destroy(member); });
  }

  void add(const std::string& bytes, double score) {
    auto [at, added] = members.try_emplace(bytes, nullptr);
    if (added) {
      at->second = ZMember::create(bytes, score);
      tree.insert(at->second);
    } else {
      order.erase({at->second->score(), bytes});
      tree.update(at->second, score);
    }
    order.insert({score, bytes});
  }
  void append(const std::string& bytes, double score) {
    ZMember* member = members[bytes] = ZMember::create(bytes, score);
    tree.append(member);
    order.insert({score, bytes});
  }
  void remove(const std::string& bytes) {
    ZMember* member = members.at(bytes);
    order.erase({member->score(), bytes});
    members.erase(bytes);
    if (random.below(2)) {
      tree.erase(member);
    } else {
      ASSERT_EQ(tree.erase(member->score(), bytes), member);
    }
    ZMember::destroy(member);
  }
  void remove_ranks(uint64_t first, uint64_t last) {
    auto begin = std::next(order.begin(), std::min<uint64_t>(first, order.size()));
    auto end = last >= order.size() ? order.end() : std::next(order.begin(), last + 1);
    if (first > last) end = begin;
    uint64_t expected = std::distance(begin, end);
    auto at = begin;
    uint64_t n = tree.erase_range(first, last, [&](ZMember* member) {
      ASSERT_EQ(member->bytes(), at->second);
      members.erase(at->second);
      ZMember::destroy(member);
      ++at;
    });
    ASSERT_EQ(n, expected);
    order.erase(begin, end);
  }
  std::string pick() {
    auto at = tree.at_rank(random.below(tree.count()));
    return std::string(at.member()->bytes());
  }

  void compare_all() const {
    tree.check();
    ASSERT_EQ(tree.count(), order.size());
    auto at = tree.begin();
    auto there = tree.end();
    uint64_t rank = 0;
    for (auto& [score, bytes] : order) {
      ASSERT_TRUE(at);
      ASSERT_EQ(at.score(), score);
      ASSERT_EQ(at.member()->bytes(), bytes);
      ASSERT_EQ(at.rank(), rank++);
      at.next();
    }
    ASSERT_FALSE(at);
    ASSERT_EQ(at.rank(), tree.count());
    for (auto entry = order.rbegin(); entry != order.rend(); ++entry) {
      there.prev();
      ASSERT_TRUE(there);
      ASSERT_EQ(there.member()->bytes(), entry->second);
      ASSERT_EQ(there.rank(), --rank);
    }
    there.prev();
    ASSERT_FALSE(there);
  }

  void compare_bounds(double score) const {
    auto low = tree.lower_bound(score), high = tree.lower_bound(score, Bound::exclusive);
    auto first = order.lower_bound({score, ""});
    auto after = std::find_if(first, order.end(), [&](auto& entry) { return entry.first > score; });
    compare_at(low, first);
    compare_at(high, after);
    compare_at(tree.first_not_less([&](double other, const ZMember*) { return other < score; }), first);
  }
  void compare_at(OrderTree::Iterator at, std::set<std::pair<double, std::string>>::const_iterator expected) const {
    ASSERT_EQ(bool(at), expected != order.end());
    ASSERT_EQ(at.rank(), static_cast<uint64_t>(std::distance(order.begin(), expected)));
    if (at) {
      ASSERT_EQ(at.member()->bytes(), expected->second);
    }
  }
  void compare_ranks() {
    std::string bytes = pick();
    ZMember* member = members.at(bytes);
    auto expected = order.find({member->score(), bytes});
    ASSERT_EQ(tree.rank_of(member), static_cast<uint64_t>(std::distance(order.begin(), expected)));
    compare_at(tree.find(member->score(), bytes), expected);
    compare_at(tree.at_rank(tree.rank_of(member)), expected);
    ASSERT_FALSE(tree.find(member->score(), bytes + "x"));
    ASSERT_EQ(tree.erase(member->score(), bytes + "x"), nullptr);
  }
  void compare_walk() {
    uint64_t first = random.below(tree.count()), n = random.below(200);
    bool reverse = random.below(2);
    std::vector<std::string> got, expected;
    OrderTree::for_each(
        tree.at_rank(first), n, [&](double, const ZMember* member) { got.emplace_back(member->bytes()); }, reverse);
    auto at = std::next(order.begin(), first);
    while (expected.size() < n && at != order.end()) {
      expected.push_back(at->second);
      if (reverse ? at == order.begin() : false) break;
      reverse ? --at : ++at;
    }
    ASSERT_EQ(got, expected);
  }

  Random random;
  OrderTree tree;
  std::map<std::string, ZMember*> members;
  std::set<std::pair<double, std::string>> order;
};

// `scores`: how many different ones there are; with few, order is by bytes.
void run_random(uint64_t seed, uint64_t scores, uint64_t names, int steps) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << " scores " << scores << " names " << names);
  Model model(seed);
  Random& random = model.random;
  auto some_score = [&]() -> double {
    uint64_t n = random.below(scores);
    if (n == 0 && scores > 2) return random.below(2) ? kInfinity : -kInfinity;
    return (static_cast<double>(n) - static_cast<double>(scores / 2)) / 4;
  };
  for (int step = 0; step < steps; step++) {
    bool growing = step / (steps / 4) % 2 == 0;
    uint64_t dice = random.below(100);
    if (model.order.empty() || dice < (growing ? 70u : 25u)) {
      std::string name = "m" + std::to_string(random.below(names));
      if (random.below(50) == 0) name += std::string(random.below(400), 'y');
      model.add(name, some_score());
    } else if (dice < 80) {
      model.remove(model.pick());
    } else if (dice < 90) {
      std::string name = model.pick();
      model.add(name, model.members[name]->score() + (random.unit() - 0.5));
    } else if (dice == 90) {
      uint64_t first = random.below(model.tree.count() + 2);
      model.remove_ranks(first, first + random.below(growing ? 5 : 300));
    } else if (dice < 94) {
      model.compare_ranks();
    } else if (dice < 97) {
      model.compare_walk();
    } else {
      model.compare_bounds(some_score());
    }
    if (step % 97 == 0) model.tree.check();
    if (step % (steps / 8) == 0) model.compare_all();
    if (testing::Test::HasFatalFailure()) return;
  }
  model.compare_all();
  while (!model.order.empty() && !testing::Test::HasFatalFailure()) {
    model.remove(model.pick());
    if (random.below(64) == 0) model.tree.check();
  }
  model.compare_all();
}

TEST(OrderTree, BehavesAsASetWithManyScores) { run_random(1, 1'000'000'000, 1'000'000, 30'000); }
TEST(OrderTree, BehavesAsASetWithFewScores) { run_random(2, 5, 1'000'000, 30'000); }
TEST(OrderTree, BehavesAsASetWithOneScore) { run_random(3, 1, 1'000'000, 30'000); }
TEST(OrderTree, BehavesAsASetThatStaysSmall) {
  for (uint64_t seed = 10; seed < 40; seed++) run_random(seed, 50, 100, 800);
}

TEST(OrderTree, IsEmptyAtFirst) {
  OrderTree tree;
  tree.check();
  EXPECT_FALSE(tree.begin());
  EXPECT_FALSE(tree.end());
  EXPECT_FALSE(tree.last());
  EXPECT_FALSE(tree.at_rank(0));
  EXPECT_FALSE(tree.lower_bound(0.0));
  EXPECT_FALSE(tree.lower_bound(Bytes("a")));
  EXPECT_FALSE(tree.find(0, "a"));
  EXPECT_EQ(tree.erase(0, "a"), nullptr);
  EXPECT_EQ(tree.erase_range(0, 10, [](ZMember*) { FAIL(); }), 0u);
  EXPECT_EQ(tree.memory_bytes(), 0u);
  auto at = tree.end();
  at.prev();
  EXPECT_FALSE(at);
}

// Enough for three levels, from either end; nearly full leaves; and down again from either end.
TEST(OrderTree, GrowsAndShrinksAtItsEnds) {
  for (int way = 0; way < 6; way++) {
    Model model(way);
    const int n = 12'000;
    for (int i = 0; i < n; i++) {
      double score = way % 2 ? -i : i;
      way == 4 ? model.append(std::to_string(i), score) : model.add(std::to_string(i), score);
    }
    model.compare_all();
#ifndef VITRINE_HARD
    EXPECT_LT(model.tree.memory_bytes(), n * 15.6) << way;
#endif
    for (int i = 0; i < n; i++) {
      auto at = way < 3 ? model.tree.begin() : model.tree.last();
      model.remove(std::string(at.member()->bytes()));
      if (i % 500 == 0) model.tree.check();
    }
    model.compare_all();
    EXPECT_EQ(model.tree.memory_bytes(), 0u);
  }
}

TEST(OrderTree, GrowsInTheMiddle) {
  Model model(5);
  for (int i = 0; i < 10'000; i++) model.add(std::to_string(i), i % 2 ? i : -i);  // outwards
  model.compare_all();
  for (int i = 10'000; i > 0; i--) model.add("in" + std::to_string(i), i % 2 ? i / 1e6 : -i / 1e6);  // inwards
  model.compare_all();
}

TEST(OrderTree, StaysFullUnderRandomInsertion) {
  Model model(6);
  const int n = 60'000;
  std::vector<ZMember*> members;
  for (int i = 0; i < n; i++) {
    members.push_back(ZMember::create(std::to_string(i), model.random.unit()));
    model.tree.insert(members.back());
  }
  model.tree.check();
#ifndef VITRINE_HARD
  EXPECT_LT(static_cast<double>(model.tree.memory_bytes()) / n, 20.0);
#endif
  for (int i = 0; i < n; i++) model.tree.update(members[i], model.random.unit());
  model.tree.check();
#ifndef VITRINE_HARD
  EXPECT_LT(static_cast<double>(model.tree.memory_bytes()) / n, 20.0);
#endif
}

TEST(OrderTree, UpdatesNearAndFar) {
  Model model(7);
  for (int i = 0; i < 3'000; i++) model.add(std::to_string(i), i);
  for (int i = 0; i < 20'000; i++) {
    std::string bytes = model.pick();
    double score = model.members[bytes]->score();
    double steps[] = {0, 0.25, -0.25, 1, -1, 30, -30, 1000, -1000, kInfinity, -kInfinity};
    score += steps[model.random.below(std::size(steps))];
    model.add(bytes, score == score ? score : 0);
    if (i % 1000 == 0) model.compare_all();
    if (HasFatalFailure()) return;
  }
  model.compare_all();
}

TEST(OrderTree, FindsByBytes) {
  Model model(8);
  for (int i = 0; i < 6'000; i++) model.add("k" + std::to_string(model.random.below(1'000'000)), 0);
  for (int i = 0; i < 300; i++) {
    std::string bytes = i % 2 ? model.pick() : "k" + std::to_string(model.random.below(1'000'000));
    auto first = model.order.lower_bound({0, bytes});
    auto after = model.order.upper_bound({0, bytes});
    model.compare_at(model.tree.lower_bound(bytes), first);
    model.compare_at(model.tree.lower_bound(bytes, Bound::exclusive), after);
  }
  model.compare_at(model.tree.lower_bound(Bytes("")), model.order.begin());
  model.compare_at(model.tree.lower_bound(Bytes("z")), model.order.end());
}

TEST(OrderTree, TakesZeroesAsEqual) {
  Model model(9);
  model.add("b", -0.0);
  model.add("a", 0.0);
  model.add("c", 0.0);
  EXPECT_EQ(model.tree.at_rank(0).member()->bytes(), "a");
  EXPECT_EQ(model.tree.at_rank(1).member()->bytes(), "b");
  EXPECT_EQ(model.tree.lower_bound(-0.0).rank(), 0u);
  EXPECT_EQ(model.tree.lower_bound(-0.0, Bound::exclusive).rank(), 3u);
  EXPECT_TRUE(model.tree.find(0.0, "b"));
}

TEST(OrderTree, OrdersBytesUnsignedAndShorterFirst) {
  Model model(10);
  std::string zero("a\0", 2);
  for (const std::string& bytes : {std::string("\xff"), std::string("a"), std::string(""), zero, std::string("\x7f")})
    model.add(bytes, 1);
  const std::string expected[] = {"", "a", zero, "\x7f", "\xff"};
  for (unsigned i = 0; i < 5; i++) EXPECT_EQ(model.tree.at_rank(i).member()->bytes(), expected[i]);
}

TEST(OrderTree, EndsAWalkWhenTold) {
  Model model(11);
  for (int i = 0; i < 1'000; i++) model.add(std::to_string(i), i);
  int seen = 0;
  OrderTree::for_each(model.tree.at_rank(100), 500, [&](double, const ZMember*) { return ++seen < 200; });
  EXPECT_EQ(seen, 200);
  seen = 0;
  OrderTree::for_each(model.tree.end(), 500, [&](double, const ZMember*) { seen++; });
  EXPECT_EQ(seen, 0);
}

TEST(OrderTree, MovesAndClears) {
  OrderTree tree;
  std::vector<ZMember*> members;
  for (int i = 0; i < 5'000; i++) {
    members.push_back(ZMember::create(std::to_string(i), i));
    tree.append(members.back());
  }
  OrderTree other = std::move(tree);
  tree.check();
  other.check();
  EXPECT_EQ(tree.count(), 0u);
  EXPECT_EQ(other.count(), 5'000u);
  int next = 0;
  other.clear([&](ZMember* member) {
    EXPECT_EQ(member, members[next++]);
    ZMember::destroy(member);
  });
  EXPECT_EQ(next, 5'000);
  other.check();
}

TEST(ZMember, HoldsBytesOfEveryLength) {
  for (size_t n : {0, 1, 17, 23, 253, 254, 255, 256, 70'000}) {
    std::string bytes(n, 'x');
    if (n) bytes.back() = 0;
    ZMember* member = ZMember::create(bytes, 1.5);
    EXPECT_EQ(member->bytes(), bytes);
    EXPECT_EQ(member->score(), 1.5);
    EXPECT_GE(member->memory_bytes(), n + 9);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(member) % 16, 0u);
    ZMember::destroy(member);
  }
  EXPECT_EQ(memory::good_size(9 + 17), 32u);
}

}  // namespace
}  // namespace vitrine
