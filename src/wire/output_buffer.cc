#include "wire/output_buffer.h"

#include <new>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

namespace {

// First blocks that were sent and wait to be used again: every turn takes one for each client that gets a reply, and
// the allocator's own cache of blocks this size is smaller than a turn. At most 1 MB, for good, for each thread
// that has output buffers (the executor).
class FirstBlocks {
 public:
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

constinit thread_local FirstBlocks first_blocks;

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

void OutputBuffer::seal() {
  if (!last_.data) return;
  last_.size = last_size();
  sealed_bytes_ += last_.size;
  sealed_.push_back(last_);
}

// What is appended goes behind the first `size` bytes of the last block.
void OutputBuffer::open_at(size_t size) {
  tail_ = last_.data + size;
  end_ = last_.shared ? tail_ : last_.data + last_.capacity;
}

void OutputBuffer::add_shared(SharedText& text, char* data, size_t bytes) {
  seal();
  last_ = {data, 0, 0, &text};
  text.references_++;
  held_ += bytes;
  open_at(bytes);
}

void OutputBuffer::add_block(size_t bytes) {
  bool first = (!last_.data || last_.shared) && bytes <= kFirstBlockBytes;
  seal();
  size_t capacity = first ? kFirstBlockBytes : memory::good_size(bytes > kBlockBytes ? bytes : kBlockBytes);
  char* data = first ? first_blocks.take() : static_cast<char*>(memory::allocate(capacity));
  last_ = {data, 0, capacity, nullptr};
  held_ += capacity;
  open_at(0);
}

void OutputBuffer::insert(Mark at, Bytes b) {
  CHECK(at.block < block_count());
  const bool into_last = at.block == sealed_.size();
  Block& block = into_last ? last_ : sealed_[at.block];
  if (into_last) block.size = last_size();
  if (block.size + b.size() > block.capacity) {
    size_t capacity = memory::good_size(block.size + b.size());
    block.data = static_cast<char*>(memory::reallocate(block.data, capacity));
    held_ += capacity - block.capacity;
    block.capacity = capacity;
  }
  std::memmove(block.data + at.offset + b.size(), block.data + at.offset, block.size - at.offset);
  std::memcpy(block.data + at.offset, b.data(), b.size());
  block.size += b.size();
  if (into_last) open_at(block.size);
  else sealed_bytes_ += b.size();
}

void OutputBuffer::truncate(Mark at) {
  CHECK(at.block < block_count());
  last_.size = last_size();
  while (sealed_.size() > at.block) {
    release(last_);
    last_ = sealed_.back();
    sealed_.pop_back();
    sealed_bytes_ -= last_.size;
  }
  open_at(at.offset);
}

int OutputBuffer::pieces(iovec* out, int limit) const {
  int n = 0;
  size_t skip = consumed_;
  auto add = [&](char* data, size_t size) {
    if (size > skip) out[n++] = {data + skip, size - skip};
    skip = 0;
  };
  for (size_t i = 0; i < sealed_.size() && n < limit; i++) add(sealed_[i].data, sealed_[i].size);
  if (n < limit) add(last_.data, last_size());
  return n;
}

void OutputBuffer::consume(size_t bytes) {
  if (bytes == pending()) return clear();
  consumed_ += bytes;
  auto first = sealed_.begin();
  for (; first != sealed_.end() && consumed_ >= first->size; ++first) {
    consumed_ -= first->size;
    sealed_bytes_ -= first->size;
    release(*first);
  }
  sealed_.erase(sealed_.begin(), first);
}

void OutputBuffer::clear() {
  constexpr size_t kKeptBlocks = 64;
  last_.size = last_size();
  if (last_.data) release(last_);
  last_ = {};
  tail_ = end_ = nullptr;
  consumed_ = 0;
  for (const Block& block : sealed_) release(block);
  sealed_.clear();
  sealed_bytes_ = 0;
  if (sealed_.capacity() > kKeptBlocks) sealed_.shrink_to_fit();
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
  std::vector<iovec> piece(block_count());
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
