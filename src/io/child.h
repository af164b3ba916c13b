// Child: a forked copy of this process that does one piece of work on the memory as it was, and ends: snapshots.
//
// The copy has one thread, no descriptors but the standard ones and its pipe to the parent, default signal handlers.
// Where both want a core, the parent gets three quarters of it (niceness 5): nobody waits for the child's work.
// It tells of its progress by fixed messages through the pipe; the end of the pipe is the end of the child.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "io/event_loop.h"

namespace vitrine {

struct ChildReport {
  uint64_t done = 0;        // as the work counts
  uint64_t cow_bytes = 0;   // pages that the copy does not share any more; ~0: not measured this time
};

class Child final : private Watcher {
 public:
  static constexpr uint64_t kNotMeasured = ~uint64_t{0};
  using Tell = std::function<void(const ChildReport&)>;
  // What the copy does; the result is its exit status.
  using Job = std::function<int(const Tell& tell)>;
  struct Ending {
    int status = 0;         // of exit
    int signal = 0;         // that ended it; 0: none
  };

  // `on_report` and `on_end` run on the loop; after on_end the owner may delete the object. An error is a text.
  using Start = std::expected<std::unique_ptr<Child>, std::string>(EventLoop& loop, const Job& job,
                                                                   std::function<void(const ChildReport&)> on_report,
                                                                   std::function<void(Ending)> on_end);
  static Start start;
  // For tests of what a copy could not share, as a simulated disk: no copy is made, the job is done when this returns,
  // and its end comes through the loop.
  static Start start_here;
  // Kills it if it still runs, and waits for that.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  int64_t fork_us() const { return fork_us_; }
  // Kills it; on_end follows. When the answer must not wait, delete it instead.
  void kill();

 private:
  Child(EventLoop& loop, pid_t pid, Fd pipe) : loop_(loop), pid_(pid), pipe_(std::move(pipe)) {}
  void on_ready(uint32_t events) override;
  void end(Ending ending);
  Ending wait();

  EventLoop& loop_;
  pid_t pid_;
  Fd pipe_;
  int64_t fork_us_ = 0;
  std::function<void(const ChildReport&)> on_report_;
  std::function<void(Ending)> on_end_;
  std::shared_ptr<bool> here_;           // start_here: whether this still lives
};

// Bytes of this process that are its own and written to; what a copy has cost so far.
uint64_t private_dirty_bytes();

}  // namespace vitrine
