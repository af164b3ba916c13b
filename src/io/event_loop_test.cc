#include "io/event_loop.h"

#include <atomic>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <set>
#include <sys/socket.h>
#include <thread>

#include "base/memory.h"
#include "base/random.h"

namespace vitrine {
namespace {

struct Pair {
  Fd a, b;
  Pair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    a.reset(fds[0]);
    b.reset(fds[1]);
  }
  void feed() { EXPECT_EQ(write(b.get(), "x", 1), 1); }
  void drain() {
    char c;
    while (read(a.get(), &c, 1) == 1) {
    }
  }
};

struct Told final : Watcher {
  std::function<void(uint32_t)> then;
  int calls = 0;
  uint32_t last = 0;
  void on_ready(uint32_t events) override {
    calls++;
    last = events;
    if (then) then(events);
  }
};

TEST(EventLoop, TellsWhoIsReadyAndKeepsTellingUntilDrained) {
  SystemClock clock;
  EventLoop loop(clock);
  Pair p;
  Told told;
  ASSERT_TRUE(loop.watch(p.a.get(), EPOLLIN, &told));
  EXPECT_EQ(loop.run_once(0), 0);
  p.feed();
  EXPECT_EQ(loop.run_once(1000), 1);
  EXPECT_EQ(told.last, uint32_t{EPOLLIN});
  EXPECT_EQ(loop.run_once(0), 1) << "level-triggered";
  p.drain();
  EXPECT_EQ(loop.run_once(0), 0);
  loop.modify(p.a.get(), EPOLLIN | EPOLLOUT);
  EXPECT_EQ(loop.run_once(0), 1);
  EXPECT_EQ(told.last, uint32_t{EPOLLOUT});
  p.b.reset();
  EXPECT_EQ(loop.run_once(0), 1);
  EXPECT_TRUE(told.last & EPOLLHUP);
  loop.forget(p.a.get());
  EXPECT_EQ(loop.run_once(0), 0);
  EXPECT_EQ(loop.watched(), 0u);
}

TEST(EventLoop, GivesATurnsReadinessAsAList) {
  SystemClock clock;
  EventLoop loop(clock);
  Pair p[3];
  Told told[3];
  for (int i = 0; i < 3; i++) ASSERT_TRUE(loop.watch(p[i].a.get(), EPOLLIN, &told[i]));
  p[0].feed();
  p[2].feed();
  auto ready = loop.wait(1000);
  ASSERT_EQ(ready.size(), 2u);
  std::set<Watcher*> seen{ready[0].watcher, ready[1].watcher};
  EXPECT_EQ(seen, (std::set<Watcher*>{&told[0], &told[2]}));
  loop.forget(ready[1].fd);
  EXPECT_EQ(ready[1].watcher, nullptr);
  loop.modify(ready[0].fd, EPOLLOUT);
  EXPECT_EQ(ready[0].events, 0u) << "what is no longer asked for is no longer told";
  EXPECT_EQ(loop.dispatch_ready(), 0);
}

struct SelfDeleting final : Watcher {
  EventLoop& loop;
  Pair pair;
  int& alive;
  SelfDeleting(EventLoop& l, int& count) : loop(l), alive(count) { alive++; }
  ~SelfDeleting() {
    loop.forget(pair.a.get());
    alive--;
  }
  void on_ready(uint32_t) override { delete this; }
};

TEST(EventLoop, AHandlerMayDeleteItself) {
  SystemClock clock;
  EventLoop loop(clock);
  int alive = 0;
  for (int i = 0; i < 50; i++) {
    auto* w = new SelfDeleting(loop, alive);
    ASSERT_TRUE(loop.watch(w->pair.a.get(), EPOLLIN, w));
    w->pair.feed();
  }
  EXPECT_EQ(loop.run_once(1000), 50);
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(loop.watched(), 0u);
}

TEST(EventLoop, AHandlerMayForgetOthersOfTheSameBatch) {
  SystemClock clock;
  EventLoop loop(clock);
  constexpr int kCount = 20;
  std::unique_ptr<Told> told[kCount];
  Pair pairs[kCount];
  int calls = 0;
  for (int i = 0; i < kCount; i++) {
    told[i] = std::make_unique<Told>();
    told[i]->then = [&, i](uint32_t) {
      calls++;
      for (int j = 0; j < kCount; j++) {
        if (j == i) continue;
        loop.forget(pairs[j].a.get());
        told[j].reset();
      }
    };
    ASSERT_TRUE(loop.watch(pairs[i].a.get(), EPOLLIN, told[i].get()));
    pairs[i].feed();
  }
  EXPECT_EQ(loop.run_once(1000), 1);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(loop.watched(), 1u);
}

TEST(EventLoop, ADescriptorNumberUsedAgainGetsNoOldEvent) {
  SystemClock clock;
  EventLoop loop(clock);
  Pair p[2];
  Told told[2], fresh;
  Pair other;
  for (int i = 0; i < 2; i++) {
    told[i].then = [&, i](uint32_t) {
      // Closes the other one and opens something silent under its number.
      int number = p[1 - i].a.get();
      loop.forget(number);
      ASSERT_EQ(dup2(other.a.get(), number), number);
      ASSERT_TRUE(loop.watch(number, EPOLLIN, &fresh));
    };
    ASSERT_TRUE(loop.watch(p[i].a.get(), EPOLLIN, &told[i]));
    p[i].feed();
  }
  EXPECT_EQ(loop.run_once(1000), 1);
  EXPECT_EQ(fresh.calls, 0);
  other.feed();
  for (auto& t : told) t.then = nullptr;
  loop.run_once(1000);
  EXPECT_EQ(fresh.calls, 1);
}

// Random watching, feeding, forgetting from inside handlers, against a plain model of who may be called.
TEST(EventLoop, RandomForgettingNeverCallsTheForgotten) {
  uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  SystemClock clock;
  EventLoop loop(clock);
  constexpr int kCount = 40;
  std::vector<Pair> pairs(kCount);
  std::vector<bool> watched(kCount, false);
  std::vector<Told> told(kCount);
  auto shuffle = [&] {
    for (int n = 0; n < 6; n++) {
      int i = random.below(kCount);
      if (watched[i]) {
        loop.forget(pairs[i].a.get());
      } else {
        ASSERT_TRUE(loop.watch(pairs[i].a.get(), EPOLLIN, &told[i]));
      }
      watched[i] = !watched[i];
    }
  };
  int called = 0;
  for (int i = 0; i < kCount; i++) {
    told[i].then = [&, i](uint32_t) {
      called++;
      EXPECT_TRUE(watched[i]);
      pairs[i].drain();
      shuffle();
    };
  }
  for (int turn = 0; turn < 2000; turn++) {
    for (int n = 0; n < 10; n++) pairs[random.below(kCount)].feed();
    shuffle();
    loop.run_once(0);
  }
  EXPECT_GT(called, 1000);
}

TEST(EventLoop, TimersRunByDeadlineThenByAge) {
  ManualClock clock;
  EventLoop loop(clock);
  std::string order;
  loop.after(30, [&] { order += 'c'; });
  loop.after(10, [&] { order += 'a'; });
  loop.after(20, [&] { order += 'b'; });
  loop.after(20, [&] { order += 'B'; });
  EXPECT_EQ(loop.run_once(0), 0);
  clock.advance_ms(20);
  EXPECT_EQ(loop.run_once(0), 3);
  EXPECT_EQ(order, "abB");
  clock.advance_ms(10);
  loop.run_once(0);
  EXPECT_EQ(order, "abBc");
  EXPECT_EQ(loop.timers(), 0u);
}

TEST(EventLoop, ATimerAddedByATimerWaitsForAnotherTurn) {
  ManualClock clock;
  EventLoop loop(clock);
  int runs = 0;
  std::function<void()> again = [&] {
    runs++;
    loop.after(0, [&] { again(); });
  };
  loop.after(0, [&] { again(); });
  for (int turn = 1; turn <= 3; turn++) {
    EXPECT_EQ(loop.run_once(0), 1);
    EXPECT_EQ(runs, turn);
  }
}

TEST(EventLoop, EveryRepeatsWithoutBurstsAndStopsFromWithin) {
  ManualClock clock;
  EventLoop loop(clock);
  int runs = 0;
  TimerId id = 0;
  id = loop.every(10, [&] {
    if (++runs == 4) loop.cancel(id);
  });
  clock.advance_ms(10);
  EXPECT_EQ(loop.run_once(0), 1);
  clock.advance_ms(9);
  EXPECT_EQ(loop.run_once(0), 0);
  clock.advance_ms(1000);
  EXPECT_EQ(loop.run_once(0), 1) << "missed runs are not caught up";
  EXPECT_EQ(loop.run_once(0), 0);
  clock.advance_ms(10);
  loop.run_once(0);
  clock.advance_ms(10);
  loop.run_once(0);
  EXPECT_EQ(runs, 4);
  clock.advance_ms(1000);
  EXPECT_EQ(loop.run_once(0), 0);
  EXPECT_EQ(loop.timers(), 0u);
  loop.cancel(id);
}

TEST(EventLoop, ATimerMayCancelAnotherThatIsDueToo) {
  ManualClock clock;
  EventLoop loop(clock);
  bool second = false;
  TimerId victim = 0;
  loop.after(1, [&] { loop.cancel(victim); });
  victim = loop.after(2, [&] { second = true; });
  clock.advance_ms(5);
  EXPECT_EQ(loop.run_once(0), 1);
  EXPECT_FALSE(second);
}

TEST(EventLoop, SleepsUntilTheNextTimerAndCachesTheTime) {
  SystemClock clock;
  EventLoop loop(clock);
  int64_t start = clock.monotonic_us();
  bool ran = false;
  loop.after(20, [&] { ran = true; });
  while (!ran) loop.run_once(-1);
  EXPECT_GE(clock.monotonic_us() - start, 20000);
  EXPECT_GE(loop.now_us(), start + 20000);
  EXPECT_GT(loop.slept_us(), 10000);
  EXPECT_LE(loop.turns(), 3u) << "no spinning towards the deadline";
  EXPECT_NEAR(double(loop.wall_us()), double(clock.wall_us()), 1e6);
}

TEST(EventLoop, PostedWorkRunsInOrderFromAnyThread) {
  SystemClock clock;
  EventLoop loop(clock);
  constexpr int kThreads = 4, kEach = 2000;
  std::vector<int> last(kThreads, -1);
  int total = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      memory::register_thread();  // what it allocates is freed here
      for (int i = 0; i < kEach; i++) {
        loop.post([&, t, i, owned = std::make_unique<int>(i)] {
          EXPECT_EQ(last[t], i - 1);
          last[t] = *owned;
          total++;
        });
      }
    });
  }
  while (total < kThreads * kEach) {
    int before = total;
    loop.run_once(5000);
    ASSERT_GT(total, before) << "slept although work was posted";
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(loop.run_once(0), 0);
}

TEST(EventLoop, WorkPostedByWorkRunsInALaterTurn) {
  SystemClock clock;
  EventLoop loop(clock);
  int runs = 0;
  loop.post([&] {
    runs++;
    loop.post([&] { runs++; });
  });
  EXPECT_EQ(loop.run_once(1000), 1);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(loop.run_once(1000), 1);
  EXPECT_EQ(runs, 2);
}

TEST(EventLoop, WakeEndsTheSleep) {
  SystemClock clock;
  EventLoop loop(clock);
  std::thread other([&] { loop.wake(); });
  int64_t start = clock.monotonic_ms();
  EXPECT_TRUE(loop.wait(10000).empty());
  EXPECT_LT(clock.monotonic_ms() - start, 5000);
  other.join();
}

TEST(EventLoop, AShortLimitHoldsAfterALongOne) {
  SystemClock clock;
  EventLoop loop(clock);
  auto slept_us = [&](int timeout_ms) {
    int64_t before = clock.monotonic_us();
    EXPECT_TRUE(loop.wait(timeout_ms).empty());
    return clock.monotonic_us() - before;
  };
  loop.wake();
  EXPECT_LT(slept_us(10000), 1'000'000);
  EXPECT_LT(slept_us(5), 1'000'000) << "the limit of 10 s must not count";
  int64_t slept = slept_us(20);
  EXPECT_GE(slept, 20'000) << "the limit of 5 ms has rung, and counts no more";
  EXPECT_LT(slept, 1'000'000);
}

TEST(EventLoop, ATimerSetAfterALongLimitIsNotLate) {
  SystemClock clock;
  EventLoop loop(clock);
  int ran = 0;
  loop.wake();
  loop.run_once(10000);
  int64_t start = clock.monotonic_us();
  loop.after(3, [&] { ran++; });
  for (int i = 0; i < 3 && !ran; i++) loop.run_once(5000);
  EXPECT_EQ(ran, 1);
  EXPECT_LT(clock.monotonic_us() - start, 1'000'000);
}

TEST(EventLoop, EveryWakeUpCounts) {
  SystemClock clock;
  EventLoop loop(clock);
  for (int i = 0; i < 3; i++) {
    loop.wake();
    int64_t before = clock.monotonic_us();
    EXPECT_TRUE(loop.wait(10000).empty());
    EXPECT_LT(clock.monotonic_us() - before, 5'000'000);
  }
}

TEST(Clock, CountsProcessorTime) {
  int64_t before = thread_cpu_ns();
  CpuTimes whole_before = cpu_times(CpuOf::process);
  volatile uint64_t x = 1;
  while (thread_cpu_ns() - before < 30'000'000) x = x * 3;
  CpuTimes whole = cpu_times(CpuOf::process);
  EXPECT_GE(whole.user_us + whole.system_us - whole_before.user_us - whole_before.system_us, 15000);
  EXPECT_GE(process_cpu_ns(), 30'000'000);
}

TEST(Clock, ManualClockMovesOnlyWhenTold) {
  ManualClock clock(5'000'000);
  int64_t start = clock.monotonic_us();
  EXPECT_EQ(clock.wall_ms(), 5000);
  clock.advance_ms(7);
  EXPECT_EQ(clock.wall_us(), 5'007'000);
  EXPECT_EQ(clock.monotonic_us() - start, 7000);
  clock.set_wall_us(1);
  EXPECT_EQ(clock.wall_us(), 1);
  EXPECT_EQ(clock.monotonic_us() - start, 7000);
}

}  // namespace
}  // namespace vitrine
