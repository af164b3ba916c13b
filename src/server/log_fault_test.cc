// The append-only log on a disk that fails at every step in turn, and on one that loses what was not synced: what was
// answered under `always` is there when the server starts again, and what is there is a beginning of what was sent.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>

#include "commands/families.h"
#include "engine/acl.h"
#include "engine/engine_commands.h"
#include "io/sim.h"
#include "persist/aof_loader.h"
#include "persist/append_only.h"

namespace vitrine {
namespace {

struct AllOptions {
  ClientOptions clients;
  ObserveOptions observe;
  Allowance guarded = Allowance::no;
  Keyspace::Options keyspace;
  PersistOptions persist;
};

// A server without clients: its data, and its log on the disk that is given. Its end is that of a process that is
// killed: nothing more is written.
class Server {
 public:
  Server(SimFiles& files, AppendOptions::Sync sync) : files_(files) {
    options_.persist.append.sync = sync;
    add_string_commands(registry_);
    add_list_commands(registry_);
    add_session_commands(registry_, dispatcher_);
    add_transaction_commands(registry_, dispatcher_);
    log_.append_log().on_fatal = [this](const std::string&) { fatal_ = true; };
    // Workers do what they do before it goes on, so that the disk's steps come in one order.
    log_.writer().start_child_by = [this](EventLoop& loop, const Child::Job& job, auto on_report, auto on_end) {
      workers_.drain();
      return Child::start_here(loop, job, on_report, on_end);
    };
    session_.authenticated = true;
  }

  // As Node::load_append_log.
  AofLoader::Result<void> start() {
    AofLoader loader(files_, keyspace_, dispatcher_, snapshots_);
    AofPlace place;
    auto manifest = loader.find(place);
    if (!manifest) return std::unexpected(manifest.error());
    if (*manifest) {
      if (auto loaded = loader.load(place, **manifest, true, false); !loaded) return std::unexpected(loaded.error());
      if (auto adopted = loader.adopt(place, **manifest); !adopted) return adopted;
    }
    return log_.begin(*manifest);
  }
  // A turn in which a client adds n to its list and, in a transaction, moves two counters; true if it gets its replies.
  bool turn(int n) {
    if (!well()) {
      log_.end_turn();               // it is tried again
      return false;                  // writes are refused
    }
    std::string number = std::to_string(n);
    run({"RPUSH", "list", number});
    run({"MULTI"}), run({"INCR", "a"}), run({"SET", "last", number}), run({"INCR", "b"}), run({"EXEC"});
    bool answered = log_.end_turn() && !fatal_;
    workers_.drain();
    return answered;
  }
  bool fatal() const { return fatal_; }
  // BGREWRITEAOF, CONFIG SET appendonly.
  void rewrite() { (void)log_.start_rewrite(); }
  void turn_on() { (void)log_.turn_on(); }
  void turn_off() { log_.turn_off(); }
  bool on() const { return log_.state() == AppendOnly::State::on; }
  uint64_t rewrites() const { return log_.stats().rewrites; }
  bool well() const { return log_.append_log().problem().empty(); }
  bool written() const { return log_.append_log().buffered_bytes() == 0; }
  void pass(int64_t ms) {
    clock_.advance_ms(ms);
    workers_.drain();
    loop_.run_once(0);
    if (fatal_) return;
    log_.tend();
    log_.end_turn();
    workers_.drain();
    loop_.run_once(0);
  }
  void wait_until(const std::function<bool()>& done) {
    for (int i = 0; i < 3000 && !done(); i++) pass(100);
  }

  int64_t length() { return number(run({"LLEN", "list"})); }
  // Transactions are there as a whole or not at all; the last turn's may be missing where its list is not.
  bool whole() {
    std::string last = text(run({"GET", "last"})), a = text(run({"GET", "a"})), b = text(run({"GET", "b"}));
    return a == b && (last == text(run({"LINDEX", "list", "-1"})) || last == text(run({"LINDEX", "list", "-2"})));
  }

 private:
  std::string run(std::vector<Bytes> argv) {
    session_.out.clear();
    dispatcher_.run(session_, dispatcher_.prepare(argv));
    return session_.out.text();
  }
  static int64_t number(const std::string& reply) { return std::stoll(reply.substr(1)); }
  static std::string text(const std::string& reply) {
    return reply.starts_with("$-1") ? "" : reply.substr(reply.find('\n') + 1);
  }

  AllOptions options_;
  SimFiles& files_;
  ManualClock clock_;
  EventLoop loop_{clock_};
  Workers workers_;
  Keyspace keyspace_{options_.keyspace, loop_.wall_ms(), 1};
  CommandRegistry registry_;
  Sessions sessions_;
  Waiters waiters_{keyspace_};
  WatchTable watches_{keyspace_, sessions_};
  Dispatcher dispatcher_{{options_.clients, options_.observe, options_.guarded, options_.guarded},
                         registry_, keyspace_, sessions_, waiters_, watches_};
  Snapshots snapshots_{loop_, files_, keyspace_, options_.persist};
  AppendOnly log_{loop_, workers_, files_, dispatcher_.effects(), snapshots_, options_.persist.append};
  Session session_{1, nullptr, loop_.wall_ms()};
  bool fatal_ = false;
};

constexpr int kTurns = 6;

struct Story {
  int answered = 0, sent = 0;
};

// The server begins with `had` in its list, and is asked until it ends.
Story live(Server& server, int had) {
  Story story{had, had};
  if (!server.start()) return story;
  for (int n = had + 1; n <= had + kTurns && !server.fatal(); n++) {
    story.sent = n;
    if (server.turn(n)) story.answered = n;
  }
  return story;
}

// Each step of beginning a log, or of going on with one, fails; then the power is lost, or only the process.
void fail_every_step(SimFiles::Fault fault, bool lose_power, bool begun) {
  int failures = 0;
  for (int step = 0;; step++) {
    SCOPED_TRACE(testing::Message() << "step " << step << ", errno " << fault.code << (fault.half ? ", half" : "")
                                    << (lose_power ? ", power lost" : "") << (begun ? ", an old log" : ""));
    ASSERT_LT(step, 500);
    SimFiles disk;
    int had = 0;
    if (begun) had = live(*std::make_unique<Server>(disk, AppendOptions::Sync::always), 0).answered;
    fault.at = step;
    disk.plan(fault);
    Story story;
    {
      Server server(disk, AppendOptions::Sync::always);
      story = live(server, had);
      bool failed = disk.steps() > step;
      disk.plan({});
      if (lose_power) disk.lose_power();
      if (!failed) break;
      failures++;
    }
    Server again(disk, AppendOptions::Sync::always);
    auto started = again.start();
    ASSERT_TRUE(started) << started.error();
    EXPECT_GE(again.length(), story.answered);
    EXPECT_LE(again.length(), story.sent);
    EXPECT_TRUE(again.whole());
    int next = static_cast<int>(again.length()) + 1;
    EXPECT_TRUE(again.turn(next)) << "it goes on";
  }
  EXPECT_GE(failures, kTurns);
}

TEST(LogFaults, EveryStepFailsInTurnUnderAlways) {
  for (bool begun : {false, true})
    for (bool lose_power : {false, true}) {
      for (int code : {EIO, ENOSPC}) {
        fail_every_step({-1, code, false, false}, lose_power, begun);
        fail_every_step({-1, code, false, true}, lose_power, begun);
      }
      fail_every_step({-1, ENOSPC, true, false}, lose_power, begun);
    }
}

TEST(LogFaults, APowerFailureLosesNothingThatWasAnsweredUnderAlways) {
  for (int turns = 1; turns <= kTurns; turns++) {
    SimFiles disk;
    {
      Server server(disk, AppendOptions::Sync::always);
      ASSERT_TRUE(server.start());
      for (int n = 1; n <= turns; n++) ASSERT_TRUE(server.turn(n));
      disk.lose_power();
    }
    Server again(disk, AppendOptions::Sync::always);
    ASSERT_TRUE(again.start());
    EXPECT_EQ(again.length(), turns);
  }
}

TEST(LogFaults, WritesAreRefusedUntilTheDiskTakesThemAgain) {
  for (auto sync : {AppendOptions::Sync::everysec, AppendOptions::Sync::no}) {
    bool half = sync == AppendOptions::Sync::no;
    SimFiles disk;
    Server server(disk, sync);
    ASSERT_TRUE(server.start());
    ASSERT_TRUE(server.turn(1));
    server.wait_until([&] { return server.written(); });
    disk.plan({0, ENOSPC, half, true});
    EXPECT_TRUE(server.turn(2)) << "this one is answered: it waits in memory";
    EXPECT_FALSE(server.turn(3)) << "this one is refused";
    EXPECT_FALSE(server.fatal());
    disk.plan({});
    bool works = false;
    server.wait_until([&] { return works = works || server.turn(3); });
    EXPECT_TRUE(works);
    server.wait_until([&] { return server.written(); });
    // Nothing was written twice, and nothing is missing.
    Server again(disk, sync);
    ASSERT_TRUE(again.start());
    EXPECT_EQ(again.length(), 3);
    EXPECT_TRUE(again.whole());
  }
}

// Under `everysec` the log is rewritten after a sync has failed, because nobody knows what is in it. Then all that was
// ever answered is there, and what is answered from then on.
void heal_after_every_step(SimFiles::Fault fault) {
  int failures = 0;
  for (int step = 0;; step++) {
    SCOPED_TRACE(testing::Message() << "step " << step << ", errno " << fault.code << (fault.half ? ", half" : "")
                                    << (fault.from_then_on ? ", from then on" : ""));
    ASSERT_LT(step, 500);
    SimFiles disk;
    bool failed = false;
    int answered = 0;
    {
      Server server(disk, AppendOptions::Sync::everysec);
      ASSERT_TRUE(server.start());
      fault.at = step;
      disk.plan(fault);
      for (int turn = 0; turn < 2 * kTurns; turn++) {
        if (server.turn(answered + 1)) answered++;
        server.pass(700);
      }
      failed = disk.steps() > step;
      disk.plan({});
      server.wait_until([&] { return server.well(); });
      ASSERT_TRUE(server.turn(answered + 1));
      answered++;
      for (int seconds = 0; seconds < 3; seconds++) server.pass(1000);
      disk.lose_power();
    }
    Server again(disk, AppendOptions::Sync::everysec);
    auto started = again.start();
    ASSERT_TRUE(started) << started.error();
    EXPECT_EQ(again.length(), answered);
    EXPECT_TRUE(again.whole());
    if (!failed) break;
    failures++;
  }
  EXPECT_GE(failures, kTurns);
}

TEST(LogFaults, NothingIsLostOnceTheDiskWorksAgainUnderEverysec) {
  for (bool from_then_on : {false, true}) {
    heal_after_every_step({-1, EIO, false, from_then_on});
    heal_after_every_step({-1, ENOSPC, true, from_then_on});
  }
}

// A server's life while one step after the other fails, then perhaps the power. What it has promised is there at the
// next start, and nothing that was not sent.
using Life = std::function<Story(Server& server, int had)>;

// One step of that life fails, and it is seen at the next start; false: it has not so many steps.
bool fail_step_of(const std::function<int(SimFiles& disk)>& before, const Life& life, SimFiles::Fault fault,
                  bool lose_power) {
  SCOPED_TRACE(testing::Message() << "step " << fault.at << ", errno " << fault.code << (fault.half ? ", half" : "")
                                  << (fault.from_then_on ? ", from then on" : "") << ", the end after "
                                  << fault.end_after << (lose_power ? ", power lost" : ""));
  SimFiles disk;
  int had = before(disk);
  disk.plan(fault);
  Story story;
  bool failed;
  {
    Server server(disk, AppendOptions::Sync::always);
    story = life(server, had);
    failed = disk.steps() > fault.at;
    disk.plan({});
    if (lose_power) disk.lose_power();
  }
  Server again(disk, AppendOptions::Sync::always);
  auto started = again.start();
  EXPECT_TRUE(started) << started.error();
  if (!started) return false;
  EXPECT_TRUE(again.whole());
  EXPECT_LE(again.length(), story.sent);
  EXPECT_GE(again.length(), story.answered);
  int next = static_cast<int>(again.length()) + 1;
  EXPECT_TRUE(again.turn(next)) << "it goes on";
  return failed;
}

void fail_every_step_of(const std::function<int(SimFiles& disk)>& before, const Life& life, int least) {
  for (SimFiles::Fault fault : {SimFiles::Fault{-1, EIO, false, false}, SimFiles::Fault{-1, EIO, false, true},
                                SimFiles::Fault{-1, ENOSPC, true, false}, SimFiles::Fault{-1, EIO, false, false, 3},
                                SimFiles::Fault{-1, EIO, false, false, 5}})
    for (bool lose_power : {false, true}) {
      fault.at = 0;
      while (fault.at < 500 && fail_step_of(before, life, fault, lose_power)) fault.at++;
      if (testing::Test::HasFailure()) return;
      EXPECT_GE(fault.at, least);
    }
}

// `turns` more. What was answered is promised only while the log is on.
void go_on(Server& server, Story& story, int turns) {
  for (int i = 0, answered = 0; i < turns && !server.fatal(); i++) {
    story.sent++;
    if (server.turn(story.sent)) answered = story.sent;
    server.pass(100);
    if (server.on() && answered) story.answered = answered;
  }
}

int live_before(SimFiles& disk) {
  Server server(disk, AppendOptions::Sync::always);
  return live(server, 0).answered;
}

int nothing_before(SimFiles&) { return 0; }

TEST(LogFaults, EveryStepOfRewritesFailsInTurn) {
  auto life = [](Server& server, int had) {
    Story story{had, had};
    if (!server.start()) return story;
    for (int i = 0; i < 2; i++) {
      go_on(server, story, 1);
      if (!server.fatal()) server.rewrite();
      go_on(server, story, 2);
    }
    return story;
  };
  fail_every_step_of(live_before, life, 30);
}

// Until the first rewrite is done nothing is promised but what the log held when it was turned off.
TEST(LogFaults, EveryStepOfTurningTheLogOnFailsInTurn) {
  auto life = [](Server& server, int had) {
    Story story{had, had};
    if (had && !server.start()) return story;
    server.turn_off();
    for (int i = 0; i < 2 && !server.fatal(); i++) {
      go_on(server, story, 1);
      if (!server.fatal()) server.turn_on();
      go_on(server, story, 3);
    }
    return story;
  };
  fail_every_step_of(nothing_before, life, 15);
  fail_every_step_of(live_before, life, 20);
}

// A log of one file, as Redis before 7 has it.
int single_file_before(SimFiles& disk) {
  SimFiles other;
  int had = live_before(other);
  auto file = disk.open_append("appendonly.aof");
  EXPECT_TRUE((*file)->append(*other.read_all("appendonlydir/appendonly.aof.1.incr.aof")));
  EXPECT_TRUE((*file)->sync());
  EXPECT_TRUE(disk.sync_folder("."));
  return had;
}

TEST(LogFaults, EveryStepOfTakingOverASingleFileFailsInTurn) {
  auto life = [](Server& server, int had) {
    Story story{had, had};
    if (!server.start()) return story;
    go_on(server, story, 2);
    if (!server.fatal()) server.rewrite();
    go_on(server, story, 2);
    return story;
  };
  fail_every_step_of(single_file_before, life, 20);
}

}  // namespace
}  // namespace vitrine
