#include "base/ticks.h"

#include <time.h>

namespace vitrine {

namespace {

double ns_per_tick = 0.4;

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
  if (counted) ns_per_tick = static_cast<double>(elapsed) / static_cast<double>(counted);
}

uint64_t ticks_to_ns(uint64_t t) { return static_cast<uint64_t>(static_cast<double>(t) * ns_per_tick); }
uint64_t ns_to_ticks(uint64_t ns) { return static_cast<uint64_t>(static_cast<double>(ns) / ns_per_tick); }

}  // namespace vitrine
