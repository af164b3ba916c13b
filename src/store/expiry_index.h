// ExpiryIndex: says which keys are due, in time order, at eight bytes a key: a hierarchical timing wheel.
//
// Source: Varghese & Lauck, "Hashed and hierarchical timing wheels" (SOSP 1987). Four wheels of 256 slots; a slot of the
// first is 16 ms wide, of each next 256 times that. An item is {low 32 bits of the key's hash, tick}: a hint where to
// look, not a promise. It may be stale (the key is gone, or was given a later time), so whoever takes it looks at the
// key itself and puts it back if it is not due. At most one fresh item per key is kept by Entry::indexed().
//
// Every step moves or yields one item, so the owner bounds the work of a slice by counting steps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vitrine {

class ExpiryIndex {
 public:
  static constexpr int64_t kTickMs = 16;

  explicit ExpiryIndex(int64_t now_ms);
  ~ExpiryIndex();
  ExpiryIndex(const ExpiryIndex&) = delete;
  ExpiryIndex& operator=(const ExpiryIndex&) = delete;

  void add(uint32_t hash_low, int64_t due_ms);

  // Yields the hash of the next item that is due at `now_ms`; false when there is none, or when `steps` ran out
  // (then steps is 0 and there may be more).
  bool take_due(int64_t now_ms, size_t& steps, uint32_t& hash_low);

  size_t size() const { return items_; }
  size_t memory_bytes() const { return chunks_ * sizeof(Chunk) + sizeof *this; }
  void clear(int64_t now_ms);

  struct Lateness {
    size_t items = 0;     // due but not yet taken (stale ones included)
    int64_t age_ms = 0;   // how long ago the oldest of them was due, to the width of a slot
  };
  Lateness lateness(int64_t now_ms) const;

 private:
  static constexpr int kLevels = 4, kSlotBits = 8, kSlots = 1 << kSlotBits;
  struct Item {
    uint32_t hash_low;
    uint32_t tick;
  };
  struct Chunk {
    static constexpr uint32_t kItems = 62;
    Chunk* next;
    uint32_t count;
    Item items[kItems];
  };
  static_assert(sizeof(Chunk) == 512);
  struct Slot {
    Chunk* head = nullptr;
    uint32_t count = 0;
  };

  uint32_t tick_of(int64_t at_ms) const;
  void place(Item item);
  void push(Slot& slot, Item item);
  Item pop(Slot& slot);
  // The slot of `level` that must be spread over the lower ones before the cursor's tick can fire; null if none.
  Slot* pending_above();

  int64_t base_ms_;
  uint32_t cursor_ = 0;  // the tick being fired; all before it are done
  size_t items_ = 0, chunks_ = 0;
  std::array<std::array<Slot, kSlots>, kLevels> wheels_{};
};

}  // namespace vitrine
