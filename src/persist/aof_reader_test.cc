#include "persist/aof_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/random.h"

namespace vitrine {
namespace {

using Argv = std::vector<std::string>;
using Ending = AofReader::Ending;

// Bytes as a file that gives them in pieces of any size.
class MemoryFile final : public ReadFile {
 public:
  MemoryFile(Bytes bytes, uint64_t seed) : bytes_(bytes), random_(seed) {}
  FileResult<size_t> read(char* to, size_t n) override {
    if (fails_at >= 0 && at_ >= static_cast<size_t>(fails_at)) return std::unexpected(FileError{5, "read x: EIO"});
    size_t most = std::min(n, bytes_.size() - at_);
    size_t got = most == 0 ? 0 : 1 + random_.below(random_.below(2) ? most : std::min<size_t>(most, 40));
    std::memcpy(to, bytes_.data() + at_, got);
    at_ += got;
    return got;
  }
  uint64_t size() const override { return bytes_.size(); }
  ptrdiff_t fails_at = -1;

 private:
  Bytes bytes_;
  Random random_;
  size_t at_ = 0;
};

std::string encoded(const Argv& argv) {
  std::string out = "*" + std::to_string(argv.size()) + "\r\n";
  for (const std::string& arg : argv) out += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  return out;
}

struct Result {
  std::vector<Argv> commands;
  std::vector<uint64_t> offsets;
  Ending ending;
  std::string sentence;
  uint64_t offset;
  int64_t timestamp;
};

Result read_all(Bytes bytes, size_t most = 64, uint64_t seed = 1) {
  MemoryFile file(bytes, seed);
  AofReader reader(file);
  CommandBatch batch;
  Result r;
  while (reader.read(batch, most)) {
    EXPECT_FALSE(batch.empty());
    for (size_t i = 0; i < batch.size(); i++) {
      r.commands.emplace_back(batch[i].begin(), batch[i].end());
      r.offsets.push_back(reader.offset_of(batch, i));
    }
  }
  r.ending = reader.ending(), r.sentence = reader.sentence(), r.offset = reader.offset();
  r.timestamp = reader.timestamp_s();
  EXPECT_FALSE(reader.read(batch, most)) << "it stays at its end";
  return r;
}

// A log, with the commands that have been given out when the file is read up to each unit's end.
struct Log {
  std::string bytes;
  std::vector<Argv> commands;
  std::vector<std::pair<uint64_t, size_t>> ends = {{0, 0}};   // offset, commands before it

  void add_unit(const std::vector<Argv>& unit, bool transaction) {
    if (transaction) bytes += encoded({"MULTI"});
    for (const Argv& argv : unit) bytes += encoded(argv), commands.push_back(argv);
    if (transaction) bytes += encoded({"EXEC"});
    ends.emplace_back(bytes.size(), commands.size());
  }
  void annotate(const std::string& line) {
    bytes += line;
    ends.emplace_back(bytes.size(), commands.size());
  }
};

Argv some_command(Random& random) {
  Argv argv{random.below(2) ? "SET" : "rpush"};
  for (size_t n = 1 + random.below(4); n > 0; n--) {
    std::string arg;
    size_t length = random.below(20) == 0 ? random.below(3000) : random.below(20);
    for (; length > 0; length--) arg += static_cast<char>(random.below(256));
    argv.push_back(arg);
  }
  return argv;
}

Log some_log(Random& random, size_t units) {
  Log log;
  for (; units > 0; units--) {
    if (random.below(8) == 0) log.annotate("#TS:" + std::to_string(1700000000 + random.below(1000)) + "\r\n");
    bool transaction = random.below(4) == 0;
    std::vector<Argv> unit;
    for (size_t n = transaction ? random.below(5) : 1; n > 0; n--) unit.push_back(some_command(random));
    log.add_unit(unit, transaction);
  }
  return log;
}

TEST(AofReader, GivesOutWholeUnits) {
  std::string log = encoded({"SELECT", "0"}) + "#TS:1700000000\r\n" + encoded({"MULTI"}) + encoded({"SET", "a", "1"}) +
                    encoded({"DEL", "b"}) + encoded({"exec"}) + "#other things\r\n" + encoded({"SET", "c", ""});
  Result r = read_all(log);
  EXPECT_EQ(r.commands, (std::vector<Argv>{{"SELECT", "0"}, {"SET", "a", "1"}, {"DEL", "b"}, {"SET", "c", ""}}));
  EXPECT_EQ(r.ending, Ending::whole);
  EXPECT_EQ(r.offset, log.size());
  EXPECT_EQ(r.timestamp, 1700000000);
  EXPECT_EQ(read_all("").ending, Ending::whole);
}

TEST(AofReader, SaysWhatIsWrongAndWhere) {
  std::string good = encoded({"SET", "a", "1"});
  auto sentence = [&](const std::string& tail, Ending ending) {
    Result r = read_all(good + tail);
    EXPECT_EQ(r.ending, ending) << tail << ": " << r.sentence;
    EXPECT_EQ(r.offset, good.size());
    EXPECT_EQ(r.commands.size(), 1u);
    return r.sentence;
  };
  EXPECT_EQ(sentence("x", Ending::broken), "byte 27: '*' must stand here, not 'x'");
  EXPECT_EQ(sentence(std::string("\0x", 2), Ending::broken), "byte 27: '*' must stand here, not the byte 0x00");
  EXPECT_EQ(sentence("*0\r\n", Ending::broken), "byte 27: a command without a name");
  EXPECT_EQ(sentence("*-1\r\n", Ending::broken), "byte 28: no length");
  EXPECT_EQ(sentence("*01\r\n", Ending::broken), "byte 30: no length");
  EXPECT_EQ(sentence("*1234567890123456789\r\n", Ending::broken), "byte 27: an impossible length");
  EXPECT_EQ(sentence("*1\r\r", Ending::broken), "byte 30: a line break is not whole");
  EXPECT_EQ(sentence("*1\r\n*4\r\n", Ending::broken), "byte 31: '$' must stand here, not '*'");
  EXPECT_EQ(sentence("*1\r\n$3\r\nabcd\r\n", Ending::broken), "byte 38: an argument of 3 bytes does not end here");
  EXPECT_EQ(sentence(encoded({"EXEC"}), Ending::broken), "byte 27: an EXEC stands here without a MULTI before it");
  EXPECT_EQ(sentence(encoded({"MULTI"}) + encoded({"MULTI"}), Ending::broken),
            "byte 42: a MULTI stands here within a transaction");
  EXPECT_EQ(sentence("#TS:x\r\n", Ending::broken), "byte 27: an annotation of a time without a time");
  EXPECT_EQ(sentence("#TS:12\n", Ending::broken), "byte 33: an annotation does not end with CR LF");
  EXPECT_EQ(sentence("#" + std::string(2000, 'x'), Ending::broken), "byte 27: an annotation without an end");
  EXPECT_EQ(sentence("#TS:17", Ending::cut), "byte 27: the file ends within the command that begins here");
  EXPECT_EQ(sentence("*2\r\n$3\r\nG", Ending::cut), "byte 27: the file ends within the command that begins here");
  EXPECT_EQ(sentence(encoded({"MULTI"}) + good, Ending::cut), "byte 27: the transaction that begins here has no end");
  EXPECT_EQ(sentence(std::string(500000, '\0'), Ending::cut), "byte 27: from here on there are zeros only");
  EXPECT_EQ(sentence("*1\r\n$5\r\nab" + std::string(9, '\0'), Ending::cut),
            "byte 40: from here on there are zeros only");
  // A damaged length must not pass for an end that a crash has left.
  EXPECT_EQ(sentence("*2\r\n$3\r\nGET\r\n$900\r\nk\r\n" + good, Ending::broken),
            "byte 27: the file ends within the command that begins here, and yet another begins at byte 49: "
            "a length is damaged");
}

TEST(AofReader, TellsOfADiskThatFails) {
  std::string bytes;
  for (int i = 0; i < 1000; i++) bytes += encoded({"SET", "a", "1"});
  for (ptrdiff_t at : {ptrdiff_t{0}, ptrdiff_t{500}, static_cast<ptrdiff_t>(bytes.size() - 5)}) {
    MemoryFile file(bytes, 1);
    file.fails_at = at;
    AofReader reader(file);
    CommandBatch batch;
    size_t commands = 0;
    while (reader.read(batch, 64)) commands += batch.size();
    EXPECT_EQ(reader.ending(), Ending::unreadable);
    EXPECT_EQ(reader.sentence(), "read x: EIO");
    EXPECT_EQ(reader.offset(), commands * 27);
  }
}

TEST(AofReader, ContinuesBehindASnapshot) {
  std::string snapshot = "REDIS0010 pretends", log = encoded({"SET", "a", "1"}) + encoded({"SET", "b", "2"});
  std::string all = snapshot + log;
  for (size_t at_hand : {size_t{0}, size_t{5}, log.size()}) {
    MemoryFile file(all, 1);
    std::string front(snapshot.size() + at_hand, 0);
    for (size_t n = 0; n < front.size();) n += file.read(front.data() + n, front.size() - n).value();
    AofReader reader(file, snapshot.size(), Bytes(front).substr(snapshot.size()));
    CommandBatch batch;
    size_t commands = 0;
    while (reader.read(batch, 1)) commands += batch.size();
    EXPECT_EQ(commands, 2u);
    EXPECT_EQ(reader.ending(), Ending::whole);
    EXPECT_EQ(reader.offset(), all.size());
  }
}

TEST(AofReader, ReadsAnyLogInAnyPieces) {
  uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  for (int round = 0; round < 200; round++) {
    Log log = some_log(random, random.below(100));
    Result r = read_all(log.bytes, 1 + random.below(80), random.below(1 << 30));
    ASSERT_EQ(r.ending, Ending::whole) << r.sentence;
    ASSERT_EQ(r.commands, log.commands);
    EXPECT_EQ(r.offset, log.bytes.size());
    for (size_t i = 0; i < r.commands.size(); i++) {
      Bytes at = Bytes(log.bytes).substr(r.offsets[i]);
      std::string multi = encoded({"MULTI"});
      while (at.starts_with("#")) at.remove_prefix(at.find('\n') + 1);
      while (at.starts_with(multi + encoded({"EXEC"}))) at.remove_prefix(multi.size() + encoded({"EXEC"}).size());
      while (at.starts_with("#")) at.remove_prefix(at.find('\n') + 1);
      EXPECT_TRUE(at.starts_with(encoded(r.commands[i])) || at.starts_with(multi)) << i;
    }
  }
}

TEST(AofReader, AFileCutAnywhereGivesTheUnitsBeforeTheCut) {
  uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  Log log = some_log(random, 60);
  size_t unit = 0;
  for (size_t cut = 0; cut <= log.bytes.size(); cut++) {
    while (unit + 1 < log.ends.size() && log.ends[unit + 1].first <= cut) unit++;
    Result r = read_all(Bytes(log.bytes).substr(0, cut), 64, cut);
    auto [offset, commands] = log.ends[unit];
    ASSERT_EQ(r.offset, offset) << "cut at " << cut;
    ASSERT_EQ(r.commands.size(), commands);
    ASSERT_EQ(r.ending, cut == offset ? Ending::whole : Ending::cut) << "cut at " << cut << ": " << r.sentence;
  }
}

TEST(AofReader, ADamagedByteNeverLosesWholeCommandsQuietly) {
  uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  for (int round = 0; round < 2000; round++) {
    Log log = some_log(random, 20);
    log.add_unit({{"SET", "the last one", "is", "long enough"}}, false);
    log.add_unit({{"SET", "the last one", "is", "long enough"}}, false);
    std::string bytes = log.bytes;
    size_t at = random.below(log.ends[log.ends.size() - 3].first);
    bytes[at] ^= static_cast<char>(1 << random.below(8));
    Result r = read_all(bytes, 64, random.below(1 << 30));
    if (r.ending == Ending::broken) continue;
    // Within an argument, or the name of an EXEC: then the rest is one long transaction, which has no end.
    if (r.ending == Ending::cut) {
      EXPECT_NE(r.sentence.find("has no end"), std::string::npos) << r.sentence << ", damaged at " << at;
    } else if (r.commands.size() < log.commands.size()) {
      // A length may by chance end exactly where another argument ends: no reader could tell. What it has swallowed
      // then stands within that argument.
      auto swallows = [](const auto& argv) {
        return std::any_of(argv.begin(), argv.end(), [](Bytes word) { return word.find("\r\n*") != Bytes::npos; });
      };
      EXPECT_TRUE(std::any_of(r.commands.begin(), r.commands.end(), swallows)) << "damaged at " << at;
    }
  }
}

}  // namespace
}  // namespace vitrine
