// Ticks: the processor's time stamp counter, for stamping every command at a cost of a few nanoseconds.
//
// Invariant TSCs (every x86-64 server of the last decade) run at one rate on all cores. The rate is measured once at
// start against the monotonic clock.
#pragma once

#include <x86intrin.h>

#include <cstdint>

namespace vitrine {

inline uint64_t ticks() { return __rdtsc(); }

// Takes about ten milliseconds; call once before any conversion.
void calibrate_ticks();
extern uint64_t ns_per_tick_fixed;  // times 2^32
inline uint64_t ticks_to_ns(uint64_t ticks) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(ticks) * ns_per_tick_fixed) >> 32);
}
uint64_t ns_to_ticks(uint64_t ns);

}  // namespace vitrine
