#include "store/keyspace.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>
#include <string>

#include "base/hash.h"
#include "base/memory.h"
#include "store/database.h"
#include "store/hash.h"
#include "store/set.h"
#include "store/string.h"

namespace vitrine {
namespace {

constexpr int64_t kStart = 1'700'000'000'000;

// Remembers what was announced.
struct Listener : KeyObserver {
  std::vector<std::string> heard;
  void on_change(const Change& change) override {
    heard.push_back(std::to_string(change.db) + " " + std::string(change.event) + " " + std::string(change.key) +
                    (change.gone ? " gone" : ""));
  }
  void on_flush(int db) override { heard.push_back("flush " + std::to_string(db)); }
  void on_swap(int a, int b) override { heard.push_back("swap " + std::to_string(a) + " " + std::to_string(b)); }
};

Value set_of(Keyspace& keyspace, size_t members) {
  Value value(Set::make(keyspace.context()));
  Set set(*value, keyspace.context());
  for (size_t i = 0; i < members; i++) set.add("member:" + std::to_string(i));
  return value;
}

// A keyspace of three databases beside maps of what is visible in them.
class Twin {
 public:
  explicit Twin(uint64_t seed) : random_(seed), keyspace_(options(), kStart, seed) { keyspace_.observe(&listener_); }

  void step() {
    int db = static_cast<int>(random_.below(3));
    std::string key = "key:" + std::to_string(random_.below(40));
    uint64_t hash = hash_bytes(key), choice = random_.below(100);
    if (choice < 35) write(db, key, hash);
    else if (choice < 50) read(db, key, hash);
    else if (choice < 65) expire_at(db, key, hash);
    else if (choice < 75) remove(db, key, hash);
    else if (choice < 94) pass(static_cast<int64_t>(random_.below(150)));
    else if (choice < 97) reclaim();
    else if (choice < 99) swap(db, (db + 1) % 3);
    else flush(db);
  }
  void check() {
    for (int db = 0; db < 3; db++)
      for (int i = 0; i < 40; i++) read(db, "key:" + std::to_string(i), hash_bytes("key:" + std::to_string(i)));
    for (int db = 0; db < 3; db++) ASSERT_EQ(keyspace_.database(db).size(), model_[static_cast<size_t>(db)].size());
    ASSERT_EQ(keyspace_.stats().expired, expired_);
    ASSERT_EQ(keyspace_.stats().hits, hits_);
    ASSERT_EQ(keyspace_.stats().misses, misses_);
  }

 private:
  struct Held {
    std::string text;
    int64_t at_ms;
  };
  Keyspace::Options& options() {
    options_.databases = 3;
    return options_;
  }
  std::map<std::string, Held>& model(int db) { return model_[static_cast<size_t>(db)]; }

  void write(int db, const std::string& key, uint64_t hash) {
    std::string text = random_.below(3) ? std::string(random_.below(1200), 'v') : std::to_string(random_.below(999));
    int64_t at_ms = kNoExpiry;
    if (uint64_t kind = random_.below(4); kind == 0) at_ms = Keyspace::kKeepTtl;
    else if (kind < 3) at_ms = keyspace_.now_ms() - 20 + static_cast<int64_t>(random_.below(400));
    if (random_.below(2)) {   // most commands look first
      Entry* found = keyspace_.find(db, key, hash, Keyspace::Touch::write);
      ASSERT_EQ(found != nullptr, model(db).contains(key));
    }
    Entry* entry = random_.below(2) ? keyspace_.put_string(db, key, hash, text, at_ms)
                                    : keyspace_.put(db, key, hash, make_string(text, random_.below(2)), at_ms);
    if (at_ms == Keyspace::kKeepTtl) at_ms = model(db).contains(key) ? model(db)[key].at_ms : kNoExpiry;
    bool past = at_ms != kNoExpiry && at_ms <= keyspace_.now_ms();
    ASSERT_EQ(entry == nullptr, past);
    if (past) model(db).erase(key);
    else model(db)[key] = {text, at_ms};
  }
  void read(int db, const std::string& key, uint64_t hash) {
    Entry* entry = keyspace_.find(db, key, hash, Keyspace::Touch::read);
    auto it = model(db).find(key);
    ASSERT_EQ(entry != nullptr, it != model(db).end()) << key;
    entry ? hits_++ : misses_++;
    if (!entry) return;
    char scratch[24];
    ASSERT_EQ(string_bytes(*entry, scratch), it->second.text);
    ASSERT_EQ(entry->expire_at_ms(), it->second.at_ms);
  }
  void expire_at(int db, const std::string& key, uint64_t hash) {
    Entry* entry = keyspace_.find(db, key, hash, Keyspace::Touch::peek);
    if (!entry) return;
    int64_t at_ms = random_.below(4) ? keyspace_.now_ms() + 1 + static_cast<int64_t>(random_.below(300)) : kNoExpiry;
    keyspace_.set_expiry(db, entry, hash, at_ms);
    model(db)[key].at_ms = at_ms;
  }
  void remove(int db, const std::string& key, uint64_t hash) {
    Entry* entry = keyspace_.find(db, key, hash, Keyspace::Touch::peek);
    ASSERT_EQ(entry != nullptr, model(db).erase(key) == 1);
    if (entry) keyspace_.remove(db, entry, hash);
  }
  // What is due is not visible from here on, whoever removes it.
  void pass(int64_t ms) {
    keyspace_.set_now(keyspace_.now_ms() + ms);
    for (auto& each : model_)
      expired_ += std::erase_if(each, [&](const auto& held) {
        return held.second.at_ms != kNoExpiry && held.second.at_ms <= keyspace_.now_ms();
      });
  }
  void reclaim() {
    while (keyspace_.expire_some(100) == 0) {}
    ASSERT_EQ(keyspace_.lateness().items, 0u);
  }
  void swap(int a, int b) {
    keyspace_.swap(a, b);
    std::swap(model(a), model(b));
  }
  void flush(int db) {
    // What has expired in this tick would be counted as well.
    for (int i = 0; i < 40; i++) {
      std::string key = "key:" + std::to_string(i);
      keyspace_.find(db, key, hash_bytes(key), Keyspace::Touch::peek);
    }
    ASSERT_EQ(keyspace_.flush(db, false), model(db).size());
    model(db).clear();
  }

  Random random_;
  Keyspace::Options options_;
  Keyspace keyspace_;
  Listener listener_;
  std::map<std::string, Held> model_[3];
  uint64_t expired_ = 0, hits_ = 0, misses_ = 0;
};

struct Removals : RemovalListener {
  bool wanted() const override { return is_wanted; }
  void on_expired(int, Bytes key) override { told.push_back("expired " + std::string(key)); }
  void on_evicted(int, Bytes key) override { told.push_back("evicted " + std::string(key)); }
  void on_fields_expired(int, Bytes key, std::span<const Bytes> fields) override {
    std::string text = "fields " + std::string(key);
    for (Bytes field : fields) text += " " + std::string(field);
    told.push_back(text);
  }
  std::vector<std::string> take() { return std::exchange(told, {}); }
  bool is_wanted = true;
  std::vector<std::string> told;
};
using Strings = std::vector<std::string>;

Value expiring_hash(Keyspace& keyspace, size_t fields, int64_t at_ms) {
  Value value(Hash::make(keyspace.context()));
  Hash hash(*value, keyspace.context());
  for (size_t i = 0; i < fields; i++) {
    std::string name = "f" + std::to_string(i);
    hash.set(name, "v");
    if (i % 2 == 0) hash.set_expiry(name, at_ms);
  }
  return value;
}

TEST(Keyspace, TellsOfWhatGoesByItselfAndCountsItAsNobodysChange) {
  Keyspace::Options options;
  Keyspace keyspace(options, kStart, 1);
  Removals removals;
  keyspace.listen_to_removals(&removals);
  auto put = [&](Bytes key, int64_t at_ms) { keyspace.put_string(0, key, hash_bytes(key), "v", at_ms); };
  put("a", kStart + 5), put("b", kStart + 5), put("c", kStart + 5), put("d", kNoExpiry);
  for (size_t fields : {3, 1000}) {
    std::string key = "h" + std::to_string(fields);
    keyspace.put(0, key, hash_bytes(key), expiring_hash(keyspace, fields, kStart + 5));
  }
  uint64_t changes = keyspace.stats().changes;
  keyspace.set_now(kStart + 5);
  keyspace.find(0, "a", hash_bytes("a"), Keyspace::Touch::read);
  put("b", Keyspace::kKeepTtl);
  EXPECT_EQ(keyspace.find(0, "b", hash_bytes("b"), Keyspace::Touch::read)->expire_at_ms(), kNoExpiry);
  keyspace.evict(0, keyspace.find(0, "d", hash_bytes("d"), Keyspace::Touch::peek), hash_bytes("d"));
  EXPECT_EQ(removals.take(), (Strings{"expired a", "expired b", "evicted d"}));
  keyspace.find(0, "h3", hash_bytes("h3"), Keyspace::Touch::read);
  EXPECT_EQ(removals.take(), Strings{}) << "fields go before a change, or in their turn";
  keyspace.find(0, "h3", hash_bytes("h3"), Keyspace::Touch::write);
  EXPECT_EQ(removals.take(), Strings{"fields h3 f0 f2"});
  keyspace.find(0, "h3", hash_bytes("h3"), Keyspace::Touch::write);
  EXPECT_EQ(removals.take(), Strings{});
  removals.is_wanted = false;
  keyspace.set_now(kStart + 10000);
  while (keyspace.expire_some(100) == 0) {}
  EXPECT_EQ(removals.take(), Strings{});
  EXPECT_EQ(keyspace.stats().expired, 3u);
  EXPECT_EQ(keyspace.stats().expired_fields, 502u);
  EXPECT_EQ(keyspace.stats().changes, changes);
}

TEST(Keyspace, HoldsExpiryWhileALogIsReplayed) {
  Keyspace::Options options;
  Keyspace keyspace(options, kStart, 1);
  uint64_t a = hash_bytes("a"), h = hash_bytes("h");
  keyspace.hold_expiry(true);
  EXPECT_TRUE(keyspace.put_string(0, "a", a, "v", kStart - 5));
  EXPECT_FALSE(keyspace.put_string(0, "b", hash_bytes("b"), "v", 0)) << "no moment at all";
  keyspace.put(0, "h", h, expiring_hash(keyspace, 3, kStart - 5));
  keyspace.set_now(kStart + 1);
  EXPECT_TRUE(keyspace.find(0, "a", a, Keyspace::Touch::write));
  EXPECT_TRUE(keyspace.put_string(0, "a", a, "w", Keyspace::kKeepTtl));
  Entry* entry = keyspace.find(0, "h", h, Keyspace::Touch::write);
  EXPECT_EQ(type_ops(Type::hash).length(entry->object()), 3u);
  EXPECT_EQ(keyspace.expire_some(100), 100u);
  keyspace.hold_expiry(false);
  EXPECT_FALSE(keyspace.find(0, "a", a, Keyspace::Touch::peek));
  entry = keyspace.find(0, "h", h, Keyspace::Touch::write);
  EXPECT_EQ(type_ops(Type::hash).length(entry->object()), 1u);
}

TEST(Keyspace, ShowsWhatWasPutAndNeverWhatHasExpired) {
  for (uint64_t seed = 0; seed < 60; seed++) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Twin twin(seed);
    for (int i = 0; i < 1500; i++) {
      ASSERT_NO_FATAL_FAILURE(twin.step());
      if (testing::Test::HasFailure()) return;
    }
    ASSERT_NO_FATAL_FAILURE(twin.check());
  }
}

TEST(Keyspace, AnnouncesBirthsChangesAndDeaths) {
  Keyspace::Options options;
  Keyspace keyspace(options, kStart, 1);
  Listener listener;
  keyspace.observe(&listener);
  uint64_t hash = hash_bytes("k");
  keyspace.put_string(2, "k", hash, "v", kStart + 100);
  EXPECT_TRUE(listener.heard.empty());
  keyspace.announce(2, "k", "set", EventClass::string, Type::string);
  keyspace.set_now(kStart + 100);
  EXPECT_EQ(keyspace.find(2, "k", hash, Keyspace::Touch::read), nullptr);   // found late, by a reader
  keyspace.put_string(2, "k", hash, "v", kStart + 200);
  keyspace.set_now(kStart + 200 + ExpiryIndex::kTickMs);
  keyspace.expire_some(1000);                                               // and by the reclaimer
  keyspace.put(1, "k", hash, set_of(keyspace, 2));
  Entry* entry = keyspace.find(1, "k", hash, Keyspace::Touch::write);
  for (Bytes member : {"member:0", "member:1"}) {
    Object object = entry->object();
    size_t length = Set(object, keyspace.context()).size();
    ASSERT_TRUE(Set(object, keyspace.context()).remove(member));
    keyspace.write_back(1, entry, hash, object, length, "srem", EventClass::set);
  }
  keyspace.put_string(0, "k", hash, "v", kNoExpiry);
  keyspace.evict(0, keyspace.find(0, "k", hash, Keyspace::Touch::peek), hash);
  keyspace.swap(0, 1);
  keyspace.flush(3, false);
  std::vector<std::string> expected = {"2 set k",        "2 expired k gone", "2 expired k gone", "1 srem k",
                                       "1 srem k gone",  "1 del k gone",     "0 evicted k gone", "swap 0 1",
                                       "flush 3"};
  EXPECT_EQ(listener.heard, expected);
  EXPECT_EQ(keyspace.stats().expired, 2u);
  EXPECT_EQ(keyspace.stats().evicted, 1u);
  EXPECT_EQ(keyspace.total_keys(), 0u);
  keyspace.unobserve(&listener);
  keyspace.swap(0, 1);
  EXPECT_EQ(listener.heard.size(), expected.size());
}

// Keys that are there from the first call of a scan to the last are seen, while others come, go, expire and are evicted
// and the table grows and shrinks by two orders of magnitude.
TEST(Keyspace, AScanSeesEveryKeyThatStays) {
  for (uint64_t seed = 0; seed < 24; seed++) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Keyspace::Options options;
    Keyspace keyspace(options, kStart, seed);
    Random random(seed);
    std::set<std::string> staying;
    for (int i = 0; i < 300; i++) {
      std::string key = "stays:" + std::to_string(i);
      keyspace.put_string(0, key, hash_bytes(key), "v", i % 2 ? kStart + 100'000'000 : kNoExpiry);
      staying.insert(key);
    }
    size_t coming = 0, going = 0;
    auto come = [&](size_t n) {
      while (n-- > 0) {
        std::string key = "comes:" + std::to_string(coming++);
        keyspace.put_string(0, key, hash_bytes(key), "v", random.below(2) ? kNoExpiry : keyspace.now_ms() + 40);
      }
    };
    auto go = [&](size_t n) {
      while (n-- > 0 && going < coming) {
        std::string key = "comes:" + std::to_string(going++);
        if (Entry* e = keyspace.find(0, key, hash_bytes(key), Keyspace::Touch::peek)) {
          if (random.below(2)) keyspace.remove(0, e, hash_bytes(key));
          else keyspace.evict(0, e, hash_bytes(key));
        }
      }
    };
    if (seed % 2) come(30'000);
    uint64_t cursor = 0;
    std::set<std::string> seen;
    size_t rounds = 0;
    do {
      cursor = keyspace.database(0).table().scan(
          cursor, [&](Word w) { seen.insert(std::string(Database::Policy::entry(w)->key())); });
      bool grows = seed % 2 == 0 && coming < 30'000;
      grows ? come(random.below(400)) : go(random.below(400));
      keyspace.set_now(keyspace.now_ms() + 1);
      if (random.below(3) == 0) keyspace.expire_some(2000);
      ASSERT_LT(rounds++, 20'000u);
    } while (cursor);
    for (const std::string& key : staying) ASSERT_TRUE(seen.contains(key)) << key;
  }
}

// What the background thread has still to free is known, and all of it comes back.
TEST(Keyspace, LargeValuesAreFreedInTheBackgroundAndAccounted) {
  memory::register_thread();
  size_t before = memory::used_bytes();
  {
    Keyspace::Options options;
    Keyspace keyspace(options, kStart, 1);
    std::deque<std::function<void()>> queue;
    keyspace.set_background([&](std::function<void()> work) { queue.push_back(std::move(work)); });
    uint64_t hash = hash_bytes("big");
    auto put_big = [&](int64_t at_ms) { return keyspace.put(0, "big", hash, set_of(keyspace, 20'000), at_ms); };
    auto expect_handed_over = [&](const char* how, size_t bytes) {
      SCOPED_TRACE(how);
      ASSERT_EQ(queue.size(), 1u);
      EXPECT_GT(keyspace.freeing_bytes(), bytes * 8 / 10);
      EXPECT_LT(keyspace.freeing_bytes(), bytes * 12 / 10);
      size_t held = memory::used_bytes();
      queue.front()();
      EXPECT_EQ(keyspace.freeing_bytes(), 0u);
      EXPECT_LT(memory::used_bytes(), held - bytes * 9 / 10);
      queue.pop_front();
    };
    size_t empty = memory::used_bytes();
    put_big(kNoExpiry);
    size_t bytes = memory::used_bytes() - empty;

    keyspace.remove(0, keyspace.find(0, "big", hash, Keyspace::Touch::write), hash);
    expect_handed_over("remove", bytes);
    put_big(kNoExpiry);
    keyspace.put_string(0, "big", hash, "small", kNoExpiry);
    expect_handed_over("overwritten", bytes);
    put_big(kStart + 10);
    keyspace.set_now(kStart + 100);
    keyspace.expire_some(10'000);
    expect_handed_over("expired", bytes);
    keyspace.evict(0, put_big(kNoExpiry), hash);
    expect_handed_over("evicted", bytes);
    put_big(kNoExpiry);
    Value taken = keyspace.take(0, keyspace.find(0, "big", hash, Keyspace::Touch::write), hash);
    EXPECT_TRUE(queue.empty());
    taken = Value();
    put_big(kNoExpiry);
    EXPECT_EQ(keyspace.flush(-1, true), 1u);
    EXPECT_EQ(keyspace.total_keys(), 0u);
    expect_handed_over("flush", bytes);
    EXPECT_EQ(keyspace.stats().freed_in_background, 5u);

    // So does a large string.
    Entry* large = keyspace.put_string(0, "big", hash, std::string((8 << 20) - 64, 'x'), kNoExpiry);
    keyspace.remove(0, large, hash);
    expect_handed_over("string", 8 << 20);

    // Few allocations are freed at once, as is everything where there is no background.
    keyspace.remove(0, keyspace.put(0, "big", hash, set_of(keyspace, 10)), hash);
    EXPECT_TRUE(queue.empty());
    keyspace.set_background(nullptr);
    keyspace.remove(0, put_big(kNoExpiry), hash);
    EXPECT_EQ(keyspace.freeing_bytes(), 0u);
  }
  EXPECT_EQ(memory::used_bytes(), before);
}

TEST(Keyspace, AMillionDueAtOnceGoInShortSlices) {
  constexpr size_t kKeys = 100'000, kSlice = 200;
  Keyspace::Options options;
  Keyspace keyspace(options, kStart, 1);
  for (size_t i = 0; i < kKeys; i++) {
    std::string key = "key:" + std::to_string(i);
    keyspace.put_string(static_cast<int>(i % 3), key, hash_bytes(key), "v", kStart + 60'000);
  }
  keyspace.set_now(kStart + 59'999);
  while (keyspace.expire_some(kSlice) == 0) {}
  EXPECT_EQ(keyspace.total_keys(), kKeys);
  EXPECT_LE(keyspace.next_due_ms(), kStart + 60'000 + ExpiryIndex::kTickMs);
  keyspace.set_now(kStart + 62'000);
  EXPECT_EQ(keyspace.lateness().items, kKeys);
  EXPECT_GE(keyspace.lateness().age_ms, 2000 - ExpiryIndex::kTickMs);
  size_t slices = 0, left = kKeys;
  for (bool more = true; more; slices++) {
    more = keyspace.expire_some(kSlice) == 0;
    ASSERT_LE(left - keyspace.total_keys(), kSlice / 8 + 1);   // a removal counts for eight steps
    left = keyspace.total_keys();
    ASSERT_EQ(keyspace.lateness().items, left);
  }
  EXPECT_EQ(left, 0u);
  EXPECT_LT(slices, kKeys / (kSlice / 16));
  EXPECT_EQ(keyspace.lateness().age_ms, 0);
  EXPECT_EQ(keyspace.next_due_ms(), INT64_MAX);

  // Switched off, they stay, invisible, until somebody asks.
  keyspace.put_string(0, "k", hash_bytes("k"), "v", kStart + 63'000);
  keyspace.set_now(kStart + 70'000);
  keyspace.set_active_expiry(false);
  EXPECT_EQ(keyspace.expire_some(kSlice), kSlice);
  EXPECT_EQ(keyspace.next_due_ms(), INT64_MAX);
  EXPECT_EQ(keyspace.total_keys(), 1u);
  EXPECT_EQ(keyspace.find(0, "k", hash_bytes("k"), Keyspace::Touch::peek), nullptr);
  EXPECT_EQ(keyspace.total_keys(), 0u);
}

TEST(Keyspace, AccessBitsFollowThePolicy) {
  Keyspace::Options options;
  Keyspace keyspace(options, kStart, 1);
  uint64_t hash = hash_bytes("k");
  Entry* e = keyspace.put_string(0, "k", hash, "v", kNoExpiry);
  keyspace.set_now(kStart + 110'000);   // 130 s into a minute's count
  keyspace.find(0, "k", hash, Keyspace::Touch::peek);
  EXPECT_NEAR(access::lru_idle_ms(keyspace.access_of(*e), keyspace.now_ms()), 110'000, access::kLruUnitMs);
  keyspace.find(0, "k", hash, Keyspace::Touch::read);
  EXPECT_EQ(access::lru_idle_ms(keyspace.access_of(*e), keyspace.now_ms()), 0);
  keyspace.put_string(0, "other", hash_bytes("other"), "v", kNoExpiry);

  // Switched to LFU: what was last used long ago counts for less, at once.
  keyspace.set_now(kStart + 230'000);
  options.lfu = true;
  EXPECT_EQ(access::lfu_counter(keyspace.access_of(*e), keyspace.now_ms(), 1), access::kLfuInitial - 2);
  for (int i = 0; i < 100'000; i++) keyspace.find(0, "k", hash, Keyspace::Touch::read);
  int counter = access::lfu_counter(keyspace.access_of(*e), keyspace.now_ms(), 1);
  EXPECT_GT(counter, 100);   // about 140 after 100,000 hits with a factor of 10
  EXPECT_LT(counter, 180);
  keyspace.set_now(keyspace.now_ms() + 10 * 60'000);
  EXPECT_EQ(access::lfu_counter(keyspace.access_of(*e), keyspace.now_ms(), 1), counter - 10);
  EXPECT_EQ(access::lfu_counter(keyspace.access_of(*e), keyspace.now_ms(), 0), counter);
  // And back: much used is late.
  options.lfu = false;
  Entry* other = keyspace.find(0, "other", hash_bytes("other"), Keyspace::Touch::peek);
  EXPECT_LT(access::lru_idle_ms(keyspace.access_of(*e), keyspace.now_ms()),
            access::lru_idle_ms(keyspace.access_of(*other), keyspace.now_ms()));
}

}  // namespace
}  // namespace vitrine
