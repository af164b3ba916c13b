#include "io/clock.h"

#include <sys/resource.h>

namespace vitrine {

namespace {

int64_t read_ns(clockid_t which) {
  timespec t;
  clock_gettime(which, &t);
  return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

}  // namespace

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
