#include "ds/top_keys.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"

namespace vitrine {
namespace {

void add(TopKeys& top, const std::string& key, uint64_t weight) { top.add(key, hash_bytes(key), weight); }

TEST(TopKeys, CountsExactlyWhileThereAreCountersForAll) {
  Random random(1);
  TopKeys top(100);
  std::map<std::string, uint64_t> model;
  for (int i = 0; i < 20'000; i++) {
    std::string key = "key:" + std::to_string(random.below(100));
    uint64_t weight = random.below(1000);
    add(top, key, weight);
    model[key] += weight;
  }
  auto items = top.heaviest(SIZE_MAX);
  ASSERT_EQ(items.size(), model.size());
  for (size_t i = 0; i < items.size(); i++) {
    EXPECT_EQ(items[i].weight, model.at(std::string(items[i].key)));
    if (i) {
      EXPECT_GE(items[i - 1].weight, items[i].weight);
    }
  }
}

// What the paper promises: a key heavier than total / counters is there, and nothing is told to be heavier than it is.
TEST(TopKeys, HoldsEveryHeavyKeyAndExaggeratesNone) {
  for (uint64_t seed = 1; seed <= 5; seed++) {
    SCOPED_TRACE(seed);
    constexpr size_t kCounters = 128, kKeys = 50'000;
    Random random(seed);
    TopKeys top(kCounters);
    std::map<std::string, uint64_t> model;
    uint64_t total = 0;
    for (int i = 0; i < 100'000; i++) {
      // Zipf's law, roughly: the logarithm of the rank is uniform.
      auto rank = static_cast<uint64_t>(std::exp(random.unit() * std::log(double{kKeys})));
      std::string key = "key:" + std::to_string(rank);
      uint64_t weight = 1 + random.below(9);
      add(top, key, weight);
      model[key] += weight;
      total += weight;
    }
    EXPECT_EQ(top.size(), kCounters);
    std::map<std::string, uint64_t> told;
    for (const auto& item : top.heaviest(SIZE_MAX)) told[std::string(item.key)] = item.weight;
    for (const auto& [key, weight] : told) EXPECT_LE(weight, model.at(key));
    for (const auto& [key, weight] : model)
      if (weight > total / kCounters) {
        EXPECT_TRUE(told.contains(key)) << key;
        EXPECT_GE(told[key] + total / kCounters, weight) << key;
      }
    auto best = top.heaviest(10);
    ASSERT_EQ(best.size(), 10u);
    for (const auto& item : best) EXPECT_LE(std::stoi(std::string(item.key.substr(4))), 14) << item.key;
  }
}

TEST(TopKeys, MemoryIsBoundedWhateverComes) {
  memory::register_thread();
  constexpr size_t kCounters = 256, kPerCounter = 200;
  size_t before = memory::used_bytes();
  {
    Random random(3);
    TopKeys top(kCounters);
    for (int i = 0; i < 50'000; i++)
      add(top, std::string(random.below(TopKeys::kMaxKeyBytes), 'k') + std::to_string(i), random.below(100));
    EXPECT_EQ(top.size(), kCounters);
    EXPECT_LE(memory::used_bytes() - before, kCounters * (2 * TopKeys::kMaxKeyBytes + kPerCounter));
  }
  EXPECT_EQ(memory::used_bytes(), before);
}

TEST(TopKeys, LeavesOutKeysThatAreTooLong) {
  TopKeys top(2);
  add(top, std::string(TopKeys::kMaxKeyBytes + 1, 'x'), 1000);
  EXPECT_EQ(top.size(), 0u);
  add(top, std::string(TopKeys::kMaxKeyBytes, 'x'), 3);
  add(top, "", 4);
  add(top, "y", 4);                     // takes over the lightest, and tells only its own
  auto items = top.heaviest(2);
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].key, "");
  EXPECT_EQ(items[1].key, "y");
  EXPECT_EQ(items[1].weight, 4u);
}

}  // namespace
}  // namespace vitrine
