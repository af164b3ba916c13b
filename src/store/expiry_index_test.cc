#include "store/expiry_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/hash.h"
#include "base/memory.h"

namespace vitrine {
namespace {

constexpr int64_t kTick = ExpiryIndex::kTickMs;
constexpr int64_t kFarthestMs = int64_t{0x3fff'ffff} * kTick;  // what lies beyond comes back early
constexpr size_t kPlenty = SIZE_MAX / 2;

// An index beside a std::map of what it must give back, and when.
class Twin {
 public:
  explicit Twin(uint64_t seed)
      : random_(seed), base_ms_(static_cast<int64_t>(random_.below(uint64_t{1} << 47))), now_ms_(base_ms_),
        index_(now_ms_) {}

  void step() {
    uint64_t choice = random_.below(100);
    if (choice < 60) add(now_ms_ + any_distance());
    else if (choice < 85) advance();
    else if (choice < 95) take(random_.below(100));
    else look_ahead();
  }

  void drain() {
    ASSERT_TRUE(take(kPlenty));
    auto late = index_.lateness(now_ms_);
    ASSERT_EQ(late.items, 0u);
    ASSERT_EQ(late.age_ms, 0);
  }
  // Everything there is becomes due and comes out; far items need several attempts.
  void end() {
    while (!model_.empty()) {
      for (const auto& [hash, held] : model_) now_ms_ = std::max(now_ms_, std::min(held.due_ms, now_ms_ + kFarthestMs));
      now_ms_ += kTick;
      ASSERT_NO_FATAL_FAILURE(drain());
    }
    ASSERT_EQ(index_.size(), 0u);
    ASSERT_EQ(index_.next_due_ms(), INT64_MAX);
    ASSERT_EQ(index_.memory_bytes(), sizeof(ExpiryIndex));
  }

 private:
  struct Held {
    int64_t due_ms, added_ms;
  };

  int64_t any_distance() {
    uint64_t far = uint64_t{16} << random_.below(32);
    switch (random_.below(8)) {
      case 0: return -static_cast<int64_t>(random_.below(far));
      case 1: return static_cast<int64_t>(far) - (now_ms_ - base_ms_) % kTick;   // the first moment of a tick
      case 2: return kFarthestMs / 2;
      default: return static_cast<int64_t>(random_.below(far));
    }
  }
  void add(int64_t due_ms) {
    uint64_t hash = hash_word(++added_);
    if (!model_.try_emplace(hash & ExpiryIndex::kHashMask, Held{due_ms, now_ms_}).second) return;
    index_.add(hash, due_ms);
    ASSERT_EQ(index_.size(), model_.size());
  }
  void advance() {
    int64_t by = static_cast<int64_t>(random_.below(uint64_t{1} << random_.below(random_.below(20) ? 18 : 30)));
    now_ms_ += by;
    if (random_.below(2)) drain();
  }
  // Takes what is due, for so many steps; true if all was taken.
  bool take(size_t steps) {
    uint64_t hash;
    std::vector<std::pair<uint64_t, Held>> again;   // far ahead: put in again
    while (index_.take_due(now_ms_, steps, hash)) {
      auto it = model_.find(hash);
      EXPECT_NE(it, model_.end());
      if (it == model_.end()) return false;
      Held& held = it->second;
      if (held.due_ms <= now_ms_) {
        model_.erase(it);
      } else {
        EXPECT_GT(held.due_ms - held.added_ms, kFarthestMs - 2 * kTick) << "early";
        EXPECT_GT(now_ms_ - held.added_ms, kFarthestMs - 2 * kTick) << "early";
        again.push_back(*it);
      }
    }
    for (auto& [each, held] : again) {
      index_.add(each, held.due_ms);
      model_[each].added_ms = now_ms_;
    }
    if (steps == 0) return false;
    // Due is what lies in the ticks that are over.
    for (const auto& [each, held] : model_)
      EXPECT_GT(tick_end(held.due_ms), base_ms_ + (now_ms_ - base_ms_) / kTick * kTick) << "forgotten";
    EXPECT_EQ(index_.size(), model_.size());
    return true;
  }
  int64_t tick_end(int64_t at_ms) const { return base_ms_ + (at_ms - base_ms_ + kTick - 1) / kTick * kTick; }

  // next_due_ms: nothing to do before, nothing too late.
  void look_ahead() {
    int64_t next = index_.next_due_ms();
    if (next == INT64_MAX) {
      ASSERT_TRUE(model_.empty());
      return;
    }
    int64_t earliest = INT64_MAX;
    for (const auto& [hash, held] : model_) earliest = std::min(earliest, std::max(held.due_ms, held.added_ms));
    ASSERT_LE(next, tick_end(earliest));
    if (now_ms_ >= next || next - now_ms_ > 1 << 30) return;
    now_ms_ = std::max(now_ms_, next - 1);
    uint64_t hash;
    size_t steps = 3;
    ASSERT_FALSE(index_.take_due(now_ms_, steps, hash));
    ASSERT_GT(steps, 0u);
  }

  Random random_;
  const int64_t base_ms_;
  int64_t now_ms_;
  ExpiryIndex index_;
  std::map<uint64_t, Held> model_;
  uint64_t added_ = 0;
};

TEST(ExpiryIndex, GivesEachItemBackAtItsTime) {
  for (uint64_t seed = 0; seed < 60; seed++) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Twin twin(seed);
    for (int i = 0; i < 600; i++) {
      twin.step();
      if (testing::Test::HasFailure()) return;
    }
    ASSERT_NO_FATAL_FAILURE(twin.end());
  }
}

TEST(ExpiryIndex, ItemsFarAheadComeBackEarlyAndNotLate) {
  constexpr int64_t kStart = 1'700'000'000'000, kDue = (int64_t{1} << 48) - 1;   // the year 10889
  ExpiryIndex index(kStart);
  for (uint64_t i = 0; i < 100; i++) index.add(hash_word(i), kDue);
  EXPECT_GT(index.next_due_ms(), kStart);
  uint64_t hash;
  size_t steps = kPlenty;
  EXPECT_FALSE(index.take_due(kStart + kFarthestMs - 2 * kTick, steps, hash));
  std::set<uint64_t> seen;
  while (index.take_due(kStart + kFarthestMs + kTick, steps, hash)) seen.insert(hash);
  EXPECT_EQ(seen.size(), 100u);
  // Put in again: again as far away as can be.
  for (uint64_t i = 0; i < 100; i++) index.add(hash_word(i), INT64_MAX);
  EXPECT_FALSE(index.take_due(kStart + 2 * kFarthestMs - 2 * kTick, steps, hash));
  EXPECT_EQ(index.size(), 100u);
  EXPECT_FALSE(index.worn());
}

TEST(ExpiryIndex, IsWornLongBeforeTicksOverflow) {
  ExpiryIndex index(0);
  uint64_t hash;
  size_t steps = kPlenty;
  int64_t worn_ms = int64_t{0x8000'0000} * kTick;
  index.take_due(worn_ms - kTick, steps, hash);
  EXPECT_FALSE(index.worn());
  index.take_due(worn_ms, steps, hash);
  EXPECT_TRUE(index.worn());
  // It still works, for the time that its replacement takes.
  index.add(hash_word(1), worn_ms + 1000);
  index.add(hash_word(2), INT64_MAX);
  EXPECT_FALSE(index.take_due(worn_ms + 999, steps, hash));
  ASSERT_TRUE(index.take_due(worn_ms + 1000 + kTick, steps, hash));
  EXPECT_TRUE(ExpiryIndex::same(hash_word(1), hash));
}

TEST(ExpiryIndex, AMomentBeforeItsBaseIsDueAtOnce) {
  ExpiryIndex index(1'000'000);
  index.add(hash_word(5), -3);
  index.add(hash_word(6), 999'999);
  uint64_t hash;
  size_t steps = kPlenty;
  EXPECT_FALSE(index.take_due(999'000, steps, hash));   // the clock was set back
  EXPECT_TRUE(index.take_due(1'000'000, steps, hash));
  EXPECT_TRUE(index.take_due(1'000'000, steps, hash));
  EXPECT_FALSE(index.take_due(1'000'000, steps, hash));
}

TEST(ExpiryIndex, WorkIsAFewStepsAnItemAndAnySliceMayEnd) {
  constexpr size_t kItems = 200'000;
  ExpiryIndex index(0);
  Random random(11);
  for (size_t i = 0; i < kItems; i++) index.add(hash_word(i), static_cast<int64_t>(random.below(1 << 26)));
  size_t taken = 0, slices = 0;
  uint64_t hash;
  for (bool more = true; more; slices++) {
    size_t steps = 100;
    while (index.take_due(1 << 27, steps, hash)) taken++;
    more = steps == 0;
  }
  EXPECT_EQ(taken, kItems);
  EXPECT_LE(slices * 100, kItems * 4 + 100'000);   // one to yield it, at most three to move it down, and jumps
}

TEST(ExpiryIndex, LatenessGrowsAndGoesBackToNothing) {
  constexpr size_t kItems = 50'000;
  ExpiryIndex index(0);
  for (size_t i = 0; i < kItems; i++) index.add(hash_word(i), 10'000);
  EXPECT_EQ(index.lateness(9'999).items, 0u);
  uint64_t hash;
  size_t steps = 10, last = kItems;
  ASSERT_FALSE(index.take_due(70'000, steps, hash));   // only on its way down
  auto late = index.lateness(70'000);
  EXPECT_EQ(late.items, kItems);
  EXPECT_GE(late.age_ms, 60'000 - kTick);
  EXPECT_LE(late.age_ms, 60'000 + 256 * kTick);        // to the width of its slot
  do {
    for (steps = 5000; index.take_due(70'000, steps, hash);) {}
    late = index.lateness(70'000);
    ASSERT_EQ(late.items, index.size());
    ASSERT_LE(late.items, last);
    last = late.items;
    if (late.items) {
      ASSERT_GE(late.age_ms, 60'000 - kTick);
    }
  } while (steps == 0);
  EXPECT_EQ(late.items, 0u);
  EXPECT_EQ(late.age_ms, 0);
}

TEST(ExpiryIndex, SamplesNearUniformlyAndDropsWhatIsStale) {
  constexpr size_t kItems = 2000, kDraws = 150;   // for each
  ExpiryIndex index(0);
  Random random(3);
  std::map<uint64_t, size_t> drawn;
  for (size_t i = 0; i < kItems; i++) {
    index.add(hash_word(i), i % 3 ? static_cast<int64_t>(random.below(1 << 28)) : 777);   // one slot with many chunks
    drawn[hash_word(i) & ExpiryIndex::kHashMask] = 0;
  }
  index.sample(random, kItems * kDraws, [&](uint64_t hash) {
    drawn.at(hash)++;
    return true;
  });
  for (const auto& [hash, times] : drawn) {
    ASSERT_GT(times, kDraws / 2);
    ASSERT_LT(times, kDraws * 2);
  }
  // A third is stale: gone with the first look, and the rest stays.
  std::set<uint64_t> stale;
  for (const auto& [hash, times] : drawn)
    if (hash % 3 == 0) stale.insert(hash);
  size_t left = kItems - stale.size();
  index.sample(random, kItems * 20, [&](uint64_t hash) { return stale.erase(hash) == 0; });
  EXPECT_TRUE(stale.empty());
  EXPECT_EQ(index.size(), left);
  index.sample(random, kItems * 100, [](uint64_t) { return false; });
  EXPECT_EQ(index.size(), 0u);
  EXPECT_EQ(index.memory_bytes(), sizeof(ExpiryIndex));
}

TEST(ExpiryIndex, TheSoonestComeFromTheFirstSlot) {
  for (uint64_t seed = 0; seed < 26; seed++) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    ExpiryIndex index(0);
    std::map<uint64_t, int64_t> due;
    for (uint64_t i = 0; i < 500; i++) {
      int64_t at = static_cast<int64_t>(random.below(uint64_t{1} << (8 + seed)));
      if (due.try_emplace(hash_word(i) & ExpiryIndex::kHashMask, at).second) index.add(hash_word(i), at);
    }
    while (!due.empty()) {
      auto earlier = [](const auto& a, const auto& b) { return a.second < b.second; };
      int64_t first = std::min_element(due.begin(), due.end(), earlier)->second;
      index.sample_soonest(random, 1, [&](uint64_t hash) {
        // The width of the slot: what a wheel leaves open below the highest digit in which the tick is not 0.
        int64_t width = kTick;
        for (int64_t tick = (first + kTick - 1) / kTick; tick >= 256; tick /= 256) width *= 256;
        EXPECT_LE(due.at(hash), first + width);
        due.erase(hash);
        return false;
      });
      ASSERT_EQ(index.size(), due.size());
    }
  }
}

TEST(ExpiryIndex, ForgetsInSlicesAndGivesItsMemoryBack) {
  memory::register_thread();
  Random random(4);
  auto index = std::make_unique<ExpiryIndex>(0);
  size_t before = memory::used_bytes();
  for (size_t i = 0; i < 100'000; i++) index->add(hash_word(i), static_cast<int64_t>(random.below(1 << 24)));
#ifndef VITRINE_SANITIZED
  EXPECT_EQ(memory::used_bytes() - before, index->memory_bytes() - sizeof(ExpiryIndex));
#endif
  EXPECT_LT(index->memory_bytes(), 100'000 * 8 * 3 / 2 + sizeof(ExpiryIndex) + 1024 * 512);
  size_t calls = 0, size = index->size();
  for (bool done = false; !done; calls++) {
    done = index->forget_some(10);
    ASSERT_LE(size - index->size(), 620u);
    size = index->size();
  }
  EXPECT_EQ(size, 0u);
  EXPECT_EQ(memory::used_bytes(), before);
  EXPECT_GT(calls, 100u);
}

}  // namespace
}  // namespace vitrine
