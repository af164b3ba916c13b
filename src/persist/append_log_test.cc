// When the end of the log is written and synced under each policy, and what it does on a disk that fails or is slow.
#include "persist/append_log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>

namespace vitrine {
namespace {

// What a file holds, and how it fails. Outlives the file.
struct Disk {
  std::string bytes;
  size_t room = SIZE_MAX;                 // bytes that still fit
  bool cuts = true;                       // truncate works
  std::atomic<bool> syncs = true, slow = false;
  std::atomic<int> synced = 0;
};

class DiskFile final : public AppendFile {
 public:
  explicit DiskFile(Disk& disk) : disk_(disk) {}
  FileResult<size_t> append(Bytes data) override {
    size_t taken = std::min(data.size(), disk_.room);
    if (taken == 0) return error(ENOSPC, "write: No space left on device");
    disk_.bytes += data.substr(0, taken);
    disk_.room -= taken;
    return taken;
  }
  FileResult<void> sync() override {
    while (disk_.slow) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    disk_.synced++;
    if (!disk_.syncs) return error(EIO, "fsync: Input/output error");
    return {};
  }
  void start_sync() override {}
  FileResult<void> truncate(uint64_t bytes) override {
    if (!disk_.cuts) return error(EIO, "truncate: Input/output error");
    disk_.room += disk_.bytes.size() - bytes;
    disk_.bytes.resize(bytes);
    return {};
  }
  uint64_t size() const override { return disk_.bytes.size(); }
  FileResult<void> close() override { return {}; }

 private:
  static std::unexpected<FileError> error(int code, const char* text) {
    return std::unexpected(FileError{code, text});
  }
  Disk& disk_;
};

class AppendLogs : public testing::Test {
 protected:
  void SetUp() override {
    loop_.refresh();
    log_.on_fatal = [this](const std::string& why) { fatal_ = why; };
    ASSERT_TRUE(log_.switch_to(std::make_unique<DiskFile>(disk_)));
  }
  void TearDown() override { disk_.slow = next_.slow = false; }

  void policy(AppendOptions::Sync sync) { options_.sync = sync; }
  void pass(int64_t ms) {
    clock_.advance_ms(ms);
    loop_.refresh();
  }
  bool turn(Bytes unit) {
    if (!unit.empty()) log_.on_stream(unit);
    return log_.end_turn();
  }
  // The worker's answer has come.
  void hear() {
    workers_.drain(Workers::Kind::fsync);
    loop_.run_once(0);
  }
  // Something was written, and its sync by the worker has failed.
  void let_a_sync_fail() {
    policy(AppendOptions::Sync::everysec);
    disk_.syncs = false;
    pass(1000);
    turn("one");
    hear();
    ASSERT_EQ(log_.problem(), "fsync: Input/output error");
  }

  Disk disk_, next_;
  AppendOptions options_;
  ManualClock clock_;
  EventLoop loop_{clock_};
  Workers workers_;
  AppendLog log_{loop_, workers_, options_};
  std::string fatal_;
};

TEST_F(AppendLogs, WriteATurnAtItsEndAndSyncItUnderAlways) {
  policy(AppendOptions::Sync::always);
  log_.on_stream("one");
  log_.on_stream("two");
  EXPECT_EQ(disk_.bytes, "");
  EXPECT_TRUE(log_.end_turn());
  EXPECT_EQ(disk_.bytes, "onetwo");
  EXPECT_EQ(disk_.synced, 1);
  EXPECT_TRUE(log_.end_turn());
  EXPECT_EQ(disk_.synced, 1) << "nothing new";
}

TEST_F(AppendLogs, LetNoReplyOutUnderAlwaysWhenTheDiskFails) {
  policy(AppendOptions::Sync::always);
  disk_.room = 2;
  EXPECT_FALSE(turn("one"));
  EXPECT_NE(fatal_.find("No space left"), std::string::npos);
  EXPECT_EQ(disk_.bytes, "") << "no part of a unit";
  disk_.room = SIZE_MAX, disk_.syncs = false, fatal_.clear();
  EXPECT_FALSE(turn("two"));
  EXPECT_NE(fatal_.find("fsync"), std::string::npos);
}

TEST_F(AppendLogs, SyncOnceASecondAside) {
  policy(AppendOptions::Sync::everysec);
  turn("one");
  EXPECT_FALSE(log_.sync_under_way());
  pass(1000);
  turn("");
  EXPECT_TRUE(log_.sync_under_way());
  hear();
  EXPECT_FALSE(log_.sync_under_way());
  EXPECT_EQ(disk_.synced, 1);
  pass(5000);
  turn("");
  EXPECT_FALSE(log_.sync_under_way()) << "nothing new";
}

TEST_F(AppendLogs, WaitTwoSecondsForASlowSyncThenWrite) {
  policy(AppendOptions::Sync::everysec);
  disk_.slow = true;
  pass(1000);
  turn("one");
  turn("two");
  EXPECT_EQ(disk_.bytes, "one");
  pass(1999);
  turn("");
  EXPECT_EQ(disk_.bytes, "one");
  EXPECT_EQ(log_.buffered_bytes(), 3U);
  pass(1);
  turn("");
  EXPECT_EQ(disk_.bytes, "onetwo");
  EXPECT_EQ(log_.stats().delayed_syncs, 1U);
}

TEST_F(AppendLogs, LeaveTheSyncToTheKernelUnderNo) {
  policy(AppendOptions::Sync::no);
  pass(5000);
  turn("one");
  EXPECT_EQ(disk_.bytes, "one");
  EXPECT_FALSE(log_.sync_under_way());
  EXPECT_TRUE(log_.flush());
  EXPECT_EQ(disk_.synced, 1);
}

TEST_F(AppendLogs, KeepWhatDoesNotFitAndTryAgainOnceASecond) {
  policy(AppendOptions::Sync::everysec);
  disk_.room = 4;
  turn("one");
  EXPECT_TRUE(turn("two"));
  EXPECT_EQ(disk_.bytes, "one") << "no part of a unit";
  EXPECT_FALSE(log_.problem().empty());
  disk_.room = SIZE_MAX;
  turn("");
  EXPECT_EQ(disk_.bytes, "one") << "not yet";
  pass(1000);
  turn("");
  EXPECT_EQ(disk_.bytes, "onetwo");
  EXPECT_EQ(log_.problem(), "");
}

TEST_F(AppendLogs, GoOnBehindAPartThatCannotBeCutOff) {
  policy(AppendOptions::Sync::no);
  disk_.room = 2, disk_.cuts = false;
  turn("one");
  EXPECT_EQ(disk_.bytes, "on");
  disk_.room = SIZE_MAX;
  pass(1000);
  turn("two");
  EXPECT_EQ(disk_.bytes, "onetwo");
}

TEST_F(AppendLogs, SyncWhatWasWrittenBeforeTheDiskWasFull) {
  policy(AppendOptions::Sync::everysec);
  disk_.room = 3;
  turn("one");
  turn("two");
  pass(1000);
  turn("");
  EXPECT_FALSE(log_.problem().empty());
  EXPECT_TRUE(log_.sync_under_way());
}

// Neither writing nor a sync that works says that what the failed one should have saved is there.
TEST_F(AppendLogs, KeepTheProblemOfASyncUntilABaseIsThere) {
  for (auto sync : {AppendOptions::Sync::everysec, AppendOptions::Sync::always, AppendOptions::Sync::no}) {
    SCOPED_TRACE(static_cast<int>(sync));
    let_a_sync_fail();
    EXPECT_TRUE(log_.needs_rewrite());
    disk_.syncs = true;
    policy(sync);
    pass(1000);
    turn("two");
    hear();
    EXPECT_TRUE(log_.needs_rewrite());
    EXPECT_FALSE(log_.flush());
    log_.base_is_there();
    EXPECT_TRUE(log_.needs_rewrite()) << "it holds nothing of what came to this file";
    ASSERT_TRUE(log_.switch_to(std::make_unique<DiskFile>(disk_)));
    hear();
    EXPECT_FALSE(log_.problem().empty());
    log_.base_is_there();
    EXPECT_FALSE(log_.needs_rewrite());
    EXPECT_EQ(log_.problem(), "");
    EXPECT_TRUE(log_.flush());
  }
}

TEST_F(AppendLogs, CareNoMoreForTheSyncOfAFileThatABaseHasReplaced) {
  policy(AppendOptions::Sync::everysec);
  disk_.syncs = false, disk_.slow = true;
  pass(1000);
  turn("one");
  ASSERT_TRUE(log_.switch_to(std::make_unique<DiskFile>(next_)));
  log_.base_is_there();
  disk_.slow = false;
  hear();
  EXPECT_EQ(log_.problem(), "");
  EXPECT_FALSE(log_.needs_rewrite());
}

TEST_F(AppendLogs, CountTheWorkersFailureWhenAllMustBeOnTheDisk) {
  policy(AppendOptions::Sync::everysec);
  disk_.syncs = false, disk_.slow = true;
  pass(1000);
  turn("one");
  ASSERT_TRUE(log_.sync_under_way());
  disk_.slow = false;
  EXPECT_FALSE(log_.flush());
  disk_.syncs = true;
  hear();
  EXPECT_FALSE(log_.flush()) << "another sync that works says nothing";
}

TEST_F(AppendLogs, WriteTheOldFileToItsEndBeforeTheNext) {
  policy(AppendOptions::Sync::everysec);
  log_.on_stream("one");
  ASSERT_TRUE(log_.switch_to(std::make_unique<DiskFile>(next_)));
  EXPECT_EQ(disk_.bytes, "one");
  hear();
  turn("two");
  EXPECT_EQ(disk_.bytes, "one");
  EXPECT_EQ(next_.bytes, "two");
  EXPECT_GE(disk_.synced, 1);
}

TEST_F(AppendLogs, StayWithAFileThatCannotBeWrittenToItsEnd) {
  policy(AppendOptions::Sync::everysec);
  disk_.room = 0;
  log_.on_stream("one");
  EXPECT_FALSE(log_.switch_to(std::make_unique<DiskFile>(next_)));
  disk_.room = SIZE_MAX;
  pass(1000);
  turn("");
  EXPECT_EQ(disk_.bytes, "one");
  EXPECT_EQ(next_.bytes, "");
}

TEST_F(AppendLogs, TellOfAFileLeftBehindThatCouldNotBeSynced) {
  policy(AppendOptions::Sync::everysec);
  disk_.syncs = false, disk_.slow = true;
  pass(1000);
  turn("one");
  ASSERT_TRUE(log_.switch_to(std::make_unique<DiskFile>(next_)));
  disk_.slow = false;
  hear();
  EXPECT_EQ(log_.problem(), "fsync: Input/output error");
}

TEST_F(AppendLogs, NoteTheSecondsOnceEach) {
  policy(AppendOptions::Sync::no);
  options_.timestamps = true;
  turn("one");
  turn("two");
  pass(1000);
  turn("three");
  EXPECT_EQ(disk_.bytes, "#TS:1700000000\r\nonetwo#TS:1700000001\r\nthree");
}

TEST_F(AppendLogs, HoldSyncsWhileAChildIsAtWorkIfToldTo) {
  bool child = true;
  log_.child_at_work = [&] { return child; };
  options_.no_sync_on_rewrite = true;
  policy(AppendOptions::Sync::always);
  EXPECT_TRUE(turn("one"));
  EXPECT_EQ(disk_.synced, 0);
  child = false;
  EXPECT_TRUE(turn(""));
  EXPECT_EQ(disk_.synced, 1);
}

}  // namespace
}  // namespace vitrine
