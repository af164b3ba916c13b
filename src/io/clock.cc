#include "io/clock.h"

#include <sys/resource.h>

namespace vitrine {

namespace {

int64_t read_ns(clockid_t which) {
  timespec t;
  clock_gettime(which, &t);
  return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

struct Stamp {
  uint64_t ticks;
  int64_t ns;
};

// An interruption between the two reads would spoil the pair, so the tightest of several is taken.
Stamp tight_stamp() {
  Stamp best{};
  uint64_t best_gap = ~uint64_t{0};
  for (int i = 0; i < 8; i++) {
    uint64_t before = ticks_now();
    int64_t ns = read_ns(CLOCK_MONOTONIC);
    uint64_t gap = ticks_now() - before;
    if (gap < best_gap) best = {before + gap / 2, ns}, best_gap = gap;
  }
  return best;
}

}  // namespace

TickScale::TickScale() {
  constexpr int64_t kSampleNs = 2'000'000;
  Stamp first = tight_stamp();
  while (read_ns(CLOCK_MONOTONIC) - first.ns < kSampleNs) {
  }
  Stamp last = tight_stamp();
  uint64_t ticks = last.ticks - first.ticks;
  mult_ = ticks ? (static_cast<unsigned __int128>(last.ns - first.ns) << 32) / ticks : uint64_t{1} << 32;
  if (mult_ == 0) mult_ = 1;
}

CpuTimes cpu_times(CpuOf whose) {
  int who = whose == CpuOf::process ? RUSAGE_SELF : whose == CpuOf::thread ? RUSAGE_THREAD : RUSAGE_CHILDREN;
  rusage usage{};
  getrusage(who, &usage);
  auto us = [](const timeval& t) { return int64_t{t.tv_sec} * 1000000 + t.tv_usec; };
  return {us(usage.ru_utime), us(usage.ru_stime)};
}

int64_t thread_cpu_ns() { return read_ns(CLOCK_THREAD_CPUTIME_ID); }
int64_t process_cpu_ns() { return read_ns(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace vitrine
