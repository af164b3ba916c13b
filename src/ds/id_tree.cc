#include "ds/id_tree.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

IdTree::Node* IdTree::make(uint32_t level, uint32_t capacity) {
  size_t bytes = sizeof(Node) + capacity * sizeof(Slot);
  Node* node = static_cast<Node*>(memory::allocate(bytes));
  node->count = 0;
  node->capacity = static_cast<uint16_t>(capacity);
  node->level = level;
  node->prev = node->next = nullptr;
  memory_ += memory::good_size(bytes);
  return node;
}

void IdTree::free(Node* node) {
  size_t bytes = sizeof(Node) + node->capacity * sizeof(Slot);
  memory_ -= memory::good_size(bytes);
  memory::release(node, bytes);
}

void IdTree::free_below(Node* node) {
  if (node->level > 0)
    for (uint32_t i = 0; i < node->count; i++) free_below(node->child(i));
  free(node);
}

void IdTree::clear() {
  if (root_) free_below(root_);
  root_ = first_ = last_ = nullptr;
  size_ = 0;
}

namespace {

// How many of n slots have an id below (or, if `equal`, not above) this one.
template <bool equal>
uint32_t rank(const IdTree::Slot* slots, uint32_t n, TimeId id) {
  const IdTree::Slot* base = slots;
  while (n > 0) {
    uint32_t half = n / 2;
    bool right = equal ? base[half].id <= id : base[half].id < id;
    base = right ? base + half + 1 : base;
    n = right ? n - half - 1 : half;
  }
  return static_cast<uint32_t>(base - slots);
}

}  // namespace

void IdTree::descend(TimeId id, Path& path) const {
  Node* node = root_;
  while (node->level > 0) {
    uint32_t at = rank<true>(node->slots + 1, node->count - 1u, id);
    path.node[node->level] = node;
    path.at[node->level] = at;
    node = node->child(at);
    // The search would otherwise wait for each cache line that it looks at in turn.
    const char* bytes = reinterpret_cast<const char*>(node);
    for (size_t i = 0; i < sizeof(Node) + kCapacity * sizeof(Slot); i += 64) __builtin_prefetch(bytes + i);
  }
  path.node[0] = node;
  path.at[0] = rank<false>(node->slots, node->count, id);
}

IdTree::Cursor IdTree::last() const { return last_ ? Cursor(last_, last_->count - 1u) : Cursor(); }

IdTree::Cursor IdTree::find(TimeId id) const {
  Cursor c = at_or_after(id);
  return c && c->id == id ? c : Cursor();
}

IdTree::Cursor IdTree::at_or_after(TimeId id) const {
  if (!root_) return {};
  Path path;
  descend(id, path);
  if (path.at[0] < path.node[0]->count) return {path.node[0], path.at[0]};
  return path.node[0]->next ? Cursor(path.node[0]->next, 0) : Cursor();
}

IdTree::Cursor IdTree::at_or_before(TimeId id) const {
  if (!root_) return {};
  Path path;
  descend(id, path);
  Node* leaf = path.node[0];
  uint32_t n = rank<true>(leaf->slots, leaf->count, id);
  if (n > 0) return {leaf, n - 1};
  return leaf->prev ? Cursor(leaf->prev, leaf->prev->count - 1u) : Cursor();
}

bool IdTree::append(TimeId id, uint64_t word) {
  if (!last_ || last_->count == last_->capacity || id <= last_->slots[last_->count - 1].id) return false;
  last_->slots[last_->count++] = {id, word};
  size_++;
  return true;
}

bool IdTree::insert(TimeId id, uint64_t word) {
  if (append(id, word)) return true;
  if (!root_) root_ = first_ = last_ = make(0, 4);
  Path path;
  descend(id, path);
  Node* leaf = path.node[0];
  if (path.at[0] < leaf->count && leaf->slots[path.at[0]].id == id) return false;
  if (leaf->count == leaf->capacity && leaf->capacity < kCapacity) {
    // Only a root that is a leaf is smaller than the others.
    Node* larger = make(0, std::min(kCapacity, leaf->capacity * 2u));
    larger->count = leaf->count;
    std::memcpy(larger->slots, leaf->slots, leaf->count * sizeof(Slot));
    free(leaf);
    root_ = first_ = last_ = path.node[0] = larger;
  }
  insert_into(path, 0, {id, word});
  size_++;
  return true;
}

void IdTree::insert_into(Path& path, uint32_t level, Slot slot) {
  Node* node = path.node[level];
  uint32_t at = path.at[level];
  if (node->count == node->capacity) {
    Node* right = make(level, kCapacity);
    // What is appended leaves the full node full.
    uint32_t keep = at == node->count ? at : node->count / 2u;
    right->count = static_cast<uint16_t>(node->count - keep);
    std::memcpy(right->slots, node->slots + keep, right->count * sizeof(Slot));
    node->count = static_cast<uint16_t>(keep);
    right->prev = node;
    right->next = node->next;
    if (node->next) node->next->prev = right;
    node->next = right;
    if (level == 0 && last_ == node) last_ = right;
    bool goes_right = at > keep || right->count == 0;
    TimeId low = right->count ? right->slots[0].id : slot.id;
    if (node == root_) {
      root_ = make(level + 1, kCapacity);
      root_->slots[root_->count++] = {TimeId::min(), reinterpret_cast<uint64_t>(node)};
      path.node[level + 1] = root_;
      path.at[level + 1] = 0;
    }
    path.at[level + 1]++;
    insert_into(path, level + 1, {low, reinterpret_cast<uint64_t>(right)});
    if (goes_right) node = right, at -= keep;
  }
  std::memmove(node->slots + at + 1, node->slots + at, (node->count - at) * sizeof(Slot));
  node->slots[at] = slot;
  node->count++;
}

bool IdTree::erase(TimeId id) {
  if (!root_) return false;
  Path path;
  descend(id, path);
  Node* leaf = path.node[0];
  if (path.at[0] == leaf->count || leaf->slots[path.at[0]].id != id) return false;
  size_--;
  remove_from(path, 0);
  return true;
}

void IdTree::remove_from(Path& path, uint32_t level) {
  Node* node = path.node[level];
  uint32_t at = path.at[level];
  node->count--;
  std::memmove(node->slots + at, node->slots + at + 1, (node->count - at) * sizeof(Slot));
  if (node == root_) {
    if (node->count == 0) return free(node), root_ = first_ = last_ = nullptr, void();
    while (root_->level > 0 && root_->count == 1) {
      Node* child = root_->child(0);
      free(root_);
      root_ = child;
    }
    return;
  }
  if (node->count >= kCapacity / 4) return;
  if (node->count > 0) return merge_if_sparse(path, level);
  if (node->prev) node->prev->next = node->next;
  if (node->next) node->next->prev = node->prev;
  if (first_ == node) first_ = node->next;
  if (last_ == node) last_ = node->prev;
  free(node);
  remove_from(path, level + 1);
}

void IdTree::merge_if_sparse(Path& path, uint32_t level) {
  Node* parent = path.node[level + 1];
  uint32_t at = path.at[level + 1];
  if (parent->count == 1) return;
  if (at + 1 == parent->count) at--;
  Node *left = parent->child(at), *right = parent->child(at + 1);
  // Some room is left, so that the next insertion does not split again.
  if (left->count + right->count > kCapacity * 3 / 4) return;
  if (level > 0) right->slots[0].id = parent->slots[at + 1].id;
  std::memcpy(left->slots + left->count, right->slots, right->count * sizeof(Slot));
  left->count = static_cast<uint16_t>(left->count + right->count);
  left->next = right->next;
  if (right->next) right->next->prev = left;
  if (last_ == right) last_ = left;
  free(right);
  path.at[level + 1] = at + 1;
  remove_from(path, level + 1);
}

size_t IdTree::count_sound(const Node* node, const TimeId* low, const TimeId* high, const Node** leaf) const {
  CHECK(node->count > 0 && node->count <= node->capacity);
  CHECK(node->capacity == kCapacity || (node == root_ && node->level == 0));
  size_t n = 0;
  for (uint32_t i = 0; i < node->count; i++) {
    const TimeId* from = node->level > 0 && i == 0 ? low : &node->slots[i].id;
    if (low && from) CHECK(*low <= *from);
    if (high && from) CHECK(*from < *high);
    if (i > (node->level > 0 ? 1u : 0u)) CHECK(node->slots[i - 1].id < node->slots[i].id);
    if (node->level == 0) continue;
    CHECK(node->child(i)->level == node->level - 1);
    n += count_sound(node->child(i), from, i + 1 < node->count ? &node->slots[i + 1].id : high, leaf);
  }
  if (node->level > 0) return n;
  CHECK(node->prev == *leaf && (*leaf ? (*leaf)->next == node : first_ == node));
  *leaf = node;
  return node->count;
}

bool IdTree::sound() const {
  const Node* leaf = nullptr;
  size_t n = root_ ? count_sound(root_, nullptr, nullptr, &leaf) : 0;
  return n == size_ && leaf == last_ && (!leaf || !leaf->next);
}

}  // namespace vitrine
