// The parts of a PackedList: a node, and the directory of all nodes. Only packed_list.{h,cc} uses them.
//
//   block   [free][element element element ...][free]         elements as in packed.h, without a header
//           0     begin                         end    capacity
//
// A node has room on both sides, so that a push or pop at either end moves nothing. A plain node holds the bytes of
// one large item as they are, instead of elements. Either may be compressed; `begin` and `end` stay those of the run:
//
//   block   [stamp, 8][bytes, 4][the run as LZF]              no other compressed run has or had that stamp
#pragma once

#include "ds/packed.h"

namespace vitrine {

// Plain data: the list owns the block and accounts for `capacity` in the number that changes of it are given.
struct PackedNode {
  uint8_t* block = nullptr;
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t capacity = 0;
  uint32_t count : 29 = 0;
  uint32_t plain : 1 = 0;
  uint32_t compressed : 1 = 0;
  uint32_t compresses_badly : 1 = 0;   // it was tried

  static PackedNode make(size_t capacity, size_t& account);
  static PackedNode make_plain(Bytes text, size_t& account);
  PackedNode clone(size_t& account) const;
  void release(size_t& account);

  // In place. What would not become smaller by at least eight bytes stays as it is.
  void compress(size_t& account);
  void expand(size_t& account);
  // This node, or where it is compressed one with the same run, whose block belongs to this thread and serves until
  // the run of another compressed node is asked for. Everything below REQUIRES a node that is not compressed, except
  // run().
  PackedNode readable() const { return __builtin_expect(compressed, 0) ? expanded_copy() : *this; }

  size_t run() const { return end - begin; }
  const uint8_t* first() const { return block + begin; }
  const uint8_t* stop() const { return block + end; }
  Bytes bytes() const { return Bytes(reinterpret_cast<const char*>(first()), run()); }
  PackedValue value(size_t offset) const {
    return __builtin_expect(plain, 0) ? PackedValue{false, 0, bytes()} : packed_detail::read(first() + offset);
  }
  // Where the n-th element starts, from the nearer side. REQUIRES: n < count.
  const uint8_t* element(size_t n) const;

  // Room for `bytes` behind the last or before the first element; null if that would cost more than it is worth, while
  // the run still would fit. The block doubles, up to the size class of `most`. `alone`: both ends are pushed to.
  uint8_t* extend_back(size_t bytes, size_t most, bool alone, size_t& account) {
    if (__builtin_expect(end + bytes > capacity, 0) && !make_room(bytes, most, alone, true, account)) return nullptr;
    end += static_cast<uint32_t>(bytes);
    return block + end - bytes;
  }
  uint8_t* extend_front(size_t bytes, size_t most, bool alone, size_t& account) {
    if (__builtin_expect(bytes > begin, 0) && !make_room(bytes, most, alone, false, account)) return nullptr;
    begin -= static_cast<uint32_t>(bytes);
    return block + begin;
  }
  // Room at `offset` of the run, moving the shorter side; the block becomes just large enough.
  uint8_t* open(size_t offset, size_t bytes, size_t& account);
  // Takes bytes out of the run; `count` is the caller's.
  void cut(size_t offset, size_t bytes);
  // Gives room back: all there is, or half of it when three quarters are free (`towards_end`: keep the rest in front).
  void trim(size_t& account);
  void shrink_if_sparse(bool towards_end, size_t& account) {
    if (__builtin_expect(run() * 4 < capacity && capacity > 256, 0)) shrink(towards_end, account);
  }

 private:
  PackedNode expanded_copy() const;
  bool make_room(size_t bytes, size_t most, bool alone, bool behind, size_t& account);
  void shrink(bool towards_end, size_t& account);
  void relocate(size_t new_capacity, size_t new_begin, size_t& account);
};
static_assert(sizeof(PackedNode) == 24);

// An array of nodes with room on both sides. Insertion and removal cost the distance to the nearer end.
class PackedNodes {
 public:
  PackedNodes() = default;
  ~PackedNodes();
  PackedNodes(const PackedNodes&) = delete;
  PackedNodes& operator=(const PackedNodes&) = delete;

  size_t size() const { return size_; }
  PackedNode& operator[](size_t i) { return slots_[first_ + i]; }
  const PackedNode& operator[](size_t i) const { return slots_[first_ + i]; }
  PackedNode& front() { return slots_[first_]; }
  PackedNode& back() { return slots_[first_ + size_ - 1]; }
  const PackedNode& front() const { return slots_[first_]; }
  const PackedNode& back() const { return slots_[first_ + size_ - 1]; }

  // Puts a node before the i-th (size() is allowed).
  PackedNode& insert(size_t i, const PackedNode& node);
  // Takes n nodes out; their blocks are the caller's.
  void erase(size_t i, size_t n = 1);
  size_t memory() const { return capacity_ * sizeof(PackedNode); }

 private:
  void resize(size_t capacity);

  PackedNode* slots_ = nullptr;
  size_t first_ = 0, size_ = 0, capacity_ = 0;
};

}  // namespace vitrine
