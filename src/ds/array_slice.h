// ArraySlice: a run of a sparse array (ds/sparse_array.h): up to 255 values under growing indexes, in one block.
//
//   block    [base: u64][data bytes: u16][room / 16: u16][count: u8][width: u8][far: u16]      16 bytes
//            value value ...  →                        ← ... [entry 1][entry 0]
//   entry    [index - base: `width` bytes][end of the value's data: 15 bits, far: 1 bit]     from the back of the block
//
// `width` is the least of 1, 2, 4 and 8 that fits, or 0 where the indexes follow each other without a gap: then entries
// hold no index and a value is found without a search. A value of more than kInlineBytes is `far`: its data is the
// address of a block of its own, [length: u64][bytes].
//
// ArraySlice is a view, as Packed is: after any change its owner takes the pointer back. Values point into the block
// and die with any change of it. A slice takes what fits() says; a replaced value may bring it above kFullBytes, by
// less than one value: then its owner splits it.
#pragma once

#include "base/bytes.h"

namespace vitrine {

class ArraySlice {
 public:
  static constexpr size_t kFullBytes = 1024;   // the block of a full slice
  static constexpr size_t kMaxCount = 255;
  static constexpr size_t kInlineBytes = 120;

  // A value as it lies in a slice: its bytes, or the address of its block.
  struct Item {
    const char* data;
    size_t bytes;
    bool far;
  };

  ArraySlice() = default;
  explicit ArraySlice(uint64_t word) : block_(reinterpret_cast<uint8_t*>(word)) {}
  static ArraySlice create();
  // With or without what is far.
  void free();
  void free_block();
  ArraySlice clone() const;

  explicit operator bool() const { return block_; }
  uint64_t word() const { return reinterpret_cast<uint64_t>(block_); }

  size_t count() const { return block_[12]; }
  size_t width() const { return block_[13]; }
  size_t far() const { return load<uint16_t>(block_ + 14); }
  uint64_t first() const { return index(0); }
  uint64_t last() const { return index(count() - 1); }
  uint64_t index(size_t i) const;
  Bytes value(size_t i) const;
  // The first place whose index is not below; count() if there is none.
  size_t lower_bound(uint64_t index) const;
  // What it occupies, with everything far; and what of its own block is in use.
  size_t memory() const;
  size_t room() const { return size_t{load<uint16_t>(block_ + 10)} * 16; }
  size_t used() const { return kHeader + data_bytes() + count() * stride(); }

  // Whether a value of so many bytes (0: the longest) can be added at this index.
  bool fits(uint64_t index, size_t value_bytes) const;
  // Whether all of `next`, whose indexes are all greater, can be added.
  bool fits(const ArraySlice& next) const;
  // REQUIRES: fits; `at` is lower_bound(index), and the index is not there.
  void insert(size_t at, uint64_t index, Bytes value);
  void replace(size_t at, Bytes value);
  // Erases [from, to).
  void erase(size_t from, size_t to);
  // The upper part, from `at` on, becomes a slice of its own. REQUIRES: 0 < at < count().
  ArraySlice split(size_t at);
  // Takes over all of `next`, whose block is freed. REQUIRES: fits(next).
  void merge(ArraySlice next);

  // The representation holds together. For tests.
  bool sound() const;

 private:
  static constexpr size_t kHeader = 16;
  static constexpr uint16_t kFar = 0x8000;

  template <class T>
  static T load(const uint8_t* p) {
    T v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  template <class T>
  static void store(uint8_t* p, T v) {
    std::memcpy(p, &v, sizeof v);
  }
  static size_t width_of(uint64_t distance);

  uint64_t base() const { return load<uint64_t>(block_); }
  size_t data_bytes() const { return load<uint16_t>(block_ + 8); }
  size_t stride() const { return width() + 2; }
  uint8_t* data() const { return block_ + kHeader; }
  uint8_t* entry(size_t i) const { return block_ + room() - (i + 1) * stride(); }
  uint16_t end_word(size_t i) const { return load<uint16_t>(entry(i) + width()); }
  bool is_far(size_t i) const { return end_word(i) & kFar; }
  size_t begin_of(size_t i) const { return i == 0 ? 0 : end_word(i - 1) & ~kFar; }
  size_t end_of(size_t i) const { return end_word(i) & ~kFar; }
  void set_data_bytes(size_t n) { store(block_ + 8, static_cast<uint16_t>(n)); }
  void set_count(size_t n) { block_[12] = static_cast<uint8_t>(n); }
  void set_far(size_t n) { store(block_ + 14, static_cast<uint16_t>(n)); }
  void write_entry(size_t i, uint64_t distance, uint16_t end);
  template <class Delta>
  size_t lower_bound_of(uint64_t distance) const;

  Item item(size_t i) const;
  void free_far(size_t from, size_t to);
  void insert_item(size_t at, uint64_t index, const Item& item);
  void remove_items(size_t from, size_t to);
  // A block of this room, base and width with the same values.
  void rebuild(uint64_t base, size_t width, size_t room);
  void widen_for(uint64_t index, size_t at);
  void close_gaps();
  void make_room(size_t more);
  // Moves the data behind value `at` by that much, and what the entries say of it.
  void shift_data(size_t at, ptrdiff_t by);

  uint8_t* block_ = nullptr;
};

inline uint64_t ArraySlice::index(size_t i) const {
  switch (width()) {
    case 0: return base() + i;
    case 1: return base() + *entry(i);
    case 2: return base() + load<uint16_t>(entry(i));
    case 4: return base() + load<uint32_t>(entry(i));
    default: return base() + load<uint64_t>(entry(i));
  }
}

inline Bytes ArraySlice::value(size_t i) const {
  size_t begin = begin_of(i);
  const char* p = reinterpret_cast<const char*>(data() + begin);
  if (__builtin_expect(!is_far(i), 1)) return Bytes(p, end_of(i) - begin);
  const uint8_t* block = load<const uint8_t*>(data() + begin);
  return Bytes(reinterpret_cast<const char*>(block) + 8, load<uint64_t>(block));
}

}  // namespace vitrine
