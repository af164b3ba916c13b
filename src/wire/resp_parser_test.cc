#include "wire/resp_parser.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace vitrine {
namespace {

using Command = std::vector<std::string>;

std::string encode(const Command& command) {
  std::string out = "*" + std::to_string(command.size()) + "\r\n";
  for (const std::string& arg : command) out += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  return out;
}

// Feeds `text` in pieces, as a connection would: what is not consumed stays at the front of the buffer.
struct Reader {
  RespParser parser;
  RespParser::Limits limits;
  std::string buffer;
  std::vector<Command> commands;

  void feed(Bytes piece) {
    buffer += piece;
    while (true) {
      CommandBatch batch;
      size_t consumed = parser.parse(buffer, limits, batch);
      for (size_t i = 0; i < batch.size(); i++) commands.emplace_back(batch[i].begin(), batch[i].end());
      buffer.erase(0, consumed);
      if (batch.empty()) return;
    }
  }
  std::string error() const { return std::string(parser.error()); }
};

Reader read(Bytes text) {
  Reader r;
  r.feed(text);
  return r;
}

TEST(RespParser, ReadsPipelines) {
  Reader r = read(encode({"SET", "k", std::string("a\0b\r\n", 5)}) + encode({"GET", ""}) + "PING\r\n" +
                  "*0\r\n*-1\r\n" + encode({"X"}));
  ASSERT_EQ(r.error(), "");
  EXPECT_EQ(r.commands, (std::vector<Command>{
                            {"SET", "k", std::string("a\0b\r\n", 5)}, {"GET", ""}, {"PING"}, {"X"}}));
  EXPECT_TRUE(r.buffer.empty());
}

TEST(RespParser, ReadsTheSameHoweverTheBytesArrive) {
  std::vector<Command> wanted;
  std::string text;
  Random random(11);
  for (int i = 0; i < 60; i++) {
    Command command;
    for (uint64_t n = random.below(6) + 1; n; n--)
      command.push_back(std::string(random.below(40), char(random.below(256))));
    text += encode(command);
    wanted.push_back(command);
    if (i % 7 == 0) text += "*0\r\n";
    if (i % 5 == 0) text += "inline  \"wo\\x41rd\" 'x y'\r\n", wanted.push_back({"inline", "woArd", "x y"});
  }
  for (size_t split = 1; split < text.size(); split++) {
    Reader r;
    r.feed(Bytes(text).substr(0, split));
    r.feed(Bytes(text).substr(split));
    ASSERT_EQ(r.commands, wanted) << "split at " << split;
  }
  for (size_t step : {1, 2, 3, 7, 100}) {
    Reader r;
    for (size_t i = 0; i < text.size(); i += step) r.feed(Bytes(text).substr(i, step));
    ASSERT_EQ(r.commands, wanted) << "in steps of " << step;
  }
}

TEST(RespParser, GoesOnFromTheMiddleOfABatch) {
  std::string text = encode({"A", "1"}) + "*0\r\n" + encode({"B"}) + "C d\r\n" + encode({"E"});
  RespParser parser;
  CommandBatch batch;
  parser.parse(text, {}, batch);
  ASSERT_EQ(batch.size(), 4u);
  for (size_t i = 0; i < batch.size(); i++) {
    RespParser again;
    CommandBatch rest;
    again.parse(Bytes(text).substr(batch.begin_offset(i)), {}, rest);
    ASSERT_EQ(rest.size(), 4 - i);
    EXPECT_EQ(rest[0][0], batch[i][0]);
  }
}

TEST(RespParser, RefusesWhatIsMalformed) {
  struct Case {
    std::string text, error;
  };
  const Case cases[] = {
      {"*abc\r\n", "invalid multibulk length"},
      {"*2147483648\r\n", "invalid multibulk length"},
      {"*99999999999999999999\r\n", "invalid multibulk length"},
      {"*1\r\n:1\r\n", "expected '$', got ':'"},
      {"*1\r\n$-1\r\n", "invalid bulk length"},
      {"*1\r\n$x\r\n", "invalid bulk length"},
      {"*1\r\n$536870913\r\n", "invalid bulk length"},
      {"GET \"a\r\n", "unbalanced quotes in request"},
      {"GET 'a'b\r\n", "unbalanced quotes in request"},
      {std::string(70000, 'x'), "too big inline request"},
      {"*" + std::string(70000, '1'), "too big mbulk count string"},
      {"*1\r\n$" + std::string(70000, '1'), "too big bulk count string"},
  };
  for (const Case& c : cases) {
    Reader r = read(encode({"BEFORE"}) + c.text);
    EXPECT_EQ(r.error(), c.error) << c.text.substr(0, 40);
    EXPECT_EQ(r.commands.size(), 1u);
  }
}

TEST(RespParser, TakesOnlySmallRequestsBeforeAuthentication) {
  Reader many;
  many.limits.authenticated = false;
  many.feed("*11\r\n");
  EXPECT_EQ(many.error(), "unauthenticated multibulk length");
  Reader big;
  big.limits.authenticated = false;
  big.feed("*1\r\n$16385\r\n");
  EXPECT_EQ(big.error(), "unauthenticated bulk length");
  Reader fine;
  fine.limits.authenticated = false;
  fine.feed(encode({"AUTH", std::string(16384, 'p')}));
  EXPECT_EQ(fine.error(), "");
  EXPECT_EQ(fine.commands.size(), 1u);
}

// The commands before it may change the limits.
TEST(RespParser, LeavesWhatIsPastTheLimitsToTheNextParse) {
  const Command many(11, "x"), large{"SET", "k", std::string(20000, 'v')};
  for (const Command& second : {many, large}) {
    for (size_t cut : {size_t{0}, encode(second).size() - 40}) {
      RespParser parser;
      CommandBatch batch;
      RespParser::Limits limits;
      limits.authenticated = false;
      std::string first = encode({"AUTH", "p"}), text = first + encode(second);
      ASSERT_EQ(parser.parse(Bytes(text).substr(0, text.size() - cut), limits, batch), first.size());
      ASSERT_EQ(batch.size(), 1u);
      EXPECT_EQ(parser.error(), "");
      EXPECT_FALSE(parser.midway());
      limits.authenticated = true;
      batch.clear();
      text.erase(0, first.size());
      EXPECT_EQ(parser.parse(text, limits, batch), text.size());
      ASSERT_EQ(batch.size(), 1u);
      EXPECT_EQ(Command(batch[0].begin(), batch[0].end()), second);
    }
  }
  Reader r = read(encode({"BEFORE"}) + "*1\r\n$536870913\r\n");
  EXPECT_EQ(r.commands.size(), 1u);
  EXPECT_EQ(r.error(), "invalid bulk length");
}

TEST(RespParser, TellsHowManyBytesALargeArgumentNeeds) {
  RespParser parser;
  CommandBatch batch;
  std::string head = "*2\r\n$3\r\nSET\r\n$1000000\r\nxyz";
  EXPECT_EQ(parser.parse(head, {}, batch), 0u);
  EXPECT_EQ(parser.bytes_wanted(), head.size() - 3 + 1000000 + 2);
  EXPECT_TRUE(parser.midway());
}

TEST(RespParser, AMillionArgumentsInPiecesAreReadOnce) {
  std::string text = "*1000000\r\n";
  for (int i = 0; i < 1000000; i++) text += "$1\r\na\r\n";
  RespParser parser;
  CommandBatch batch;
  // If each piece were parsed from the start again this would take minutes.
  for (size_t end = 4096; end < text.size(); end += 4096)
    ASSERT_EQ(parser.parse(Bytes(text).substr(0, end), {}, batch), 0u);
  EXPECT_EQ(parser.parse(text, {}, batch), text.size());
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].size(), 1000000u);
}

}  // namespace
}  // namespace vitrine
