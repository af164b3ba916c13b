#include "wire/output_buffer.h"

#include <new>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

namespace {

// First blocks that were sent and wait to be used again: every turn takes one for each client that gets a reply, and
// the allocator's own cache of blocks this size is smaller than a turn. At most 1 MB, per thread.
class FirstBlocks {
 public:
  ~FirstBlocks() {
    while (head_) memory::release(take());
  }
  char* take() {
    if (!head_) return static_cast<char*>(memory::allocate(OutputBuffer::kFirstBlockBytes));
    Free* block = head_;
    head_ = block->next;
    count_--;
    return reinterpret_cast<char*>(block);
  }
  void give(char* data) {
    if (count_ == kMost) return memory::release(data);
    head_ = new (data) Free{head_};
    count_++;
  }

 private:
  static constexpr size_t kMost = 256;
  struct Free {
    Free* next;
  };
  Free* head_ = nullptr;
  size_t count_ = 0;
};

thread_local FirstBlocks first_blocks;

}  // namespace

SharedText* SharedText::make(size_t least_bytes) {
  size_t bytes = memory::good_size(least_bytes + sizeof(SharedText));
  return new (memory::allocate(bytes)) SharedText(static_cast<uint32_t>(bytes - sizeof(SharedText)));
}

void SharedText::release() {
  if (--references_ == 0) memory::release(this, capacity_ + sizeof(SharedText));
}

void OutputBuffer::release(const Block& block) {
  if (block.shared) {
    held_ -= block.size;
    block.shared->release();
    return;
  }
  held_ -= block.capacity;
  if (block.capacity == kFirstBlockBytes) first_blocks.give(block.data);
  else memory::release(block.data, block.capacity);
}

void OutputBuffer::add_shared(SharedText& text, char* data, size_t bytes) {
  seal_tail();
  if (!blocks_.empty()) sealed_ += blocks_.back().size;
  blocks_.push_back({data, bytes, 0, &text});
  text.references_++;
  held_ += bytes;
  tail_ = end_ = data + bytes;
}

void OutputBuffer::add_block(size_t bytes) {
  seal_tail();
  if (!blocks_.empty()) sealed_ += blocks_.back().size;
  bool first = (blocks_.empty() || blocks_.back().shared) && bytes <= kFirstBlockBytes;
  size_t capacity = first ? kFirstBlockBytes : memory::good_size(bytes > kBlockBytes ? bytes : kBlockBytes);
  char* data = first ? first_blocks.take() : static_cast<char*>(memory::allocate(capacity));
  blocks_.push_back({data, 0, capacity});
  held_ += capacity;
  tail_ = data;
  end_ = data + capacity;
}

void OutputBuffer::open_tail() {
  if (blocks_.empty()) {
    tail_ = end_ = nullptr;
    return;
  }
  Block& last = blocks_.back();
  tail_ = last.data + last.size;
  end_ = last.shared ? tail_ : last.data + last.capacity;
}

void OutputBuffer::insert(Mark at, Bytes b) {
  CHECK(at.block < blocks_.size());
  seal_tail();
  Block& block = blocks_[at.block];
  if (block.size + b.size() > block.capacity) {
    size_t capacity = memory::good_size(block.size + b.size());
    block.data = static_cast<char*>(memory::reallocate(block.data, capacity));
    held_ += capacity - block.capacity;
    block.capacity = capacity;
  }
  std::memmove(block.data + at.offset + b.size(), block.data + at.offset, block.size - at.offset);
  std::memcpy(block.data + at.offset, b.data(), b.size());
  block.size += b.size();
  if (at.block + 1 < blocks_.size()) sealed_ += b.size();
  open_tail();
}

void OutputBuffer::truncate(Mark at) {
  CHECK(at.block < blocks_.size());
  seal_tail();
  while (blocks_.size() > at.block + 1) {
    release(blocks_.back());
    blocks_.pop_back();
    sealed_ -= blocks_.back().size;
  }
  blocks_.back().size = at.offset;
  open_tail();
}

int OutputBuffer::pieces(iovec* out, int limit) const {
  int n = 0;
  for (size_t i = 0; i < blocks_.size() && n < limit; i++) {
    const Block& block = blocks_[i];
    size_t size = i + 1 == blocks_.size() ? static_cast<size_t>(tail_ - block.data) : block.size;
    size_t skip = i == 0 ? consumed_ : 0;
    if (size == skip) continue;
    out[n++] = {block.data + skip, size - skip};
  }
  return n;
}

void OutputBuffer::consume(size_t bytes) {
  if (bytes == pending()) return clear();
  seal_tail();
  consumed_ += bytes;
  size_t done = 0;
  while (done + 1 < blocks_.size() && consumed_ >= blocks_[done].size) {
    consumed_ -= blocks_[done].size;
    sealed_ -= blocks_[done].size;
    release(blocks_[done]);
    done++;
  }
  blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<ptrdiff_t>(done));
}

void OutputBuffer::clear() {
  constexpr size_t kKeptBlocks = 64;
  if (blocks_.size() == 1 && blocks_[0].capacity == kFirstBlockBytes && blocks_.capacity() <= kKeptBlocks) {
    first_blocks.give(blocks_[0].data);   // nearly always
    blocks_.clear();
    tail_ = end_ = nullptr;
    consumed_ = held_ = 0;
    return;
  }
  seal_tail();
  for (const Block& block : blocks_) release(block);
  blocks_.clear();
  if (blocks_.capacity() > kKeptBlocks) blocks_.shrink_to_fit();
  tail_ = end_ = nullptr;
  consumed_ = sealed_ = held_ = 0;
}

void OutputBuffer::take(OutputBuffer& other) {
  iovec piece[64];
  while (int n = other.pieces(piece, 64)) {
    size_t bytes = 0;
    for (int i = 0; i < n; i++) {
      append({static_cast<char*>(piece[i].iov_base), piece[i].iov_len});
      bytes += piece[i].iov_len;
    }
    other.consume(bytes);
  }
}

void OutputBuffer::copy_to(char* out) const {
  std::vector<iovec> piece(blocks_.size());
  int n = pieces(piece.data(), static_cast<int>(piece.size()));
  for (int i = 0; i < n; i++) {
    std::memcpy(out, piece[i].iov_base, piece[i].iov_len);
    out += piece[i].iov_len;
  }
}

std::string OutputBuffer::text() const {
  std::string all(pending(), '\0');
  copy_to(all.data());
  return all;
}

}  // namespace vitrine
