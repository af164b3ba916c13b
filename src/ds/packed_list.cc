#include "ds/packed_list.h"

#include <utility>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

PackedList::Limits PackedList::Limits::of(int64_t fill, size_t plain_bytes, size_t compress_depth) {
  Limits limits;
  limits.plain_bytes = plain_bytes;
  limits.compress_depth = compress_depth;
  if (fill >= 0) {
    limits.node_items = static_cast<size_t>(std::max<int64_t>(fill, 1));
  } else {
    limits.node_bytes = size_t{4096} << (std::min<int64_t>(-(fill + 1), 4));
  }
  return limits;
}

PackedList::~PackedList() { drop_nodes(0, nodes_.size()); }

std::unique_ptr<PackedList> PackedList::clone() const {
  auto copy = std::make_unique<PackedList>(limits_);
  for (size_t i = 0; i < nodes_.size(); i++) {
    copy->nodes_.insert(i, nodes_[i].clone(copy->block_memory_));
  }
  copy->size_ = size_;
  copy->open_ = open_;
  return copy;
}

size_t PackedList::memory_bytes() const {
  return memory::good_size(sizeof(PackedList)) + nodes_.memory() + block_memory_;
}

size_t PackedList::compressed_nodes() const {
  size_t n = 0;
  for (size_t i = 0; i < nodes_.size(); i++) n += nodes_[i].compressed;
  return n;
}

// ---- which nodes are compressed ----

PackedNode& PackedList::insert_node(size_t i, const PackedNode& node) {
  if (open_ != kNone && open_ >= i) open_++;
  return nodes_.insert(i, node);
}

void PackedList::erase_nodes(size_t i, size_t n) {
  if (open_ != kNone && open_ >= i) open_ = open_ < i + n ? kNone : open_ - n;
  nodes_.erase(i, n);
}

void PackedList::compress_at(size_t i) {
  if (i != open_ && between_ends(i)) nodes_[i].compress(block_memory_);
}

void PackedList::touch(size_t i) {
  if (limits_.compress_depth == 0 || i == open_) return;
  size_t before = std::exchange(open_, between_ends(i) ? i : kNone);
  if (before != kNone) compress_at(before);
}

PackedNode& PackedList::open(size_t i) {
  touch(i);
  PackedNode& node = nodes_[i];
  node.expand(block_memory_);
  return node;
}

void PackedList::settle(size_t around) {
  size_t depth = limits_.compress_depth, n = nodes_.size();
  if (__builtin_expect(depth == 0, 1)) return;
  for (size_t i = 0; i < std::min(depth, n); i++) {
    nodes_[i].expand(block_memory_);
    nodes_[n - 1 - i].expand(block_memory_);
  }
  if (open_ != kNone && !between_ends(open_)) open_ = kNone;
  if (n <= 2 * depth) return;
  compress_at(depth);
  compress_at(n - 1 - depth);
  constexpr size_t kNear = 2;
  for (size_t i = around - std::min(around, kNear); i <= around + kNear && i < n; i++) compress_at(i);
}

bool PackedList::must_be_plain(const PackedItem& item) const {
  return item.text().size() >= limits_.plain_bytes || item.size() + Packed::kHeader > limits_.node_bytes;
}

// A node with this one element. Where others may follow soon, with room for a few.
PackedNode PackedList::make_node(const PackedItem& item) {
  if (must_be_plain(item)) {
    CHECK(item.text().size() <= kMaxItemBytes);
    return PackedNode::make_plain(item.text(), block_memory_);
  }
  PackedNode n = PackedNode::make(item.size(), block_memory_);
  item.write(n.block);
  n.end = static_cast<uint32_t>(item.size());
  n.count = 1;
  return n;
}

void PackedList::drop_nodes(size_t node, size_t n) {
  for (size_t i = node; i < node + n; i++) {
    size_ -= nodes_[i].count;
    nodes_[i].release(block_memory_);
  }
  if (n > 0) erase_nodes(node, n);
}

void PackedList::clear() { drop_nodes(0, nodes_.size()); }

void PackedList::push_back(const PackedItem& item) {
  size_++;
  size_t bytes = item.size();
  if (nodes_.size() > 0) {
    PackedNode& tail = nodes_.back();
    if (fits(tail, item, bytes)) {
      bool alone = nodes_.size() == 1;
      if (uint8_t* to = tail.extend_back(bytes, limits_.node_bytes, alone, block_memory_)) {
        item.write(to);
        tail.count++;
        return;
      }
    }
    tail.trim(block_memory_);
  }
  insert_node(nodes_.size(), make_node(item));
  settle(nodes_.size());
}

void PackedList::push_front(const PackedItem& item) {
  size_++;
  size_t bytes = item.size();
  if (nodes_.size() > 0) {
    PackedNode& head = nodes_.front();
    if (fits(head, item, bytes)) {
      bool alone = nodes_.size() == 1;
      if (uint8_t* to = head.extend_front(bytes, limits_.node_bytes, alone, block_memory_)) {
        item.write(to);
        head.count++;
        return;
      }
    }
    head.trim(block_memory_);
  }
  insert_node(0, make_node(item));
  settle(0);
}

PackedValue PackedList::back() const {
  const PackedNode& tail = nodes_.back();
  return tail.plain ? tail.value(0) : packed_detail::read(packed_detail::prev(tail.stop()));
}

void PackedList::pop_back() {
  PackedNode& tail = nodes_.back();
  if (tail.count == 1) {
    drop_nodes(nodes_.size() - 1, 1);
    return settle(nodes_.size());
  }
  tail.end = static_cast<uint32_t>(packed_detail::prev(tail.stop()) - tail.block);
  tail.count--;
  size_--;
  tail.shrink_if_sparse(false, block_memory_);
}

void PackedList::pop_front() {
  PackedNode& head = nodes_.front();
  if (head.count == 1) {
    drop_nodes(0, 1);
    return settle(0);
  }
  head.begin = static_cast<uint32_t>(packed_detail::next(head.first()) - head.block);
  head.count--;
  size_--;
  head.shrink_if_sparse(true, block_memory_);
}

void PackedList::Iterator::next() {
  PackedNode n = list_->nodes_[node_].readable();
  size_t following = n.plain ? n.run() : packed_detail::next(n.first() + offset_) - n.first();
  *this = list_->normal(node_, following);
}

void PackedList::Iterator::prev() {
  if (offset_ == 0) {
    // Before the first one node_ becomes the largest number: not valid.
    if (node_-- == 0) return;
    PackedNode n = list_->nodes_[node_].readable();
    offset_ = n.plain ? 0 : packed_detail::prev(n.stop()) - n.first();
  } else {
    PackedNode n = list_->nodes_[node_].readable();
    offset_ = packed_detail::prev(n.first() + offset_) - n.first();
  }
}

// The end of a node is the start of the next.
PackedList::Iterator PackedList::normal(size_t node, size_t offset) const {
  if (node < nodes_.size() && offset == nodes_[node].run()) return Iterator(this, node + 1, 0);
  return Iterator(this, node, offset);
}

PackedList::Location PackedList::locate(size_t index) const {
  if (index < size_ / 2) {
    size_t i = 0;
    while (index >= nodes_[i].count) index -= nodes_[i++].count;
    return {i, index};
  }
  size_t from_end = size_ - index, i = nodes_.size() - 1;
  while (from_end > nodes_[i].count) from_end -= nodes_[i--].count;
  return {i, nodes_[i].count - from_end};
}

PackedList::Iterator PackedList::at(int64_t index) const {
  if (index < 0) index += static_cast<int64_t>(size_);
  if (index < 0 || static_cast<size_t>(index) >= size_) return end();
  Location l = locate(static_cast<size_t>(index));
  PackedNode node = nodes_[l.node].readable();
  return Iterator(this, l.node, node.element(l.position) - node.first());
}

PackedList::Iterator PackedList::insert_in_node(size_t node, size_t offset, const PackedItem& item) {
  PackedNode& n = open(node);
  item.write(n.open(offset, item.size(), block_memory_));
  n.count++;
  return Iterator(this, node, offset);
}

PackedList::Iterator PackedList::insert_at(Iterator at, const PackedItem& item) {
  size_++;
  size_t bytes = item.size();
  if (at.valid() && fits(nodes_[at.node_], item, bytes)) return insert_in_node(at.node_, at.offset_, item);
  if (at.offset_ > 0) return insert_into_split(at, item);
  if (at.node_ > 0 && fits(nodes_[at.node_ - 1], item, bytes))
    return insert_in_node(at.node_ - 1, nodes_[at.node_ - 1].run(), item);
  insert_node(at.node_, make_node(item));
  settle(at.node_);
  return at;
}

// Into the middle of a node that has no room for it.
PackedList::Iterator PackedList::insert_into_split(Iterator at, const PackedItem& item) {
  size_t left = at.node_, bytes = item.size();
  split(left, at.offset_);
  Iterator placed(this, left + 1, 0);
  if (fits(nodes_[left], item, bytes)) {
    placed = insert_in_node(left, nodes_[left].run(), item);
  } else if (fits(nodes_[left + 1], item, bytes)) {
    placed = insert_in_node(left + 1, 0, item);
  } else {
    insert_node(left + 1, make_node(item));
  }
  join_if_small(left + 1, placed);
  if (left > 0) join_if_small(left - 1, placed);
  settle(placed.node_);
  return placed;
}

void PackedList::split(size_t node, size_t offset) {
  PackedNode& left = open(node);
  size_t before = 0, bytes = left.run() - offset;
  for (const uint8_t *p = left.first(), *stop = p + offset; p < stop; p = packed_detail::next(p)) before++;
  PackedNode right = PackedNode::make(bytes, block_memory_);
  std::memcpy(right.block, left.first() + offset, bytes);
  right.end = static_cast<uint32_t>(bytes);
  right.count = left.count - before;
  left.end -= static_cast<uint32_t>(bytes);
  left.count = before;
  left.trim(block_memory_);
  insert_node(node + 1, right);
}

// Joins a node and the next where both together fill no more than half a node: so what joined does not soon split.
void PackedList::join_if_small(size_t node, Iterator& kept) {
  if (node + 1 >= nodes_.size()) return;
  if (nodes_[node].plain || nodes_[node + 1].plain) return;
  size_t bytes = nodes_[node].run() + nodes_[node + 1].run() + Packed::kHeader;
  size_t items = size_t{nodes_[node].count} + nodes_[node + 1].count;
  if (bytes > limits_.node_bytes / 2 || items > limits_.node_items / 2) return;
  PackedNode &a = open(node), &b = nodes_[node + 1];
  size_t offset = a.run();
  std::memcpy(a.open(offset, b.run(), block_memory_), b.readable().first(), b.run());
  a.count += b.count;
  b.release(block_memory_);
  erase_nodes(node + 1);
  if (kept.node_ == node + 1) kept = Iterator(this, node, offset + kept.offset_);
  else if (kept.node_ > node + 1) kept.node_--;
}

PackedList::Iterator PackedList::insert_before(Iterator at, const PackedItem& item) { return insert_at(at, item); }

PackedList::Iterator PackedList::insert_after(Iterator at, const PackedItem& item) {
  at.next();
  return insert_at(at, item);
}

PackedList::Iterator PackedList::replace(Iterator at, const PackedItem& item) {
  if (nodes_[at.node_].plain) {
    // Alone in its node: so is the new one, at first.
    touch(at.node_);
    nodes_[at.node_].release(block_memory_);
    nodes_[at.node_] = make_node(item);
    return at;
  }
  PackedNode& n = open(at.node_);
  const uint8_t* p = n.first() + at.offset_;
  size_t old_size = packed_detail::next(p) - p, new_size = item.size();
  if (!must_be_plain(item) && n.run() - old_size + new_size + Packed::kHeader <= limits_.node_bytes) {
    if (new_size > old_size) n.open(at.offset_, new_size - old_size, block_memory_);
    else n.cut(at.offset_, old_size - new_size);
    item.write(n.block + n.begin + at.offset_);
    return at;
  }
  return insert_at(erase(at), item);
}

PackedList::Iterator PackedList::erase(Iterator at) {
  size_t nodes = nodes_.size();
  Iterator following = at;
  if (nodes_[at.node_].count == 1) {
    drop_nodes(at.node_, 1);
  } else {
    PackedNode& n = open(at.node_);
    const uint8_t* p = n.first() + at.offset_;
    n.cut(at.offset_, packed_detail::next(p) - p);
    n.count--;
    size_--;
    n.shrink_if_sparse(false, block_memory_);
    following = normal(at.node_, at.offset_);
    join_if_small(at.node_, following);
  }
  if (at.node_ > 0) join_if_small(at.node_ - 1, following);
  if (nodes_.size() != nodes) settle(at.node_);
  return following;
}

void PackedList::erase_range(size_t index, size_t n) {
  if (index >= size_) return;
  n = std::min(n, size_ - index);
  if (n == 0) return;
  auto [i, position] = locate(index);
  size_t first = i;
  while (n > 0) {
    size_t here = std::min<size_t>(n, nodes_[i].count - position);
    if (here == nodes_[i].count) {
      size_t whole = 0;
      while (i + whole < nodes_.size() && n >= nodes_[i + whole].count) n -= nodes_[i + whole++].count;
      drop_nodes(i, whole);
      continue;
    }
    PackedNode& node = open(i);
    const uint8_t* from = node.element(position);
    const uint8_t* to = position + here == node.count ? node.stop() : node.element(position + here);
    node.cut(from - node.first(), to - from);
    node.count -= here;
    size_ -= here;
    n -= here;
    node.shrink_if_sparse(false, block_memory_);
    i++;
    position = 0;
  }
  Iterator kept = begin();
  join_if_small(first, kept);
  if (first > 0) join_if_small(first - 1, kept);
  settle(first);
}

void PackedList::take_block(uint8_t* block) {
  Packed packed(block);
  if (packed.empty() || limits_.exceeded(packed.bytes_used(), packed.count())) {
    for (PackedValue v : packed) push_back(PackedItem::of(v));
    Packed::free(block);
    return;
  }
  PackedNode n;
  n.block = block;
  n.begin = Packed::kHeader;
  n.end = static_cast<uint32_t>(packed.bytes_used());
  n.capacity = static_cast<uint32_t>(packed.memory());
  n.count = packed.count();
  block_memory_ += n.capacity;
  size_ += n.count;
  if (nodes_.size() > 0) nodes_.back().trim(block_memory_);
  insert_node(nodes_.size(), n);
  settle(nodes_.size());
}

size_t PackedList::block_bytes() const {
  size_t bytes = Packed::kHeader;
  for (size_t i = 0; i < nodes_.size(); i++) {
    PackedNode n = nodes_[i].readable();
    bytes += n.plain ? PackedItem(n.bytes()).size() : n.run();
  }
  return bytes;
}

uint8_t* PackedList::to_block() {
  Packed packed = Packed::create(block_bytes() - Packed::kHeader);
  for (size_t i = 0; i < nodes_.size(); i++) {
    PackedNode n = nodes_[i].readable();
    if (n.plain) packed.append(n.bytes());
    else packed.append_run(n.bytes(), n.count);
  }
  clear();
  return packed.block();
}

}  // namespace vitrine
