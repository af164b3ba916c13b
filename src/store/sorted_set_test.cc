#include "store/sorted_set.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/encoding_limits.h"

namespace vitrine {
namespace {

using Pair = std::pair<double, std::string>;
using Outcome = SortedSet::Outcome;

// A sorted set beside standard containers that say what it must hold.
class Twin {
 public:
  Twin(uint64_t seed, size_t entries, size_t value) : random_(seed) {
    limits_.zset_max_listpack_entries = entries;
    limits_.zset_max_listpack_value = value;
    object_ = SortedSet::make(context());
  }
  ~Twin() { kSortedSetOps.destroy(object_); }

  void step(size_t names) {
    uint64_t choice = random_.below(100);
    if (choice < grow_) add(names);
    else if (choice < 80) erase(names);
    else if (choice < 83) erase_run();
    else if (choice < 90) look_up(names);
    else if (choice < 95) check_scores();
    else check_ranks();
    if (random_.below(300) == 0) grow_ = 20 + random_.below(50);
  }

  void check() {
    ASSERT_EQ(view().size(), order_.size());
    std::vector<Pair> seen = read(view(), view().ranks(0, UINT64_MAX), false);
    ASSERT_TRUE(std::equal(seen.begin(), seen.end(), order_.begin(), order_.end()));
    Value copy(kSortedSetOps.clone(object_));
    SortedSet other(*copy, context());
    ASSERT_EQ(read(other, other.ranks(0, UINT64_MAX), false), seen);
    if (!seen.empty()) {
      auto drawn = view().random(random_);
      ASSERT_EQ(scores_.at(drawn.member.str()), drawn.score);
    }
    if (view().is_tree()) tree().check();
  }

  bool is_tree() { return view().is_tree(); }
  size_t size() const { return order_.size(); }

 private:
  TypeContext context() const { return {0, &limits_}; }
  SortedSet view() { return SortedSet(object_, context()); }
  const OrderTree& tree() { return object_.as<ScoredMembers>()->tree(); }

  std::string random_name(size_t names) {
    uint64_t n = random_.below(names);
    if (random_.below(3) == 0) return std::to_string(static_cast<int64_t>(n) - 20);
    std::string name = "member" + std::to_string(n);
    if (n % 97 == 0) name += std::string(n % 400, 'x');
    return name;
  }

  double random_score() {
    constexpr double kSpecial[] = {INFINITY, -INFINITY, 0, 1e300, 0.1, -1e-310, 4503599627370497.0, 1e19};
    switch (random_.below(4)) {
      case 0: return kSpecial[random_.below(8)];
      case 1: return random_.unit() * 100 - 50;
      case 2: return static_cast<double>(random_.next() >> 1);
      default: return static_cast<double>(random_.below(40)) - 20;
    }
  }

  std::vector<Pair> read(const SortedSet& set, const SortedSet::Run& run, bool reverse) {
    std::vector<Pair> pairs;
    set.for_each(run, reverse, [&](const PackedValue& m, double score) { pairs.emplace_back(score, m.str()); });
    return pairs;
  }

  void add(size_t names) {
    std::string name = random_name(names);
    double score = random_score();
    SortedSet::AddRules rules;
    if (random_.below(2) == 0) {
      rules.only_present = random_.below(4) == 0;
      rules.only_new = !rules.only_present && random_.below(4) == 0;
      rules.only_greater = !rules.only_new && random_.below(4) == 0;
      rules.only_less = !rules.only_new && !rules.only_greater && random_.below(4) == 0;
      rules.increment = random_.below(3) == 0;
    }
    auto [outcome, result] = view().add(name, score, rules);
    auto old = scores_.find(name);
    if (old == scores_.end()) {
      ASSERT_EQ(outcome, rules.only_present ? Outcome::refused : Outcome::added);
      if (outcome == Outcome::added) put(name, score);
      return;
    }
    double wanted = rules.increment ? old->second + score : score;
    if (rules.only_new) {
      ASSERT_EQ(outcome, Outcome::refused);
    } else if (std::isnan(wanted)) {
      ASSERT_EQ(outcome, Outcome::not_a_number);
    } else if ((rules.only_greater && wanted <= old->second) || (rules.only_less && wanted >= old->second)) {
      ASSERT_EQ(outcome, Outcome::refused);
    } else {
      ASSERT_EQ(outcome, wanted == old->second ? Outcome::unchanged : Outcome::updated);
      ASSERT_EQ(result, wanted);
      put(name, wanted);
    }
  }

  void erase(size_t names) {
    std::string name = random_name(names);
    object_.changes = 0;
    bool there = scores_.count(name) > 0;
    ASSERT_EQ(view().erase(name), there);
    ASSERT_EQ(object_.changes, there);
    take(name);
  }

  void erase_run() {
    auto run = view().ranks(random_.below(size() + 2), random_.below(6));
    auto gone = read(view(), run, false);
    view().erase(run);
    ASSERT_EQ(gone.size(), run.count);
    for (auto& [score, name] : gone) {
      ASSERT_EQ(order_.count({score, name}), 1u);
      take(name);
    }
  }

  void look_up(size_t names) {
    std::string name = random_name(names);
    auto found = scores_.find(name);
    auto place = view().place(name);
    ASSERT_EQ(place.has_value(), found != scores_.end());
    ASSERT_EQ(view().contains(name), found != scores_.end());
    if (!place) return;
    ASSERT_EQ(place->score, found->second);
    ASSERT_EQ(*view().score(name), found->second);
    auto expected = std::distance(order_.begin(), order_.find({found->second, name}));
    ASSERT_EQ(place->rank, static_cast<uint64_t>(expected));
  }

  void check_scores() {
    ScoreRange range{random_score(), random_score(), random_.below(2) == 0, random_.below(2) == 0};
    std::vector<Pair> wanted;
    for (auto& pair : order_)
      if (range.starts_before(pair.first) && range.ends_after(pair.first)) wanted.push_back(pair);
    check_run(view().find(range), wanted);
  }

  void check_ranks() {
    uint64_t first = random_.below(size() + 2), count = random_.below(20);
    std::vector<Pair> wanted;
    uint64_t rank = 0;
    for (auto& pair : order_) {
      if (rank >= first && rank < first + count) wanted.push_back(pair);
      rank++;
    }
    check_run(view().ranks(first, count), wanted);
  }

  // In both directions, whole and cut.
  void check_run(SortedSet::Run run, std::vector<Pair> wanted) {
    for (bool reverse : {false, true}) {
      if (reverse) std::reverse(wanted.begin(), wanted.end());
      ASSERT_EQ(read(view(), run, reverse), wanted);
      uint64_t skipped = random_.below(4), most = random_.below(5);
      auto part = run;
      part.cut(skipped, most, reverse);
      std::vector<Pair> cut;
      for (size_t i = skipped; i < wanted.size() && cut.size() < most; i++) cut.push_back(wanted[i]);
      ASSERT_EQ(read(view(), part, reverse), cut);
    }
  }

  void put(const std::string& name, double score) {
    take(name);
    scores_[name] = score;
    order_.emplace(score, name);
  }
  void take(const std::string& name) {
    auto found = scores_.find(name);
    if (found == scores_.end()) return;
    order_.erase({found->second, name});
    scores_.erase(found);
  }

  EncodingLimits limits_;
  Random random_;
  Object object_;
  uint64_t grow_ = 70;
  std::map<std::string, double> scores_;
  std::set<Pair> order_;
};

void run_twin(uint64_t seed, size_t entries, size_t value, size_t names, int steps, bool ends_as_tree) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Twin twin(seed, entries, value);
  for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); i++) {
    twin.step(names);
    if (i % 200 == 0) twin.check();
  }
  twin.check();
  EXPECT_EQ(twin.is_tree(), ends_as_tree);
}

TEST(SortedSet, SmallBehavesAsTheModel) {
  for (uint64_t seed = 1; seed <= 8; seed++) run_twin(seed, 1000, 1000, 60, 4000, false);
}
TEST(SortedSet, LargeBehavesAsTheModel) {
  for (uint64_t seed = 1; seed <= 3; seed++) run_twin(seed, 0, 64, 1500, 12000, true);
}
TEST(SortedSet, BehavesAsTheModelAcrossTheLimits) {
  for (uint64_t seed = 1; seed <= 6; seed++) run_twin(seed, 30, 64, 200, 3000, true);
}

class SortedSetTest : public testing::Test {
 protected:
  SortedSetTest() { object_ = SortedSet::make(context()); }
  ~SortedSetTest() override { kSortedSetOps.destroy(object_); }
  TypeContext context() const { return {0, &limits_}; }
  SortedSet view() { return SortedSet(object_, context()); }
  std::string encoding() { return std::string(kSortedSetOps.encoding_name(object_)); }

  EncodingLimits limits_;
  Object object_;
};

TEST_F(SortedSetTest, LeavesTheSmallEncodingAtTheLimits) {
  limits_.zset_max_listpack_entries = 3;
  for (int i = 0; i < 3; i++) view().set("m" + std::to_string(i), i);
  EXPECT_EQ(encoding(), "listpack");
  view().set("m1", 9);
  EXPECT_EQ(encoding(), "listpack");
  view().set("m3", 3);
  EXPECT_EQ(encoding(), "skiplist");
  for (int i = 0; i < 4; i++) view().erase("m" + std::to_string(i));
  EXPECT_EQ(encoding(), "skiplist");
  EXPECT_EQ(view().size(), 0u);
}

TEST_F(SortedSetTest, LeavesTheSmallEncodingForALongMember) {
  view().set(std::string(64, 'a'), 1);
  EXPECT_EQ(encoding(), "listpack");
  view().set(std::string(65, 'b'), 1);
  EXPECT_EQ(encoding(), "skiplist");
  EXPECT_EQ(*view().score(std::string(64, 'a')), 1);
}

TEST_F(SortedSetTest, FindsRangesOfMembersOfOneScore) {
  const std::vector<std::string> names = {"", "-3", "12", "a", "ab", "b", "c\xff", "d"};
  for (bool large : {false, true}) {
    limits_.zset_max_listpack_entries = large ? 0 : 100;
    kSortedSetOps.destroy(object_);
    object_ = SortedSet::make(context());
    for (auto& name : names) view().set(name, 7);
    std::vector<LexEnd> ends = {{LexEnd::Kind::lowest, {}}, {LexEnd::Kind::highest, {}}};
    for (auto& name : names)
      for (auto kind : {LexEnd::Kind::inclusive, LexEnd::Kind::exclusive}) ends.push_back({kind, name});
    ends.push_back({LexEnd::Kind::inclusive, "aa"});
    ends.push_back({LexEnd::Kind::exclusive, "zz"});
    for (const LexEnd& min : ends) {
      for (const LexEnd& max : ends) {
        LexRange range{min, max};
        std::vector<std::string> wanted, seen;
        for (auto& name : names)
          if (range.starts_before(name) && range.ends_after(name)) wanted.push_back(name);
        auto run = view().find(range);
        view().for_each(run, false, [&](const PackedValue& m, double) { seen.push_back(m.str()); });
        ASSERT_EQ(seen, wanted) << large;
      }
    }
  }
}

TEST_F(SortedSetTest, ScanVisitsWhatStaysWhileOthersComeAndGo) {
  limits_.zset_max_listpack_entries = 0;
  for (int i = 0; i < 500; i++) view().set("stays" + std::to_string(i), i);
  std::map<std::string, double> seen;
  uint64_t cursor = 0;
  int others = 0;
  do {
    cursor = view().scan(cursor, [&](const PackedValue& m, double score) { seen[m.str()] = score; });
    for (int i = 0; i < 7; i++) view().set("comes" + std::to_string(others++), 5);
    if (others > 300) view().erase(view().find(ScoreRange{5, 5, false, false}));
    for (int i = 0; i < 500; i++) view().set("stays" + std::to_string(i), i);
  } while (cursor);
  for (int i = 0; i < 500; i++) ASSERT_EQ(seen.count("stays" + std::to_string(i)), 1u) << i;
}

TEST_F(SortedSetTest, TellsItsMemory) {
  limits_.zset_max_listpack_entries = 0;
  for (int i = 0; i < 20000; i++) view().set("member-" + std::to_string(1'000'000'000 + i), i * 7919 % 20011);
  size_t bytes = kSortedSetOps.memory(object_, 0);
  EXPECT_LT(bytes, 20000u * 66);
  EXPECT_GT(bytes, 20000u * 50);
  EXPECT_NEAR(static_cast<double>(kSortedSetOps.memory(object_, 5)), static_cast<double>(bytes), bytes * 0.05);
}

}  // namespace
}  // namespace vitrine
