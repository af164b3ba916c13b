// AofReader: the commands of one file of the append-only log, as views into what was read.
//
//   #TS:1700000000\r\n                                    an annotation: when what follows was written, in seconds
//   *2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n                     a unit: one command
//   *1\r\n$5\r\nMULTI\r\n ... *1\r\n$4\r\nEXEC\r\n        a unit: a transaction
//
// A unit is given out when it is there as a whole, never in part; MULTI and EXEC themselves are not given out.
// Annotations of other kinds are stepped over.
//
// What the end may look like:
//   whole       the last unit ends where the file ends
//   cut         a unit begins and the file ends within it, as a crash leaves it; or from some byte on there are zeros
//               only, as a power failure leaves them: nothing but that unit is lost by cutting the file at offset()
//   broken      what stands there is no command; or a length reaches beyond the end, and yet whole commands follow
//   unreadable  the disk says no
//
// Bytes are believed as far as they are there: no count or length allocates more than the file holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/file.h"
#include "wire/resp_parser.h"

namespace vitrine {

class AofReader {
 public:
  enum class Ending : uint8_t { none, whole, cut, broken, unreadable };

  // `file` lives as long as this. If its front was read by another (a snapshot): how many bytes that took, and what it
  // has read beyond.
  explicit AofReader(ReadFile& file, uint64_t offset = 0, Bytes at_hand = {});

  // Whole units, of `most` commands or a little more, as room is: a unit with more commands than that comes whole. The
  // views live until the next call. False: nothing is left, and ending() says why.
  bool read(CommandBatch& batch, size_t most);

  // In the file: behind the last unit that was given out, and the beginning of a command of the last batch.
  uint64_t offset() const { return buffer_offset_ + at_; }
  uint64_t offset_of(const CommandBatch& batch, size_t i) const;
  // Of the last annotation before offset(), in seconds; 0: none.
  int64_t timestamp_s() const { return timestamp_s_; }
  uint64_t transactions() const { return transactions_; }

  Ending ending() const { return ending_; }
  // REQUIRES: ending() is not none. "byte 71: a command begins here that the file ends within".
  const std::string& sentence() const { return sentence_; }

 private:
  enum class Step : uint8_t { command, annotation, need_more, broken };
  Step read_unit(CommandBatch& batch);
  Step read_transaction(size_t& at, CommandBatch& batch);
  Step parse(size_t& at, CommandBatch& batch);
  Step parse_annotation(size_t& at);
  Step parse_length(size_t& at, char mark, uint64_t& value);
  Step fail(size_t at, std::string what);
  bool refill();
  bool read_some(size_t bytes);
  void end(Ending ending, std::string sentence);
  void finish();
  bool command_follows(uint64_t& where);
  void settle_broken();
  bool only_zeros_follow();

  ReadFile& file_;
  std::vector<char> buffer_;
  size_t filled_ = 0;               // bytes of the buffer that were read
  size_t at_ = 0;                   // where the next unit begins, in the buffer
  size_t batch_begin_ = 0;          // where the last batch begins
  size_t command_at_ = 0;           // the command that was parsed last, or in part
  size_t broken_at_ = 0;            // what is wrong with it
  uint64_t wanted_ = 0;             // where it ends at the earliest; 0: not known
  bool in_transaction_ = false;     // it is part of one
  uint64_t buffer_offset_ = 0;      // of the buffer's first byte, in the file
  uint64_t left_ = 0;               // yet to be read from the file
  int64_t timestamp_s_ = 0;
  uint64_t transactions_ = 0;
  Ending ending_ = Ending::none;
  std::string sentence_;
};

}  // namespace vitrine
