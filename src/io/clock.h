// Time, behind one small object, so that a test or a simulation can hold its own.
//
// Units: wall time counts from the Unix epoch and may jump (NTP, an administrator); monotonic time counts from an
// unspecified start and never goes back: deadlines and durations use it. Nothing here allocates or fails.
//
// The virtual calls cost some 25 ns each; the hot path reads the moment that EventLoop caches once per turn, and
// stamps single commands with base/ticks.h.
#pragma once

#include <cstdint>
#include <ctime>

namespace vitrine {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t wall_us() const = 0;
  virtual int64_t monotonic_ns() const = 0;
  // It goes on by itself, as the processor's counter does (base/ticks.h).
  virtual bool runs() const = 0;

  int64_t wall_ms() const { return wall_us() / 1000; }
  int64_t monotonic_us() const { return monotonic_ns() / 1000; }
  int64_t monotonic_ms() const { return monotonic_ns() / 1000000; }
};

class SystemClock final : public Clock {
 public:
  int64_t wall_us() const override { return ns(CLOCK_REALTIME) / 1000; }
  int64_t monotonic_ns() const override { return ns(CLOCK_MONOTONIC); }
  bool runs() const override { return true; }

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
  bool runs() const override { return false; }
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
