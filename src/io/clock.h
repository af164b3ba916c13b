// Time, behind one small object, so that a test or a simulation can hold its own.
//
// Units: wall time counts from the Unix epoch and may jump (NTP, an administrator); monotonic time counts from an
// unspecified start and never goes back: deadlines and durations use it. Nothing here allocates or fails.
//
// The virtual calls cost some 25 ns each; the hot path reads the moment that EventLoop caches once per turn, and
// stamps single commands with ticks.
#pragma once

#include <cstdint>
#include <ctime>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace vitrine {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t wall_us() const = 0;
  virtual int64_t monotonic_ns() const = 0;

  int64_t wall_ms() const { return wall_us() / 1000; }
  int64_t monotonic_us() const { return monotonic_ns() / 1000; }
  int64_t monotonic_ms() const { return monotonic_ns() / 1000000; }
};

class SystemClock final : public Clock {
 public:
  int64_t wall_us() const override { return ns(CLOCK_REALTIME) / 1000; }
  int64_t monotonic_ns() const override { return ns(CLOCK_MONOTONIC); }

 private:
  static int64_t ns(clockid_t which) {
    timespec t;
    clock_gettime(which, &t);
    return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
  }
};

// Moves only when told to.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t wall_start_us = 1'700'000'000'000'000) : wall_us_(wall_start_us) {}
  int64_t wall_us() const override { return wall_us_; }
  int64_t monotonic_ns() const override { return monotonic_ns_; }
  void advance_us(int64_t us) {
    wall_us_ += us;
    monotonic_ns_ += us * 1000;
  }
  void advance_ms(int64_t ms) { advance_us(ms * 1000); }
  // The wall alone jumps, as when an administrator sets the clock.
  void set_wall_us(int64_t us) { wall_us_ = us; }

 private:
  int64_t wall_us_;
  int64_t monotonic_ns_ = 1'000'000'000;
};

// The processor's own counter: the cheapest stamp there is (some 8 ns). Meaningful only as a difference between two
// stamps, made into nanoseconds by TickScale.
inline uint64_t ticks_now() {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  uint64_t value;
  asm volatile("mrs %0, cntvct_el0" : "=r"(value));
  return value;
#else
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
#endif
}

// How long a tick is. Measured once, in some 2 ms, against the monotonic clock (better than 0.1 %). REQUIRES: a
// counter of constant rate, which every processor of the last fifteen years has.
class TickScale {
 public:
  TickScale();
  int64_t ns(uint64_t ticks) const { return static_cast<int64_t>((static_cast<unsigned __int128>(ticks) * mult_) >> 32); }
  int64_t us(uint64_t ticks) const { return ns(ticks) / 1000; }
  uint64_t ticks_of_ns(int64_t ns) const { return (static_cast<unsigned __int128>(ns) << 32) / mult_; }

 private:
  uint64_t mult_;  // nanoseconds per tick, times 2^32
};

// Processor time used so far.
struct CpuTimes {
  int64_t user_us = 0, system_us = 0;
};
enum class CpuOf : uint8_t { process, thread, children };
CpuTimes cpu_times(CpuOf whose);
// User and system together, of the calling thread or of the process; finer than cpu_times.
int64_t thread_cpu_ns();
int64_t process_cpu_ns();

}  // namespace vitrine
