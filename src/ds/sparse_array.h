// SparseArray: byte strings under 64-bit indexes, of which most may be empty.
//
// The values lie in ArraySlices (ds/array_slice.h). One slice stands alone; several are found by an IdTree under the
// lowest index that they may hold (what lies below the first slice belongs to it, too):
//
//   [0 ...] → slice   [817 ...] → slice   [10^9 ...] → slice          indexes between two keys belong to the left one
//
// Get, set, erase: O(log slices); the slice that was used last is found at once, so that runs of indexes cost no
// search. Filled in order, slices are full; otherwise at least a quarter full, or their neighbours have no room for
// them. An array without gaps takes 2.5 bytes per value and the value itself, one with wide gaps up to 11.
//
// Values point into the slices and die, as cursors do, with any change of the array. Indexes go up to kMaxIndex.
#pragma once

#include <memory>
#include <optional>

#include "ds/array_slice.h"
#include "ds/id_tree.h"

namespace vitrine {

class SparseArray {
 public:
  static constexpr uint64_t kMaxIndex = UINT64_MAX - 1;

  // A value in the array, or none (false).
  class Cursor {
   public:
    Cursor() = default;
    explicit operator bool() const { return bool(slice_); }
    uint64_t index() const { return slice_.index(at_); }
    Bytes value() const { return slice_.value(at_); }
    Cursor& operator++();
    Cursor& operator--();

   private:
    friend class SparseArray;
    Cursor(ArraySlice slice, IdTree::Cursor place, size_t at) : slice_(slice), place_(place), at_(at) {}
    ArraySlice slice_;
    IdTree::Cursor place_;  // none if the slice stands alone
    size_t at_ = 0;
  };

  struct Figures {
    size_t slices = 0, dense = 0;                        // dense: without gaps
    size_t dense_values = 0, sparse_values = 0;
    size_t dense_room = 0, dense_used = 0, sparse_room = 0;  // bytes of their blocks
    size_t directory_bytes = 0;
  };

  SparseArray() = default;
  ~SparseArray() { clear(); }
  SparseArray(const SparseArray& other);                 // an independent copy
  SparseArray& operator=(const SparseArray&) = delete;

  uint64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  // The highest index + 1.
  uint64_t length() const;
  std::optional<Bytes> get(uint64_t index) const;
  // True if it was empty before.
  bool set(uint64_t index, Bytes value);
  bool erase(uint64_t index) { return erase_range(index, index) == 1; }
  // Erases [from, to]; returns how many there were. O(slices touched).
  uint64_t erase_range(uint64_t from, uint64_t to);
  void clear();
  void swap(SparseArray& other) noexcept {
    std::swap(single_, other.single_);
    std::swap(directory_, other.directory_);
    std::swap(count_, other.count_);
  }

  Cursor first() const { return at_or_after(0); }
  Cursor last() const { return at_or_before(kMaxIndex); }
  // The nearest value at this index or above, below.
  Cursor at_or_after(uint64_t index) const;
  Cursor at_or_before(uint64_t index) const;

  // Bytes allocated, without *this; from `samples` slices (0: all).
  size_t memory(size_t samples) const;
  Figures figures() const;
  size_t slices() const { return directory_ ? directory_->tree.size() : bool(single_); }
  // How many allocations it has; counts no further than `enough`.
  size_t allocations(size_t enough) const;

  // For tests.
  bool sound() const;

 private:
  struct Directory {
    IdTree tree;
    // The slice that was found last: it owns [from, to].
    mutable uint64_t from = 1, to = 0;
    mutable IdTree::Cursor found;

    void forget() { from = 1, to = 0; }
  };
  // A slice and where it is kept.
  struct Place {
    ArraySlice slice;
    IdTree::Cursor at;
  };

  template <class Visit>
  void for_each_slice(Visit visit) const;
  // The slice to which the index belongs; none if it lies below the first key.
  Place place_of(uint64_t index) const;
  // The same, with a slice made or its key lowered if need be.
  Place place_for(uint64_t index);
  Place first_place() const;
  static Place at(IdTree::Cursor c) { return c ? Place{ArraySlice(c->word), c} : Place{}; }
  void keep(const Place& place);
  void insert(Place place, uint64_t index, Bytes value);
  void split_in_half(Place place);
  void add_slice(ArraySlice slice);
  void remove_slice(const Place& place);
  void merge_if_small(const Place& place);

  ArraySlice single_;
  std::unique_ptr<Directory> directory_;
  uint64_t count_ = 0;
};

inline SparseArray::Cursor& SparseArray::Cursor::operator++() {
  if (++at_ < slice_.count()) return *this;
  at_ = 0;
  if (place_) ++place_;
  slice_ = place_ ? ArraySlice(place_->word) : ArraySlice();
  return *this;
}

inline SparseArray::Cursor& SparseArray::Cursor::operator--() {
  if (at_ > 0) return at_--, *this;
  if (place_) --place_;
  slice_ = place_ ? ArraySlice(place_->word) : ArraySlice();
  at_ = slice_ ? slice_.count() - 1 : 0;
  return *this;
}

}  // namespace vitrine
