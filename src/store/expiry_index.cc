#include "store/expiry_index.h"

#include <algorithm>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

ExpiryIndex::ExpiryIndex(int64_t now_ms) : base_ms_(now_ms) {}
ExpiryIndex::~ExpiryIndex() { clear(0); }

void ExpiryIndex::clear(int64_t now_ms) {
  for (auto& wheel : wheels_)
    for (Slot& slot : wheel)
      while (slot.count) pop(slot);
  CHECK(items_ == 0 && chunks_ == 0);
  base_ms_ = now_ms;
  cursor_ = 0;
}

// A moment's tick, rounded up, so that an item never fires before its time. Moments too far away (two years) count as
// the farthest: their items come back early and are put in again.
uint32_t ExpiryIndex::tick_of(int64_t at_ms) const {
  if (at_ms <= base_ms_) return cursor_;
  int64_t tick = (at_ms - base_ms_ + kTickMs - 1) / kTickMs;
  int64_t farthest = static_cast<int64_t>(cursor_) + 0x3fff'ffff;
  return static_cast<uint32_t>(std::clamp<int64_t>(tick, cursor_, std::min<int64_t>(farthest, UINT32_MAX)));
}

void ExpiryIndex::add(uint32_t hash_low, int64_t due_ms) { place({hash_low, tick_of(due_ms)}); }

void ExpiryIndex::place(Item item) {
  uint32_t tick = std::max(item.tick, cursor_);
  uint32_t distance = tick ^ cursor_;  // the highest differing digit (base 256) names the wheel
  int level = distance == 0 ? 0 : (31 - __builtin_clz(distance)) / kSlotBits;
  push(wheels_[level][(tick >> (level * kSlotBits)) & (kSlots - 1)], {item.hash_low, tick});
}

void ExpiryIndex::push(Slot& slot, Item item) {
  if (!slot.head || slot.head->count == Chunk::kItems) {
    Chunk* chunk = static_cast<Chunk*>(memory::allocate(sizeof(Chunk)));
    chunk->next = slot.head;
    chunk->count = 0;
    slot.head = chunk;
    chunks_++;
  }
  slot.head->items[slot.head->count++] = item;
  slot.count++;
  items_++;
}

ExpiryIndex::Item ExpiryIndex::pop(Slot& slot) {
  Chunk* chunk = slot.head;
  Item item = chunk->items[--chunk->count];
  if (chunk->count == 0) {
    slot.head = chunk->next;
    memory::release(chunk, sizeof(Chunk));
    chunks_--;
  }
  slot.count--;
  items_--;
  return item;
}

ExpiryIndex::Slot* ExpiryIndex::pending_above() {
  // The slots whose range the cursor has just entered, widest first.
  for (int level = kLevels - 1; level > 0; level--) {
    Slot& slot = wheels_[level][(cursor_ >> (level * kSlotBits)) & (kSlots - 1)];
    bool entered = (cursor_ & ((1u << (level * kSlotBits)) - 1)) == 0;
    if (entered && slot.count) return &slot;
  }
  return nullptr;
}

bool ExpiryIndex::take_due(int64_t now_ms, size_t& steps, uint32_t& hash_low) {
  if (now_ms < base_ms_) return false;
  int64_t now_tick = (now_ms - base_ms_) / kTickMs;
  if (items_ == 0) {
    cursor_ = static_cast<uint32_t>(std::max<int64_t>(cursor_, std::min<int64_t>(now_tick, UINT32_MAX)));
    return false;
  }
  while (cursor_ <= now_tick && steps > 0) {
    steps--;
    if (Slot* above = pending_above()) {
      place(pop(*above));
      continue;
    }
    Slot& slot = wheels_[0][cursor_ & (kSlots - 1)];
    if (slot.count) {
      hash_low = pop(slot).hash_low;
      return true;
    }
    if (cursor_ == now_tick) return false;
    cursor_++;
  }
  return false;
}

ExpiryIndex::Lateness ExpiryIndex::lateness(int64_t now_ms) const {
  Lateness late;
  int64_t now_tick = (now_ms - base_ms_) / kTickMs;
  if (now_tick < cursor_) return late;
  int64_t oldest = -1;
  for (int level = 0; level < kLevels; level++) {
    int shift = level * kSlotBits;
    int64_t last = std::min<int64_t>(now_tick >> shift, (cursor_ >> shift) + kSlots - 1);
    for (int64_t s = cursor_ >> shift; s <= last; s++) {
      const Slot& slot = wheels_[level][static_cast<size_t>(s) & (kSlots - 1)];
      // A slot that now is still inside of counts only on the first wheel.
      if (!slot.count || (level > 0 && ((s + 1) << shift) > now_tick + 1 && s != (cursor_ >> shift))) continue;
      late.items += slot.count;
      int64_t starts = std::max<int64_t>(s << shift, cursor_);
      if (oldest < 0 || starts < oldest) oldest = starts;
    }
  }
  if (oldest >= 0) late.age_ms = std::max<int64_t>(0, now_ms - base_ms_ - oldest * kTickMs);
  return late;
}

}  // namespace vitrine
