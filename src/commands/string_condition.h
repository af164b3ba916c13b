// What the string at a key must be for SET and DELEX to go on: IFEQ and IFNE compare the string itself, IFDEQ and IFDNE
// its digest (XXH3, 64 bits without a seed, as 16 hexadecimal digits: what DIGEST replies).
#pragma once

#include "engine/args.h"
#include "store/entry.h"

namespace vitrine {

uint64_t string_digest(Bytes content);

class StringCondition {
 public:
  // Consumes the next argument and its operand if it is a condition. An operand that is no digest latches an error.
  bool accept(Args& args);
  bool given() const { return kind_ != none; }
  // A missing key (null) differs from everything. REQUIRES: given(), and it is a string if it is there.
  bool holds(const Entry* string) const;

 private:
  enum Kind : uint8_t { none, equal, different, equal_digest, different_digest };
  Kind kind_ = none;
  Bytes value_;
  uint64_t digest_ = 0;
};

}  // namespace vitrine
