// Args: reads a command's arguments from left to right and latches the first error.
//
//   Bytes key = args.bytes();
//   int64_t count = args.integer();
//   while (args.more()) {
//     if (args.accept("NX")) nx = true;
//     else if (args.accept("COUNT")) limit = args.integer();
//     else args.fail();                       // "ERR syntax error"
//   }
//   if (!args.done()) return;                 // the error is already the reply
//
// After an error every read yields a zero value and more() is false, so no handler checks in between.
// Views live as long as the command runs.
#pragma once

#include <span>

#include "base/bytes.h"

namespace vitrine {

class ReplyBuilder;

class Args {
 public:
  static constexpr Bytes kSyntaxError = "ERR syntax error";
  static constexpr Bytes kNotInteger = "ERR value is not an integer or out of range";
  static constexpr Bytes kNotInt32 = "ERR value is out of range, value must between -2147483648 and 2147483647";
  static constexpr Bytes kNotFloat = "ERR value is not a valid float";

  // Starts behind the command's name (`skip` words: 2 for a subcommand).
  Args(std::span<const Bytes> argv, ReplyBuilder& reply, size_t skip = 1) : argv_(argv), reply_(&reply), at_(skip) {}

  // The whole argv, name included.
  std::span<const Bytes> argv() const { return argv_; }
  size_t size() const { return argv_.size(); }
  Bytes operator[](size_t i) const { return argv_[i]; }

  bool more() const { return !failed_ && at_ < argv_.size(); }
  size_t left() const { return failed_ ? 0 : argv_.size() - at_; }
  size_t position() const { return at_; }
  void seek(size_t position) { at_ = position; }

  Bytes bytes();                     // a missing argument is a syntax error
  Bytes peek() const { return more() ? argv_[at_] : Bytes{}; }
  int64_t integer(Bytes error = kNotInteger);
  // An integer within [low, high]; outside it `range_error`.
  int64_t integer(int64_t low, int64_t high, Bytes range_error, Bytes parse_error = kNotInteger);
  double real(Bytes error = kNotFloat);
  // The rest, or the next `count`.
  std::span<const Bytes> rest();
  std::span<const Bytes> take(size_t count);

  // Consumes the next argument if it is this word, ignoring case.
  bool accept(Bytes word);
  // Likewise, and only if at least `following` more arguments are there.
  bool accept(Bytes word, size_t following);

  // Latches an error; the first one counts. `text` must be a literal or outlive the command.
  void fail(Bytes text = kSyntaxError);
  void fail_formatted(std::string text);
  bool failed() const { return failed_; }
  // True when nothing failed and everything was read; otherwise the error has been replied.
  bool done();

 private:
  std::span<const Bytes> argv_;
  ReplyBuilder* reply_;
  size_t at_;
  bool failed_ = false;
};

}  // namespace vitrine
