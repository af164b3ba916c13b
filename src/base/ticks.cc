#include "base/ticks.h"

#include <time.h>

namespace vitrine {

uint64_t ns_per_tick_fixed = 0x66666666;  // 2.5 GHz until measured

namespace {

uint64_t monotonic_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace

void calibrate_ticks() {
  uint64_t ns = monotonic_ns(), start = ticks();
  timespec pause{0, 10'000'000};
  nanosleep(&pause, nullptr);
  uint64_t elapsed = monotonic_ns() - ns, counted = ticks() - start;
  if (counted) ns_per_tick_fixed = static_cast<uint64_t>((static_cast<unsigned __int128>(elapsed) << 32) / counted);
}

uint64_t ns_to_ticks(uint64_t ns) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(ns) << 32) / ns_per_tick_fixed);
}

}  // namespace vitrine
