// OutputBuffer: bytes on their way out, as a chain of blocks.
//
// Appending never moves what was written (a reply of 512 MB is written once); sending consumes from the front. An empty
// buffer owns no memory, so ten thousand idle clients cost nothing. Blocks of the common size come from malloc's thread
// cache and go back to it.
//
// What many clients are sent alike stands in one SharedText: their buffers hold ranges of it, and the next range grows
// the one before if it follows it. So a message costs each of them a few instructions, whatever its length.
#pragma once

#include <sys/uio.h>

#include <cstring>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

// Bytes that several output buffers of one thread send. It only grows, and only while there is room: what was written
// never moves. It lives as long as anybody refers to it; the one who made it does until release().
class SharedText {
 public:
  static SharedText* make(size_t least_bytes);
  void release();

  // Room for `bytes` more? Null if not.
  char* reserve(size_t bytes) { return capacity_ - size_ >= bytes ? data() + size_ : nullptr; }
  void advance(size_t bytes) { size_ += static_cast<uint32_t>(bytes); }
  size_t size() const { return size_; }
  char* data() { return reinterpret_cast<char*>(this + 1); }

 private:
  friend class OutputBuffer;
  explicit SharedText(uint32_t capacity) : capacity_(capacity) {}

  uint32_t references_ = 1, size_ = 0, capacity_;
};

class OutputBuffer {
 public:
  static constexpr size_t kBlockBytes = 16 * 1024;
  static constexpr size_t kFirstBlockBytes = 4 * 1024;  // most turns' replies to a client fit

  OutputBuffer() = default;
  ~OutputBuffer() { clear(); }
  OutputBuffer(const OutputBuffer&) = delete;
  OutputBuffer& operator=(const OutputBuffer&) = delete;

  // Room for `bytes` more in one piece; what is written there counts after advance().
  char* reserve(size_t bytes) {
    if (__builtin_expect(static_cast<size_t>(end_ - tail_) < bytes, 0)) add_block(bytes);
    return tail_;
  }
  void advance(char* to) { tail_ = to; }

  void append(Bytes b) {
    if (b.empty()) return;
    char* p = reserve(b.size());
    std::memcpy(p, b.data(), b.size());
    tail_ = p + b.size();
  }

  // Appends a range of `text`, which stays where it is.
  void append_shared(SharedText& text, size_t from, size_t bytes) {
    char* data = text.data() + from;
    if (tail_ == data && last_.shared == &text) {
      tail_ = end_ = data + bytes;
      held_ += bytes;
    } else {
      add_shared(text, data, bytes);
    }
  }

  // A place to come back to, for what is only known later (the length of an array).
  struct Mark {
    size_t block = 0;
    size_t offset = 0;
  };
  Mark mark() { return reserve(1), Mark{sealed_.size(), last_size()}; }
  // REQUIRES: nothing before the mark has been consumed since.
  void insert(Mark at, Bytes b);
  void truncate(Mark at);

  bool empty() const { return pending() == 0; }
  size_t pending() const { return sealed_bytes_ + last_size() - consumed_; }
  // Bytes of memory held; what is shared counts in full.
  size_t capacity() const { return held_ + sealed_.capacity() * sizeof(Block); }
  size_t block_count() const { return sealed_.size() + (last_.data ? 1 : 0); }

  // All pending bytes, if they lie in one piece; else nothing.
  Bytes whole() const {
    if (!sealed_.empty()) return {};
    return {last_.data + consumed_, last_size() - consumed_};
  }
  // The pending bytes, front first, in at most `limit` pieces; returns how many pieces.
  int pieces(iovec* out, int limit) const;
  // Forgets the first `bytes` pending bytes. REQUIRES: bytes <= pending().
  void consume(size_t bytes);
  void clear();
  // As clear(), but keeps memory for what comes next where there is one block.
  void rewind() {
    if (!sealed_.empty() || last_.shared) return clear();
    consumed_ = 0;
    tail_ = last_.data;
  }
  // Moves everything pending in `other` behind what is here.
  void take(OutputBuffer& other);
  std::string text() const;
  // REQUIRES: room for pending() bytes.
  void copy_to(char* out) const;

 private:
  struct Block {
    char* data = nullptr;
    size_t size = 0;      // of a sealed one; the last one's is last_size()
    size_t capacity = 0;  // of an owned one
    SharedText* shared = nullptr;
  };

  void add_block(size_t bytes);
  void add_shared(SharedText& text, char* data, size_t bytes);
  void release(const Block& block);
  size_t last_size() const { return static_cast<size_t>(tail_ - last_.data); }
  // The last block takes no more, and makes room for another.
  void seal();
  void open_at(size_t size);

  // The last block stands here: nearly always it is the only one, and no other memory is touched.
  Block last_;                  // without data: there is none
  char* tail_ = nullptr;
  char* end_ = nullptr;
  size_t consumed_ = 0;         // of the first block
  size_t held_ = 0;
  std::vector<Block> sealed_;   // those before the last
  size_t sealed_bytes_ = 0;
};

}  // namespace vitrine
