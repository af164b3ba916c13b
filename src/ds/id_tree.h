// IdTree: an ordered map from 128-bit ids (a moment and a number within it) to 64-bit words, as a B+ tree. Streams keep
// their nodes in one, consumer groups what is pending.
//
//   node   [count][cap][level][prev][next] slot slot ...         slot = [ms][seq][word], ordered by id
//
// Level 0 are leaves, linked in both directions; `word` is the caller's. Above, `word` points to a node of the level
// below and the id is a lower bound of what it holds; the first slot's id there counts as minus infinity.
//
// Made for ids that mostly grow: an id behind all others goes into the last leaf without a search, and a full last leaf
// stays full (the next one starts empty), so a tree filled in order takes 24.5 bytes per id. A tree of one leaf starts
// with room for four. Insert, find, erase: O(log n); a step of a cursor: O(1). Nodes that fall under a quarter are
// merged with a neighbour where both fit.
//
// Cursors die with any change of the tree, except that a word may be changed through them.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace vitrine {

struct TimeId {
  uint64_t ms = 0, seq = 0;

  static constexpr TimeId min() { return {0, 0}; }
  static constexpr TimeId max() { return {UINT64_MAX, UINT64_MAX}; }
  auto operator<=>(const TimeId&) const = default;
  // REQUIRES: not max(), not min().
  constexpr TimeId next() const { return seq == UINT64_MAX ? TimeId{ms + 1, 0} : TimeId{ms, seq + 1}; }
  constexpr TimeId prev() const { return seq == 0 ? TimeId{ms - 1, UINT64_MAX} : TimeId{ms, seq - 1}; }
};

class IdTree {
 public:
  struct Slot {
    TimeId id;
    uint64_t word;

    template <class T>
    T* as() const { return reinterpret_cast<T*>(word); }
  };

 private:
  struct Node;

 public:
  // A place in the tree, or none (false).
  class Cursor {
   public:
    Cursor() = default;
    explicit operator bool() const { return leaf_; }
    Slot& operator*() const;
    Slot* operator->() const { return &**this; }
    Cursor& operator++();
    Cursor& operator--();
    bool operator==(const Cursor&) const = default;

   private:
    friend class IdTree;
    Cursor(Node* leaf, uint32_t at) : leaf_(leaf), at_(at) {}
    Node* leaf_ = nullptr;
    uint32_t at_ = 0;
  };

  IdTree() = default;
  ~IdTree() { clear(); }
  IdTree(const IdTree&) = delete;
  IdTree& operator=(const IdTree&) = delete;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Bytes of all nodes.
  size_t memory() const { return memory_; }

  // False when the id is there already (and nothing changes).
  bool insert(TimeId id, uint64_t word);
  bool insert(TimeId id, const void* p) { return insert(id, reinterpret_cast<uint64_t>(p)); }
  bool erase(TimeId id);
  void clear();

  Cursor find(TimeId id) const;
  Cursor first() const { return first_ ? Cursor(first_, 0) : Cursor(); }
  Cursor last() const;
  // The least that is not below `id`; the greatest that is not above.
  Cursor at_or_after(TimeId id) const;
  Cursor at_or_before(TimeId id) const;

  // Order, separators, links, fill and size hold. For tests.
  bool sound() const;

 private:
  static constexpr uint32_t kCapacity = 41;  // 24 + 41 * 24 = 1008 bytes, of jemalloc's 1024
  static constexpr int kMaxHeight = 16;
  struct Path {
    Node* node[kMaxHeight];
    uint32_t at[kMaxHeight];  // which slot of node[level] leads down; in the leaf: the lower bound
  };

  Node* make(uint32_t level, uint32_t capacity);
  void free(Node* node);
  void free_below(Node* node);
  void descend(TimeId id, Path& path) const;
  bool append(TimeId id, uint64_t word);
  void insert_into(Path& path, uint32_t level, Slot slot);
  void remove_from(Path& path, uint32_t level);
  void merge_if_sparse(Path& path, uint32_t level);
  size_t count_sound(const Node* node, const TimeId* low, const TimeId* high, const Node** leaf) const;

  Node* root_ = nullptr;
  Node* first_ = nullptr;
  Node* last_ = nullptr;
  size_t size_ = 0;
  size_t memory_ = 0;
};

struct IdTree::Node {
  uint16_t count;
  uint16_t capacity;
  uint32_t level;
  Node* prev;
  Node* next;
  Slot slots[];

  Node* child(uint32_t i) const { return slots[i].as<Node>(); }
};

inline IdTree::Slot& IdTree::Cursor::operator*() const { return leaf_->slots[at_]; }

inline IdTree::Cursor& IdTree::Cursor::operator++() {
  if (++at_ < leaf_->count) return *this;
  leaf_ = leaf_->next;
  at_ = 0;
  return *this;
}

inline IdTree::Cursor& IdTree::Cursor::operator--() {
  if (at_ > 0) return at_--, *this;
  leaf_ = leaf_->prev;
  at_ = leaf_ ? leaf_->count - 1u : 0;
  return *this;
}

}  // namespace vitrine
