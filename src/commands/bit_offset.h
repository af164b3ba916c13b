// Where a bit stands in a string, as the bit commands are told.
#pragma once

#include "base/numbers.h"
#include "engine/call.h"

namespace vitrine {

// `text` is a number of bits or, where `width` is given, "#n" for n fields of that width. Latches Redis' error when it
// is none, negative, or beyond the longest string allowed.
inline uint64_t read_bit_offset(Call& c, Bytes text, uint64_t width = 0) {
  bool fields = width > 0 && text.starts_with('#');
  auto number = parse_int64(fields ? text.substr(1) : text);
  unsigned __int128 at = number && *number >= 0 ? static_cast<unsigned __int128>(*number) * (fields ? width : 1) : 0;
  if (!number || *number < 0 || at / 8 >= c.keyspace.options().max_string_bytes) {
    c.args.fail("ERR bit offset is not an integer or out of range");
    return 0;
  }
  return static_cast<uint64_t>(at);
}

}  // namespace vitrine
