#include "engine/effects.h"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

struct Log : StreamFollower {
  std::string bytes;
  int units = 0;
  void on_stream(Bytes unit) override { bytes += unit, units++; }
  std::string take() { return std::exchange(bytes, {}); }
};

// The words of a stream, with a check of every length.
std::string words(const std::string& stream) {
  std::string text;
  size_t at = 0;
  auto number = [&](char kind) {
    EXPECT_EQ(stream.at(at), kind);
    size_t end = stream.find("\r\n", at);
    size_t n = std::stoul(stream.substr(at + 1, end - at - 1));
    at = end + 2;
    return n;
  };
  while (at < stream.size()) {
    for (size_t n = number('*'); n > 0; n--) {
      size_t length = number('$');
      text += stream.substr(at, length) + (n > 1 ? " " : "; ");
      EXPECT_EQ(stream.substr(at + length, 2), "\r\n");
      at += length + 2;
    }
  }
  return text;
}

TEST(Effects, SelectsWhereTheDatabaseChanges) {
  Effects effects;
  Log log;
  effects.follow(&log);
  for (int db : {1, 1, 2}) effects.add(db, {"SET", "k", "v"}), effects.close_unit();
  EXPECT_EQ(words(log.take()), "SELECT 1; SET k v; SET k v; SELECT 2; SET k v; ");
  effects.forget_database();
  effects.add(2, {"DEL", "k"});
  effects.close_unit();
  EXPECT_EQ(words(log.take()), "SELECT 2; DEL k; ");
  effects.leave(&log);
}

TEST(Effects, WrapsSeveralAsOneUnit) {
  Effects effects;
  Log log;
  effects.follow(&log);
  effects.add(1, {"SET", "k", "v"});
  effects.add(2, {"DEL", "k"});
  effects.close_unit();
  EXPECT_EQ(log.units, 1);
  EXPECT_EQ(words(log.take()), "SELECT 1; MULTI; SET k v; SELECT 2; DEL k; EXEC; ");
  effects.leave(&log);
}

TEST(Effects, KeepsBytesAsTheyAre) {
  Effects effects;
  Log log;
  effects.follow(&log);
  std::string odd("\0\r\n*", 4), large(200'000, 'x');
  effects.add(0, {"SET", "", odd});
  effects.close_unit();
  EXPECT_EQ(words(log.take()), "SELECT 0; SET  " + odd + "; ");
  effects.add(0, {"SET", "k", large});
  effects.close_unit();
  EXPECT_EQ(words(log.take()), "SET k " + large + "; ");
  effects.leave(&log);
}

TEST(Effects, GathersOnlyWhileSomebodyFollows) {
  Effects effects;
  Log first, second;
  EXPECT_FALSE(effects.wanted());
  effects.follow(&first);
  effects.add(0, {"DEL", "a"});
  effects.close_unit();
  effects.follow(&second);
  effects.add(0, {"DEL", "b"});
  effects.close_unit();
  effects.leave(&first);
  EXPECT_TRUE(effects.wanted());
  EXPECT_EQ(words(first.bytes), "SELECT 0; DEL a; SELECT 0; DEL b; ");
  EXPECT_EQ(words(second.bytes), "SELECT 0; DEL b; ");
  effects.leave(&second);
  EXPECT_FALSE(effects.wanted());
}

TEST(Effects, ForgetsWhatWasTakenBack) {
  Effects effects;
  Log log;
  effects.follow(&log);
  effects.begin_command(3);
  effects.add(3, {"DEL", "expired"});
  size_t before = effects.gathered();
  effects.add(3, {"SET", "a", "1"});
  effects.add(4, {"SET", "b", "1"});
  effects.drop_from(before);
  effects.drop_from(before);
  effects.close_unit();
  EXPECT_EQ(words(log.take()), "SELECT 3; DEL expired; ");
  effects.add(3, {"SET", "a", "1"});
  effects.drop_from(0);
  effects.close_unit();
  EXPECT_EQ(log.units, 1);
  effects.leave(&log);
}

TEST(Effects, GivesTheCommandOrWhatReplacesIt) {
  Effects effects;
  Log log;
  effects.follow(&log);
  Bytes command[] = {"INCRBYFLOAT", "k", "1"};
  auto run = [&](bool changed, auto inside) {
    effects.begin_command(0);
    inside();
    effects.end_command(command, changed);
    effects.close_unit();
  };
  run(true, [] {});
  run(false, [] {});
  run(true, [&] { effects.nothing(); });
  run(true, [&] { effects.replace({"SET", "k", "1"}); });
  EXPECT_EQ(words(log.take()), "SELECT 0; INCRBYFLOAT k 1; SET k 1; ");
  effects.leave(&log);
}

}  // namespace
}  // namespace vitrine
