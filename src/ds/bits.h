// Runs of bits in memory, counted and searched. Bit 0 is the highest of the first byte, as in Redis' bitmaps.
//
// The fastest way that the processor knows is chosen at the first call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace vitrine {

// How many bits are set.
uint64_t count_bits(Bytes bytes);
// How many are set from bit `first` to bit `last`, both included. REQUIRES: first <= last < 8 * bytes.size().
uint64_t count_bits(Bytes bytes, uint64_t first, uint64_t last);
// The first bit of this value from bit `first` to bit `last`, both included; -1 if there is none. REQUIRES: as above.
int64_t find_bit(Bytes bytes, bool value, uint64_t first, uint64_t last);

inline bool bit_at(Bytes bytes, uint64_t at) {
  return at / 8 < bytes.size() && (static_cast<uint8_t>(bytes[at / 8]) >> (7 - at % 8) & 1);
}

}  // namespace vitrine
