// ExpiryIndex: says which keys are due, in time order, at eight bytes a key: a hierarchical timing wheel.
//
// Source: Varghese & Lauck, "Hashed and hierarchical timing wheels" (SOSP 1987). Four wheels of 256 slots; a slot of the
// first is 16 ms wide, of each next 256 times that. An item is {40 bits of the key's hash, low 24 bits of the tick}: a
// hint where to look, not a promise. It may be stale (the key is gone, or was given a later time), so whoever takes it
// looks at the key itself and puts it back if it is not due. At most one fresh item per key is kept by
// Entry::indexed().
//
//   slot:  head (partly filled) -> a ring of full chunks, entered anywhere
//
// The ring lets sample() walk through all chunks of a slot in turn, though it never follows more than one link.
//
// Every step moves or yields one item, so the owner bounds the work of a slice by counting steps. Ticks count from the
// moment of construction; an index that is worn() must be replaced by a new one, within months.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/random.h"

namespace vitrine {

class ExpiryIndex {
 public:
  static constexpr int64_t kTickMs = 16;
  // The bits of a hash that an item keeps; those it gives back have zeros elsewhere.
  static constexpr uint64_t kHashMask = 0xff00'0000'ffff'ffff;
  static bool same(uint64_t hash, uint64_t kept) { return (hash & kHashMask) == kept; }

  explicit ExpiryIndex(int64_t now_ms);
  ~ExpiryIndex();
  ExpiryIndex(const ExpiryIndex&) = delete;
  ExpiryIndex& operator=(const ExpiryIndex&) = delete;

  void add(uint64_t hash, int64_t due_ms);

  // Yields the hash of the next item that is due at `now_ms`; false when there is none, or when `steps` ran out
  // (then steps is 0 and there may be more).
  bool take_due(int64_t now_ms, size_t& steps, uint64_t& hash);
  // A moment before which take_due() has nothing to do; INT64_MAX when it is empty.
  int64_t next_due_ms() const;

  // Shows items to `visit(hash)`, which returns false for a stale one: that is dropped.
  // Each is drawn at random, near uniformly.
  template <class Visit>
  void sample(Random& random, size_t count, Visit visit);
  // From the slot that is due first.
  template <class Visit>
  void sample_soonest(Random& random, size_t count, Visit visit);

  size_t size() const { return items_; }
  bool worn() const { return cursor_ >= kWornTicks; }
  size_t memory_bytes() const { return chunks_ * sizeof(Chunk) + sizeof *this; }
  // Forgets items, freeing at most `chunks` chunks; true when it is empty.
  bool forget_some(size_t chunks);

  struct Lateness {
    size_t items = 0;     // due but not yet taken (stale ones included)
    int64_t age_ms = 0;   // how long ago the oldest of them was due, to the width of a slot
  };
  Lateness lateness(int64_t now_ms) const;

 private:
  static constexpr int kLevels = 4, kSlotBits = 8, kSlots = 1 << kSlotBits;
  // An item is put no farther away than half a year, and the cursor may go on for a year more before ticks overflow.
  static constexpr uint32_t kFarthestTicks = 0x3fff'ffff, kWornTicks = 0x8000'0000;

  using Item = uint64_t;  // hash bits 0..31, hash bits 56..63, tick bits 0..23
  struct Chunk {
    static constexpr uint32_t kItems = 62;
    Chunk* next;   // of the head: some full chunk, or null; of a full chunk: the next of the ring
    uint32_t count;
    Item items[kItems];
  };
  static_assert(sizeof(Chunk) == 512);
  struct Slot {
    Chunk* head = nullptr;
    uint32_t count = 0;
  };

  static Item make_item(uint64_t hash, uint32_t tick) {
    return (hash & 0xffff'ffff) | (hash >> 56) << 32 | static_cast<uint64_t>(tick) << 40;
  }
  static uint64_t hash_of(Item item) { return (item & 0xffff'ffff) | ((item >> 32) & 0xff) << 56; }

  uint32_t tick_of(int64_t at_ms) const;
  uint32_t digit(int level) const { return (cursor_ >> (level * kSlotBits)) & (kSlots - 1); }
  void place(uint64_t hash, uint32_t tick);
  void push(int level, uint32_t slot, Item item);
  Item pop(int level, uint32_t slot);
  Item& draw(Slot& slot, Random& random);
  void drop(int level, uint32_t slot, Item& item);
  // The wheel whose slot at the cursor must be spread over the lower ones before the cursor's tick can fire; 0 if none.
  int pending_above() const;
  // The first tick, from the cursor on, at which there is something to do. REQUIRES: not empty.
  uint32_t next_tick() const;
  // The first slot in use at or after `from`, or kSlots.
  uint32_t first_used(int level, uint32_t from) const;
  bool locate_random(Random& random, int& level, uint32_t& slot) const;
  bool locate_soonest(int& level, uint32_t& slot) const;

  const int64_t base_ms_;
  uint32_t cursor_ = 0;  // the tick being fired; all before it are done
  size_t items_ = 0, chunks_ = 0;
  std::array<size_t, kLevels> level_items_{};
  std::array<std::array<uint64_t, kSlots / 64>, kLevels> used_{};  // a bit per slot that is not empty
  std::array<std::array<Slot, kSlots>, kLevels> wheels_{};
};

template <class Visit>
void ExpiryIndex::sample(Random& random, size_t count, Visit visit) {
  int level;
  uint32_t slot;
  while (count-- > 0 && locate_random(random, level, slot)) {
    Item& item = draw(wheels_[level][slot], random);
    if (!visit(hash_of(item))) drop(level, slot, item);
  }
}

template <class Visit>
void ExpiryIndex::sample_soonest(Random& random, size_t count, Visit visit) {
  int level;
  uint32_t slot;
  while (count-- > 0 && locate_soonest(level, slot)) {
    Item& item = draw(wheels_[level][slot], random);
    if (!visit(hash_of(item))) drop(level, slot, item);
  }
}

}  // namespace vitrine
