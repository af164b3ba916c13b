// The nodes of an OrderTree and the search within them. Used by order_tree*.cc alone.
//
//   Inner: | size | capacity | score[cap] | member[cap] | count[cap] | child[cap] |
//   score[i], member[i]   the first key below child[i], exactly
//   count[i]              entries below child[i]
//
// All leaves have kLeafCapacities' last capacity, but for a root; likewise inner nodes.
#pragma once

#include <emmintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "ds/order_tree.h"

namespace vitrine::order_tree_detail {

#ifdef VITRINE_HARD
constexpr unsigned kLeafCapacities[] = {2, 4};
constexpr unsigned kInnerCapacities[] = {3, 4};
#else
constexpr unsigned kLeafCapacities[] = {7, 16, 34, 53, 71};  // in 128, 256, 512, 768, 1024 bytes
constexpr unsigned kInnerCapacities[] = {7, 15, 31, 63};     // in 256, 512, 1024, 2048 bytes
#endif
constexpr unsigned kLeafCapacity = *(std::end(kLeafCapacities) - 1);
constexpr unsigned kInnerCapacity = *(std::end(kInnerCapacities) - 1);
// A neighbour must have this much room to be given entries: what is given must repay its cost. At least 2, so that
// both have room for an entry after half of the room has been used.
constexpr unsigned kWorthGiving = kLeafCapacity / 16 < 2 ? 2 : kLeafCapacity / 16;
// Nodes merge when both together hold no more than this.
constexpr unsigned kMergedLeaf = kLeafCapacity * 7 / 8;
constexpr unsigned kMergedInner = kInnerCapacity * 3 / 4;
// Merging keeps nodes at a third on average, so that this is out of reach.
constexpr unsigned kMaxHeight = 40;

// At least as much as count_scores reads.
constexpr size_t leaf_bytes(unsigned capacity) { return sizeof(Leaf) + std::max<size_t>(capacity * 14, 64); }
static_assert(leaf_bytes(71) <= 1024 && leaf_bytes(53) <= 768 && leaf_bytes(7) <= 128);

// The next larger capacity of the list.
template <size_t n>
constexpr unsigned larger_capacity(const unsigned (&capacities)[n], unsigned capacity) {
  for (unsigned c : capacities)
    if (c > capacity) return c;
  return capacity;
}

inline void store_member(Leaf* leaf, unsigned i, const ZMember* member) {
  uint64_t word = reinterpret_cast<uint64_t>(member);
  std::memcpy(leaf->words() + 6 * i, &word, 6);
}

// Moves n entries from `from` at i to `to` at j; may overlap. Sizes are the caller's matter.
inline void move_entries(Leaf* to, unsigned j, const Leaf* from, unsigned i, unsigned n) {
  std::memmove(to->scores() + j, from->scores() + i, n * sizeof(double));
  std::memmove(to->words() + 6 * j, from->words() + 6 * i, n * size_t{6});
}

struct Inner {
  uint16_t size;
  uint16_t capacity;
  uint32_t unused;

  double* scores() { return reinterpret_cast<double*>(this + 1); }
  const double* scores() const { return reinterpret_cast<const double*>(this + 1); }
  const ZMember** members() { return reinterpret_cast<const ZMember**>(scores() + capacity); }
  const ZMember* const* members() const { return reinterpret_cast<const ZMember* const*>(scores() + capacity); }
  uint64_t* counts() { return reinterpret_cast<uint64_t*>(members() + capacity); }
  const uint64_t* counts() const { return reinterpret_cast<const uint64_t*>(members() + capacity); }
  void** children() { return reinterpret_cast<void**>(counts() + capacity); }
  void* const* children() const { return reinterpret_cast<void* const*>(counts() + capacity); }
  double score(unsigned i) const { return scores()[i]; }
  const ZMember* member(unsigned i) const { return members()[i]; }
  uint64_t count() const {
    uint64_t sum = 0;
    for (unsigned i = 0; i < size; i++) sum += counts()[i];
    return sum;
  }
  void set_child(unsigned i, double score, const ZMember* member, uint64_t count, void* child) {
    scores()[i] = score;
    members()[i] = member;
    counts()[i] = count;
    children()[i] = child;
  }
};

constexpr size_t inner_bytes(unsigned capacity) { return sizeof(Inner) + capacity * size_t{32}; }
static_assert(inner_bytes(63) <= 2048 && inner_bytes(7) <= 256);

inline void move_children(Inner* to, unsigned j, const Inner* from, unsigned i, unsigned n) {
  std::memmove(to->scores() + j, from->scores() + i, n * size_t{8});
  std::memmove(to->members() + j, from->members() + i, n * size_t{8});
  std::memmove(to->counts() + j, from->counts() + i, n * size_t{8});
  std::memmove(to->children() + j, from->children() + i, n * size_t{8});
}

// Asks for what a search and a change read of a node, all at once.
inline void prefetch_bytes(const void* node, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 64) prefetch(static_cast<const char*>(node) + i);
}
inline void prefetch_node(const void* node, bool is_leaf) {
  prefetch_bytes(node, is_leaf ? leaf_bytes(kLeafCapacity) : sizeof(Inner) + kInnerCapacity * sizeof(double));
}

// The way from the root to a leaf.
struct Path {
  struct Step {
    Inner* inner;
    unsigned at;
  };
  Step steps[kMaxHeight];
  Step& operator[](unsigned level) { return steps[level]; }
};

// How many of the n ascending scores are below (or, if `or_equal`, not above) the score. Looks at every eighth score,
// then at eight in a row: these are loads that do not wait for each other, and no branches, whose way nobody could
// predict. REQUIRES: eight scores from any multiple of eight below n on can be read, whatever they are.
template <bool or_equal>
inline unsigned count_scores(const double* scores, unsigned n, double score) {
  unsigned start = 0;
  for (unsigned i = 7; i < n; i += 8) start += or_equal ? scores[i] <= score : scores[i] < score;
  start *= 8;
  if (start == n) return n;
  const __m128d wanted = _mm_set1_pd(score);
  auto compare = [&](unsigned i) -> unsigned {
    __m128d two = _mm_loadu_pd(scores + start + i);
    __m128d passed = or_equal ? _mm_cmple_pd(two, wanted) : _mm_cmplt_pd(two, wanted);
    return static_cast<unsigned>(_mm_movemask_pd(passed)) << i;
  };
  unsigned all_passed = compare(0) | compare(2) | compare(4) | compare(6);
  return std::min(start + static_cast<unsigned>(std::countr_one(all_passed)), n);
}

// The first of [low, high) whose member is not before, by halves.
template <class Node, class IsBefore>
inline unsigned first_member_not_before(const Node* node, unsigned low, unsigned high, IsBefore&& is_before) {
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    // Whichever comes next, its member will be on its way.
    prefetch(node->member(low + (middle - low) / 2));
    if (middle + 1 < high) prefetch(node->member(middle + 1 + (high - middle - 1) / 2));
    if (is_before(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// How many entries of a node are less than the key (or, if `or_equal`, not greater).
template <bool or_equal, class Node>
inline unsigned count_keys(const Node* node, const Key& key) {
  unsigned low = count_scores<false>(node->scores(), node->size, key.score);
  if (low == node->size || node->score(low) != key.score) return low;
  unsigned high = low + 1;
  if (high < node->size && node->score(high) == key.score)
    high = count_scores<true>(node->scores(), node->size, key.score);
  return first_member_not_before(node, low, high, [&](unsigned i) {
    int order = node->member(i)->bytes().compare(key.bytes);
    return or_equal ? order <= 0 : order < 0;
  });
}

}  // namespace vitrine::order_tree_detail
