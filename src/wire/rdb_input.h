// RdbInput: reads snapshot bytes (wire/rdb_format.h) that nobody has vouched for, from memory or from a source.
//
// The first error is latched with its offset; from then on every read gives zero or nothing, so callers check failed()
// where a wrong number would cost something, and at the end. No count or length is believed further than the bytes that
// are really there: reserve(n) says how much of a claimed count is worth preparing for.
//
// A string that was read stays valid until the second string() after it: long enough for a field and its value.
#pragma once

#include <array>
#include <cstring>
#include <string>

#include "base/bytes.h"
#include "wire/rdb_format.h"

namespace vitrine {

class RdbInput {
 public:
  class Source {
   public:
    virtual ~Source() = default;
    // Up to `n` bytes; 0 at the end, or after an error, which the source remembers.
    virtual size_t read(char* to, size_t n) = 0;
    // How many bytes are yet to be read from it.
    virtual uint64_t left() const = 0;
  };

  // All of it at hand.
  explicit RdbInput(Bytes memory, int version = rdb::kNewestVersion);
  // The checksum runs along if `checksum`.
  RdbInput(Source& source, bool checksum);
  ~RdbInput();
  RdbInput(const RdbInput&) = delete;
  RdbInput& operator=(const RdbInput&) = delete;

  int version() const { return version_; }
  void set_version(int version) { version_ = version; }
  // Whether values are checked for what only a forger would write (duplicates); the rest always is.
  bool suspicious() const { return !source_; }

  uint8_t byte() { return need(1) ? static_cast<uint8_t>(*at_++) : 0; }
  uint16_t fixed16() { return fixed<uint16_t>(); }
  uint32_t fixed32() { return fixed<uint32_t>(); }
  uint64_t fixed64() { return fixed<uint64_t>(); }
  double real() { return fixed<double>(); }
  // A length; a string's form where a length must stand is an error.
  uint64_t length();
  Bytes string();
  // The same bytes, not unpacked: only steps over it.
  void skip_string();
  // `n` bytes as they are; valid like a string.
  Bytes raw(size_t n);

  // How many of `claimed` elements of at least `least` bytes can really follow.
  uint64_t reserve(uint64_t claimed, size_t least) const;
  uint64_t offset() const { return consumed_ + static_cast<uint64_t>(at_ - start_); }
  // What was read from the source and not consumed.
  Bytes rest() const { return {at_, static_cast<size_t>(end_ - at_)}; }
  bool at_end() const { return at_ == end_ && (!source_ || source_->left() == 0); }

  bool failed() const { return failed_; }
  // REQUIRES: failed(). What is wrong, and at which byte.
  const std::string& error() const { return error_; }
  uint64_t error_offset() const { return error_offset_; }
  // Always returns false.
  bool fail(Bytes what);

  // The checksum of all that was consumed.
  uint64_t checksum();

 private:
  // The blocks of the last strings stay: a view lives through two more refills for each of the two strings after it.
  static constexpr size_t kBlocks = 6, kScratches = 3;

  bool need(size_t n) {
    if (__builtin_expect(static_cast<size_t>(end_ - at_) >= n, 1)) return true;
    return refill(n);
  }
  template <class T>
  T fixed() {
    T v{};
    if (need(sizeof v)) {
      std::memcpy(&v, at_, sizeof v);
      at_ += sizeof v;
    }
    return v;
  }
  bool refill(size_t n);
  void count_checksum();
  bool prefix(uint64_t& n, bool& encoded);
  Bytes encoded_string(uint64_t form);
  Bytes number(int64_t n);
  Bytes lzf();
  char* scratch(size_t n);

  struct Block {
    char* bytes = nullptr;
    size_t room = 0;
  };

  Source* source_ = nullptr;
  int version_;
  bool with_checksum_ = false, failed_ = false;
  // What is at hand: [start_, end_), of which [start_, at_) was consumed and [summed_, at_) is not in crc_ yet.
  const char *start_, *at_, *end_, *summed_;
  uint64_t consumed_ = 0;            // before start_
  uint64_t crc_ = 0;
  std::array<Block, kBlocks> blocks_;
  size_t block_ = 0;
  std::array<Block, kScratches> scratches_;
  size_t scratch_ = 0;
  std::string error_;
  uint64_t error_offset_ = 0;
};

}  // namespace vitrine
