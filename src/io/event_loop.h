// EventLoop waits for descriptors, timers and posted work and calls their owners on the one executor thread. It is
// plain epoll, level-triggered unless EPOLLET is asked for, and knows nothing of what the descriptors carry.
//
// One turn, as its owner writes it (run_once() is the short form of the same):
//
//   wait(timeout_ms)        sleeps until something is ready; the list of this turn's readiness is its result
//   dispatch_ready()        calls on_ready of every watcher in that list
//   dispatch_timers()       runs what is due, by deadline, then by age
//   dispatch_posted()       runs what post() brought, in order
//
// An owner that wants to treat a turn's readiness as a whole (read all, then execute all, then write all) walks the
// list itself instead of dispatch_ready(), skipping entries whose `watcher` is null or whose `events` are 0.
//
// Invariants: a watcher that was forgotten is never called again, even when its event already lies in this turn's
// list (its entry turns null), so a handler may forget and delete itself or any other watcher. A descriptor watched
// anew during a turn is not called in that turn. Timers and work added by a timer or by work run in a later turn.
//
// Threads: everything belongs to the thread that calls wait(), except post() and wake(), which any thread may call.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <sys/epoll.h>
#include <unordered_map>
#include <vector>

#include "base/ticks.h"
#include "io/clock.h"
#include "io/fd.h"
#include "io/work.h"

namespace vitrine {

// Told when its descriptor is ready. `events` holds EPOLLIN, EPOLLOUT, EPOLLRDHUP as asked for, and EPOLLERR and
// EPOLLHUP always: whoever sees those two reads (or writes) and learns the reason from that.
struct Watcher {
  virtual void on_ready(uint32_t events) = 0;

 protected:
  ~Watcher() = default;
};

struct Ready {
  Watcher* watcher;  // null: forgotten since
  uint32_t events;
  int fd;
};

// Never 0 for a living timer; never used twice.
using TimerId = uint64_t;

class EventLoop {
 public:
  // `clock` must outlive the loop. Aborts when the kernel refuses an epoll descriptor (there is no server without).
  explicit EventLoop(const Clock& clock);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // REQUIRES: `fd` is open, non-blocking and not watched yet. The loop owns neither fd nor watcher. False when the
  // kernel refuses (out of memory, fs.epoll.max_user_watches), with errno set.
  bool watch(int fd, uint32_t events, Watcher* watcher);
  // Replaces the events asked for, for this turn's list as well. No system call when they stay the same.
  // REQUIRES: fd is watched.
  void modify(int fd, uint32_t events);
  // Call it before closing fd. Forgetting what is not watched does nothing.
  void forget(int fd);
  bool is_watched(int fd) const { return fd >= 0 && size_t(fd) < slots_.size() && slots_[fd].watcher; }
  uint32_t events_of(int fd) const { return is_watched(fd) ? slots_[fd].events : 0; }
  size_t watched() const { return watched_; }

  // Sleeps until a descriptor is ready, a timer is due, work is posted, or at most until `timeout_ms` has passed since
  // now_us() (-1: no limit; 0: only looks). The list lives until the next wait(). A signal ends the sleep with an empty
  // list, and so does a limit of an earlier wait().
  std::span<const Ready> wait(int timeout_ms);
  // Each returns how many handlers it called.
  int dispatch_ready();
  int dispatch_timers() { return timers_.empty() || timers_.begin()->first.due_us > now_us_ ? 0 : run_timers(); }
  int dispatch_posted() { return anything_posted_.load(std::memory_order_acquire) ? run_posted() : 0; }
  int dispatch() { return dispatch_ready() + dispatch_timers() + dispatch_posted(); }
  int run_once(int timeout_ms) {
    wait(timeout_ms);
    return dispatch();
  }

  // Once, `ms` from now (0: in the next turn at the earliest).
  TimerId after(int64_t ms, Work work);
  // Again and again. A late turn delays the following ones: runs are never caught up in a burst. REQUIRES: ms > 0.
  TimerId every(int64_t ms, Work work);
  // Also from within the timer's own run. Unknown or finished ids are ignored.
  void cancel(TimerId id);
  size_t timers() const { return due_of_.size(); }

  // Any thread: `work` runs on the executor in a coming turn, in the order of the calls. Work still waiting when the
  // loop is destroyed is destroyed without being run.
  void post(Work work);
  // Any thread, and a signal handler: ends the present or the next wait().
  void wake();

  // The moment at which the last wait() returned; refresh() reads the clocks (after a long handler). wait() looks at
  // them once a millisecond at most, and in between goes by the processor's counter: that somebody has set the wall's
  // clock it may see so much later.
  int64_t now_us() const { return now_us_; }
  int64_t now_ms() const { return now_us_ / 1000; }
  int64_t wall_us() const { return wall_us_; }
  int64_t wall_ms() const { return wall_us_ / 1000; }
  void refresh();
  const Clock& clock() const { return clock_; }

  uint64_t turns() const { return turns_; }
  // The same moment by the time stamp counter.
  uint64_t woke_ticks() const { return woke_ticks_; }
  // Time spent asleep in wait() so far, by the clock.
  int64_t slept_us() const { return static_cast<int64_t>(ticks_to_ns(slept_ticks_) / 1000); }

 private:
  struct Slot {
    Watcher* watcher = nullptr;
    uint32_t events = 0;
    int32_t ready_index = -1;  // its entry in ready_, during the turn that has one
  };
  struct TimerKey {
    int64_t due_us;
    TimerId id;
    auto operator<=>(const TimerKey&) const = default;
  };
  struct Timer {
    int64_t period_us;  // 0: once
    Work work;
  };

  TimerId add_timer(int64_t delay_us, int64_t period_us, Work work);
  inline void tell_time();
  bool may_sleep(int timeout_ms);
  inline void collect(int count);
  int run_timers();
  int run_posted();

  const Clock& clock_;
  Fd epoll_;
  Fd wake_;                  // an eventfd
  Fd alarm_;                 // a timerfd
  int64_t alarm_us_ = 0;     // when it rings; 0: it has rung
  std::vector<Slot> slots_;  // by descriptor
  std::vector<epoll_event> raw_;
  std::vector<Ready> ready_;
  size_t next_ready_ = 0;
  size_t watched_ = 0;

  std::map<TimerKey, Timer> timers_;
  std::unordered_map<TimerId, int64_t> due_of_;
  TimerId last_timer_ = 0;

  std::mutex posted_mutex_;
  std::vector<Work> posted_;
  std::atomic<bool> anything_posted_ = false;

  int64_t now_us_ = 0;
  int64_t wall_us_ = 0;
  // The last look at the clocks: when, and what they said.
  uint64_t asked_ticks_ = 0;
  int64_t asked_us_ = 0, asked_wall_us_ = 0;
  const uint64_t look_holds_ticks_;
  uint64_t woke_ticks_ = 0;
  uint64_t slept_ticks_ = 0;
  uint64_t turns_ = 0;
};

}  // namespace vitrine
