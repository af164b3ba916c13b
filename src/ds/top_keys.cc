#include "ds/top_keys.h"

#include <algorithm>

namespace vitrine {

void TopKeys::add(Bytes key, uint64_t hash, uint64_t weight) {
  if (key.size() > kMaxKeyBytes) return;
  if (auto known = position(key, hash)) {
    size_t place = Policy::counter(table_.at(known))->place;
    heap_[place].weight += weight;
    return sink(place);
  }
  if (heap_.size() < counters_) {
    // At the end, then up: it may be lighter than any.
    owned_.push_back(std::make_unique<Counter>(Counter{std::string(key), hash, 0, heap_.size()}));
    Place fresh{weight, owned_.back().get()};
    table_.insert(hash, reinterpret_cast<Word>(fresh.counter));
    size_t place = heap_.size();
    heap_.push_back(fresh);
    for (size_t above; place > 0 && heap_[above = (place - 1) / 2].weight > weight; place = above)
      put(place, heap_[above]);
    return put(place, fresh);
  }
  Place& lightest = heap_[0];
  Counter* counter = lightest.counter;
  table_.erase(position(counter->key, counter->hash));
  counter->key.assign(key);
  counter->hash = hash;
  counter->inherited = lightest.weight;
  table_.insert(hash, reinterpret_cast<Word>(counter));
  lightest.weight += weight;
  sink(0);
}

void TopKeys::sink(size_t place) {
  Place moving = heap_[place];
  while (true) {
    size_t child = 2 * place + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].weight < heap_[child].weight) child++;
    if (heap_[child].weight >= moving.weight) break;
    put(place, heap_[child]);
    place = child;
  }
  put(place, moving);
}

std::vector<TopKeys::Item> TopKeys::heaviest(size_t k) const {
  std::vector<Item> items;
  for (const Place& p : heap_) items.push_back({p.counter->key, p.weight - p.counter->inherited});
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.key < b.key;
  });
  if (items.size() > k) items.resize(k);
  return items;
}

}  // namespace vitrine
