#include "io/workers.h"

#include <atomic>
#include <csignal>
#include <gtest/gtest.h>
#include <latch>
#include <thread>

#include "base/memory.h"
#include "io/event_loop.h"

namespace vitrine {
namespace {

using Kind = Workers::Kind;

TEST(Workers, EachKindRunsInOrder) {
  std::vector<int> order[Workers::kKinds];
  {
    Workers workers;
    for (int i = 0; i < 3000; i++)
      workers.submit(static_cast<Kind>(i % 3), [&order, i] { order[i % 3].push_back(i); });
  }
  for (int kind = 0; kind < 3; kind++) {
    ASSERT_EQ(order[kind].size(), 1000u);
    for (int i = 0; i < 1000; i++) ASSERT_EQ(order[kind][i], i * 3 + kind);
  }
}

TEST(Workers, KindsDoNotWaitForEachOther) {
  Workers workers;
  std::latch gate(1), other_ran(1);
  workers.submit(Kind::fsync, [&] { gate.wait(); });
  workers.submit(Kind::lazy_free, [&] { other_ran.count_down(); });
  other_ran.wait();
  EXPECT_EQ(workers.pending(Kind::fsync), 1u);
  gate.count_down();
  workers.drain(Kind::fsync);
  EXPECT_EQ(workers.pending(Kind::fsync), 0u);
}

TEST(Workers, PendingCountsWeightsUntilFinished) {
  Workers workers;
  std::latch gate(1);
  workers.submit(Kind::lazy_free, [&] { gate.wait(); }, 5);
  workers.submit(Kind::lazy_free, [] {}, 100);
  EXPECT_EQ(workers.pending(Kind::lazy_free), 105u);
  EXPECT_EQ(workers.pending(Kind::close_file), 0u);
  gate.count_down();
  workers.drain();
  EXPECT_EQ(workers.pending(Kind::lazy_free), 0u);
}

TEST(Workers, WhatIsGivenAwayIsFreedThereAndAccounted) {
  memory::register_thread();
  Workers workers;
  workers.drain();
  size_t before = memory::used_bytes();
  constexpr size_t kSize = 8 << 20;
  auto big = std::make_unique<char[]>(kSize);
  EXPECT_GE(memory::used_bytes(), before + kSize);
  workers.submit(Kind::lazy_free, [big = std::move(big)]() mutable { big.reset(); });
  workers.drain(Kind::lazy_free);
  EXPECT_LT(memory::used_bytes(), before + kSize / 2);
}

TEST(Workers, ResultsComeBackThroughTheLoop) {
  SystemClock clock;
  EventLoop loop(clock);
  Workers workers;
  std::thread::id executor = std::this_thread::get_id(), worker, back;
  bool done = false;
  workers.submit(Kind::fsync, [&] {
    worker = std::this_thread::get_id();
    loop.post([&] {
      back = std::this_thread::get_id();
      done = true;
    });
  });
  while (!done) ASSERT_GT(loop.run_once(5000), 0);
  EXPECT_NE(worker, executor);
  EXPECT_EQ(back, executor);
}

TEST(Workers, ThreadsAreNamedAndBlockSentSignals) {
  Workers workers;
  char name[16] = "";
  sigset_t mask;
  workers.submit(Kind::lazy_free, [&] {
    pthread_getname_np(pthread_self(), name, sizeof name);
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  });
  workers.drain();
  EXPECT_STREQ(name, "vit_lazy_free");
  EXPECT_TRUE(sigismember(&mask, SIGTERM));
  EXPECT_TRUE(sigismember(&mask, SIGINT));
  EXPECT_FALSE(sigismember(&mask, SIGSEGV));
  sigset_t here;
  pthread_sigmask(SIG_SETMASK, nullptr, &here);
  EXPECT_FALSE(sigismember(&here, SIGTERM)) << "the caller's own mask is as before";
}

TEST(Workers, AfterStopTheCallerDoesTheWork) {
  Workers workers;
  workers.stop();
  bool ran = false;
  workers.submit(Kind::close_file, [&] { ran = true; });
  EXPECT_TRUE(ran);
  workers.stop();
}

}  // namespace
}  // namespace vitrine
