// Every step of saving fails in turn: the old file stays, nothing is left behind, and the next attempt works.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>

#include "base/hash.h"
#include "io/testing.h"
#include "persist/snapshots.h"
#include "store/string.h"

namespace vitrine {
namespace {

namespace fs = std::filesystem;

// Counts steps, and fails the one that it is told to.
struct Fault {
  int step = 0, fails_at = -1;
  bool fails() { return step++ == fails_at; }
  static std::unexpected<FileError> error(const char* what) {
    return std::unexpected(FileError{ENOSPC, std::string(what) + ": No space left on device"});
  }
};

class FaultyFile final : public AppendFile {
 public:
  FaultyFile(std::unique_ptr<AppendFile> real, Fault& fault) : real_(std::move(real)), fault_(fault) {}
  FileResult<size_t> append(Bytes data) override {
    // A short write first; what follows tells why.
    if (data.size() > 1 && fault_.step == fault_.fails_at) return real_->append(data.substr(0, data.size() / 2));
    if (fault_.fails()) return Fault::error("write");
    return real_->append(data);
  }
  FileResult<void> sync() override { return fault_.fails() ? Fault::error("fsync") : real_->sync(); }
  void start_sync() override { real_->start_sync(); }
  FileResult<void> truncate(uint64_t n) override {
    return fault_.fails() ? Fault::error("truncate") : real_->truncate(n);
  }
  uint64_t size() const override { return real_->size(); }
  FileResult<void> close() override { return fault_.fails() ? Fault::error("close") : real_->close(); }

 private:
  std::unique_ptr<AppendFile> real_;
  Fault& fault_;
};

struct FaultyFiles : SystemFiles {
  Fault fault;
  FileResult<std::unique_ptr<AppendFile>> open_empty(const std::string& path, unsigned mode) override {
    if (fault.fails()) return Fault::error("open");
    auto file = SystemFiles::open_empty(path, mode);
    if (!file) return file;
    return std::make_unique<FaultyFile>(std::move(*file), fault);
  }
  FileResult<void> rename(const std::string& from, const std::string& to) override {
    return fault.fails() ? Fault::error("rename") : SystemFiles::rename(from, to);
  }
  FileResult<void> sync_folder(const std::string& folder) override {
    return fault.fails() ? Fault::error("fsync") : SystemFiles::sync_folder(folder);
  }
};

class SnapshotsTest : public testing::Test {
 protected:
  SnapshotsTest() { put("k", "old"); }
  void put(Bytes key, Bytes value) {
    keyspace_.put_string(0, key, hash_bytes(key), value, kNoExpiry);
    keyspace_.announce(0, key, "set", EventClass::string, Type::string);
  }
  std::string content() { return *files_.read_all("dump.rdb"); }
  std::vector<std::string> names() { return *files_.list("."); }
  void run_until_done() {
    while (snapshots_.background_running()) loop_.run_once(100);
  }

  testing_words::WorkingFolder folder_;
  SystemClock clock_;
  EventLoop loop_{clock_};
  FaultyFiles files_;
  Keyspace::Options keyspace_options_;
  Keyspace keyspace_{keyspace_options_, loop_.wall_ms(), 1};
  PersistOptions options_;
  Snapshots snapshots_{loop_, files_, keyspace_, options_};
};

TEST_F(SnapshotsTest, EveryStepOfSavingFailsInTurn) {
  ASSERT_TRUE(snapshots_.save());
  std::string old = content();
  put("k", "new");
  int failures = 0;
  for (int step = 0;; step++) {
    files_.fault = {0, step};
    auto saved = snapshots_.save();
    files_.fault = {};
    if (saved) break;
    failures++;
    EXPECT_NE(saved.error().find("No space left on device"), std::string::npos) << saved.error();
    EXPECT_EQ(names(), std::vector<std::string>{"dump.rdb"}) << "step " << step;
    // Only the folder's sync comes after the new file has taken its place.
    EXPECT_EQ(content() == old, saved.error().find("fsync: No") == std::string::npos || step < 4) << "step " << step;
  }
  EXPECT_GE(failures, 6);
  EXPECT_NE(content(), old);
}

TEST_F(SnapshotsTest, EveryStepOfTheChildFailsInTurn) {
  int failures = 0;
  for (int step = 0;; step++) {
    files_.fault = {0, step};
    ASSERT_TRUE(snapshots_.start_background());
    // The child has its own copy; here only what the parent does must work.
    files_.fault = {};
    run_until_done();
    if (snapshots_.stats().last_background_ok) break;
    failures++;
    EXPECT_TRUE(names().empty()) << "step " << step;
    EXPECT_TRUE(snapshots_.write_refusal().starts_with("MISCONF"));
    ASSERT_LT(step, 20);
  }
  EXPECT_GE(failures, 4);
  EXPECT_TRUE(snapshots_.write_refusal().empty());
  EXPECT_EQ(snapshots_.changes(), 0u);
  EXPECT_EQ(snapshots_.stats().saves, static_cast<uint64_t>(failures) + 1) << "those that were begun";
}

TEST_F(SnapshotsTest, TheChildSeesTheDataAsItWas) {
  options_.key_save_delay_us = 20000;
  put("l", "1");
  ASSERT_TRUE(snapshots_.start_background());
  keyspace_.flush(-1, false);
  put("m", "2");
  run_until_done();
  EXPECT_EQ(snapshots_.changes(), 3u);   // two keys flushed, one set
  keyspace_.flush(-1, false);
  auto loaded = snapshots_.load(false, false);
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ(loaded->keys, 2u);
  EXPECT_TRUE(keyspace_.find(0, "l", hash_bytes("l"), Keyspace::Touch::peek));
}

TEST_F(SnapshotsTest, SavePointsAskForWhatTheySay) {
  options_.save_points = {{0, 3}};
  snapshots_.tend();
  EXPECT_FALSE(snapshots_.background_running()) << "one change is not enough";
  put("a", "1");
  put("b", "1");
  usleep(1100000);
  loop_.refresh();
  snapshots_.tend();
  EXPECT_TRUE(snapshots_.background_running());
  run_until_done();
  EXPECT_EQ(snapshots_.changes(), 0u);
  snapshots_.tend();
  EXPECT_FALSE(snapshots_.background_running());
}

}  // namespace
}  // namespace vitrine
