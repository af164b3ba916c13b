// PackedList: a long list of byte strings and integers, in packed nodes of a few kilobytes each (what Redis calls a
// quicklist).
//
//   directory  [node][node][node]...        24 bytes per node, contiguous: packed_nodes.h
//                |     |
//              elements in one block, with room on both sides
//
// Pushes and pops at both ends are O(1) and move nothing; access by index adds up the nodes' counts from the nearer end
// of the directory and walks half a node; changes in the middle move at most half a node. Nodes that have become small
// join their neighbours. An item that is too large for a node has a plain one to itself.
//
// With a compress_depth the nodes between the ends are compressed, save those that hardly become smaller, and the one
// that was changed last: so who works at one place in the middle does not compress it again and again.
//
// The item given to a change must not borrow from this same list: moving an item from one end to the other takes a
// copy.
// Values read, and iterators, die with any change but those that return an iterator to go on with. Values of a list
// with a compress_depth die also when one of another node, or of another such list, is read.
#pragma once

#include <algorithm>
#include <memory>

#include "ds/packed_nodes.h"

namespace vitrine {

class PackedList {
 public:
  // How large nodes grow. Fixed when the list is made.
  struct Limits {
    size_t node_bytes = 8192;
    size_t node_items = SIZE_MAX;
    size_t plain_bytes = size_t{1} << 30;  // items from this size on are plain in any case
    size_t compress_depth = 0;             // so many nodes at either end are not compressed; 0: none is

    // As the setting list-max-listpack-size says: from 0 on items per node (at least one, and at most 8 KB); -1..-5: 4,
    // 8, 16, 32, 64 KB.
    static Limits of(int64_t fill, size_t plain_bytes = size_t{1} << 30, size_t compress_depth = 0);
    // Whether so many elements of so many bytes in all, with a block's header, are more than a node may hold.
    bool exceeded(size_t bytes, size_t items) const { return bytes > node_bytes || items > node_items; }
  };
  static constexpr size_t kMaxItemBytes = size_t{3} << 30;

  PackedList() = default;
  explicit PackedList(const Limits& limits) : limits_(limits) {}
  ~PackedList();
  PackedList(const PackedList&) = delete;
  PackedList& operator=(const PackedList&) = delete;
  std::unique_ptr<PackedList> clone() const;

  const Limits& limits() const { return limits_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t node_count() const { return nodes_.size(); }
  size_t compressed_nodes() const;
  // All that is allocated, this object included. O(1).
  size_t memory_bytes() const;

  // Ends. REQUIRES for front, back, pops: not empty. Read before the pop.
  void push_back(const PackedItem& item);
  void push_front(const PackedItem& item);
  PackedValue front() const { return nodes_.front().value(0); }
  PackedValue back() const;
  void pop_back();
  void pop_front();

  // A place in the list: an element, the end, or (by prev() of the first) nothing.
  class Iterator {
   public:
    bool valid() const { return node_ < list_->nodes_.size(); }
    // REQUIRES: valid().
    PackedValue value() const { return list_->nodes_[node_].readable().value(offset_); }
    void next();
    // Also from the end.
    void prev();
    bool operator==(const Iterator&) const = default;

   private:
    friend class PackedList;
    Iterator(const PackedList* list, size_t node, size_t offset) : list_(list), node_(node), offset_(offset) {}
    const PackedList* list_;
    size_t node_, offset_;  // the offset from the start of the node's first element
  };

  Iterator begin() const { return Iterator(this, 0, 0); }
  Iterator end() const { return Iterator(this, nodes_.size(), 0); }
  // Counted from the end if negative; end() if there is none.
  Iterator at(int64_t index) const;

  // Each returns where the new element stands.
  Iterator insert_before(Iterator at, const PackedItem& item);
  Iterator insert_after(Iterator at, const PackedItem& item);
  Iterator replace(Iterator at, const PackedItem& item);
  // Returns what follows (end() after the last); prev() of that goes on backwards.
  Iterator erase(Iterator at);
  // Erases up to n elements from index on.
  void erase_range(size_t index, size_t n);
  void clear();

  // Calls fn(PackedValue) for up to n elements from index on.
  template <class Fn>
  void for_each_range(size_t index, size_t n, Fn&& fn) const {
    for_each_while(index, n, [&](const PackedValue& v) {
      fn(v);
      return true;
    });
  }
  // The same until fn returns false.
  template <class Fn>
  void for_each_while(size_t index, size_t n, Fn&& fn) const;
  // Calls fn(Bytes run, size_t count, bool plain) for each node: elements in packed form, or one item's bytes.
  template <class Fn>
  void for_each_node(Fn&& fn) const {
    for (size_t i = 0; i < nodes_.size(); i++) {
      PackedNode node = nodes_[i].readable();
      fn(node.bytes(), size_t{node.count}, bool(node.plain));
    }
  }

  // Adds all elements of a Packed at the end, and takes its block.
  void take_block(uint8_t* block);
  // All elements as one Packed, for the caller to own; the list is empty then. REQUIRES: they fit one.
  uint8_t* to_block();
  // What to_block() would need.
  size_t block_bytes() const;

 private:
  struct Location {
    size_t node, position;
  };
  // Whether an item that takes `bytes` as an element may join a node. Never if it must be plain.
  bool fits(const PackedNode& node, const PackedItem& item, size_t bytes) const {
    return !node.plain && node.count < limits_.node_items && item.text().size() < limits_.plain_bytes &&
           node.run() + bytes + Packed::kHeader <= limits_.node_bytes;
  }
  bool must_be_plain(const PackedItem& item) const;
  PackedNode make_node(const PackedItem& item);
  Location locate(size_t index) const;
  Iterator normal(size_t node, size_t offset) const;
  Iterator insert_in_node(size_t node, size_t offset, const PackedItem& item);
  Iterator insert_at(Iterator at, const PackedItem& item);
  Iterator insert_into_split(Iterator at, const PackedItem& item);
  void split(size_t node, size_t offset);
  void join_if_small(size_t node, Iterator& kept);
  void drop_nodes(size_t node, size_t n);
  PackedNode& insert_node(size_t i, const PackedNode& node);
  void erase_nodes(size_t i, size_t n = 1);

  // The node, to be changed: it is open from now on, and no other between the ends.
  PackedNode& open(size_t i);
  void touch(size_t i);
  bool between_ends(size_t i) const {
    return i >= limits_.compress_depth && i + limits_.compress_depth < nodes_.size();
  }
  void compress_at(size_t i);
  // After nodes came or went there: the ends are open, and what has come between them is compressed.
  void settle(size_t around);

  static constexpr size_t kNone = SIZE_MAX;

  Limits limits_;
  size_t size_ = 0;
  size_t block_memory_ = 0;
  size_t open_ = kNone;   // between the ends
  PackedNodes nodes_;
};

template <class Fn>
void PackedList::for_each_while(size_t index, size_t n, Fn&& fn) const {
  if (index >= size_) return;
  n = std::min(n, size_ - index);
  if (n == 0) return;
  auto [i, position] = locate(index);
  PackedNode node = nodes_[i].readable();
  const uint8_t* p = node.element(position);
  while (true) {
    size_t here = std::min<size_t>(n, node.count - position);
    n -= here;
    if (n > 0) __builtin_prefetch(nodes_[i + 1].block + nodes_[i + 1].begin);
    if (__builtin_expect(node.plain, 0)) {
      if (!fn(PackedValue{false, 0, node.bytes()})) return;
    } else {
      for (; here > 0; here--) {
        PackedValue v = packed_detail::read(p);
        p = packed_detail::next(p);
        if (!fn(v)) return;
      }
    }
    if (n == 0) return;
    node = nodes_[++i].readable();
    p = node.first();
    position = 0;
  }
}

}  // namespace vitrine
