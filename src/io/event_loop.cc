#include "io/event_loop.h"

#include <algorithm>
#include <cerrno>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/prefetch.h"
#include "io/system_call.h"

namespace vitrine {

namespace {

// More ready descriptors than this wait for the next turn; the kernel rotates its list, so none starves.
constexpr int kBatch = 1024;
constexpr uint32_t kAlways = EPOLLERR | EPOLLHUP;
constexpr size_t kLine = 64;
constexpr uint64_t kLookHoldsNs = 1'000'000;

}  // namespace

EventLoop::EventLoop(const Clock& clock)
    : clock_(clock), epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      alarm_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)), raw_(kBatch),
      look_holds_ticks_(clock.runs() ? ns_to_ticks(kLookHoldsNs) : 0) {
  CHECK(epoll_ && wake_ && alarm_);
  ready_.reserve(kBatch);
  for (int fd : {wake_.get(), alarm_.get()}) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.fd = fd;
    CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  }
  refresh();
}

EventLoop::~EventLoop() = default;

void EventLoop::refresh() {
  asked_ticks_ = ticks();
  now_us_ = asked_us_ = std::max(now_us_, clock_.monotonic_us());   // the counter may have been ahead
  wall_us_ = asked_wall_us_ = clock_.wall_us();
}

// As refresh(), for every turn.
[[gnu::always_inline]] inline void EventLoop::tell_time() {
  uint64_t since = woke_ticks_ - asked_ticks_;
  if (since >= look_holds_ticks_) return refresh();
  int64_t since_us = static_cast<int64_t>(ticks_to_ns(since) / 1000);
  now_us_ = asked_us_ + since_us;
  wall_us_ = asked_wall_us_ + since_us;
}

bool EventLoop::watch(int fd, uint32_t events, Watcher* watcher) {
  CHECK(fd >= 0 && watcher);
  if (size_t(fd) >= slots_.size()) slots_.resize(std::max<size_t>(fd + 1, slots_.size() * 2));
  Slot& slot = slots_[fd];
  CHECK(!slot.watcher);
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return false;
  slot = Slot{watcher, events, -1};
  watched_++;
  return true;
}

void EventLoop::modify(int fd, uint32_t events) {
  CHECK(is_watched(fd));
  Slot& slot = slots_[fd];
  if (slot.events == events) return;
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
  slot.events = events;
  if (slot.ready_index >= 0) ready_[slot.ready_index].events &= events | kAlways;
}

void EventLoop::forget(int fd) {
  if (!is_watched(fd)) return;
  Slot& slot = slots_[fd];
  if (slot.ready_index >= 0) ready_[slot.ready_index].watcher = nullptr;
  slot = Slot{};
  watched_--;
  epoll_event unused{};
  // Fails only when the descriptor was closed before, and then the kernel has forgotten it already.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, &unused);
}

// A limit that is given to epoll_wait costs the kernel a timer in every sleep, a microsecond on a virtual machine. The
// alarm is set anew only when it has rung, or would ring too late.
bool EventLoop::may_sleep(int timeout_ms) {
  if (timeout_ms == 0) return false;
  int64_t due_us = timeout_ms < 0 ? INT64_MAX : now_us_ + int64_t{timeout_ms} * 1000;
  if (!timers_.empty()) due_us = std::min(due_us, timers_.begin()->first.due_us);
  bool rings_in_time = alarm_us_ && alarm_us_ <= due_us;
  if (due_us == INT64_MAX || rings_in_time) return true;
  int64_t now_us = clock_.monotonic_us();
  if (due_us <= now_us) return false;
  alarm_us_ = due_us;
  int64_t left_us = due_us - now_us;
  itimerspec once{};
  once.it_value = {left_us / 1'000'000, left_us % 1'000'000 * 1000};
  CHECK(timerfd_settime(alarm_.get(), 0, &once, nullptr) == 0);
  return true;
}

[[gnu::always_inline]] inline void EventLoop::collect(int count) {
  for (int i = 0; i < count; i++) {
    int fd = raw_[i].data.fd;
    if (fd == alarm_.get()) alarm_us_ = 0;
    // Our own two; and a descriptor that was closed while a duplicate of it lives on can still be reported.
    if (!is_watched(fd)) continue;
    Watcher* watcher = slots_[fd].watcher;
    prefetch(watcher);
    prefetch(reinterpret_cast<const char*>(watcher) + kLine);
    slots_[fd].ready_index = static_cast<int32_t>(ready_.size());
    ready_.push_back({watcher, raw_[i].events, fd});
  }
}

std::span<const Ready> EventLoop::wait(int timeout_ms) {
  for (const Ready& r : ready_)
    if (r.watcher) slots_[r.fd].ready_index = -1;
  ready_.clear();
  next_ready_ = 0;
  bool sleeps = may_sleep(timeout_ms);
  uint64_t before = ticks();
  int count = static_cast<int>(system_call(SYS_epoll_wait, epoll_.get(), raw_.data(), kBatch, sleeps ? -1 : 0));
  woke_ticks_ = ticks();
  if (sleeps) slept_ticks_ += woke_ticks_ - before;
  if (count > 0) collect(count);
  tell_time();
  turns_++;
  CHECK(count >= 0 || errno == EINTR);
  return ready_;
}

int EventLoop::dispatch_ready() {
  int called = 0;
  while (next_ready_ < ready_.size()) {
    Ready r = ready_[next_ready_++];
    if (!r.watcher || !r.events) continue;
    r.watcher->on_ready(r.events);
    called++;
  }
  return called;
}

TimerId EventLoop::add_timer(int64_t delay_us, int64_t period_us, Work work) {
  TimerId id = ++last_timer_;
  int64_t due_us = clock_.monotonic_us() + std::max<int64_t>(delay_us, 0);
  timers_.emplace(TimerKey{due_us, id}, Timer{period_us, std::move(work)});
  due_of_[id] = due_us;
  return id;
}

namespace {

// Far enough for any purpose, and far from overflow.
int64_t us_of_ms(int64_t ms) { return std::min<int64_t>(ms, INT64_MAX / 4000) * 1000; }

}  // namespace

TimerId EventLoop::after(int64_t ms, Work work) { return add_timer(us_of_ms(ms), 0, std::move(work)); }

TimerId EventLoop::every(int64_t ms, Work work) {
  CHECK(ms > 0);
  return add_timer(us_of_ms(ms), us_of_ms(ms), std::move(work));
}

void EventLoop::cancel(TimerId id) {
  auto found = due_of_.find(id);
  if (found == due_of_.end()) return;
  // A timer that is running now has no entry in timers_; its missing due_of_ tells dispatch_timers not to re-arm it.
  timers_.erase(TimerKey{found->second, id});
  due_of_.erase(found);
}

int EventLoop::run_timers() {
  int called = 0;
  const TimerId newest = last_timer_;
  const int64_t now_us = now_us_;
  while (!timers_.empty()) {
    TimerKey key = timers_.begin()->first;
    if (key.due_us > now_us || key.id > newest) break;
    auto node = timers_.extract(timers_.begin());
    Timer& timer = node.mapped();
    if (timer.period_us == 0) due_of_.erase(key.id);
    timer.work();
    called++;
    if (timer.period_us == 0 || !due_of_.contains(key.id)) continue;
    int64_t due_us = key.due_us + timer.period_us;
    if (due_us <= now_us) due_us = now_us + timer.period_us;
    due_of_[key.id] = due_us;
    node.key().due_us = due_us;
    timers_.insert(std::move(node));
  }
  return called;
}

void EventLoop::post(Work work) {
  bool first;
  {
    std::lock_guard lock(posted_mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(work));
    anything_posted_.store(true, std::memory_order_release);
  }
  if (first) wake();
}

void EventLoop::wake() {
  uint64_t one = 1;   // nobody reads the sum: each write is an event of its own
  [[maybe_unused]] ssize_t n = write(wake_.get(), &one, sizeof one);
}

int EventLoop::run_posted() {
  std::vector<Work> batch;
  {
    std::lock_guard lock(posted_mutex_);
    anything_posted_.store(false, std::memory_order_relaxed);
    batch.swap(posted_);
  }
  for (Work& work : batch) work();
  return static_cast<int>(batch.size());
}

}  // namespace vitrine
