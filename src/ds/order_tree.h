// OrderTree: an order-statistics B+ tree, and ZMember, the records it puts in order.
//
// It is equivalent to std::set<std::pair<double, std::string>> that also answers "which rank?" and "who is at rank r?"
// in O(log n). Entries are ordered by score, then by member bytes (as memcmp, the shorter first). -0.0 equals 0.0.
//
//   ZMember, one allocation                        Leaf, one allocation of at most 1024 bytes
//   +----------+--------+------------------+       +------+------+------+----------+-------------+----------------+
//   | score  8 | len  1 | bytes            |       | prev | next | size | capacity | score[cap]  | member[cap]    |
//   +----------+--------+------------------+       +------+------+------+----------+-------------+----------------+
//   len 255: the length follows in 8 bytes         members are 48-bit pointers of 6 bytes (x86-64 user addresses)
//
// Inner nodes hold, per child: the first key below it (score and member), the number of entries below it, the pointer.
// First keys are exact at all times, so that no key refers to a record that has left the tree.
//
// A full leaf first gives entries to a neighbour with room; when there is none, it and a neighbour become three. So
// random insertion keeps leaves above 80 % full. Insertion at either end leaves full leaves behind. Leaves and inner
// nodes merge when what they hold fits into one with room to spare. A tree of one leaf starts small and grows.
//
// Ownership: members belong to somebody else (the hash table of the sorted set) and must outlive their stay here. The
// tree owns its nodes only. A member's score is changed by OrderTree::update alone while the member is in a tree.
//
// Every change makes all iterators invalid. REQUIRES everywhere: scores are not NaN.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/bytes.h"
#include "base/prefetch.h"

namespace vitrine {

class ZMember {
 public:
  // Aligned to 16.
  static ZMember* create(Bytes bytes, double score);
  static void destroy(ZMember* member);

  double score() const { return score_; }
  Bytes bytes() const {
    const char* after = reinterpret_cast<const char*>(this) + kHeaderBytes;
    if (length_ != kLongLength) [[likely]] return {after, length_};
    uint64_t length;
    std::memcpy(&length, after, sizeof length);
    return {after + sizeof length, length};
  }
  // What it occupies.
  size_t memory_bytes() const;
  // REQUIRES: it is in no tree.
  void set_score(double score) { score_ = score; }

 private:
  static constexpr size_t kHeaderBytes = 9;
  static constexpr uint8_t kLongLength = 255;

  double score_;
  uint8_t length_;
};

namespace order_tree_detail {

struct Key {
  double score;
  Bytes bytes;
};

struct Leaf {
  Leaf* prev;
  Leaf* next;
  uint16_t size;
  uint16_t capacity;

  double* scores() { return reinterpret_cast<double*>(this + 1); }
  const double* scores() const { return reinterpret_cast<const double*>(this + 1); }
  uint8_t* words() { return reinterpret_cast<uint8_t*>(scores() + capacity); }
  const uint8_t* words() const { return reinterpret_cast<const uint8_t*>(scores() + capacity); }
  double score(unsigned i) const { return scores()[i]; }
  ZMember* member(unsigned i) const {
    uint64_t word;
    std::memcpy(&word, words() + 6 * i - 2, sizeof word);  // the two bytes before belong to a score or a word
    return reinterpret_cast<ZMember*>(word >> 16);
  }
};
static_assert(sizeof(Leaf) == 24);

struct Inner;
struct Path;

}  // namespace order_tree_detail

class OrderTree {
 public:
  // An entry and its rank. True unless it stands after the last entry (then its rank is count()) or has been moved
  // before the first one. Walking costs O(1) a step.
  class Iterator {
   public:
    Iterator() = default;
    explicit operator bool() const { return leaf_ && index_ < leaf_->size; }
    // REQUIRES (both): true.
    double score() const { return leaf_->score(index_); }
    ZMember* member() const { return leaf_->member(index_); }
    uint64_t rank() const { return rank_; }
    // REQUIRES: true.
    void next() {
      rank_++;
      if (++index_ == leaf_->size && leaf_->next) {
        leaf_ = leaf_->next;
        index_ = 0;
      }
    }
    // From end() it steps to the last entry. REQUIRES: it has not been moved before the first entry.
    void prev() {
      rank_--;
      if (index_ > 0) {
        index_--;
      } else {
        leaf_ = leaf_ ? leaf_->prev : nullptr;
        index_ = leaf_ ? leaf_->size - 1u : 0;
      }
    }

   private:
    friend class OrderTree;
    Iterator(const order_tree_detail::Leaf* leaf, unsigned index, uint64_t rank)
        : leaf_(leaf), index_(index), rank_(rank) {}
    const order_tree_detail::Leaf* leaf_ = nullptr;
    unsigned index_ = 0;
    uint64_t rank_ = 0;
  };

  enum class Bound { inclusive, exclusive };

  OrderTree() = default;
  OrderTree(OrderTree&& other) noexcept { swap(other); }
  OrderTree& operator=(OrderTree&& other) noexcept {
    swap(other);
    return *this;
  }
  // Frees the nodes, not the members.
  ~OrderTree();

  uint64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  // What the nodes occupy; members not included.
  size_t memory_bytes() const { return node_bytes_; }

  // REQUIRES: no entry with this score and these bytes is in the tree.
  void insert(ZMember* member);
  // As insert, for keys greater than all in the tree: loading, cloning. Leaves are left full.
  void append(ZMember* member);
  // REQUIRES: this very member is in the tree.
  void erase(ZMember* member);
  // The member that was taken out, or null.
  ZMember* erase(double score, Bytes bytes);
  // Sets the member's score and puts it where it belongs; cheap when that is near. REQUIRES: it is in the tree.
  void update(ZMember* member, double new_score);
  // Takes out the entries of ranks [first, last] (last is cut to the last entry) and tells `gone` each of them, in
  // order; it may destroy the member, and must not touch the tree. Returns how many there were.
  template <class Gone>
  uint64_t erase_range(uint64_t first, uint64_t last, Gone&& gone);
  // Empties the tree; as erase_range of all, but faster.
  template <class Gone>
  void clear(Gone&& gone);
  void clear();

  // REQUIRES: the member is in the tree.
  uint64_t rank_of(const ZMember* member) const;
  // end() unless found.
  Iterator find(double score, Bytes bytes) const;
  // end() from count() on.
  Iterator at_rank(uint64_t rank) const;
  Iterator begin() const { return {first_, 0, 0}; }
  Iterator end() const { return {last_, last_ ? last_->size : 0u, count_}; }
  Iterator last() const { return last_ ? Iterator(last_, last_->size - 1u, count_ - 1) : end(); }

  // The first entry whose score is not less (inclusive) or greater (exclusive) than `score`. The number of entries in
  // a range of scores is the difference of two ranks.
  Iterator lower_bound(double score, Bound bound = Bound::inclusive) const;
  // The same by bytes, where all scores are equal (otherwise some entry: nothing worse).
  Iterator lower_bound(Bytes bytes, Bound bound = Bound::inclusive) const;
  // The first entry for which `is_before(score, member)` is false. REQUIRES: it is true up to some entry, then false.
  template <class IsBefore>
  Iterator first_not_less(IsBefore&& is_before) const;

  // Calls visit(score, member) for up to `n` entries from `from` on (downwards if `reverse`), fetching members from
  // memory ahead. `visit` may return bool: false ends the walk.
  template <class Visit>
  static void for_each(Iterator from, uint64_t n, Visit&& visit, bool reverse = false);

  // Aborts unless everything that is said above holds. Walks the whole tree.
  void check() const;

 private:
  using Leaf = order_tree_detail::Leaf;
  using Inner = order_tree_detail::Inner;
  using Path = order_tree_detail::Path;
  using Key = order_tree_detail::Key;
  using Told = void (*)(void* context, ZMember* member);
  using Asked = bool (*)(void* context, double score, const ZMember* member);

  void swap(OrderTree& other) noexcept {
    std::swap(root_, other.root_);
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
    std::swap(count_, other.count_);
    std::swap(node_bytes_, other.node_bytes_);
    std::swap(height_, other.height_);
  }
  Leaf* new_leaf(unsigned capacity);
  Inner* new_inner(unsigned capacity);
  void free_leaf(Leaf* leaf);
  void free_inner(Inner* inner);
  void free_below(void* node, unsigned height);
  void link_after(Leaf* leaf, Leaf* added);
  void unlink(Leaf* leaf);
  void resize_root_leaf(unsigned capacity);
  void start();

  Leaf* descend(const Key& key, Path& path) const;
  Leaf* descend_last(Path& path) const;
  Leaf* descend_to_rank(uint64_t rank, Path& path, unsigned& index) const;
  unsigned index_of(const Leaf* leaf, const ZMember* member) const;
  template <class Partition>
  Iterator seek(Partition&& partition) const;
  Iterator seek_asking(Asked asked, void* context) const;

  void put(Path& path, Leaf* leaf, unsigned index, ZMember* member);
  void take(Path& path, Leaf* leaf, unsigned index, unsigned n);
  bool move_within(Path& path, Leaf* leaf, unsigned index, double new_score);
  void refresh_first(Path& path, unsigned level, void* child);
  void make_room(Path& path, Leaf* leaf, unsigned index);
  bool give_to_neighbour(Inner* parent, unsigned at);
  void split_leaf(Inner* parent, unsigned at, unsigned keep);
  void split_two_into_three(Inner* parent, unsigned left);
  void put_root_above();
  void make_inner_room(Path& path, unsigned level, bool at_first, bool at_last);
  void merge_leaves(Path& path, Leaf* leaf);
  void merge_inner(Path& path, unsigned level);
  void remove_child(Path& path, unsigned level);
  void lower_root();
  uint64_t erase_range_telling(uint64_t first, uint64_t last, Told told, void* context);
  void check_below(const void* node, unsigned height, uint64_t count, double score, const ZMember* member,
                   size_t& bytes) const;

  void* root_ = nullptr;  // a Leaf if height_ is 0, else an Inner
  Leaf* first_ = nullptr;
  Leaf* last_ = nullptr;
  uint64_t count_ = 0;
  size_t node_bytes_ = 0;
  unsigned height_ = 0;  // inner nodes between the root and a leaf
};

template <class Gone>
uint64_t OrderTree::erase_range(uint64_t first, uint64_t last, Gone&& gone) {
  auto told = [](void* context, ZMember* member) { (*static_cast<std::remove_reference_t<Gone>*>(context))(member); };
  return erase_range_telling(first, last, told, const_cast<void*>(static_cast<const void*>(&gone)));
}

template <class Gone>
void OrderTree::clear(Gone&& gone) {
  for (Leaf* leaf = first_; leaf; leaf = leaf->next) {
    if (leaf->next) prefetch(leaf->next);
    for (unsigned i = 0; i < leaf->size; i++) gone(leaf->member(i));
  }
  clear();
}

template <class IsBefore>
OrderTree::Iterator OrderTree::first_not_less(IsBefore&& is_before) const {
  auto asked = [](void* context, double score, const ZMember* member) -> bool {
    return (*static_cast<std::remove_reference_t<IsBefore>*>(context))(score, member);
  };
  return seek_asking(asked, const_cast<void*>(static_cast<const void*>(&is_before)));
}

template <class Visit>
void OrderTree::for_each(Iterator from, uint64_t n, Visit&& visit, bool reverse) {
  constexpr unsigned kAhead = 8;
  auto go_on = [&](const Leaf* leaf, unsigned i) {
    if constexpr (std::is_same_v<decltype(visit(0.0, leaf->member(i))), bool>) {
      return visit(leaf->score(i), leaf->member(i));
    } else {
      visit(leaf->score(i), leaf->member(i));
      return true;
    }
  };
  if (!from) return;
  const Leaf* leaf = from.leaf_;
  unsigned index = from.index_;
  while (leaf && n > 0) {
    const Leaf* after = reverse ? leaf->prev : leaf->next;
    unsigned here = reverse ? index + 1 : leaf->size - index;
    if (n > here && after) prefetch(after);
    if (n < here) here = static_cast<unsigned>(n);
    unsigned known = here < kAhead ? here : kAhead;
    for (unsigned i = 1; i < known; i++) prefetch(leaf->member(reverse ? index - i : index + i));
    for (unsigned i = 0; i < here; i++) {
      if (i + kAhead < here) prefetch(leaf->member(reverse ? index - i - kAhead : index + i + kAhead));
      if (!go_on(leaf, reverse ? index - i : index + i)) return;
    }
    n -= here;
    leaf = after;
    if (leaf) index = reverse ? leaf->size - 1u : 0;
  }
}

}  // namespace vitrine
