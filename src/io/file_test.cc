#include "io/file.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <random>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "base/random.h"
#include "io/random.h"
#include "io/testing.h"

namespace vitrine {
namespace {

using testing_words::Folder;

TEST(Files, WriteAtomicReplacesAndKeepsPermissions) {
  Folder folder;
  SystemFiles files;
  std::string path = folder.path + "/conf";
  ASSERT_TRUE(files.write_atomic(path, "one", 0640));
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
  ASSERT_EQ(chmod(path.c_str(), 0604), 0);
  std::string big(300000, 'b');
  ASSERT_TRUE(files.write_atomic(path, big));
  EXPECT_EQ(files.read_all(path).value(), big);
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0604u);
  EXPECT_EQ(files.list(folder.path).value(), std::vector<std::string>{"conf"}) << "no temporary file is left";
}

TEST(Files, WriteAtomicFollowsASymbolicLink) {
  Folder folder;
  SystemFiles files;
  std::string real = folder.path + "/real", link = folder.path + "/link";
  ASSERT_TRUE(files.write_atomic(real, "old"));
  ASSERT_EQ(symlink("real", link.c_str()), 0);
  ASSERT_TRUE(files.write_atomic(link, "new"));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(files.read_all(real).value(), "new");
}

TEST(Files, ErrorsNameThePathAndTheReason) {
  Folder folder;
  SystemFiles files;
  std::string missing = folder.path + "/no/x";
  auto written = files.write_atomic(missing, "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ENOENT);
  EXPECT_EQ(written.error().text.find("create " + missing), 0u);
  EXPECT_EQ(files.read_all(missing).error().text, "open " + missing + ": No such file or directory");
  EXPECT_FALSE(files.exists(missing));
  EXPECT_TRUE(files.remove(missing)) << "what is not there is removed";
  EXPECT_FALSE(files.remove(folder.path));
  EXPECT_FALSE(files.list(missing));
  EXPECT_FALSE(files.size(missing));
  EXPECT_FALSE(files.rename(missing, folder.path + "/y"));
  EXPECT_FALSE(files.open_append(missing));
  EXPECT_FALSE(files.sync_folder(missing));
}

TEST(Files, ReadAllHasALimit) {
  Folder folder;
  SystemFiles files;
  std::string path = folder.path + "/f";
  ASSERT_TRUE(files.write_atomic(path, "12345"));
  EXPECT_EQ(files.read_all(path, 5).value(), "12345");
  EXPECT_EQ(files.read_all(path, 4).error().code, EFBIG);
  EXPECT_EQ(files.size(path).value(), 5u);
}

TEST(Files, AppendContinuesSyncsAndTruncates) {
  Folder folder;
  SystemFiles files;
  std::string path = folder.path + "/log";
  uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  std::string model;
  for (int round = 0; round < 20; round++) {
    auto file = files.open_append(path);
    ASSERT_TRUE(file);
    EXPECT_EQ((*file)->size(), model.size());
    for (int i = 0; i < 20; i++) {
      std::string piece(random.below(200), char('a' + random.below(26)));
      EXPECT_EQ((*file)->append(piece).value(), piece.size());
      model += piece;
      if (random.below(5) == 0) {
        uint64_t keep = random.below(model.size() + 1);
        ASSERT_TRUE((*file)->truncate(keep));
        model.resize(keep);
      }
    }
    ASSERT_TRUE((*file)->sync());
    EXPECT_EQ((*file)->size(), model.size());
    EXPECT_EQ(files.read_all(path).value(), model);
    if (round % 2) {
      EXPECT_TRUE((*file)->close());
    }
  }
}

TEST(Files, AFileThatMayNotGrowIsTold) {
  Folder folder;
  SystemFiles files;
  auto file = files.open_append(folder.path + "/a");
  ASSERT_TRUE(file);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit least{3, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &least), 0);
  auto some = (*file)->append("12345");
  auto none = (*file)->append("45");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(some.value(), 3U);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, EFBIG);
}

// A pipe would wait for its other end, for ever.
TEST(Files, WhatIsNoFileIsToldAndNotWaitedFor) {
  Folder folder;
  SystemFiles files;
  std::string path = folder.path + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(files.read_all(path).error().text, "open " + path + ": Not a regular file");
  EXPECT_EQ(files.open_read(path).error().text, "open " + path + ": Not a regular file");
  EXPECT_EQ(files.open_append(path).error().text, "open " + path + ": Not a regular file");
  EXPECT_EQ(files.size(path).error().text, "stat " + path + ": Not a regular file");
  EXPECT_EQ(files.size(folder.path).error().code, EISDIR);
  EXPECT_EQ(files.open_read("/dev/null").error().code, EINVAL);
}

TEST(Files, OnlyWhatIsSurelyNotThereDoesNotExist) {
  Folder folder;
  SystemFiles files;
  std::string path = folder.path + "/loop";
  EXPECT_FALSE(files.exists(path));
  ASSERT_EQ(symlink("loop", path.c_str()), 0);
  EXPECT_TRUE(files.exists(path));
  EXPECT_TRUE(files.exists(folder.path + '/' + std::string(300, 'x')));
}

TEST(Files, AnEmptyFileTakesThePlaceOfASymbolicLink) {
  Folder folder;
  SystemFiles files;
  std::string target = folder.path + "/target", path = folder.path + "/link";
  ASSERT_TRUE(files.write_atomic(target, "kept"));
  ASSERT_EQ(symlink("target", path.c_str()), 0);
  auto file = files.open_empty(path);
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->append("new"));
  EXPECT_EQ(files.read_all(target).value(), "kept");
  EXPECT_EQ(files.read_all(path).value(), "new");
}

TEST(Files, FoldersAndNames) {
  Folder folder;
  SystemFiles files;
  std::string sub = folder.path + "/sub";
  ASSERT_TRUE(files.make_folder(sub));
  ASSERT_TRUE(files.make_folder(sub));
  ASSERT_TRUE(files.write_atomic(sub + "/b", "1"));
  ASSERT_TRUE(files.write_atomic(sub + "/a", "2"));
  EXPECT_FALSE(files.make_folder(sub + "/a"));
  ASSERT_TRUE(files.rename(sub + "/b", sub + "/a"));
  ASSERT_TRUE(files.sync_folder(sub));
  EXPECT_EQ(files.list(sub).value(), std::vector<std::string>{"a"});
  EXPECT_EQ(files.read_all(sub + "/a").value(), "1");
  EXPECT_EQ(folder_of("/a"), "/");
  EXPECT_EQ(folder_of("a"), ".");
  EXPECT_EQ(folder_of("/a/b/c"), "/a/b");
}

TEST(Files, AFolderIsLockedOnce) {
  Folder folder;
  SystemFiles files, others;
  {
    auto lock = files.lock_folder(folder.path);
    ASSERT_TRUE(lock);
    auto refused = others.lock_folder(folder.path);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EWOULDBLOCK);
    EXPECT_EQ(refused.error().text, folder.path + " is in use by process " + std::to_string(getpid()));
    EXPECT_TRUE(others.write_atomic(folder.path + "/a", "1"));
  }
  EXPECT_TRUE(others.lock_folder(folder.path));
  EXPECT_EQ(files.lock_folder(folder.path + "/a").error().code, ENOTDIR);
  EXPECT_EQ(files.lock_folder(folder.path + "/b").error().code, ENOENT);
}

TEST(TrueRandom, DiffersEachTime) {
  EXPECT_NE(random_seed(), random_seed());
  std::string a = random_hex(40), b = random_hex(40);
  EXPECT_EQ(a.size(), 40u);
  EXPECT_EQ(a.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(a, b);
  EXPECT_EQ(random_hex(1000).size(), 1000u);
}

}  // namespace
}  // namespace vitrine
