// IntSet: a sorted set of integers in one allocation, 2, 4 or 8 bytes each: small sets of integers only.
//
//   block  [width: u32 = 2, 4 or 8][count: u32] integer integer ...        ascending, distinct, little endian
//
// All integers have the width of the widest that was ever inserted. The bytes are those of the published intset format
// of snapshot files. As with Packed, the owner keeps the pointer and IntSet is a view; after insert and erase the owner
// takes block() back. insert is O(n) by one memmove, contains O(log n).
#pragma once

#include <cstring>

#include "base/bytes.h"
#include "base/random.h"

namespace vitrine {

class IntSet {
 public:
  static constexpr size_t kHeader = 8;

  explicit IntSet(uint8_t* block) : block_(block) {}
  uint8_t* block() const { return block_; }

  static IntSet create();
  static void free(uint8_t* block);
  IntSet clone() const;
  // What it occupies.
  size_t memory() const;
  size_t size() const { return load<uint32_t>(block_ + 4); }
  bool empty() const { return size() == 0; }
  size_t width() const { return load<uint32_t>(block_); }
  Bytes raw() const { return Bytes(reinterpret_cast<const char*>(block_), kHeader + size() * width()); }

  bool contains(int64_t value) const;
  // How many are smaller: the index of the first that is not.
  size_t lower_bound(int64_t value) const;
  // In ascending order. REQUIRES: index < size().
  int64_t at(size_t index) const {
    const uint8_t* items = block_ + kHeader;
    switch (width()) {
      case 2: return load<int16_t>(items + index * 2);
      case 4: return load<int32_t>(items + index * 4);
      default: return load<int64_t>(items + index * 8);
    }
  }
  int64_t front() const { return at(0); }
  int64_t back() const { return at(size() - 1); }
  // REQUIRES: not empty.
  int64_t random(Random& random) const { return at(random.below(size())); }
  // Calls fn(int64_t) for each, ascending.
  template <class Fn>
  void for_each(Fn&& fn) const {
    switch (width()) {
      case 2: return each<int16_t>(fn);
      case 4: return each<int32_t>(fn);
      default: return each<int64_t>(fn);
    }
  }

  // Both return whether anything changed.
  bool insert(int64_t value);
  bool erase(int64_t value);
  // Takes out n of them. REQUIRES: index + n <= size().
  void erase_at(size_t index, size_t n = 1);

  // Whether untrusted bytes are all of a block and sound.
  static bool validate(Bytes data);

 private:
  template <class T>
  static T load(const uint8_t* p) {
    T v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  template <class T, class Fn>
  void each(Fn& fn) const {
    const uint8_t* p = block_ + kHeader;
    for (size_t i = 0, n = size(); i < n; i++) fn(static_cast<int64_t>(load<T>(p + i * sizeof(T))));
  }
  void set_size(size_t n) {
    uint32_t v = static_cast<uint32_t>(n);
    std::memcpy(block_ + 4, &v, 4);
  }
  void grow_to(size_t bytes);
  void widen(size_t width, int64_t value);

  uint8_t* block_;
};

}  // namespace vitrine
