#include "ds/packed_nodes.h"

#include <algorithm>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

namespace {

constexpr size_t kSmallestNode = 64;

uint8_t* allocate_block(size_t capacity) { return static_cast<uint8_t*>(memory::allocate(capacity)); }

}  // namespace

PackedNode PackedNode::make(size_t wanted, size_t& account) {
  PackedNode n;
  size_t size = memory::good_size(std::max(wanted, kSmallestNode));
  CHECK(size <= UINT32_MAX);
  n.block = allocate_block(size);
  n.capacity = static_cast<uint32_t>(size);
  account += size;
  return n;
}

PackedNode PackedNode::make_plain(Bytes text, size_t& account) {
  PackedNode n = make(text.size(), account);
  if (!text.empty()) std::memcpy(n.block, text.data(), text.size());
  n.end = static_cast<uint32_t>(text.size());
  n.plain = 1;
  n.count = 1;
  return n;
}

void PackedNode::release(size_t& account) {
  account -= capacity;
  memory::release(block, capacity);
}

const uint8_t* PackedNode::element(size_t n) const {
  if (plain) return first();
  const uint8_t* p;
  if (n <= count / 2) {
    for (p = first(); n > 0; n--) p = packed_detail::next(p);
  } else {
    for (p = stop(); n < count; n++) p = packed_detail::prev(p);
  }
  return p;
}

void PackedNode::relocate(size_t new_capacity, size_t new_begin, size_t& account) {
  size_t bytes = run();
  if (new_capacity == capacity) {
    std::memmove(block + new_begin, first(), bytes);
  } else {
    uint8_t* moved = allocate_block(new_capacity);
    std::memcpy(moved + new_begin, first(), bytes);
    memory::release(block, capacity);
    account += new_capacity - capacity;
    block = moved;
    capacity = static_cast<uint32_t>(new_capacity);
  }
  begin = static_cast<uint32_t>(new_begin);
  end = static_cast<uint32_t>(new_begin + bytes);
}

// Sliding the run costs its length, so it must win room in proportion; else the block grows; else a new node is due.
bool PackedNode::make_room(size_t bytes, size_t most, bool alone, bool behind, size_t& account) {
  size_t need = run() + bytes, size = capacity;
  if (need > size || size - need < size / 4) {
    if (size >= memory::good_size(most)) return false;
    size = memory::good_size(std::min(std::max<size_t>(2 * size, need), most));
    CHECK(size >= need);
  }
  size_t free = size - need, other_side = alone ? free / 4 : 0;
  relocate(size, behind ? other_side : size - other_side - run(), account);
  return true;
}

uint8_t* PackedNode::open(size_t offset, size_t bytes, size_t& account) {
  size_t before = begin, behind = capacity - end, after_offset = run() - offset;
  bool front_fits = before >= bytes, back_fits = behind >= bytes;
  if (!front_fits && !back_fits) {
    if (before + behind < bytes) relocate(memory::good_size(run() + bytes), 0, account);
    else relocate(capacity, 0, account);
    back_fits = true;
  }
  if (front_fits && (!back_fits || offset < after_offset)) {
    std::memmove(block + begin - bytes, block + begin, offset);
    begin -= static_cast<uint32_t>(bytes);
  } else {
    std::memmove(block + begin + offset + bytes, block + begin + offset, after_offset);
    end += static_cast<uint32_t>(bytes);
  }
  return block + begin + offset;
}

void PackedNode::cut(size_t offset, size_t bytes) {
  size_t behind = run() - offset - bytes;
  if (offset < behind) {
    std::memmove(block + begin + bytes, block + begin, offset);
    begin += static_cast<uint32_t>(bytes);
  } else {
    std::memmove(block + begin + offset, block + begin + offset + bytes, behind);
    end -= static_cast<uint32_t>(bytes);
  }
}

void PackedNode::trim(size_t& account) {
  size_t size = memory::good_size(std::max<size_t>(run(), 1));
  if (size < capacity) relocate(size, 0, account);
}

void PackedNode::shrink(bool towards_end, size_t& account) {
  size_t size = memory::good_size(std::max(run() * 2, kSmallestNode));
  if (size < capacity) relocate(size, towards_end ? size - run() : 0, account);
}

PackedNodes::~PackedNodes() { memory::release(slots_, capacity_ * sizeof(PackedNode)); }

// With what is free on both sides, evenly.
void PackedNodes::resize(size_t wanted) {
  size_t bytes = memory::good_size(wanted * sizeof(PackedNode));
  size_t new_capacity = bytes / sizeof(PackedNode), new_first = (new_capacity - size_) / 2;
  auto* moved = static_cast<PackedNode*>(memory::allocate(new_capacity * sizeof(PackedNode)));
  if (size_ > 0) std::memcpy(static_cast<void*>(moved + new_first), slots_ + first_, size_ * sizeof(PackedNode));
  memory::release(slots_, capacity_ * sizeof(PackedNode));
  slots_ = moved;
  first_ = new_first;
  capacity_ = new_capacity;
}

PackedNode& PackedNodes::insert(size_t i, const PackedNode& node) {
  // Towards the front if that is the shorter way.
  bool front = i < size_ - i || (i == 0 && first_ > 0);
  if (front ? first_ == 0 : first_ + size_ == capacity_) {
    // Sparse: centred again at the same size. An array that has doubled or been centred has room for as many
    // insertions as a quarter of its size at either end.
    resize(size_ * 2 <= capacity_ && capacity_ >= 4 ? capacity_ : capacity_ + capacity_ / 2 + 3);
  }
  PackedNode* at = slots_ + first_;
  if (front) {
    std::memmove(static_cast<void*>(at - 1), at, i * sizeof(PackedNode));
    first_--;
  } else {
    std::memmove(static_cast<void*>(at + i + 1), at + i, (size_ - i) * sizeof(PackedNode));
  }
  size_++;
  PackedNode& place = slots_[first_ + i];
  place = node;
  return place;
}

void PackedNodes::erase(size_t i, size_t n) {
  PackedNode* at = slots_ + first_;
  size_t behind = size_ - i - n;
  if (i < behind) {
    std::memmove(static_cast<void*>(at + n), at, i * sizeof(PackedNode));
    first_ += n;
  } else {
    std::memmove(static_cast<void*>(at + i), at + i + n, behind * sizeof(PackedNode));
  }
  size_ -= n;
  if (capacity_ > 16 && size_ * 4 < capacity_) resize(size_ * 2 + 2);
}

}  // namespace vitrine
