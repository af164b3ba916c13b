// Workers run whole, owned pieces of work beside the executor: freeing large values, syncing and closing files.
//
// Each kind has one thread and runs its pieces in the order they came, so two of a kind never overlap; different
// kinds do. Work must own what it touches: the executor gives it away with submit() and hears of the result only
// through what the work posts to the event loop as its last act.
//
// Threads: submit(), pending() and drain() may be called by any thread, also by work (drain() by work of another
// kind only). The threads have every signal blocked that can be sent to the process, carry names ("vit_lazy_free"),
// and take part in the accounting of memory. REQUIRES: constructed after daemonize(), which keeps only one thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "io/work.h"

namespace vitrine {

class Workers {
 public:
  enum class Kind : uint8_t { close_file, fsync, lazy_free };
  static constexpr int kKinds = 3;

  // `cpu_list`: where the threads may run, in the grammar of process::set_cpu_affinity; empty: anywhere.
  explicit Workers(const std::string& cpu_list = {});
  // As stop().
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // `weight` is what pending() counts it as, such as the number of objects it will free. After stop() the work is
  // done at once, by the caller.
  void submit(Kind kind, Work work, uint64_t weight = 1);
  // The weight of what was submitted and is not finished.
  uint64_t pending(Kind kind) const;
  // Sleeps until everything submitted before the call is finished.
  void drain(Kind kind);
  void drain();
  // Finishes all that was submitted, then ends the threads.
  void stop();

 private:
  struct Lane;
  std::array<std::unique_ptr<Lane>, kKinds> lanes_;
};

}  // namespace vitrine
