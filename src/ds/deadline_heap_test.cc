#include "ds/deadline_heap.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/random.h"

namespace vitrine {
namespace {

struct Thing {
  uint32_t index = UINT32_MAX;
  int64_t at_ms = 0;
};
struct ThingPolicy {
  static void moved(void* what, uint32_t index) { static_cast<Thing*>(what)->index = index; }
};
using Heap = DeadlineHeap<ThingPolicy>;

// Random operations against a multimap; `limit` items make the heap grow and shrink through its segments.
void run_against_model(uint64_t seed, size_t limit, int operations) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << " limit " << limit);
  Random random(seed);
  Heap heap;
  std::vector<std::unique_ptr<Thing>> things;
  std::multiset<int64_t> model;
  bool growing = true;
  for (int i = 0; i < operations; i++) {
    if (things.size() >= limit) growing = false;
    if (things.empty()) growing = true;
    uint64_t choice = random.below(10);
    if (things.empty() || choice < (growing ? 7u : 2u)) {
      auto thing = std::make_unique<Thing>();
      thing->at_ms = static_cast<int64_t>(random.below(1000));
      heap.add(thing->at_ms, thing.get());
      model.insert(thing->at_ms);
      things.push_back(std::move(thing));
    } else {
      size_t n = random.below(things.size());
      Thing* thing = things[n].get();
      if (choice == 9) {
        model.erase(model.find(thing->at_ms));
        thing->at_ms = static_cast<int64_t>(random.below(1000));
        model.insert(thing->at_ms);
        heap.change(thing->index, thing->at_ms);
      } else if (choice == 8) {
        auto moved = std::make_unique<Thing>(*thing);
        heap.replace(thing->index, moved.get());
        things[n] = std::move(moved);
      } else {
        heap.erase(thing->index);
        model.erase(model.find(thing->at_ms));
        std::swap(things[n], things.back());
        things.pop_back();
      }
    }
    ASSERT_EQ(heap.size(), model.size());
    if (!model.empty()) {
      ASSERT_EQ(heap.front().at_ms, *model.begin());
    }
    if (i % 97 == 0) {
      int64_t now = static_cast<int64_t>(random.below(1100));
      ASSERT_EQ(heap.count_due(now), static_cast<size_t>(std::distance(model.begin(), model.upper_bound(now))));
      ASSERT_EQ(heap.all_due(now), model.empty() || *model.rbegin() <= now);
      ASSERT_TRUE(heap.all_due(1100));
    }
  }
  while (!heap.empty()) {
    auto* first = static_cast<Thing*>(heap.front().what);
    ASSERT_EQ(first->at_ms, *model.begin());
    ASSERT_EQ(first->index, 0u);
    model.erase(model.begin());
    heap.erase(0);
  }
  EXPECT_TRUE(model.empty());
}

TEST(DeadlineHeap, AgreesWithModel) {
  for (uint64_t seed = 1; seed <= 20; seed++) run_against_model(seed, seed % 5 * 10 + 3, 3000);
  run_against_model(77, 20000, 120000);
}

TEST(DeadlineHeap, ReturnsItsMemory) {
  Heap heap;
  std::vector<Thing> things(50000);
  for (size_t i = 0; i < things.size(); i++) heap.add(static_cast<int64_t>(i), &things[i]);
  EXPECT_GE(heap.memory_bytes(), 50000 * sizeof(Heap::Item));
  while (!heap.empty()) heap.erase(0);
  EXPECT_LE(heap.memory_bytes(), size_t{4096});
}

}  // namespace
}  // namespace vitrine
