#include "wire/rdb_input.h"

#include <liblzf/lzf.h>

#include <algorithm>

#include "base/memory.h"
#include "base/numbers.h"
#include "wire/crc64.h"

namespace vitrine {

namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
// A compressed byte stands for no more than this: three bytes make at most 264.
constexpr uint64_t kMostExpansion = 88;
constexpr uint64_t kLongestString = uint64_t{4} << 30;

}  // namespace

RdbInput::RdbInput(Bytes memory, int version)
    : version_(version), with_checksum_(true), start_(memory.data()), at_(start_), end_(start_ + memory.size()),
      summed_(start_) {}

RdbInput::RdbInput(Source& source, bool checksum)
    : source_(&source), version_(0), with_checksum_(checksum), start_(nullptr), at_(nullptr), end_(nullptr),
      summed_(nullptr) {}

RdbInput::~RdbInput() {
  for (const Block& b : blocks_) memory::release(b.bytes);
  for (const Block& b : scratches_) memory::release(b.bytes);
}

bool RdbInput::fail(Bytes what) {
  if (failed_) return false;
  failed_ = true;
  error_ = what;
  error_offset_ = offset();
  at_ = end_;
  source_ = nullptr;
  return false;
}

void RdbInput::count_checksum() {
  if (with_checksum_) crc_ = crc64(crc_, Bytes(summed_, static_cast<size_t>(at_ - summed_)));
  summed_ = at_;
}

uint64_t RdbInput::checksum() {
  count_checksum();
  return crc_;
}

// Brings the rest of what is at hand and what follows together in the next block.
bool RdbInput::refill(size_t n) {
  if (failed_) return false;
  size_t rest = static_cast<size_t>(end_ - at_);
  if (!source_ || source_->left() < n - rest) return fail("the data ends too early");
  count_checksum();
  block_ = (block_ + 1) % kBlocks;
  Block& block = blocks_[block_];
  size_t wanted = std::max(n, kBlockBytes);
  if (block.room < wanted || block.room > 8 * wanted) {
    memory::release(block.bytes);
    block = {static_cast<char*>(memory::allocate(wanted)), wanted};
  }
  if (rest > 0) std::memcpy(block.bytes, at_, rest);
  size_t held = rest;
  while (held < n) {
    size_t got = source_->read(block.bytes + held, wanted - held);
    if (got == 0) return fail("the data ends too early");
    held += got;
  }
  consumed_ += static_cast<uint64_t>(at_ - start_);
  start_ = at_ = summed_ = block.bytes;
  end_ = start_ + held;
  return true;
}

Bytes RdbInput::raw(size_t n) {
  if (!need(n)) return {};
  Bytes data(at_, n);
  at_ += n;
  return data;
}

bool RdbInput::prefix(uint64_t& n, bool& encoded) {
  uint8_t first = byte();
  n = first & 0x3f;
  encoded = false;
  switch (first >> 6) {
    case 0: break;
    case 1: n = n << 8 | byte(); break;
    case 2:
      if (first == rdb::kLength32) n = __builtin_bswap32(fixed32());
      else if (first == rdb::kLength64) n = __builtin_bswap64(fixed64());
      else return fail("an unknown form of length");
      break;
    default: encoded = true;
  }
  return !failed_;
}

uint64_t RdbInput::length() {
  uint64_t n;
  bool encoded;
  if (!prefix(n, encoded)) return 0;
  if (encoded) return fail("an encoded string where a length must stand"), 0;
  return n;
}

uint64_t RdbInput::reserve(uint64_t claimed, size_t least) const {
  uint64_t there = static_cast<uint64_t>(end_ - at_) + (source_ ? source_->left() : 0);
  return std::min(claimed, there / least);
}

Bytes RdbInput::string() {
  uint64_t n;
  bool encoded;
  if (!prefix(n, encoded)) return {};
  if (__builtin_expect(!encoded, 1)) return n > kLongestString ? fail("an impossible length"), Bytes() : raw(n);
  return encoded_string(n);
}

void RdbInput::skip_string() { string(); }

char* RdbInput::scratch(size_t n) {
  scratch_ = (scratch_ + 1) % kScratches;
  Block& s = scratches_[scratch_];
  if (s.room < n || s.room > std::max<size_t>(kBlockBytes, 8 * n)) {
    memory::release(s.bytes);
    s.room = std::max<size_t>(n, 64);
    s.bytes = static_cast<char*>(memory::allocate(s.room));
  }
  return s.bytes;
}

Bytes RdbInput::number(int64_t n) {
  if (failed_) return {};
  char* digits = scratch(kInt64Chars);
  return {digits, format_int64(digits, n)};
}

Bytes RdbInput::encoded_string(uint64_t form) {
  switch (form) {
    case rdb::kInt8: return number(static_cast<int8_t>(byte()));
    case rdb::kInt16: return number(static_cast<int16_t>(fixed16()));
    case rdb::kInt32: return number(static_cast<int32_t>(fixed32()));
    case rdb::kLzf: return lzf();
    default: return fail("an unknown form of string"), Bytes();
  }
}

Bytes RdbInput::lzf() {
  uint64_t packed = length(), full = length();
  if (failed_) return {};
  if (packed == 0 || full == 0 || packed > kLongestString || full > packed * kMostExpansion || full > kLongestString)
    return fail("an impossible length of a compressed string"), Bytes();
  Bytes from = raw(packed);
  if (failed_) return {};
  char* to = scratch(full);
  unsigned n = lzf_decompress(from.data(), static_cast<unsigned>(packed), to, static_cast<unsigned>(full));
  if (n != full) return fail("a compressed string that does not unpack"), Bytes();
  return {to, full};
}

}  // namespace vitrine
