// DeadlineHeap: moments with what is due then, the earliest first: a heap of four children per node.
//
//   item  { at_ms: 8, what: 8 }, in segments of kSegment items; the children of i are 4i + 1 .. 4i + 4
//
// Every `what` is told its index whenever that changes, so it can be removed or put off at any time; hence nothing in
// the heap is ever stale. All operations take O(log n) steps, and growth never copies more than one segment.
//
// Policy: `static void moved(void* what, uint32_t index)`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

template <class Policy>
class DeadlineHeap {
 public:
  struct Item {
    int64_t at_ms;
    void* what;
  };

  DeadlineHeap() = default;
  DeadlineHeap(const DeadlineHeap&) = delete;
  DeadlineHeap& operator=(const DeadlineHeap&) = delete;
  ~DeadlineHeap() {
    for (size_t i = 0; i < segments_.size(); i++) memory::release(segments_[i], segment_capacity() * sizeof(Item));
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // REQUIRES: !empty().
  const Item& front() const { return at(0); }

  void add(int64_t at_ms, void* what) {
    CHECK(size_ < UINT32_MAX / 4 - 2);
    make_room();
    size_++;
    rise(size_ - 1, {at_ms, what});
  }
  void erase(uint32_t index) {
    CHECK(index < size_);
    Item last = at(size_ - 1);
    size_--;
    if (index < size_) settle(index, last);
    give_back_room();
  }
  void change(uint32_t index, int64_t at_ms) { settle(index, {at_ms, at(index).what}); }
  // What was at this index now lives elsewhere.
  void replace(uint32_t index, void* what) { at(index).what = what; }

  // How many items are due at `now_ms`; visits only these.
  size_t count_due(int64_t now_ms) const { return size_ == 0 ? 0 : count_due_below(0, now_ms); }

  // Whether all are. Those that were added last are looked at first: they stand in the leaves, where the late ones are.
  bool all_due(int64_t now_ms) const {
    for (size_t i = size_; i > 0; i--)
      if (at(i - 1).at_ms > now_ms) return false;
    return true;
  }

  size_t memory_bytes() const {
    return segments_.capacity() * sizeof(Item*) + segments_.size() * segment_capacity() * sizeof(Item);
  }

 private:
  static constexpr size_t kSegmentBits = 12, kSegment = size_t{1} << kSegmentBits;
  static constexpr size_t kFirst = 4;  // a single segment starts at this size and doubles

  Item& at(size_t i) { return segments_[i >> kSegmentBits][i & (kSegment - 1)]; }
  const Item& at(size_t i) const { return segments_[i >> kSegmentBits][i & (kSegment - 1)]; }
  size_t segment_capacity() const { return segments_.size() > 1 ? kSegment : first_capacity_; }

  void put(size_t i, const Item& item) {
    at(i) = item;
    Policy::moved(item.what, static_cast<uint32_t>(i));
  }
  void settle(size_t i, Item item) {
    if (i > 0 && item.at_ms < at((i - 1) / 4).at_ms) rise(i, item);
    else sink(i, item);
  }
  void rise(size_t i, Item item) {
    while (i > 0) {
      size_t parent = (i - 1) / 4;
      if (at(parent).at_ms <= item.at_ms) break;
      put(i, at(parent));
      i = parent;
    }
    put(i, item);
  }
  void sink(size_t i, Item item) {
    while (true) {
      size_t child = 4 * i + 1;
      if (child >= size_) break;
      size_t best = child, end = std::min(child + 4, size_);
      for (size_t c = child + 1; c < end; c++)
        if (at(c).at_ms < at(best).at_ms) best = c;
      if (item.at_ms <= at(best).at_ms) break;
      put(i, at(best));
      i = best;
    }
    put(i, item);
  }
  size_t count_due_below(size_t i, int64_t now_ms) const {
    if (at(i).at_ms > now_ms) return 0;
    size_t due = 1;
    for (size_t c = 4 * i + 1; c < std::min(4 * i + 5, size_); c++) due += count_due_below(c, now_ms);
    return due;
  }

  void make_room() {
    if (segments_.empty()) {
      first_capacity_ = kFirst;
      segments_.push_back(static_cast<Item*>(memory::allocate(kFirst * sizeof(Item))));
    } else if (segments_.size() == 1 && size_ == first_capacity_ && first_capacity_ < kSegment) {
      resize_first(first_capacity_ * 2);
    } else if (size_ == segments_.size() * kSegment) {
      segments_.push_back(static_cast<Item*>(memory::allocate(kSegment * sizeof(Item))));
    }
  }
  void give_back_room() {
    if (segments_.size() > 1) {
      // Half a segment of slack, so that no item adds and frees a segment over and over.
      if (size_ + kSegment + kSegment / 2 > segments_.size() * kSegment) return;
      memory::release(segments_.back(), kSegment * sizeof(Item));
      segments_.pop_back();
      first_capacity_ = kSegment;
    } else if (first_capacity_ > kFirst && size_ <= first_capacity_ / 4) {
      resize_first(first_capacity_ / 2);
    }
  }
  void resize_first(size_t capacity) {
    segments_[0] = static_cast<Item*>(memory::reallocate(segments_[0], capacity * sizeof(Item)));
    first_capacity_ = capacity;
  }

  std::vector<Item*> segments_;
  size_t first_capacity_ = 0;  // of the only segment
  size_t size_ = 0;
};

}  // namespace vitrine
