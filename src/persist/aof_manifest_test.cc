#include "persist/aof_manifest.h"

#include <gtest/gtest.h>
#include <random>

#include "base/random.h"
#include "io/testing.h"

namespace vitrine {
namespace {

std::string error_of(Bytes text) {
  auto parsed = AofManifest::parse(text);
  return parsed ? "none" : parsed.error();
}

TEST(AofManifest, ReadsWhatServersWrite) {
  auto m = AofManifest::parse(
      "# made by hand\n"
      "file appendonly.aof.2.base.rdb seq 2 type b\n"
      "file appendonly.aof.1.incr.aof seq 1 type h\n"
      "file appendonly.aof.2.incr.aof seq 2 type i startoffset 1615\n"
      "type i seq 10 FILE \"with a blank.aof\"  \n");
  ASSERT_TRUE(m) << m.error();
  EXPECT_EQ(m->base(), (AofFile{"appendonly.aof.2.base.rdb", 2}));
  ASSERT_EQ(m->history().size(), 1u);
  EXPECT_EQ(m->history()[0], (AofFile{"appendonly.aof.1.incr.aof", 1}));
  ASSERT_EQ(m->increments().size(), 2u);
  EXPECT_EQ(m->increments()[1], (AofFile{"with a blank.aof", 10}));
  EXPECT_EQ(m->files(), (std::vector<AofFile>{*m->base(), m->increments()[0], m->increments()[1]}));
  EXPECT_EQ(m->text(),
            "file appendonly.aof.2.base.rdb seq 2 type b\n"
            "file appendonly.aof.1.incr.aof seq 1 type h\n"
            "file appendonly.aof.2.incr.aof seq 2 type i\n"
            "file \"with a blank.aof\" seq 10 type i\n");
}

TEST(AofManifest, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(error_of(""), "it is empty");
  EXPECT_EQ(error_of("file a seq 1 type b"), "line 1: it does not end: the manifest was cut off here");
  EXPECT_EQ(error_of("file a seq 1 type b\n\n"), "line 2: it must say file, seq and type");
  EXPECT_EQ(error_of("file a seq 1\n"), "line 1: it must say file, seq and type");
  EXPECT_EQ(error_of("file a seq 1 type\n"), "line 1: it is not made of pairs 'file NAME seq NUMBER type LETTER'");
  EXPECT_EQ(error_of("file \"a seq 1 type b\n"), "line 1: its quotes do not match");
  EXPECT_EQ(error_of("file a seq 0 type b\n"), "line 1: '0' is no sequence number");
  EXPECT_EQ(error_of("file a seq -2 type b\n"), "line 1: '-2' is no sequence number");
  EXPECT_EQ(error_of("file a seq 1 type q\n"), "line 1: 'q' is no type of a file: b, i and h are");
  EXPECT_EQ(error_of("file ../a seq 1 type b\n"),
            "line 1: '../a' is a path, where a file in the manifest's own folder must be named");
  EXPECT_NE(error_of("file .. seq 1 type b\n"), "none");
  EXPECT_NE(error_of("file \"\" seq 1 type b\n"), "none");
  EXPECT_EQ(error_of("# x\nfile a seq 1 type b\nfile b seq 2 type b\n"), "line 3: a second base file");
  EXPECT_EQ(error_of("file a seq 1 type b\nfile a seq 2 type i\n"), "line 2: the file 'a' stands there twice");
  EXPECT_EQ(error_of("file a seq 2 type i\nfile b seq 2 type i\n"),
            "line 2: the sequence numbers of increments do not ascend");
}

TEST(AofManifest, HoldsNamesAgainstWhatTheLineSays) {
  EXPECT_EQ(error_of("file a.2.incr.aof seq 3 type i\n"), "line 1: the name 'a.2.incr.aof' and the seq 3 differ");
  EXPECT_EQ(error_of("file a.b.1.base.rdb seq 2 type h\n"), "line 1: the name 'a.b.1.base.rdb' and the seq 2 differ");
  EXPECT_EQ(error_of("file a.2.incr.aof seq 2 type b\n"),
            "line 1: the name 'a.2.incr.aof' and the type b contradict each other");
  for (const char* base : {"a.2.base.rdb", "a.2.base.aof"})
    EXPECT_EQ(error_of("file " + std::string(base) + " seq 2 type i\n"),
              "line 1: the name '" + std::string(base) + "' and the type i contradict each other");
  for (const char* other : {"a.x.incr.aof", "5.incr.aof", "a.2.incr.rdb", "appendonly.aof"})
    EXPECT_EQ(error_of("file " + std::string(other) + " seq 3 type b\n"), "none");
}

// One flipped bit makes an i an h, and what is history is removed at the start.
TEST(AofManifest, TakesNoNewestIncrementForHistory) {
  const char* why = "the increment 'a.2.incr.aof' is called history (type h), although no newer one is there";
  EXPECT_EQ(error_of("file a.2.incr.aof seq 2 type h\n"), why);
  EXPECT_EQ(error_of("file a.1.base.rdb seq 1 type b\nfile a.2.incr.aof seq 2 type h\n"), why);
  EXPECT_EQ(error_of("file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n"
                     "file a.2.incr.aof seq 2 type h\n"), why);
  // A rewrite while the log is off.
  EXPECT_EQ(error_of("file a.2.base.rdb seq 2 type b\nfile a.1.base.rdb seq 1 type h\n"
                     "file a.1.incr.aof seq 1 type h\n"), "none");
}

TEST(AofManifest, GoesThroughARewrite) {
  AofManifest m;
  EXPECT_TRUE(m.empty());
  EXPECT_EQ(AofManifest::parse(m.text()), m) << "an empty one reads back";
  m.replace_base(m.next_base("appendonly.aof", true), 0);
  m.add_increment(m.next_increment("appendonly.aof"));
  EXPECT_EQ(m.text(), "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n");
  m.add_increment(m.next_increment("appendonly.aof"));
  m.replace_base(m.next_base("appendonly.aof", false), 1);
  EXPECT_EQ(m.text(),
            "file appendonly.aof.2.base.aof seq 2 type b\n"
            "file appendonly.aof.1.base.rdb seq 1 type h\n"
            "file appendonly.aof.1.incr.aof seq 1 type h\n"
            "file appendonly.aof.2.incr.aof seq 2 type i\n");
  m.forget_history();
  EXPECT_EQ(m.text(), "file appendonly.aof.2.base.aof seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n");
  m.add_increment(m.next_increment("appendonly.aof"));
  m.take_back_increment();
  EXPECT_EQ(m.increments().size(), 1u);
  EXPECT_EQ(m.next_increment("x").seq, 4u) << "a name is not used twice";
}

TEST(AofManifest, AnyNamesReadBackAndNoBytesHarm) {
  uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  for (int round = 0; round < 2000; round++) {
    AofManifest m;
    std::string prefix = "p";
    for (size_t i = random.below(8); i > 0; i--) {
      char c = static_cast<char>(random.below(256));
      if (c != '/' && c != 0) prefix += c;
    }
    m.replace_base(m.next_base(prefix, random.below(2)), 0);
    for (size_t i = random.below(4); i > 0; i--) m.add_increment(m.next_increment(prefix));
    if (random.below(2)) m.replace_base(m.next_base(prefix, true), random.below(m.increments().size() + 1));
    std::string text = m.text();
    auto back = AofManifest::parse(text);
    ASSERT_TRUE(back) << back.error() << "\n" << text;
    EXPECT_EQ(back->text(), text);
    // Damaged: refused, or something else that reads back.
    text[random.below(text.size())] ^= static_cast<char>(1 << random.below(8));
    text.resize(text.size() - random.below(2));
    if (auto damaged = AofManifest::parse(text)) {
      EXPECT_EQ(AofManifest::parse(damaged->text())->text(), damaged->text());
    }
  }
}

TEST(AofManifest, IsFoundWrittenAndRefusedAsAFile) {
  testing_words::Folder folder;
  SystemFiles files;
  std::string path = aof_manifest_path(folder.path, "appendonly.aof");
  EXPECT_EQ(path, folder.path + "/appendonly.aof.manifest");
  auto none = read_aof_manifest(files, path);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  AofManifest m;
  m.add_increment(m.next_increment("appendonly.aof"));
  ASSERT_TRUE(write_aof_manifest(files, path, m));
  EXPECT_EQ(read_aof_manifest(files, path)->value(), m);
  ASSERT_TRUE(files.write_atomic(path, "file a\n"));
  EXPECT_EQ(read_aof_manifest(files, path).error(),
            "The manifest " + path + ", line 1: it must say file, seq and type");
  ASSERT_TRUE(files.remove(path));
  ASSERT_TRUE(files.make_folder(path));
  EXPECT_NE(read_aof_manifest(files, path).error().find("Is a directory"), std::string::npos);
}

TEST(AofManifest, GivesNoNumberAgainThatItHasAbandoned) {
  AofManifest manifest;
  manifest.replace_base({"a.1.base.rdb", 1}, 0);
  manifest.add_increment({"a.1.incr.aof", 1});
  manifest.abandon_base({"a.2.base.rdb", 2});
  manifest.abandon_increment({"a.3.incr.aof", 3});
  auto read = AofManifest::parse(manifest.text());
  ASSERT_TRUE(read) << read.error();
  for (const AofManifest& each : {manifest, *read}) {
    EXPECT_EQ(each.next_base("a", true).name, "a.3.base.rdb");
    EXPECT_EQ(each.next_increment("a").name, "a.4.incr.aof");
    EXPECT_EQ(each.history().size(), 2U);
  }
  EXPECT_EQ(*read, manifest);
}

}  // namespace
}  // namespace vitrine
