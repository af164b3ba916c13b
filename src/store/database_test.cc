#include "store/database.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/memory.h"
#include "store/string.h"

namespace vitrine {
namespace {

constexpr size_t kPlenty = SIZE_MAX / 2;
constexpr int64_t kStart = 1'700'000'000'000, kFarAhead = (int64_t{1} << 48) - 1;
constexpr int64_t kTick = ExpiryIndex::kTickMs;

Entry* text_entry(Bytes key, Bytes text, int64_t at_ms) { return Entry::create_text(key, text, at_ms); }

// A database beside a std::map of the texts and times it must hold.
class Twin {
 public:
  explicit Twin(uint64_t seed) : random_(seed), now_ms_(kStart), database_(0, kStart) {}

  void step(size_t names) {
    std::string key = "key:" + std::to_string(random_.below(names));
    if (random_.below(50) == 0) key += std::string(random_.below(400), 'k');
    uint64_t choice = random_.below(100);
    if (choice < 40) write(key);
    else if (choice < 60) erase(key);
    else if (choice < 85) set_expiry(key);
    else if (choice < 90) read(key);
    else if (choice < 95) reclaim(random_.below(60));
    else if (choice < 99) now_ms_ += static_cast<int64_t>(random_.below(200));
    else now_ms_ += static_cast<int64_t>(random_.below(uint64_t{1} << random_.below(38)));
    ASSERT_EQ(database_.size(), model_.size());
  }

  // Everything that is due goes, nothing else, whatever the slices were.
  void reclaim_all() {
    while (!reclaim(1000)) {}
    for (const auto& [key, held] : model_)
      ASSERT_TRUE(held.at_ms == kNoExpiry || held.at_ms > now_ms_ - kTick) << key << " is still held";
  }
  void check() {
    size_t expiring = 0;
    std::map<std::string, Held> found;
    database_.table().for_each([&](Word w) {
      Entry* e = Database::Policy::entry(w);
      found[std::string(e->key())] = {std::string(e->text()), e->expire_at_ms()};
      expiring += e->has_expiry();
    });
    ASSERT_EQ(found, model_);
    ASSERT_EQ(database_.expiring(), expiring);
    ASSERT_EQ(database_.field_expiring(), 0u);
  }
  void clear() {
    database_.clear();
    model_.clear();
  }

 private:
  struct Held {
    std::string text;
    int64_t at_ms;
    bool operator==(const Held&) const = default;
  };

  int64_t any_time() {
    switch (random_.below(8)) {
      case 0: return kNoExpiry;
      case 1: return kFarAhead - static_cast<int64_t>(random_.below(1000));
      case 2: return now_ms_ + 1;
      default: return now_ms_ + 1 + static_cast<int64_t>(random_.below(uint64_t{1} << random_.below(36)));
    }
  }
  void write(const std::string& key) {
    uint64_t hash = hash_bytes(key);
    std::string text(random_.below(40), 't');
    int64_t at_ms = any_time();
    Entry *old = database_.find(key, hash), *fresh = text_entry(key, text, at_ms);
    ASSERT_EQ(old != nullptr, model_.contains(key));
    if (old) database_.replace(old, fresh, hash);
    else database_.insert(fresh, hash);
    model_[key] = {text, at_ms};
  }
  void erase(const std::string& key) {
    Entry* entry = database_.find(key, hash_bytes(key));
    ASSERT_EQ(entry != nullptr, model_.erase(key) == 1);
    if (entry) database_.erase(entry, hash_bytes(key));
  }
  void set_expiry(const std::string& key) {
    Entry* entry = database_.find(key, hash_bytes(key));
    if (!entry) return;
    int64_t at_ms = any_time();
    entry = database_.set_expiry(entry, hash_bytes(key), at_ms);
    ASSERT_EQ(entry->expire_at_ms(), at_ms);
    ASSERT_EQ(database_.find(key, hash_bytes(key)), entry);
    model_[key].at_ms = at_ms;
  }
  void read(const std::string& key) {
    Entry* entry = database_.find(key, hash_bytes(key));
    ASSERT_EQ(entry != nullptr, model_.contains(key));
    if (!entry) return;
    ASSERT_EQ(entry->text(), model_[key].text);
    ASSERT_EQ(entry->expire_at_ms(), model_[key].at_ms);
  }
  // True if nothing due is left.
  bool reclaim(size_t steps) {
    uint64_t hash;
    while (Entry* due = database_.next_due(now_ms_, steps, hash)) {
      std::string key(due->key());
      EXPECT_EQ(hash, hash_bytes(key));
      EXPECT_TRUE(model_.contains(key) && model_[key].at_ms != kNoExpiry && model_[key].at_ms <= now_ms_) << key;
      model_.erase(key);
      database_.erase(due, hash);
    }
    return steps > 0;
  }

  Random random_;
  int64_t now_ms_;
  Database database_;
  std::map<std::string, Held> model_;
};

TEST(Database, KeepsEntriesAndTimesWhateverIsDone) {
  for (uint64_t seed = 0; seed < 40; seed++) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Twin twin(seed);
    for (size_t names : {20, 3000, 300}) {
      for (int i = 0; i < 1500; i++) {
        ASSERT_NO_FATAL_FAILURE(twin.step(names));
        if (testing::Test::HasFailure()) return;
      }
      ASSERT_NO_FATAL_FAILURE(twin.reclaim_all());
      ASSERT_NO_FATAL_FAILURE(twin.check());
      if (seed % 4 == 0) twin.clear();
    }
  }
}

void add_keys(Database& database, size_t from, size_t to, int64_t at_ms) {
  for (size_t i = from; i < to; i++) {
    std::string key = "key:" + std::to_string(i);
    database.insert(text_entry(key, "v", at_ms), hash_bytes(key));
  }
}
size_t reclaim(Database& database, int64_t now_ms, size_t slice = 1000) {
  size_t gone = 0;
  for (size_t steps = 0; steps == 0;) {
    steps = slice;
    uint64_t hash;
    while (Entry* due = database.next_due(now_ms, steps, hash)) database.erase(due, hash), gone++;
  }
  return gone;
}

TEST(Database, StaleItemsAreClearedAwayAndNoTimeIsLost) {
  constexpr size_t kKeys = 2000;
  Database database(0, kStart);
  add_keys(database, 0, kKeys, kFarAhead);
  Random random(5);
  std::map<std::string, int64_t> times;
  size_t most = 0;
  // Times that come nearer and nearer: every change leaves a stale item behind.
  for (int round = 0; round < 100; round++) {
    for (size_t i = 0; i < kKeys; i++) {
      std::string key = "key:" + std::to_string(i);
      int64_t at_ms = kStart + (1000 - round) * 60'000 + static_cast<int64_t>(random.below(30'000));
      database.set_expiry(database.find(key, hash_bytes(key)), hash_bytes(key), at_ms);
      times[key] = at_ms;
    }
    ASSERT_EQ(reclaim(database, kStart + round, 300), 0u);
    most = std::max(most, database.index_bytes());
  }
  // About as much as three times the live items, in three rounds' slots; the 200,000 stale ones were 1.6 MB.
  EXPECT_LT(most, 2 * 4 * kKeys * 10 + 4 * sizeof(ExpiryIndex) + 300'000);
  // Every key still goes in the tick of its time.
  for (int64_t now = kStart + 900 * 60'000; !times.empty(); now += 7000) {
    size_t due = std::erase_if(times, [&](const auto& each) { return each.second <= now - kTick; });
    size_t in_tick = std::erase_if(times, [&](const auto& each) {
      return each.second <= now && !database.find(each.first, hash_bytes(each.first));
    });
    size_t before = database.size(), gone = reclaim(database, now);
    in_tick += std::erase_if(times, [&](const auto& each) {
      return !database.find(each.first, hash_bytes(each.first)) && each.second <= now;
    });
    ASSERT_EQ(gone, due + in_tick);
    ASSERT_EQ(database.size(), before - gone);
    ASSERT_EQ(database.size(), times.size());
  }
  EXPECT_EQ(database.expiring(), 0u);
}

TEST(Database, AWornIndexIsReplacedWithoutLosingAKey) {
  constexpr int64_t kMonth = int64_t{30} * 86'400'000;
  Database database(0, kStart);
  add_keys(database, 0, 500, kStart + 40 * kMonth);
  add_keys(database, 500, 1000, kFarAhead);
  for (int64_t month = 1; month < 40; month++) ASSERT_EQ(reclaim(database, kStart + month * kMonth), 0u) << month;
  EXPECT_EQ(reclaim(database, kStart + 40 * kMonth + kTick), 500u);
  for (int64_t month = 41; month < 150; month++) ASSERT_EQ(reclaim(database, kStart + month * kMonth), 0u) << month;
  // While the clock leaps, too.
  EXPECT_EQ(reclaim(database, kFarAhead - kTick), 0u);
  size_t gone = 0;
  for (int i = 0; i < 4; i++) gone += reclaim(database, kFarAhead + i * kTick);
  EXPECT_EQ(gone, 500u);
  EXPECT_EQ(database.size(), 0u);
}

TEST(Database, KeysThatTheIndexCannotTellApartBothGo) {
  const std::string a = "twin:2111690", b = "twin:2837916";
  uint64_t hash_a = hash_bytes(a), hash_b = hash_bytes(b), hash;
  ASSERT_TRUE(ExpiryIndex::same(hash_a, hash_b & ExpiryIndex::kHashMask)) << "the seed of the hash has changed";
  for (int64_t apart : {0, 100, 100'000}) {
    Database database(0, kStart);
    database.insert(text_entry(a, "v", kStart + 1000), hash_a);
    database.insert(text_entry(b, "v", kStart + 1000 + apart), hash_b);
    size_t steps = kPlenty;
    Entry* due = database.next_due(kStart + 1000 + kTick, steps, hash);
    ASSERT_TRUE(due);
    database.erase(due, hash);
    EXPECT_EQ(reclaim(database, kStart + 1000 + kTick), apart ? 0u : 1u);
    EXPECT_EQ(reclaim(database, kStart + 1000 + apart + 2 * kTick), apart ? 1u : 0u);
    EXPECT_EQ(database.size(), 0u);
  }
  // One of them is taken for the other's item only when it is due itself.
  Database database(0, kStart);
  database.insert(text_entry(a, "v", kNoExpiry), hash_a);
  database.insert(text_entry(b, "v", kStart + 10), hash_b);
  EXPECT_EQ(reclaim(database, kStart + 100), 1u);
  EXPECT_TRUE(database.find(a, hash_a));
}

TEST(Database, NextDueIsNeverLate) {
  Database database(0, kStart);
  EXPECT_EQ(database.next_due_ms(), INT64_MAX);
  add_keys(database, 0, 10, kStart + 5000);
  EXPECT_LE(database.next_due_ms(), kStart + 5000 + kTick);
  add_keys(database, 10, 20, kStart + 70);
  EXPECT_LE(database.next_due_ms(), kStart + 70 + kTick);
  EXPECT_EQ(reclaim(database, kStart + 70 + kTick), 10u);
  EXPECT_GT(database.next_due_ms(), kStart + 70);
  EXPECT_EQ(reclaim(database, kStart + 5000 + kTick), 10u);
  EXPECT_EQ(database.next_due_ms(), INT64_MAX);
}

// Few or many keys with an expiry among others, in a small and a large table: each has its chance, no other is shown.
TEST(Database, SamplesOnlyWhatExpiresAndAllOfIt) {
  for (size_t expiring : {1, 5, 300, 4000}) {
    SCOPED_TRACE(testing::Message() << expiring << " expire");
    Database database(0, kStart);
    add_keys(database, 10'000, 20'000, kNoExpiry);
    for (size_t i = 0; i < expiring; i++) add_keys(database, i, i + 1, kStart + 1000 + static_cast<int64_t>(i) * 700);
    Random random(expiring);
    std::map<std::string, size_t> seen, picked;
    size_t draws = std::min<size_t>(expiring * 60, 40'000);
    for (size_t i = 0; i < draws; i++) {
      database.sample_expiring(random, 5, [&](Entry* e) {
        ASSERT_TRUE(e->has_expiry());
        seen[std::string(e->key())]++;
      });
      Entry* one = database.random_expiring(random);
      ASSERT_TRUE(one && one->has_expiry());
      picked[std::string(one->key())]++;
    }
    EXPECT_EQ(seen.size(), expiring);
    EXPECT_GE(picked.size(), expiring - expiring / 50);
    for (const auto& [key, times] : picked) ASSERT_LT(times, 60 * 3u) << key;
  }
}

TEST(Database, TheSoonestAreShownFirst) {
  Database database(0, kStart);
  add_keys(database, 0, 5000, kNoExpiry);
  for (size_t i = 5000; i < 7000; i++) add_keys(database, i, i + 1, kStart + 1 + static_cast<int64_t>(i) * 1000);
  Random random(6);
  int64_t last = 0;
  for (size_t left = 2000; left > 0; left--) {
    Entry* soonest = nullptr;
    for (int i = 0; i < 4; i++)
      database.sample_soonest(random, 5, [&](Entry* e) {
        if (!soonest || e->expire_at_ms() < soonest->expire_at_ms()) soonest = e;
      });
    ASSERT_TRUE(soonest);
    ASSERT_GT(soonest->expire_at_ms(), last - 65'536 * kTick);   // a slot of the third wheel
    last = std::max(last, soonest->expire_at_ms());
    database.erase(soonest, hash_bytes(soonest->key()));
  }
  EXPECT_EQ(database.expiring(), 0u);
  database.sample_soonest(random, 5, [](Entry*) { FAIL(); });
  EXPECT_EQ(database.random_expiring(random), nullptr);
}

TEST(Database, AllMemoryComesBackAndTheEstimateIsNear) {
  memory::register_thread();
  size_t before = memory::used_bytes();
  Random random(8);
  {
    Database database(3, kStart);
    for (size_t i = 0; i < 30'000; i++) {
      std::string key = "key:" + std::to_string(i), text(random.below(200), 'x');
      int64_t at_ms = i % 2 ? kStart + static_cast<int64_t>(random.below(1 << 30)) : kNoExpiry;
      if (i % 5) database.insert(text_entry(key, text, at_ms), hash_bytes(key));
      else database.insert(Entry::create(key, make_string(text + text, false).release(), at_ms), hash_bytes(key));
    }
    size_t real = memory::used_bytes() - before, estimate = 0;
    for (int i = 0; i < 20; i++) estimate += database.estimated_bytes(random) / 20;
    EXPECT_GT(estimate, real * 8 / 10);
    EXPECT_LT(estimate, real * 12 / 10);
  }
  EXPECT_EQ(memory::used_bytes(), before);
}

}  // namespace
}  // namespace vitrine
