#include "io/workers.h"

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <pthread.h>
#include <thread>

#include "base/memory.h"
#include "io/process.h"

namespace vitrine {

namespace {

struct Item {
  Work work;
  uint64_t weight;
};

constexpr const char* kNames[Workers::kKinds] = {"vit_close_file", "vit_fsync", "vit_lazy_free"};

// Faults stay deliverable: blocked, they would kill the process without a crash report.
void block_sent_signals(sigset_t* before) {
  sigset_t set;
  sigfillset(&set);
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&set, fault);
  pthread_sigmask(SIG_SETMASK, &set, before);
}

}  // namespace

struct Workers::Lane {
  std::mutex mutex;
  std::condition_variable has_work;
  std::condition_variable progressed;
  std::deque<Item> queue;
  uint64_t submitted = 0, finished = 0;  // pieces
  bool stopping = false;
  std::atomic<uint64_t> pending{0};
  std::thread thread;

  void run(const char* name, const std::string& cpu_list) {
    memory::register_thread();
    pthread_setname_np(pthread_self(), name);
    // A bad list is refused when it is configured; here it only means running anywhere.
    if (!cpu_list.empty()) (void)process::set_cpu_affinity(cpu_list);
    std::unique_lock lock(mutex);
    for (;;) {
      has_work.wait(lock, [&] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      {
        Item item = std::move(queue.front());
        queue.pop_front();
        lock.unlock();
        item.work();
        item.work = nullptr;  // what it owned is freed here too, before it counts as finished
        pending.fetch_sub(item.weight, std::memory_order_relaxed);
      }
      lock.lock();
      finished++;
      progressed.notify_all();
    }
  }
};

Workers::Workers(const std::string& cpu_list) {
  sigset_t before;
  block_sent_signals(&before);
  for (int i = 0; i < kKinds; i++) {
    lanes_[i] = std::make_unique<Lane>();
    lanes_[i]->thread = std::thread([lane = lanes_[i].get(), i, cpu_list] { lane->run(kNames[i], cpu_list); });
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Workers::~Workers() { stop(); }

void Workers::submit(Kind kind, Work work, uint64_t weight) {
  Lane& lane = *lanes_[static_cast<int>(kind)];
  {
    std::lock_guard lock(lane.mutex);
    if (!lane.stopping) {
      lane.pending.fetch_add(weight, std::memory_order_relaxed);
      lane.queue.push_back({std::move(work), weight});
      lane.submitted++;
      lane.has_work.notify_one();
      return;
    }
  }
  work();
}

uint64_t Workers::pending(Kind kind) const {
  return lanes_[static_cast<int>(kind)]->pending.load(std::memory_order_relaxed);
}

void Workers::drain(Kind kind) {
  Lane& lane = *lanes_[static_cast<int>(kind)];
  std::unique_lock lock(lane.mutex);
  uint64_t goal = lane.submitted;
  lane.progressed.wait(lock, [&] { return lane.finished >= goal; });
}

void Workers::drain() {
  for (int i = 0; i < kKinds; i++) drain(static_cast<Kind>(i));
}

void Workers::stop() {
  for (auto& lane : lanes_) {
    {
      std::lock_guard lock(lane->mutex);
      lane->stopping = true;
    }
    lane->has_work.notify_one();
  }
  for (auto& lane : lanes_)
    if (lane->thread.joinable()) lane->thread.join();
}

}  // namespace vitrine
