#include "store/expiry_index.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

ExpiryIndex::ExpiryIndex(int64_t now_ms) : base_ms_(now_ms) {}
ExpiryIndex::~ExpiryIndex() { forget_some(SIZE_MAX); }

bool ExpiryIndex::forget_some(size_t chunks) {
  for (int level = 0; level < kLevels; level++) {
    for (uint32_t s = first_used(level, 0); s < kSlots; s = first_used(level, s)) {
      Slot& slot = wheels_[level][s];
      if (chunks-- == 0) return false;
      // The whole head chunk at once.
      uint32_t all = slot.head->count;
      while (all-- > 0) pop(level, s);
    }
  }
  CHECK(items_ == 0 && chunks_ == 0);
  return true;
}

// A moment's tick, rounded up, so that an item never fires before its time. Moments too far away (half a year) count as
// the farthest: their items come back early and are put in again.
uint32_t ExpiryIndex::tick_of(int64_t at_ms) const {
  int64_t farthest = std::min<int64_t>(int64_t{cursor_} + kFarthestTicks, UINT32_MAX);
  if (at_ms <= base_ms_) return cursor_;
  if (at_ms / kTickMs >= base_ms_ / kTickMs + farthest) return static_cast<uint32_t>(farthest);
  int64_t tick = (at_ms - base_ms_ + kTickMs - 1) / kTickMs;
  return static_cast<uint32_t>(std::clamp<int64_t>(tick, cursor_, farthest));
}

void ExpiryIndex::add(uint64_t hash, int64_t due_ms) { place(hash, tick_of(due_ms)); }

void ExpiryIndex::place(uint64_t hash, uint32_t tick) {
  tick = std::max(tick, cursor_);
  uint32_t distance = tick ^ cursor_;  // the highest differing digit (base 256) names the wheel
  int level = distance == 0 ? 0 : (31 - std::countl_zero(distance)) / kSlotBits;
  push(level, (tick >> (level * kSlotBits)) & (kSlots - 1), make_item(hash, tick));
}

void ExpiryIndex::push(int level, uint32_t s, Item item) {
  Slot& slot = wheels_[level][s];
  if (!slot.head || slot.head->count == Chunk::kItems) {
    Chunk* chunk = static_cast<Chunk*>(memory::allocate(sizeof(Chunk)));
    chunk->count = 0;
    chunk->next = slot.head;
    if (Chunk* full = slot.head) {
      // It joins the ring behind the chunk it points to.
      Chunk* ring = full->next ? full->next : full;
      full->next = ring == full ? full : ring->next;
      ring->next = full;
    }
    slot.head = chunk;
    chunks_++;
  }
  slot.head->items[slot.head->count++] = item;
  if (slot.count++ == 0) used_[level][s / 64] |= uint64_t{1} << (s % 64);
  items_++;
  level_items_[level]++;
}

ExpiryIndex::Item ExpiryIndex::pop(int level, uint32_t s) {
  Slot& slot = wheels_[level][s];
  Chunk* chunk = slot.head;
  Item item = chunk->items[--chunk->count];
  if (chunk->count == 0) {
    // The ring's chunk behind the one the head points to becomes the head.
    Chunk* ring = chunk->next;
    Chunk* taken = ring ? ring->next : nullptr;
    if (taken && taken == ring) {
      taken->next = nullptr;
    } else if (taken) {
      ring->next = taken->next;
      taken->next = ring;
    }
    slot.head = taken;
    memory::release(chunk, sizeof(Chunk));
    chunks_--;
  }
  if (--slot.count == 0) used_[level][s / 64] &= ~(uint64_t{1} << (s % 64));
  items_--;
  level_items_[level]--;
  return item;
}

// A random item of a slot that is not empty: of the head with the probability it deserves, else of the ring's next.
ExpiryIndex::Item& ExpiryIndex::draw(Slot& slot, Random& random) {
  uint32_t nth = static_cast<uint32_t>(random.below(slot.count));
  Chunk* head = slot.head;
  if (nth < head->count) return head->items[nth];
  head->next = head->next->next;
  return head->next->items[(nth - head->count) % Chunk::kItems];
}

void ExpiryIndex::drop(int level, uint32_t s, Item& item) {
  const Chunk* head = wheels_[level][s].head;
  item = head->items[head->count - 1];
  pop(level, s);
}

uint32_t ExpiryIndex::first_used(int level, uint32_t from) const {
  const auto& bits = used_[level];
  for (uint32_t word = from / 64; word < kSlots / 64; word++) {
    uint64_t rest = bits[word];
    if (word == from / 64) rest &= ~uint64_t{0} << (from % 64);
    if (rest) return word * 64 + static_cast<uint32_t>(std::countr_zero(rest));
  }
  return kSlots;
}

int ExpiryIndex::pending_above() const {
  // The slots whose range the cursor has just entered, widest first.
  for (int level = kLevels - 1; level > 0; level--) {
    bool entered = (cursor_ & ((1u << (level * kSlotBits)) - 1)) == 0;
    if (entered && wheels_[level][digit(level)].count) return level;
  }
  return 0;
}

uint32_t ExpiryIndex::next_tick() const {
  if (pending_above()) return cursor_;
  for (int level = 0; level < kLevels; level++) {
    if (level_items_[level] == 0) continue;
    uint32_t s = first_used(level, digit(level));
    CHECK(s < kSlots);
    int shift = level * kSlotBits;
    uint32_t above = level == kLevels - 1 ? 0 : cursor_ & (~0u << (shift + kSlotBits));
    return above | s << shift;
  }
  return cursor_;
}

int64_t ExpiryIndex::next_due_ms() const {
  return items_ == 0 ? INT64_MAX : base_ms_ + int64_t{next_tick()} * kTickMs;
}

bool ExpiryIndex::take_due(int64_t now_ms, size_t& steps, uint64_t& hash) {
  if (now_ms < base_ms_) return false;
  int64_t now_tick = std::min<int64_t>((now_ms - base_ms_) / kTickMs, UINT32_MAX);
  if (items_ == 0) {
    cursor_ = static_cast<uint32_t>(std::max<int64_t>(cursor_, now_tick));
    return false;
  }
  while (cursor_ <= now_tick && steps > 0) {
    steps--;
    if (int level = pending_above()) {
      Item item = pop(level, digit(level));
      uint32_t below = (1u << (level * kSlotBits)) - 1;
      place(hash_of(item), cursor_ | (static_cast<uint32_t>(item >> 40) & below));
      continue;
    }
    if (wheels_[0][digit(0)].count) {
      hash = hash_of(pop(0, digit(0)));
      return true;
    }
    if (cursor_ == now_tick) return false;
    // Nothing before the next slot in use: it is safe to go there, or to now, at once.
    cursor_ = items_ == 0 ? static_cast<uint32_t>(now_tick)
                          : static_cast<uint32_t>(std::min<int64_t>(now_tick, next_tick()));
  }
  return false;
}

bool ExpiryIndex::locate_random(Random& random, int& level, uint32_t& slot) const {
  if (items_ == 0) return false;
  size_t nth = random.below(items_);
  for (level = 0; nth >= level_items_[level]; level++) nth -= level_items_[level];
  for (slot = first_used(level, 0); nth >= wheels_[level][slot].count; slot = first_used(level, slot + 1))
    nth -= wheels_[level][slot].count;
  return true;
}

bool ExpiryIndex::locate_soonest(int& level, uint32_t& slot) const {
  if (items_ == 0) return false;
  for (level = 0; level_items_[level] == 0; level++) {}
  slot = first_used(level, 0);  // those behind the cursor are empty
  return true;
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
