#include "wire/rdb_output.h"

#include <liblzf/lzf.h>

#include <algorithm>

#include "base/memory.h"
#include "base/numbers.h"
#include "wire/crc64.h"

namespace vitrine {

namespace {

constexpr size_t kLongestIntText = 11;    // "-2147483648"
constexpr size_t kShortestCompressed = 21;
constexpr size_t kLeastGain = 4;          // bytes that compression must save
constexpr size_t kFirstRoom = 512;        // of an output in memory

}  // namespace

RdbOutput::RdbOutput(const Options& options, Sink* sink) : options_(options), sink_(sink) {
  size_t bytes = sink ? kPiece + 64 : kFirstRoom;
  buffer_ = at_ = static_cast<char*>(memory::allocate(bytes));
  end_ = buffer_ + bytes;
}

RdbOutput::~RdbOutput() {
  memory::release(buffer_);
  memory::release(scratch_);
}

void RdbOutput::flush() {
  Bytes piece = view();
  if (options_.checksum) crc_ = crc64(crc_, piece);
  if (ok_) ok_ = sink_->write(piece);
  flushed_ += piece.size();
  at_ = buffer_;
}

void RdbOutput::make_room(size_t n) {
  if (sink_) {
    flush();
    if (static_cast<size_t>(end_ - at_) >= n) return;
  }
  size_t held = used(), bytes = std::max(held + n, 2 * static_cast<size_t>(end_ - buffer_));
  buffer_ = static_cast<char*>(memory::reallocate(buffer_, bytes));
  at_ = buffer_ + held;
  end_ = buffer_ + bytes;
}

void RdbOutput::raw(Bytes data) {
  // Large ones leave as they are.
  if (sink_ && data.size() >= kPiece) {
    flush();
    if (options_.checksum) crc_ = crc64(crc_, data);
    if (ok_) ok_ = sink_->write(data);
    flushed_ += data.size();
    return;
  }
  if (data.empty()) return;
  std::memcpy(room(data.size()), data.data(), data.size());
  at_ += data.size();
}

void RdbOutput::length(uint64_t n) {
  char* p = room(9);
  if (n < 64) {
    *p = static_cast<char>(n);
    at_ += 1;
  } else if (n < 1 << 14) {
    p[0] = static_cast<char>(0x40 | n >> 8);
    p[1] = static_cast<char>(n);
    at_ += 2;
  } else if (n <= UINT32_MAX) {
    p[0] = static_cast<char>(rdb::kLength32);
    uint32_t big = __builtin_bswap32(static_cast<uint32_t>(n));
    std::memcpy(p + 1, &big, 4);
    at_ += 5;
  } else {
    p[0] = static_cast<char>(rdb::kLength64);
    uint64_t big = __builtin_bswap64(n);
    std::memcpy(p + 1, &big, 8);
    at_ += 9;
  }
}

void RdbOutput::integer(int64_t n) {
  char* p = room(5);
  auto put = [&](rdb::StringForm form, auto v) {
    *p = static_cast<char>(rdb::kEncoded | form);
    std::memcpy(p + 1, &v, sizeof v);
    at_ += 1 + sizeof v;
  };
  if (n == static_cast<int8_t>(n)) return put(rdb::kInt8, static_cast<int8_t>(n));
  if (n == static_cast<int16_t>(n)) return put(rdb::kInt16, static_cast<int16_t>(n));
  if (n == static_cast<int32_t>(n)) return put(rdb::kInt32, static_cast<int32_t>(n));
  char digits[kInt64Chars];
  size_t size = format_int64(digits, n);
  length(size);
  raw(Bytes(digits, size));
}

void RdbOutput::string(Bytes text) {
  if (text.size() <= kLongestIntText) {
    if (!text.empty() && (text[0] == '-' || static_cast<unsigned char>(text[0] - '0') < 10))
      if (auto n = parse_int64(text); n && *n == static_cast<int32_t>(*n)) return integer(*n);
  } else if (options_.compress && text.size() >= kShortestCompressed && compressed(text)) {
    return;
  }
  length(text.size());
  raw(text);
}

bool RdbOutput::compressed(Bytes text) {
  if (text.size() > UINT32_MAX) return false;
  size_t most = text.size() - kLeastGain;
  char* p = room(1 + 9 + 9 + most);
  // Compressed where it will stand, behind the longest head; then moved up to its real one.
  constexpr size_t kHead = 1 + 5 + 5;
  unsigned n = lzf_compress(text.data(), static_cast<unsigned>(text.size()), p + kHead, static_cast<unsigned>(most));
  if (n == 0) return false;
  byte(rdb::kEncoded | rdb::kLzf);
  length(n);
  length(text.size());
  std::memmove(at_, p + kHead, n);
  at_ += n;
  return true;
}

char* RdbOutput::scratch(size_t n) {
  if (n > scratch_room_) {
    memory::release(scratch_);
    scratch_room_ = std::max(n, 2 * scratch_room_);
    scratch_ = static_cast<char*>(memory::allocate(scratch_room_));
  }
  return scratch_;
}

bool RdbOutput::finish_file() {
  byte(rdb::kEnd);
  flush();
  fixed64(options_.checksum ? crc_ : 0);
  if (ok_) ok_ = sink_->write(view());
  flushed_ += used();
  at_ = buffer_;
  return ok_;
}

void RdbOutput::finish_payload() {
  fixed16(static_cast<uint16_t>(options_.version));
  fixed64(crc64(0, view()));
}

}  // namespace vitrine
