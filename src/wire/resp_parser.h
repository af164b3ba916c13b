// RespParser: bytes from a client -> commands, as views into those bytes. Nothing is copied.
//
// Source: the RESP specification (redis.io/docs/reference/protocol-spec), requests: an array of bulk strings
// (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or an inline command (`GET k\r\n`, with quoting as in redis-cli).
//
// The owner keeps the bytes not yet consumed in one contiguous buffer whose first byte is the first byte of the command
// under way, and passes it whole to each parse(); the parser remembers how far it came, so that a command that arrives
// in a thousand pieces costs no more than one that arrives at once.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

// The whole commands found in one parse(), each an argv of views into the parsed buffer.
class CommandBatch {
 public:
  size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  std::span<const Bytes> operator[](size_t i) const {
    size_t begin = i ? ends_[i - 1].argument : 0;
    return {args_.data() + begin, ends_[i].argument - begin};
  }
  // Where command `i` begins in the parsed buffer: to go on from there another time.
  size_t begin_offset(size_t i) const { return i ? ends_[i - 1].offset : 0; }
  // For other parsers: a command's arguments one by one, then where it ends in the parsed buffer.
  void add_argument(Bytes argument) { *room_for(1) = argument, used_++; }
  void end_command(size_t offset) { ends_.push_back({used_, offset}); }
  // The last command ends later than was said.
  void extend_last(size_t offset) { ends_.back().offset = offset; }
  // Forgets the commands behind the first `n`, and arguments without an end.
  void keep(size_t n) {
    ends_.resize(n);
    used_ = ended();
  }
  void clear() {
    used_ = 0;
    ends_.clear();
    if (args_.size() > kKeptArguments) std::vector<Bytes>().swap(args_);
    unescaped_.clear();
  }

 private:
  friend class RespParser;
  struct End {
    size_t argument;                    // behind the last one, in args_
    size_t offset;                      // behind the last byte, in the buffer
  };
  static constexpr size_t kKeptArguments = 1024, kLeastArguments = 64;
  // How many arguments belong to whole commands.
  size_t ended() const { return ends_.empty() ? 0 : ends_.back().argument; }
  // Where the next `n` arguments stand; they count when used_ says so.
  Bytes* room_for(size_t n) {
    if (__builtin_expect(args_.size() - used_ < n, 0)) args_.resize(std::max(used_ + used_ / 2 + n, kLeastArguments));
    return args_.data() + used_;
  }

  std::vector<Bytes> args_;             // the first used_ of them count
  size_t used_ = 0;
  std::vector<End> ends_;
  std::vector<std::string> unescaped_;  // inline arguments that had escapes
};

class RespParser {
 public:
  struct Limits {
    int64_t max_bulk_bytes = 512ll * 1024 * 1024;
    bool authenticated = true;      // before AUTH, only small requests are taken
    size_t batch_end = 1024;        // a parse() ends when the batch has so many commands
  };
  static constexpr size_t kMaxInlineBytes = 64 * 1024;
  static constexpr int64_t kMaxArguments = 2147483647;

  // Parses from the front of `buffer`; appends whole commands to `batch`; returns the bytes consumed by them. After an
  // error (error() not empty) nothing more will be parsed; commands before it are still in the batch. A command past
  // the limits is an error only where it is the first of a parse(): those before it may change the limits (AUTH, CONFIG
  // SET), so it is left to the next one.
  size_t parse(Bytes buffer, const Limits& limits, CommandBatch& batch);

  // Forgets the command under way: the next parse() begins at a command's first byte again.
  void restart();

  // Empty, or what Redis says after "Protocol error: ".
  Bytes error() const { return error_; }
  // Bytes that the command under way needs in the buffer in all, as far as known; 0 when between commands.
  size_t bytes_wanted() const { return wanted_; }
  // Bytes of the command under way that belong to arguments which are there whole.
  size_t bytes_parsed() const { return at_; }
  // True while part of a command has been seen.
  bool midway() const { return remaining_ > 0 || !partial_.empty(); }
  int64_t multibulk_remaining() const { return remaining_; }

 private:
  enum class Step { command, need_more, failed, over_limit };
  inline bool parse_whole(Bytes buffer, const Limits& limits, CommandBatch& batch);
  Step parse_multibulk(Bytes buffer, const Limits& limits);
  Step parse_header(Bytes buffer, const Limits& limits);
  Step parse_bulks(Bytes buffer, const Limits& limits);
  Step parse_inline(Bytes buffer, CommandBatch& batch);
  Step fail(std::string text);
  Step pass_limit(const char* error);
  Step stop_at_lineless(Bytes buffer, const char* error);
  void yield(Bytes buffer, CommandBatch& batch);

  struct Span {
    size_t offset, length;
  };
  size_t start_ = 0;              // of the command under way, in the buffer of this parse()
  size_t at_ = 0;                 // next unread byte, from start_
  int64_t remaining_ = 0;         // bulks still to come
  int64_t bulk_length_ = -1;      // of the bulk under way, -1 before its header
  std::string error_;
  size_t wanted_ = 0;
  std::vector<Span> partial_;     // bulks seen, from start_
};

// Splits a line into words by redis-cli's quoting rules ("a\x20b", 'c d'); false when quotes do not balance.
bool split_quoted(Bytes line, std::vector<std::string>& words);

}  // namespace vitrine
