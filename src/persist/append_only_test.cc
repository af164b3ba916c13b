// The files of the log: which one the manifest names when, if the disk fails meanwhile.
#include "persist/append_only.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "io/testing.h"
#include "persist/snapshots.h"

namespace vitrine {
namespace {

// Plain, but what is appended to files of that name does not fit when `full`, and cannot be synced when not `syncs`.
struct FullFiles final : SystemFiles {
  class File final : public AppendFile {
   public:
    File(std::unique_ptr<AppendFile> real, const FullFiles& disk) : real_(std::move(real)), disk_(disk) {}
    FileResult<size_t> append(Bytes data) override {
      if (disk_.full) return std::unexpected(FileError{ENOSPC, "write: No space left on device"});
      return real_->append(data);
    }
    FileResult<void> sync() override {
      if (!disk_.syncs) return std::unexpected(FileError{EIO, "fsync: Input/output error"});
      return real_->sync();
    }
    void start_sync() override { real_->start_sync(); }
    FileResult<void> truncate(uint64_t n) override { return real_->truncate(n); }
    uint64_t size() const override { return real_->size(); }
    FileResult<void> close() override { return real_->close(); }

   private:
    std::unique_ptr<AppendFile> real_;
    const FullFiles& disk_;
  };

  FileResult<std::unique_ptr<AppendFile>> open_append(const std::string& path, unsigned mode) override {
    auto file = SystemFiles::open_append(path, mode);
    if (!file || !path.ends_with(name)) return file;
    return std::make_unique<File>(std::move(*file), *this);
  }

  std::string name = ".1.incr.aof";
  bool full = false;
  std::atomic<bool> syncs = true;
};

class AppendOnlyFiles : public testing::Test {
 protected:
  void SetUp() override { options_.append.sync = AppendOptions::Sync::everysec; }
  size_t named_increments() {
    auto manifest = read_aof_manifest(files_, aof_manifest_path(options_.append.folder, options_.append.prefix));
    return manifest && *manifest ? (*manifest)->increments().size() : 0;
  }

  // A second of the server's life.
  void pass() {
    clock_.advance_ms(1000);
    loop_.refresh();
    log_.end_turn();
    workers_.drain();
    loop_.run_once(0);
    log_.tend();
  }

  testing_words::WorkingFolder folder_;
  FullFiles files_;
  ManualClock clock_;
  EventLoop loop_{clock_};
  Workers workers_;
  Keyspace::Options keyspace_options_;
  Keyspace keyspace_{keyspace_options_, loop_.wall_ms(), 1};
  PersistOptions options_;
  Snapshots snapshots_{loop_, files_, keyspace_, options_};
  Effects effects_;
  AppendOnly log_{loop_, workers_, files_, effects_, snapshots_, options_.append};
};

// Else the file that goes on growing would not be the last one, and could not end in the middle after a crash.
TEST_F(AppendOnlyFiles, BeginNoNextOneBeforeTheLastIsWrittenToItsEnd) {
  ASSERT_TRUE(log_.begin(std::nullopt));
  ASSERT_EQ(named_increments(), 1U);
  log_.append_log().on_stream("*1\r\n$4\r\nPING\r\n");
  files_.full = true;
  EXPECT_FALSE(log_.start_rewrite());
  EXPECT_EQ(named_increments(), 1U);
  EXPECT_FALSE(log_.write_refusal().empty());
  EXPECT_FALSE(log_.rewriting());
}

// The kernel tells of a failed sync once, and may have dropped what it could not save.
TEST_F(AppendOnlyFiles, RewriteAfterAFailedSyncAndRefuseWritesUntilThatIsDone) {
  ASSERT_TRUE(log_.begin(std::nullopt));
  log_.append_log().on_stream("*1\r\n$4\r\nPING\r\n");
  pass();
  // A rewrite that was begun before does not hold what is written while it is under way.
  files_.name = ".2.incr.aof";
  ASSERT_TRUE(log_.start_rewrite());
  pass();
  files_.syncs = false;
  log_.append_log().on_stream("*1\r\n$4\r\nPING\r\n");
  pass();
  EXPECT_EQ(log_.write_refusal(), "MISCONF Errors writing to the AOF file: Input/output error");
  files_.syncs = true;
  EXPECT_FALSE(log_.shut_down(false));
  EXPECT_TRUE(log_.rewriting()) << "it goes on";
  while (log_.rewriting()) loop_.run_once(100);
  EXPECT_EQ(log_.stats().rewrites, 1U);
  EXPECT_FALSE(log_.write_refusal().empty());
  EXPECT_TRUE(log_.rewrite_scheduled());
  pass();
  ASSERT_TRUE(log_.rewriting()) << "at once";
  EXPECT_FALSE(log_.rewrite_scheduled());
  EXPECT_FALSE(log_.write_refusal().empty());
  while (log_.rewriting()) loop_.run_once(100);
  EXPECT_EQ(log_.stats().rewrites, 2U);
  EXPECT_EQ(log_.write_refusal(), "");
  EXPECT_FALSE(log_.rewrite_scheduled());
  EXPECT_TRUE(log_.shut_down(false));
}

// While another child is at work, or after the first rewrite failed, there is no file yet that would follow the writes.
TEST_F(AppendOnlyFiles, MayGoWhileTheFirstRewriteIsStillToCome) {
  ASSERT_TRUE(snapshots_.start_background());
  ASSERT_TRUE(log_.turn_on());
  EXPECT_EQ(log_.state(), AppendOnly::State::waiting);
  EXPECT_TRUE(log_.rewrite_scheduled());
  EXPECT_FALSE(log_.append_log().open());
  EXPECT_FALSE(log_.shut_down(false)) << "what is written since then is nowhere else";
  EXPECT_TRUE(log_.rewrite_scheduled());
  EXPECT_TRUE(log_.shut_down(true));
}

}  // namespace
}  // namespace vitrine
