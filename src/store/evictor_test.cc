#include "store/evictor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "base/hash.h"
#include "base/memory.h"
#include "store/database.h"
#include "store/set.h"
#include "store/string.h"

namespace vitrine {
namespace {

using enum EvictionPolicy;
using Outcome = Evictor::Outcome;
constexpr int64_t kStart = 1'700'000'000'000;
constexpr EvictionPolicy kAll[] = {volatile_lru, volatile_lfu, volatile_lrm, volatile_random, volatile_ttl,
                                   allkeys_lru,  allkeys_lfu,  allkeys_lrm,  allkeys_random,  noeviction};

// A keyspace whose memory is counted in keys: `room` of them are within the limit.
struct Counted {
  explicit Counted(EvictionPolicy policy, size_t room = SIZE_MAX / 2, uint64_t seed = 1)
      : keyspace((options.lfu = is_lfu(policy), options.lrm = is_lrm(policy), options), kStart, seed) {
    memory.policy = policy;
    memory.samples = 10;
    memory.maxmemory = room;
    memory.eviction_tenacity = 100;
  }
  Entry* put(const std::string& key, int64_t at_ms = kNoExpiry, int db = 0) {
    return keyspace.put_string(db, key, hash_bytes(key), "v", at_ms);
  }
  bool has(const std::string& key, int db = 0) { return keyspace.database(db).find(key, hash_bytes(key)); }
  void use(const std::string& key, int db = 0) { keyspace.find(db, key, hash_bytes(key), Keyspace::Touch::read); }
  void pass(int64_t ms) { keyspace.set_now(keyspace.now_ms() + ms); }
  Outcome evict_down_to(size_t keys) {
    memory.maxmemory = keys;
    return evictor.relieve();
  }

  Keyspace::Options options;
  MemoryOptions memory;
  Keyspace keyspace;
  int64_t clock_us = 0, us_per_look = 0;
  Evictor evictor{keyspace, memory,
                  {[this] { return keyspace.total_keys(); }, [this] { return clock_us += us_per_look; }}};
};

// The promise: while allocated_here() is below checkpoint(), memory is within the limit; and after relieve() or a few
// end_turn() it is, as long as there is something that may go.
TEST(Evictor, MemoryStaysWithinTheLimitUnderEveryPolicy) {
  memory::register_thread();
  for (EvictionPolicy policy : kAll) {
    SCOPED_TRACE(testing::Message() << "policy " << static_cast<int>(policy));
    Keyspace::Options options;
    options.lfu = is_lfu(policy);
    options.lrm = is_lrm(policy);
    MemoryOptions settings;
    settings.policy = policy;
    Keyspace keyspace(options, kStart, 1);
    int64_t clock_us = 0;
    Evictor evictor(keyspace, settings, {memory::used_bytes, [&] { return clock_us += 3; }});
    settings.maxmemory = memory::used_bytes() + (2 << 20);
    evictor.end_turn();
    Random random(static_cast<uint64_t>(policy));
    uint64_t refused = 0, written = 0;
    for (int i = 0; i < 20'000; i++) {
      if (memory::allocated_here() >= evictor.checkpoint()) {
        Outcome outcome = evictor.relieve();
        if (outcome == Outcome::failed) refused++;
        ASSERT_TRUE(outcome != Outcome::enough || memory::used_bytes() <= settings.maxmemory);
        if (outcome == Outcome::failed) continue;
      } else {
        ASSERT_LE(memory::used_bytes(), settings.maxmemory);
      }
      std::string key = "key:" + std::to_string(random.below(50'000));
      std::string text(random.below(20) ? random.below(400) : random.below(20'000), 't');
      int db = static_cast<int>(random.below(3));
      int64_t at_ms = is_volatile(policy) || random.below(2)
                          ? keyspace.now_ms() + 1000 + static_cast<int64_t>(random.below(1 << 30)) : kNoExpiry;
      keyspace.put_string(db, key, hash_bytes(key), text, at_ms);
      written++;
      if (i % 16 == 0) {
        keyspace.set_now(keyspace.now_ms() + 1);
        for (int turns = 0; evictor.end_turn() == Outcome::running; turns++) ASSERT_LT(turns, 1000);
        ASSERT_TRUE(policy == noeviction || memory::used_bytes() <= settings.maxmemory);
      }
    }
    if (policy == noeviction) {
      EXPECT_GT(refused, 1000u);
      EXPECT_EQ(keyspace.stats().evicted, 0u);
      // Once over, no more is let in than one command.
      EXPECT_LE(memory::used_bytes(), settings.maxmemory + 16 * 30'000);
    } else {
      EXPECT_EQ(refused, 0u);
      EXPECT_GT(keyspace.stats().evicted, 5000u);
      EXPECT_GT(keyspace.total_keys(), 500u);
      EXPECT_GT(memory::used_bytes(), settings.maxmemory * 9 / 10 - (1 << 20));   // and no more goes than must
    }
    EXPECT_EQ(written + refused, 20'000u);
  }
}

TEST(Evictor, WithoutALimitItNeverAsks) {
  Counted c(allkeys_lru);
  c.memory.maxmemory = 0;
  for (int i = 0; i < 100; i++) c.put("key:" + std::to_string(i));
  EXPECT_EQ(c.evictor.relieve(), Outcome::enough);
  EXPECT_EQ(c.evictor.checkpoint(), UINT64_MAX);
  EXPECT_EQ(c.evictor.end_turn(), Outcome::enough);
  EXPECT_EQ(c.evictor.excess(), 0u);
  EXPECT_EQ(c.keyspace.total_keys(), 100u);
}

TEST(Evictor, OnlyKeysWithATimeGoUnderVolatile) {
  for (EvictionPolicy policy : {volatile_lru, volatile_lfu, volatile_lrm, volatile_random, volatile_ttl}) {
    for (size_t expiring : {0, 1, 37, 900}) {
      SCOPED_TRACE(testing::Message() << "policy " << static_cast<int>(policy) << ", " << expiring << " expire");
      Counted c(policy);
      for (int i = 0; i < 2000; i++) c.put("stays:" + std::to_string(i), kNoExpiry, i % 2);
      for (size_t i = 0; i < expiring; i++)
        c.put("goes:" + std::to_string(i), kStart + 100'000 + static_cast<int64_t>(i) * 1000, i % 3 ? 5 : 1);
      EXPECT_EQ(c.evict_down_to(2000), Outcome::enough);
      EXPECT_EQ(c.keyspace.stats().evicted, expiring);
      for (int i = 0; i < 2000; i++) ASSERT_TRUE(c.has("stays:" + std::to_string(i), i % 2));
      EXPECT_EQ(c.evict_down_to(1999), Outcome::failed);
      EXPECT_EQ(c.evictor.excess(), 1u);
      EXPECT_EQ(c.evictor.end_turn(), Outcome::failed);
    }
  }
}

TEST(Evictor, NothingGoesUnderNoeviction) {
  Counted c(noeviction);
  c.us_per_look = 100;
  for (int i = 0; i < 10; i++) c.put("key:" + std::to_string(i), kStart + 1000);
  EXPECT_EQ(c.evict_down_to(9), Outcome::failed);
  EXPECT_EQ(c.keyspace.total_keys(), 10u);
  EXPECT_GT(c.evictor.exceeding_us(), 0);
  // DEL makes room, and it is noticed.
  c.keyspace.remove(0, c.keyspace.find(0, "key:1", hash_bytes("key:1"), Keyspace::Touch::peek), hash_bytes("key:1"));
  EXPECT_EQ(c.evictor.relieve(), Outcome::enough);
  EXPECT_NE(c.evictor.checkpoint(), 0u);
  EXPECT_EQ(c.evictor.exceeding_us(), 0);
  EXPECT_GT(c.evictor.stats().exceeded_us, 0);
}

// How many of the 1000 better half stay when half of 2000 keys must go.
size_t better_half_kept(Counted& c, int db = 0) {
  c.evict_down_to(1000);
  size_t kept = 0;
  for (int i = 1000; i < 2000; i++) kept += c.has("key:" + std::to_string(i), db);
  return kept;
}

TEST(Evictor, LeastRecentlyUsedKeysGo) {
  for (EvictionPolicy policy : {allkeys_lru, volatile_lru}) {
    Counted c(policy);
    for (int i = 0; i < 2000; i++) c.put("key:" + std::to_string(i), policy == volatile_lru ? kStart * 2 : kNoExpiry);
    c.pass(10'000);
    for (int i = 1000; i < 2000; i++, c.pass(300)) c.use("key:" + std::to_string(i));
    EXPECT_GT(better_half_kept(c), 940u);
    // Of those that are left, the latest are safest.
    c.evict_down_to(100);
    size_t latest = 0;
    for (int i = 1800; i < 2000; i++) latest += c.has("key:" + std::to_string(i));
    EXPECT_GT(latest, 90u);
  }
}

// Reading, and writing that changes nothing, keep no key; any announced change does.
TEST(Evictor, LeastRecentlyModifiedKeysGo) {
  for (EvictionPolicy policy : {allkeys_lrm, volatile_lrm}) {
    Counted c(policy);
    for (int i = 0; i < 2000; i++) c.put("key:" + std::to_string(i), policy == volatile_lrm ? kStart * 2 : kNoExpiry);
    c.pass(10'000);
    for (int i = 1000; i < 2000; i++, c.pass(300)) {
      std::string key = "key:" + std::to_string(i);
      c.keyspace.announce(0, key, "append", EventClass::string, Type::string);
    }
    for (int i = 0; i < 1000; i++, c.pass(300)) {
      std::string key = "key:" + std::to_string(i);
      c.use(key);
      c.keyspace.find(0, key, hash_bytes(key), Keyspace::Touch::write);
    }
    EXPECT_GT(better_half_kept(c), 940u);
    c.evict_down_to(100);
    size_t latest = 0;
    for (int i = 1800; i < 2000; i++) latest += c.has("key:" + std::to_string(i));
    EXPECT_GT(latest, 90u);
  }
}

TEST(Evictor, LeastFrequentlyUsedKeysGo) {
  for (EvictionPolicy policy : {allkeys_lfu, volatile_lfu}) {
    Counted c(policy);
    for (int i = 0; i < 2000; i++) c.put("key:" + std::to_string(i), policy == volatile_lfu ? kStart * 2 : kNoExpiry);
    for (int round = 0; round < 60; round++)
      for (int i = 1000; i < 2000; i++) c.use("key:" + std::to_string(i));
    for (int i = 0; i < 1000; i++) c.use("key:" + std::to_string(i));   // used later, but once
    EXPECT_GT(better_half_kept(c), 880u);
  }
}

TEST(Evictor, KeysThatExpireSoonestGoUnderVolatileTtl) {
  Counted c(volatile_ttl);
  Random random(2);
  std::vector<int> order(2000);
  for (int i = 0; i < 2000; i++) order[static_cast<size_t>(i)] = i;
  for (size_t i = 1999; i > 0; i--) std::swap(order[i], order[random.below(i + 1)]);
  for (int i : order) c.put("key:" + std::to_string(i), kStart + 1000 + i * 3000, i % 3);
  c.evict_down_to(1000);
  size_t kept = 0;
  for (int i = 1000; i < 2000; i++) kept += c.has("key:" + std::to_string(i), i % 3);
  EXPECT_GT(kept, 950u);
}

TEST(Evictor, RandomPoliciesSpareNobody) {
  for (EvictionPolicy policy : {allkeys_random, volatile_random}) {
    Counted c(policy);
    for (int i = 0; i < 3000; i++)
      c.put("key:" + std::to_string(i), policy == volatile_random ? kStart + 1000 + i * 1000 : kNoExpiry,
            i % 3 ? 0 : 7);
    c.evict_down_to(1500);
    for (int part = 0; part < 6; part++) {
      size_t kept = 0;
      for (int i = part; i < 3000; i += 6) kept += c.has("key:" + std::to_string(i), i % 3 ? 0 : 7);
      EXPECT_GT(kept, 190u) << part;
      EXPECT_LT(kept, 310u) << part;
    }
  }
}

// The pool remembers good candidates over rounds, and looks again before one goes.
TEST(Evictor, ACandidateThatIsUsedMeanwhileIsSpared) {
  for (EvictionPolicy policy : {allkeys_lru, allkeys_lfu}) {
    size_t spared = 0;
    constexpr size_t kTimes = 50;
    for (uint64_t seed = 0; seed < kTimes; seed++) {
      Counted c(policy, 10'000, seed);
      for (int i = 0; i < 30; i++) c.put("old:" + std::to_string(i));
      c.pass(100'000);
      for (int i = 0; i < 30; i++) c.put("new:" + std::to_string(i));
      c.evict_down_to(58);                          // the pool holds old ones now
      std::set<std::string> used;
      for (int i = 0; i < 30; i += 2)
        if (std::string key = "old:" + std::to_string(i); c.has(key)) {
          used.insert(key);
          for (int times = 0; times < 30; times++) c.use(key);
        }
      c.evict_down_to(50);
      size_t left = 0;
      for (const std::string& key : used) left += c.has(key);
      spared += left == used.size();
    }
    EXPECT_GE(spared, kTimes - 3);
  }
}

TEST(Evictor, PooledKeysThatAreGoneOrElsewhereDoNoHarm) {
  Counted c(allkeys_lru);
  for (int i = 0; i < 200; i++) c.put("key:" + std::to_string(i), kStart * 2, 0);
  c.evict_down_to(190);
  c.keyspace.swap(0, 4);                            // the pool still says database 0
  for (int i = 0; i < 50; i++) c.put("new:" + std::to_string(i));
  EXPECT_EQ(c.evict_down_to(200), Outcome::enough);
  EXPECT_EQ(c.keyspace.total_keys(), 200u);
  c.keyspace.flush(4, false);
  c.keyspace.flush(0, false);
  EXPECT_EQ(c.evict_down_to(0), Outcome::enough);
  for (int i = 0; i < 50; i++) c.put("again:" + std::to_string(i));
  // Another policy has other scores: the pool starts anew; keys without a time are no longer candidates.
  c.evict_down_to(45);
  c.memory.policy = volatile_ttl;
  EXPECT_EQ(c.evict_down_to(40), Outcome::failed);
  EXPECT_EQ(c.keyspace.total_keys(), 45u);
  c.put("again:7", kStart * 2);
  c.evictor.relieve();
  EXPECT_FALSE(c.has("again:7"));
  c.memory.policy = allkeys_lfu;
  c.options.lfu = true;                             // access bits of the other kind are converted
  EXPECT_EQ(c.evict_down_to(10), Outcome::enough);
  EXPECT_EQ(c.keyspace.total_keys(), 10u);
}

TEST(Evictor, WhatTheBackgroundIsFreeingCounts) {
  memory::register_thread();
  Keyspace::Options options;
  MemoryOptions settings;
  settings.policy = allkeys_lru;
  settings.samples = 10;
  settings.eviction_tenacity = 100;
  Keyspace keyspace(options, kStart, 1);
  std::deque<std::function<void()>> queue;
  keyspace.set_background([&](std::function<void()> work) { queue.push_back(std::move(work)); });
  {
    Value value(Set::make(keyspace.context()));
    Set set(*value, keyspace.context());
    for (int i = 0; i < 30'000; i++) set.add("member:" + std::to_string(i));
    keyspace.put(0, "big", hash_bytes("big"), std::move(value));
  }
  keyspace.set_now(kStart + 100'000);
  for (int i = 0; i < 9; i++) {   // so few that the first samples meet all of them
    std::string key = "small:" + std::to_string(i);
    keyspace.put_string(0, key, hash_bytes(key), std::string(3000, 's'), kNoExpiry);
  }
  Evictor evictor(keyspace, settings, {memory::used_bytes, [] { return int64_t{0}; }});
  settings.maxmemory = memory::used_bytes() - 1000;
  EXPECT_EQ(evictor.relieve(), Outcome::enough);
  EXPECT_EQ(keyspace.stats().evicted, 1u);
  EXPECT_EQ(keyspace.total_keys(), 9u);
  EXPECT_EQ(evictor.end_turn(), Outcome::enough);   // still not freed, and nothing else must go for that
  EXPECT_EQ(keyspace.total_keys(), 9u);
  EXPECT_GT(evictor.excess(), 0u);
  ASSERT_EQ(queue.size(), 1u);
  queue.front()();
  EXPECT_EQ(evictor.excess(), 0u);
  EXPECT_EQ(evictor.relieve(), Outcome::enough);
}

TEST(Evictor, TimeIsBoundedAndTheRestIsDoneLater) {
  Counted c(allkeys_random);
  c.memory.eviction_tenacity = 10;                  // half a millisecond
  c.us_per_look = 100;
  for (int i = 0; i < 20'000; i++) c.put("key:" + std::to_string(i));
  c.memory.maxmemory = 10'000;
  EXPECT_EQ(c.evictor.relieve(), Outcome::running);
  uint64_t first = c.keyspace.stats().evicted;
  EXPECT_GE(first, 8u);
  EXPECT_LE(first, 60u);
  // Later commands of the same turn get a small part each.
  uint64_t before = first;
  for (int i = 0; i < 5; i++) c.evictor.relieve();
  EXPECT_LE(c.keyspace.stats().evicted - before, 5 * 16u);
  EXPECT_EQ(c.evictor.stats().cut, 6u);
  EXPECT_GT(c.evictor.exceeding_us(), 0);
  int turns = 0;
  for (; c.evictor.end_turn() == Outcome::running; turns++) ASSERT_LT(turns, 2000);
  EXPECT_EQ(c.keyspace.total_keys(), 10'000u);
  EXPECT_GT(turns, 100);
  EXPECT_EQ(c.evictor.exceeding_us(), 0);
  EXPECT_GT(c.evictor.stats().exceeded_us, 0);
  c.evictor.reset_stats();
  EXPECT_EQ(c.evictor.stats().cut, 0u);
  // As little as possible; and without a bound.
  c.memory.eviction_tenacity = 0;
  c.memory.maxmemory = 5000;
  EXPECT_EQ(c.evictor.relieve(), Outcome::running);
  c.memory.eviction_tenacity = 100;
  EXPECT_EQ(c.evictor.relieve(), Outcome::enough);
}

// A cache under a Zipf trace beside one that knows exactly who was used least recently.
TEST(Evictor, SampledLruHitsNearlyAsOftenAsExactLru) {
  constexpr size_t kKeys = 20'000, kHeld = 4000, kRequests = 200'000;
  std::vector<double> weights(kKeys);
  double sum = 0;
  for (size_t i = 0; i < kKeys; i++) weights[i] = sum += 1 / std::pow(static_cast<double>(i + 1), 0.99);
  Random random(7);
  Counted c(allkeys_lru, kHeld);
  std::list<size_t> recent;
  std::unordered_map<size_t, std::list<size_t>::iterator> exact;
  size_t hits = 0, exact_hits = 0;
  for (size_t n = 0; n < kRequests; n++) {
    size_t drawn = static_cast<size_t>(
        std::lower_bound(weights.begin(), weights.end(), random.unit() * sum) - weights.begin());
    std::string key = "key:" + std::to_string(drawn);
    c.pass(26);
    uint64_t hash = hash_bytes(key);
    if (c.keyspace.find(0, key, hash, Keyspace::Touch::read)) {
      hits++;
    } else {
      c.put(key);
      c.evictor.relieve();
    }
    if (auto it = exact.find(drawn); it != exact.end()) {
      exact_hits++;
      recent.erase(it->second);
    } else if (exact.size() == kHeld) {
      exact.erase(recent.back());
      recent.pop_back();
    }
    recent.push_front(drawn);
    exact[drawn] = recent.begin();
  }
  EXPECT_EQ(c.keyspace.total_keys(), kHeld);
  double ours = static_cast<double>(hits) / kRequests, best = static_cast<double>(exact_hits) / kRequests;
  EXPECT_GT(ours, best - 0.005);
  EXPECT_GT(best, 0.6);
}

}  // namespace
}  // namespace vitrine
