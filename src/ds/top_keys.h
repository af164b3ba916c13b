// TopKeys: the heaviest keys of a stream, in memory that does not grow with the number of keys.
//
// A fixed number of counters. A key that has one adds its weight to it; another takes over the lightest counter, and
// inherits what stood there. So every key whose true weight exceeds the whole stream's by the number of counters has
// one, and its true weight lies between what it added itself and the whole of its counter. What is told is what a key
// added itself: never too much.
//
// Source: Metwally, Agrawal, El Abbadi: "Efficient computation of frequent and top-k elements in data streams" (2005),
// "Space-Saving", with weights.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "ds/hash_table.h"

namespace vitrine {

class TopKeys {
 public:
  static constexpr size_t kMaxKeyBytes = 1024;   // longer keys are not counted
  struct Item {
    Bytes key;                                   // until the next add()
    uint64_t weight;
  };

  // REQUIRES: counters > 0.
  explicit TopKeys(size_t counters) : counters_(counters) { heap_.reserve(counters); }

  void add(Bytes key, uint64_t hash, uint64_t weight);
  // The k heaviest, heaviest first; equally heavy ones in order of bytes.
  std::vector<Item> heaviest(size_t k) const;
  size_t size() const { return heap_.size(); }

 private:
  struct Counter {
    std::string key;
    uint64_t hash;
    uint64_t inherited;
    size_t place;      // in the heap
  };
  struct Policy {
    static Counter* counter(Word w) { return reinterpret_cast<Counter*>(w); }
    static uint64_t hash(Word w) { return counter(w)->hash; }
    static void prefetch(Word w) { vitrine::prefetch(counter(w)); }
  };
  struct Place {
    uint64_t weight;
    Counter* counter;
  };

  HashTable<Policy>::Position position(Bytes key, uint64_t hash) const {
    return table_.find(hash, [key](Word w) { return same_bytes(Policy::counter(w)->key, key); });
  }
  void put(size_t place, const Place& what) { heap_[place] = what, what.counter->place = place; }
  void sink(size_t place);    // it has become heavier

  const size_t counters_;
  std::vector<Place> heap_;   // the lightest first
  std::vector<std::unique_ptr<Counter>> owned_;
  HashTable<Policy> table_;
};

}  // namespace vitrine
