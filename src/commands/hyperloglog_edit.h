// HyperLogLogs as string values: how their commands open and replace them.
#pragma once

#include "ds/hyperloglog.h"
#include "engine/call.h"
#include "store/string.h"

namespace vitrine {

constexpr Bytes kNotASketch = "WRONGTYPE Key is not a valid HyperLogLog string value.";
constexpr Bytes kCorruptSketch = "INVALIDOBJ Corrupted HLL object detected";

// The sketch at a key; empty if there is no such key. If it holds something else, `wrong` is set and the error replied.
// For writing, it counts as edited: OBJECT ENCODING says raw from now on, as in Redis.
struct FoundSketch {
  Entry* entry = nullptr;
  Bytes bytes;
  bool wrong = false;
  char number[24];

  FoundSketch(Call& c, Bytes key, bool for_write);
  FoundSketch(const FoundSketch&) = delete;
};

// Both replace what is at the key, with its expiry kept, and announce nothing. `sketch` and `header` (kHeader bytes, in
// which the encoding does not count) must not lie in the entry.
void store_sketch(Call& c, Bytes key, Entry* entry, Bytes sketch);
void store_dense(Call& c, Bytes key, Entry* entry, Bytes header, const hll::Registers& registers);

}  // namespace vitrine
