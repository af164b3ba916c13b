#include "ds/packed_nodes.h"

#include <liblzf/lzf.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

namespace {

constexpr size_t kSmallestNode = 64;

uint8_t* allocate_block(size_t capacity) { return static_cast<uint8_t*>(memory::allocate(capacity)); }

// The head of a compressed block.
struct CompressedHead {
  static constexpr size_t kBytes = 12;

  uint64_t stamp;
  uint32_t bytes;

  void write(uint8_t* to) const {
    std::memcpy(to, &stamp, 8);
    std::memcpy(to + 8, &bytes, 4);
  }
  static CompressedHead read(const uint8_t* from) {
    CompressedHead head;
    std::memcpy(&head.stamp, from, 8);
    std::memcpy(&head.bytes, from + 8, 4);
    return head;
  }
};

constexpr size_t kLeastToCompress = 48, kLeastWon = 8;
constexpr size_t kKeptScratchBytes = size_t{1} << 20;

// Of each thread; a large one goes with the next use.
uint8_t* scratch_of(std::vector<uint8_t>& scratch, size_t bytes) {
  if (scratch.size() > kKeptScratchBytes && bytes < scratch.size() / 4) scratch = {};
  if (scratch.size() < bytes) scratch.resize(bytes);
  return scratch.data();
}

void expand_to(uint8_t* to, size_t bytes, const uint8_t* block) {
  CompressedHead head = CompressedHead::read(block);
  CHECK(lzf_decompress(block + CompressedHead::kBytes, head.bytes, to, static_cast<unsigned>(bytes)) == bytes);
}

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

PackedNode PackedNode::clone(size_t& account) const {
  size_t held = compressed ? CompressedHead::kBytes + CompressedHead::read(block).bytes : run();
  PackedNode copy = make(held, account);
  std::memcpy(copy.block, compressed ? block : first(), held);
  copy.end = static_cast<uint32_t>(run());
  copy.count = count;
  copy.plain = plain;
  copy.compressed = compressed;
  return copy;
}

void PackedNode::compress(size_t& account) {
  if (compressed || compresses_badly) return;
  static std::atomic<uint64_t> last_stamp = 0;
  static thread_local std::vector<uint8_t> scratch;
  size_t bytes = run(), packed = 0, most = bytes - std::min(bytes, CompressedHead::kBytes + kLeastWon);
  uint8_t* out = scratch_of(scratch, most);
  if (bytes >= kLeastToCompress)
    packed = lzf_compress(first(), static_cast<unsigned>(bytes), out, static_cast<unsigned>(most));
  if (packed == 0) {
    compresses_badly = 1;
    return;
  }
  size_t size = memory::good_size(CompressedHead::kBytes + packed);
  memory::release(block, capacity);
  account += size - capacity;
  block = allocate_block(size);
  CompressedHead{++last_stamp, static_cast<uint32_t>(packed)}.write(block);
  std::memcpy(block + CompressedHead::kBytes, out, packed);
  capacity = static_cast<uint32_t>(size);
  begin = 0;
  end = static_cast<uint32_t>(bytes);
  compressed = 1;
}

void PackedNode::expand(size_t& account) {
  compresses_badly = 0;
  if (!compressed) return;
  size_t size = memory::good_size(std::max(run(), kSmallestNode));
  uint8_t* opened = allocate_block(size);
  expand_to(opened, run(), block);
  memory::release(block, capacity);
  account += size - capacity;
  block = opened;
  capacity = static_cast<uint32_t>(size);
  compressed = 0;
}

PackedNode PackedNode::expanded_copy() const {
  static thread_local std::vector<uint8_t> scratch;
  static thread_local uint64_t holds = 0;
  uint64_t stamp = CompressedHead::read(block).stamp;
  if (holds != stamp) expand_to(scratch_of(scratch, run()), run(), block);
  holds = stamp;
  PackedNode copy = *this;
  copy.block = scratch.data();
  copy.capacity = static_cast<uint32_t>(run());
  copy.compressed = 0;
  return copy;
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
