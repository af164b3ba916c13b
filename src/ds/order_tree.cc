#include "ds/order_tree.h"

#include <algorithm>

#include "base/check.h"
#include "base/memory.h"
#include "ds/order_tree_nodes.h"

namespace vitrine {

using namespace order_tree_detail;

// --- Members ---

ZMember* ZMember::create(Bytes bytes, double score) {
  bool is_long = bytes.size() >= kLongLength;
  size_t header = kHeaderBytes + (is_long ? sizeof(uint64_t) : 0);
  auto* start = static_cast<char*>(memory::allocate(header + bytes.size()));
  auto* member = reinterpret_cast<ZMember*>(start);
  member->score_ = score;
  member->length_ = is_long ? kLongLength : static_cast<uint8_t>(bytes.size());
  if (is_long) {
    uint64_t length = bytes.size();
    std::memcpy(start + kHeaderBytes, &length, sizeof length);
  }
  if (!bytes.empty()) std::memcpy(start + header, bytes.data(), bytes.size());
  return member;
}

void ZMember::destroy(ZMember* member) {
  Bytes bytes = member->bytes();
  memory::release(member, static_cast<size_t>(bytes.data() + bytes.size() - reinterpret_cast<const char*>(member)));
}

size_t ZMember::memory_bytes() const { return memory::usable_size(this); }

// --- Nodes ---

OrderTree::Leaf* OrderTree::new_leaf(unsigned capacity) {
  auto* leaf = static_cast<Leaf*>(memory::allocate(leaf_bytes(capacity)));
  *leaf = {nullptr, nullptr, 0, static_cast<uint16_t>(capacity)};
  node_bytes_ += memory::good_size(leaf_bytes(capacity));
  return leaf;
}

Inner* OrderTree::new_inner(unsigned capacity) {
  auto* inner = static_cast<Inner*>(memory::allocate(inner_bytes(capacity)));
  *inner = {0, static_cast<uint16_t>(capacity), 0};
  node_bytes_ += memory::good_size(inner_bytes(capacity));
  return inner;
}

void OrderTree::free_leaf(Leaf* leaf) {
  node_bytes_ -= memory::good_size(leaf_bytes(leaf->capacity));
  memory::release(leaf, leaf_bytes(leaf->capacity));
}

void OrderTree::free_inner(Inner* inner) {
  node_bytes_ -= memory::good_size(inner_bytes(inner->capacity));
  memory::release(inner, inner_bytes(inner->capacity));
}

void OrderTree::free_below(void* node, unsigned height) {
  if (height == 0) return free_leaf(static_cast<Leaf*>(node));
  auto* inner = static_cast<Inner*>(node);
  for (unsigned i = 0; i < inner->size; i++) free_below(inner->children()[i], height - 1);
  free_inner(inner);
}

void OrderTree::link_after(Leaf* leaf, Leaf* added) {
  added->prev = leaf;
  added->next = leaf->next;
  (leaf->next ? leaf->next->prev : last_) = added;
  leaf->next = added;
}

void OrderTree::unlink(Leaf* leaf) {
  (leaf->prev ? leaf->prev->next : first_) = leaf->next;
  (leaf->next ? leaf->next->prev : last_) = leaf->prev;
}

void OrderTree::resize_root_leaf(unsigned capacity) {
  auto* old = static_cast<Leaf*>(root_);
  Leaf* leaf = new_leaf(capacity);
  leaf->size = old->size;
  move_entries(leaf, 0, old, 0, old->size);
  free_leaf(old);
  root_ = first_ = last_ = leaf;
}

void OrderTree::start() { root_ = first_ = last_ = new_leaf(kLeafCapacities[0]); }

OrderTree::~OrderTree() { clear(); }

void OrderTree::clear() {
  if (root_) free_below(root_, height_);
  root_ = nullptr;
  first_ = last_ = nullptr;
  count_ = 0;
  height_ = 0;
}

// --- Finding ---

// The leaf that has the key, or into which it belongs.
OrderTree::Leaf* OrderTree::descend(const Key& key, Path& path) const {
  void* node = root_;
  for (unsigned level = 0; level < height_; level++) {
    auto* inner = static_cast<Inner*>(node);
    unsigned at = count_keys<true>(inner, key);
    if (at > 0) at--;
    path[level] = {inner, at};
    node = inner->children()[at];
    prefetch_node(node, level + 1 == height_);
  }
  return static_cast<Leaf*>(node);
}

OrderTree::Leaf* OrderTree::descend_last(Path& path) const {
  void* node = root_;
  for (unsigned level = 0; level < height_; level++) {
    auto* inner = static_cast<Inner*>(node);
    path[level] = {inner, inner->size - 1u};
    node = inner->children()[inner->size - 1];
  }
  return static_cast<Leaf*>(node);
}

// REQUIRES: rank < count_.
OrderTree::Leaf* OrderTree::descend_to_rank(uint64_t rank, Path& path, unsigned& index) const {
  void* node = root_;
  for (unsigned level = 0; level < height_; level++) {
    auto* inner = static_cast<Inner*>(node);
    const uint64_t* counts = inner->counts();
    unsigned at = 0;
    while (rank >= counts[at]) rank -= counts[at++];
    path[level] = {inner, at};
    node = inner->children()[at];
  }
  index = static_cast<unsigned>(rank);
  return static_cast<Leaf*>(node);
}

unsigned OrderTree::index_of(const Leaf* leaf, const ZMember* member) const {
  unsigned first = count_scores<false>(leaf->scores(), leaf->size, member->score());
  if (first < leaf->size && leaf->member(first) == member) return first;
  unsigned index = count_keys<false>(leaf, Key{member->score(), member->bytes()});
  CHECK(index < leaf->size && leaf->member(index) == member);
  return index;
}

uint64_t OrderTree::rank_of(const ZMember* member) const {
  CHECK(root_);
  Key key{member->score(), member->bytes()};
  const void* node = root_;
  uint64_t rank = 0;
  for (unsigned level = 0; level < height_; level++) {
    auto* inner = static_cast<const Inner*>(node);
    unsigned at = count_keys<true>(inner, key);
    CHECK(at > 0);
    at--;
    node = inner->children()[at];
    prefetch_node(node, level + 1 == height_);
    for (unsigned i = 0; i < at; i++) rank += inner->counts()[i];
  }
  return rank + index_of(static_cast<const Leaf*>(node), member);
}

// As first_not_less; partition(node) says how many entries of a node are before.
template <class Partition>
OrderTree::Iterator OrderTree::seek(Partition&& partition) const {
  if (!root_) return end();
  const void* node = root_;
  uint64_t rank = 0;
  for (unsigned level = 0; level < height_; level++) {
    auto* inner = static_cast<const Inner*>(node);
    unsigned at = partition(inner);
    if (at > 0) at--;
    node = inner->children()[at];
    prefetch_node(node, level + 1 == height_);
    for (unsigned i = 0; i < at; i++) rank += inner->counts()[i];
  }
  auto* leaf = static_cast<const Leaf*>(node);
  unsigned index = partition(leaf);
  rank += index;
  if (index == leaf->size && leaf->next) return {leaf->next, 0, rank};
  return {leaf, index, rank};
}

OrderTree::Iterator OrderTree::seek_asking(Asked asked, void* context) const {
  return seek([&](const auto* node) {
    return first_member_not_before(node, 0, node->size,
                                   [&](unsigned i) { return asked(context, node->score(i), node->member(i)); });
  });
}

OrderTree::Iterator OrderTree::lower_bound(double score, Bound bound) const {
  return seek([&](const auto* node) {
    return bound == Bound::inclusive ? count_scores<false>(node->scores(), node->size, score)
                                     : count_scores<true>(node->scores(), node->size, score);
  });
}

OrderTree::Iterator OrderTree::lower_bound(Bytes bytes, Bound bound) const {
  int limit = bound == Bound::inclusive ? 0 : 1;
  return seek([&](const auto* node) {
    return first_member_not_before(node, 0, node->size,
                                   [&](unsigned i) { return node->member(i)->bytes().compare(bytes) < limit; });
  });
}

OrderTree::Iterator OrderTree::find(double score, Bytes bytes) const {
  Iterator found = seek([&](const auto* node) { return count_keys<false>(node, Key{score, bytes}); });
  if (found && found.score() == score && found.member()->bytes() == bytes) return found;
  return end();
}

OrderTree::Iterator OrderTree::at_rank(uint64_t rank) const {
  if (rank >= count_) return end();
  Path path;
  unsigned index;
  const Leaf* leaf = descend_to_rank(rank, path, index);
  return {leaf, index, rank};
}

// --- Growing ---

void OrderTree::insert(ZMember* member) {
  if (!root_) start();
  Key key{member->score(), member->bytes()};
  while (true) {
    Path path;
    Leaf* leaf = descend(key, path);
    unsigned index = count_keys<false>(leaf, key);
    if (leaf->size < leaf->capacity) [[likely]] return put(path, leaf, index, member);
    make_room(path, leaf, index);
  }
}

void OrderTree::append(ZMember* member) {
  if (!root_) start();
  while (true) {
    Path path;
    Leaf* leaf = descend_last(path);
    if (leaf->size < leaf->capacity) [[likely]] return put(path, leaf, leaf->size, member);
    make_room(path, leaf, leaf->size);
  }
}

void OrderTree::put(Path& path, Leaf* leaf, unsigned index, ZMember* member) {
  move_entries(leaf, index + 1, leaf, index, leaf->size - index);
  leaf->scores()[index] = member->score();
  store_member(leaf, index, member);
  leaf->size++;
  count_++;
  for (unsigned level = 0; level < height_; level++) path[level].inner->counts()[path[level].at]++;
  if (index == 0) refresh_first(path, height_, leaf);
}

// Tells the inner nodes above `child`, which stands at `level` of the path, that its first key has changed.
void OrderTree::refresh_first(Path& path, unsigned level, void* child) {
  if (level == 0) return;
  double score;
  const ZMember* member;
  if (level == height_) {
    score = static_cast<Leaf*>(child)->score(0);
    member = static_cast<Leaf*>(child)->member(0);
  } else {
    score = static_cast<Inner*>(child)->score(0);
    member = static_cast<Inner*>(child)->member(0);
  }
  while (level-- > 0) {
    auto [inner, at] = path[level];
    inner->scores()[at] = score;
    inner->members()[at] = member;
    if (at > 0) return;
  }
}

// One step towards room in a full leaf, into which an entry wants to go at `index`. Afterwards the tree is whole
// again, but the path is not: the caller descends anew.
void OrderTree::make_room(Path& path, Leaf* leaf, unsigned index) {
  if (leaf->capacity < kLeafCapacity) return resize_root_leaf(larger_capacity(kLeafCapacities, leaf->capacity));
  if (height_ == 0) return put_root_above();
  auto [parent, at] = path[height_ - 1];
  bool at_first = leaf == first_ && index == 0;
  bool at_last = leaf == last_ && index == leaf->size;
  if (!at_first && !at_last && give_to_neighbour(parent, at)) return;
  if (parent->size == parent->capacity) return make_inner_room(path, height_ - 1, at_first, at_last);
  if (at_first) return split_leaf(parent, at, 1);
  if (at_last) return split_leaf(parent, at, leaf->size - 1u);
  if (at + 1 < parent->size) return split_two_into_three(parent, at);
  if (at > 0) return split_two_into_three(parent, at - 1);
  split_leaf(parent, at, leaf->size / 2);
}

// Evens out the leaf with the emptier of its neighbours if that one has room enough.
bool OrderTree::give_to_neighbour(Inner* parent, unsigned at) {
  uint64_t* counts = parent->counts();
  uint64_t left_size = at > 0 ? counts[at - 1] : kLeafCapacity;
  uint64_t right_size = at + 1 < parent->size ? counts[at + 1] : kLeafCapacity;
  if (std::min(left_size, right_size) + kWorthGiving > kLeafCapacity) return false;
  unsigned left = right_size <= left_size ? at : at - 1;
  auto* a = static_cast<Leaf*>(parent->children()[left]);
  auto* b = static_cast<Leaf*>(parent->children()[left + 1]);
  unsigned keep = (a->size + b->size) / 2u;
  if (a->size > keep) {
    unsigned n = a->size - keep;
    move_entries(b, n, b, 0, b->size);
    move_entries(b, 0, a, keep, n);
    b->size += n;
    a->size -= n;
  } else {
    unsigned n = keep - a->size;
    move_entries(a, a->size, b, 0, n);
    move_entries(b, 0, b, n, b->size - n);
    a->size += n;
    b->size -= n;
  }
  counts[left] = a->size;
  parent->set_child(left + 1, b->score(0), b->member(0), b->size, b);
  return true;
}

// The leaf keeps its first `keep` entries, a new one to its right takes the others. REQUIRES: room in the parent.
void OrderTree::split_leaf(Inner* parent, unsigned at, unsigned keep) {
  auto* leaf = static_cast<Leaf*>(parent->children()[at]);
  Leaf* added = new_leaf(kLeafCapacity);
  added->size = leaf->size - keep;
  move_entries(added, 0, leaf, keep, added->size);
  leaf->size = keep;
  link_after(leaf, added);
  move_children(parent, at + 2, parent, at + 1, parent->size - at - 1);
  parent->size++;
  parent->counts()[at] = leaf->size;
  parent->set_child(at + 1, added->score(0), added->member(0), added->size, added);
}

// A third leaf between two takes the end of the left one and the beginning of the right one.
// REQUIRES: room in the parent; both have more than a third of what they hold together.
void OrderTree::split_two_into_three(Inner* parent, unsigned left) {
  auto* a = static_cast<Leaf*>(parent->children()[left]);
  auto* b = static_cast<Leaf*>(parent->children()[left + 1]);
  unsigned keep = (a->size + b->size) / 3u;
  unsigned from_b = b->size - keep;
  split_leaf(parent, left, keep);
  auto* middle = static_cast<Leaf*>(parent->children()[left + 1]);
  move_entries(middle, middle->size, b, 0, from_b);
  move_entries(b, 0, b, from_b, keep);
  middle->size += from_b;
  b->size = keep;
  parent->counts()[left + 1] = middle->size;
  parent->set_child(left + 2, b->score(0), b->member(0), b->size, b);
}

// A new root above the old one, which becomes its only child.
void OrderTree::put_root_above() {
  CHECK(height_ + 1 < kMaxHeight);
  Inner* root = new_inner(kInnerCapacities[0]);
  root->size = 1;
  if (height_ == 0) {
    root->set_child(0, first_->score(0), first_->member(0), count_, root_);
  } else {
    auto* old = static_cast<Inner*>(root_);
    root->set_child(0, old->score(0), old->member(0), count_, root_);
  }
  root_ = root;
  height_++;
}

// The same for the full inner node at `level` of the path.
void OrderTree::make_inner_room(Path& path, unsigned level, bool at_first, bool at_last) {
  Inner* inner = path[level].inner;
  if (level == 0) {
    if (inner->capacity == kInnerCapacity) return put_root_above();
    Inner* larger = new_inner(larger_capacity(kInnerCapacities, inner->capacity));
    larger->size = inner->size;
    move_children(larger, 0, inner, 0, inner->size);
    free_inner(inner);
    root_ = larger;
    return;
  }
  auto [parent, at] = path[level - 1];
  if (parent->size == parent->capacity) return make_inner_room(path, level - 1, at_first, at_last);
  Inner* added = new_inner(kInnerCapacity);
  unsigned keep = at_first ? 1u : at_last ? inner->size - 1u : inner->size / 2u;
  added->size = inner->size - keep;
  move_children(added, 0, inner, keep, added->size);
  inner->size = keep;
  move_children(parent, at + 2, parent, at + 1, parent->size - at - 1);
  parent->size++;
  uint64_t count = added->count();
  parent->counts()[at] -= count;
  parent->set_child(at + 1, added->score(0), added->member(0), count, added);
}

// --- Shrinking ---

void OrderTree::erase(ZMember* member) {
  CHECK(root_);
  Path path;
  Leaf* leaf = descend(Key{member->score(), member->bytes()}, path);
  take(path, leaf, index_of(leaf, member), 1);
}

ZMember* OrderTree::erase(double score, Bytes bytes) {
  if (!root_) return nullptr;
  Path path;
  Key key{score, bytes};
  Leaf* leaf = descend(key, path);
  unsigned index = count_keys<false>(leaf, key);
  if (index == leaf->size || leaf->score(index) != score) return nullptr;
  ZMember* member = leaf->member(index);
  if (member->bytes() != bytes) return nullptr;
  take(path, leaf, index, 1);
  return member;
}

uint64_t OrderTree::erase_range_telling(uint64_t first, uint64_t last, Told told, void* context) {
  if (first >= count_ || last < first) return 0;
  uint64_t n = std::min(last, count_ - 1) - first + 1;
  for (uint64_t left = n; left > 0;) {
    Path path;
    unsigned index;
    Leaf* leaf = descend_to_rank(first, path, index);
    auto here = static_cast<unsigned>(std::min<uint64_t>(left, leaf->size - index));
    for (unsigned i = 0; i < here; i++) told(context, leaf->member(index + i));
    take(path, leaf, index, here);
    left -= here;
  }
  return n;
}

// Takes n entries out of a leaf. Members are not looked at: they may be gone already.
void OrderTree::take(Path& path, Leaf* leaf, unsigned index, unsigned n) {
  move_entries(leaf, index, leaf, index + n, leaf->size - index - n);
  leaf->size -= n;
  count_ -= n;
  if (count_ == 0) return clear();
  for (unsigned level = 0; level < height_; level++) path[level].inner->counts()[path[level].at] -= n;
  if (height_ == 0) {
    if (leaf->size * 4u > leaf->capacity) return;
    for (unsigned capacity : kLeafCapacities)
      if (capacity >= leaf->size * 2u && capacity < leaf->capacity) return resize_root_leaf(capacity);
    return;
  }
  if (leaf->size == 0) {
    unlink(leaf);
    free_leaf(leaf);
    remove_child(path, height_ - 1);
    lower_root();
    return;
  }
  if (index == 0) refresh_first(path, height_, leaf);
  merge_leaves(path, leaf);
}

// Removes the child that the path takes at `level` from its inner node, and inner nodes that become empty.
void OrderTree::remove_child(Path& path, unsigned level) {
  auto [inner, at] = path[level];
  inner->size--;
  move_children(inner, at, inner, at + 1, inner->size - at);
  if (inner->size == 0) {
    CHECK(level > 0);
    free_inner(inner);
    return remove_child(path, level - 1);
  }
  if (at == 0) refresh_first(path, level, inner);
  merge_inner(path, level);
}

// Merges the leaf with a neighbour if both fit well into one.
void OrderTree::merge_leaves(Path& path, Leaf* leaf) {
  auto [parent, at] = path[height_ - 1];
  const uint64_t* counts = parent->counts();
  if (at + 1 < parent->size && leaf->size + counts[at + 1] <= kMergedLeaf) {
    at++;
  } else if (at == 0 || leaf->size + counts[at - 1] > kMergedLeaf) {
    return;
  }
  auto* a = static_cast<Leaf*>(parent->children()[at - 1]);
  auto* b = static_cast<Leaf*>(parent->children()[at]);
  move_entries(a, a->size, b, 0, b->size);
  a->size += b->size;
  parent->counts()[at - 1] = a->size;
  unlink(b);
  free_leaf(b);
  path[height_ - 1].at = at;
  remove_child(path, height_ - 1);
  lower_root();
}

// The same for the inner node at `level` of the path.
void OrderTree::merge_inner(Path& path, unsigned level) {
  if (level == 0) return;
  Inner* inner = path[level].inner;
  auto [parent, at] = path[level - 1];
  auto size_of = [&, parent = parent](unsigned i) { return static_cast<Inner*>(parent->children()[i])->size; };
  if (inner->size > kMergedInner / 2) return;
  if (at + 1 < parent->size && inner->size + size_of(at + 1) <= kMergedInner) {
    at++;
  } else if (at == 0 || inner->size + size_of(at - 1) > kMergedInner) {
    return;
  }
  auto* a = static_cast<Inner*>(parent->children()[at - 1]);
  auto* b = static_cast<Inner*>(parent->children()[at]);
  move_children(a, a->size, b, 0, b->size);
  a->size += b->size;
  parent->counts()[at - 1] += parent->counts()[at];
  free_inner(b);
  path[level - 1].at = at;
  remove_child(path, level - 1);
}

// A root with one child gives way to it.
void OrderTree::lower_root() {
  while (height_ > 0 && static_cast<Inner*>(root_)->size == 1) {
    auto* root = static_cast<Inner*>(root_);
    root_ = root->children()[0];
    free_inner(root);
    height_--;
  }
}

// --- Moving ---

void OrderTree::update(ZMember* member, double new_score) {
  CHECK(root_);
  if (member->score() == new_score) return;
  Path path;
  Leaf* leaf = descend(Key{member->score(), member->bytes()}, path);
  unsigned index = index_of(leaf, member);
  member->set_score(new_score);
  if (move_within(path, leaf, index, new_score)) return;
  take(path, leaf, index, 1);
  insert(member);
}

// Gives the entry its new score if it can stay in its leaf.
bool OrderTree::move_within(Path& path, Leaf* leaf, unsigned index, double new_score) {
  ZMember* member = leaf->member(index);
  Key key{new_score, member->bytes()};
  double* scores = leaf->scores();
  // The leaf still has the old score, so that this counts the entry itself if it moves up.
  unsigned to = count_keys<false>(leaf, key);
  auto is_before = [&](const Leaf* other, unsigned i) {
    return other->score(i) < new_score || (other->score(i) == new_score && other->member(i)->bytes() < key.bytes);
  };
  if (to == 0 && leaf->prev && !is_before(leaf->prev, leaf->prev->size - 1u)) return false;
  if (to == leaf->size && leaf->next && is_before(leaf->next, 0)) return false;
  if (to > index) {
    to--;
    move_entries(leaf, index, leaf, index + 1, to - index);
  } else {
    move_entries(leaf, to + 1, leaf, to, index - to);
  }
  scores[to] = new_score;
  store_member(leaf, to, member);
  if (to == 0 || index == 0) refresh_first(path, height_, leaf);
  return true;
}

}  // namespace vitrine
