#include "engine/propagator.h"

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

TEST(Propagator, SelectsWhereTheDatabaseChanges) {
  Effects effects;
  Propagator propagator(effects);
  Log log;
  propagator.follow(&log);
  for (int db : {1, 1, 2}) effects.add(db, {"SET", "k", "v"}), effects.close_unit();
  EXPECT_EQ(words(log.take()), "SELECT 1; SET k v; SET k v; SELECT 2; SET k v; ");
  propagator.forget_database();
  effects.add(2, {"DEL", "k"});
  effects.close_unit();
  EXPECT_EQ(words(log.take()), "SELECT 2; DEL k; ");
  propagator.leave(&log);
}

TEST(Propagator, WrapsSeveralAsOneUnit) {
  Effects effects;
  Propagator propagator(effects);
  Log log;
  propagator.follow(&log);
  effects.add(1, {"SET", "k", "v"});
  effects.add(2, {"DEL", "k"});
  effects.close_unit();
  EXPECT_EQ(log.units, 1);
  EXPECT_EQ(words(log.take()), "SELECT 1; MULTI; SET k v; SELECT 2; DEL k; EXEC; ");
  propagator.leave(&log);
}

TEST(Propagator, KeepsBytesAsTheyAre) {
  Effects effects;
  Propagator propagator(effects);
  Log log;
  propagator.follow(&log);
  std::string odd("\0\r\n*", 4), large(200'000, 'x');
  effects.add(0, {"SET", "", odd});
  effects.close_unit();
  EXPECT_EQ(words(log.take()), "SELECT 0; SET  " + odd + "; ");
  effects.add(0, {"SET", "k", large});
  effects.close_unit();
  EXPECT_EQ(words(log.take()), "SET k " + large + "; ");
  propagator.leave(&log);
}

TEST(Propagator, GathersOnlyWhileSomebodyFollows) {
  Effects effects;
  Propagator propagator(effects);
  Log first, second;
  EXPECT_FALSE(effects.wanted());
  propagator.follow(&first);
  effects.add(0, {"DEL", "a"});
  effects.close_unit();
  propagator.follow(&second);
  effects.add(0, {"DEL", "b"});
  effects.close_unit();
  propagator.leave(&first);
  EXPECT_TRUE(effects.wanted());
  EXPECT_EQ(words(first.bytes), "SELECT 0; DEL a; SELECT 0; DEL b; ");
  EXPECT_EQ(words(second.bytes), "SELECT 0; DEL b; ");
  propagator.leave(&second);
  EXPECT_FALSE(effects.wanted());
}

}  // namespace
}  // namespace vitrine
