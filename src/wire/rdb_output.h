// RdbOutput: builds snapshot bytes (wire/rdb_format.h), in memory or towards a sink.
//
// With a sink, bytes leave in pieces of about kPiece; the checksum runs over each piece as it leaves. Errors of the
// sink are latched: from then on bytes are thrown away, and ok() tells.
#pragma once

#include <cstring>
#include <string>

#include "base/bytes.h"
#include "wire/rdb_format.h"

namespace vitrine {

class RdbOutput {
 public:
  static constexpr size_t kPiece = size_t{1} << 20;

  class Sink {
   public:
    virtual ~Sink() = default;
    virtual bool write(Bytes piece) = 0;   // false: an error that the sink remembers
  };
  struct Options {
    int version = rdb::kBaseVersion;       // what the bytes must be readable for
    bool compress = true;                  // long strings by LZF
    bool checksum = true;
  };

  explicit RdbOutput(const Options& options, Sink* sink = nullptr);
  ~RdbOutput();
  RdbOutput(const RdbOutput&) = delete;
  RdbOutput& operator=(const RdbOutput&) = delete;

  int version() const { return options_.version; }
  bool ok() const { return ok_; }
  // Everything ever written.
  uint64_t bytes() const { return flushed_ + used(); }

  void byte(uint8_t b) { *room(1) = static_cast<char>(b), at_++; }
  void raw(Bytes data);
  void length(uint64_t n);
  // In its smallest form: integer, compressed or plain.
  void string(Bytes text);
  // As string(format_int64(number)).
  void integer(int64_t number);
  void fixed64(uint64_t v) {
    std::memcpy(room(8), &v, 8);
    at_ += 8;
  }
  void fixed32(uint32_t v) {
    std::memcpy(room(4), &v, 4);
    at_ += 4;
  }
  void fixed16(uint16_t v) {
    std::memcpy(room(2), &v, 2);
    at_ += 2;
  }
  void real(double v) {
    std::memcpy(room(8), &v, 8);
    at_ += 8;
  }
  // For a string that is built in place: room for `n` bytes; string_from_scratch(n) then writes it as string() would.
  char* scratch(size_t n);
  void string_from_scratch(size_t n) { string(Bytes(scratch_, n)); }

  // The file's end: kEnd and the checksum (zero without one), all of it handed to the sink.
  bool finish_file();
  // The payload's end: version and checksum. Without a sink.
  void finish_payload();
  // Without a sink: all bytes so far.
  Bytes view() const { return Bytes(buffer_, used()); }

 private:
  size_t used() const { return static_cast<size_t>(at_ - buffer_); }
  // Where the next `n` bytes go.
  char* room(size_t n) {
    if (__builtin_expect(static_cast<size_t>(end_ - at_) < n, 0)) make_room(n);
    return at_;
  }
  void make_room(size_t n);
  void flush();
  bool compressed(Bytes text);

  Options options_;
  Sink* sink_;
  bool ok_ = true;
  uint64_t crc_ = 0, flushed_ = 0;
  char *buffer_, *at_, *end_;
  char* scratch_ = nullptr;
  size_t scratch_room_ = 0;
};

}  // namespace vitrine
