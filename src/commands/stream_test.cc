// Streams through the dispatcher, with a clock that only the test moves: ids from the clock, idle times, what is
// replayed, who is told, who waits.
#include <gtest/gtest.h>

#include "commands/families.h"
#include "engine/dispatcher.h"
#include "engine/engine_commands.h"
#include "engine/testing.h"
#include "store/database.h"

namespace vitrine {
namespace {

struct Recorder : KeyObserver {
  std::vector<std::string> events;
  void on_change(const Change& c) override { events.push_back(std::string(c.event) + (c.aside ? " aside" : "")); }
  void on_flush(int) override {}
  void on_swap(int, int) override {}
  std::vector<std::string> take() { return std::exchange(events, {}); }
};

using Strings = std::vector<std::string>;

class Streams : public testing::Test, protected BareEngine {
 protected:
  Streams() {
    add_generic_commands(registry);
    add_string_commands(registry);
    add_stream_commands(registry);
    add_stream_delete_commands(registry);
    add_stream_producer_commands(registry);
    add_stream_read_commands(registry);
    add_stream_info_commands(registry);
    add_stream_group_commands(registry);
    add_stream_claim_commands(registry);
    add_transaction_commands(registry, dispatcher);
  }

  // The reply on one line, with spaces for line ends.
  std::string run(Session& session, const std::string& command) {
    Strings words;
    for (size_t at = 0; at < command.size();) {
      size_t end = std::min(command.find(' ', at), command.size());
      words.push_back(command.substr(at, end - at));
      at = end + 1;
    }
    return on_one_line(reply_to(session, words));
  }
  std::string run(const std::string& command) { return run(me, command); }
  static std::string take(Session& session) { return on_one_line(take_output(session)); }
  static std::string on_one_line(const std::string& text) {
    std::string out;
    for (char c : text)
      if (c != '\r') out += c == '\n' ? ' ' : c;
    if (!out.empty()) out.pop_back();
    return out;
  }
  void pass(int64_t ms) {
    keyspace.set_now(keyspace.now_ms() + ms);
    waiters.expire(sessions, keyspace.now_ms());
    if (waiters.fed()) dispatcher.serve_waiters();
  }

  Session& me = open();
};

TEST_F(Streams, TakeIdsFromTheClock) {
  EXPECT_EQ(run("xadd s * f v"), "$15 1700000000000-0");
  EXPECT_EQ(run("xadd s * f v"), "$15 1700000000000-1");
  pass(5);
  EXPECT_EQ(run("xadd s * f v"), "$15 1700000000005-0");
  // The clock goes back; ids do not.
  pass(-3);
  EXPECT_EQ(run("xadd s * f v"), "$15 1700000000005-1");
  EXPECT_EQ(run("xadd s 1700000000005-* f v"), "$15 1700000000005-2");
  EXPECT_EQ(run("xadd s 1700000000006-* f v"), "$15 1700000000006-0");
  run("xadd t 18446744073709551615-18446744073709551614 f v");
  EXPECT_EQ(run("xadd t * f v"), "$41 18446744073709551615-18446744073709551615");
  EXPECT_EQ(run("xadd t * f v").substr(0, 33), "-ERR The stream has exhausted the");
}

TEST_F(Streams, HandOverWhatIsIdle) {
  run("xadd s 1-1 f v"), run("xadd s 2-1 f v"), run("xgroup create s g 0");
  run("xreadgroup group g a streams s >");
  pass(100);
  EXPECT_EQ(run("xpending s g idle 101 - + 10"), "*0");
  EXPECT_EQ(run("xpending s g idle 100 - + 1"), "*1 *4 $3 1-1 $1 a :100 :1");
  EXPECT_EQ(run("xautoclaim s g b 101 0"), "*3 $3 0-0 *0 *0");
  EXPECT_EQ(run("xautoclaim s g b 100 0 count 1 justid"), "*3 $3 2-1 *1 $3 1-1 *0");
  EXPECT_EQ(run("xpending s g - + 10"), "*2 *4 $3 1-1 $1 b :0 :1 *4 $3 2-1 $1 a :100 :1");
  EXPECT_EQ(run("xclaim s g b 101 2-1"), "*0");
  EXPECT_EQ(run("xclaim s g b 100 2-1 idle 30"), "*1 *2 $3 2-1 *2 $1 f $1 v");
  EXPECT_EQ(run("xpending s g - + 10 b"), "*2 *4 $3 1-1 $1 b :0 :1 *4 $3 2-1 $1 b :30 :2");
  pass(7);
  EXPECT_EQ(run("xinfo consumers s g"),
            "*2 *8 $4 name $1 a $7 pending :0 $4 idle :107 $8 inactive :107 "
            "*8 $4 name $1 b $7 pending :2 $4 idle :7 $8 inactive :7");
  EXPECT_EQ(run("xreadgroup group g b streams s >"), "*-1");
  EXPECT_EQ(run("xclaim s g c 1000 1-1"), "*0");
  EXPECT_EQ(run("xinfo consumers s g"),
            "*3 *8 $4 name $1 a $7 pending :0 $4 idle :107 $8 inactive :107 "
            "*8 $4 name $1 b $7 pending :2 $4 idle :0 $8 inactive :7 "
            "*8 $4 name $1 c $7 pending :0 $4 idle :0 $8 inactive :-1");
}

TEST_F(Streams, AreReplayedInExactWords) {
  StreamRecorder sink(dispatcher.effects());
  run("xadd s * f v"), run("xadd s maxlen ~ 1 * f w"), run("xadd s maxlen 1 9999999999999-* f x");
  EXPECT_EQ(sink.take(), (Strings{"XADD s 1700000000000-0 f v", "XADD s 1700000000000-1 f w",
                                  "XADD s MAXLEN = 1 9999999999999-0 f x"}));
  run("xgroup create s g 0"), run("xreadgroup group g a streams s >");
  EXPECT_EQ(sink.take(),
            (Strings{"xgroup create s g 0", "XGROUP CREATECONSUMER s g a",
                     "XCLAIM s g a 0 9999999999999-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID "
                     "LASTID 9999999999999-0",
                     "XGROUP SETID s g 9999999999999-0 ENTRIESREAD 3"}));
  run("xreadgroup group g a streams s >"), run("xpending s g"), run("xclaim s g a 5 9999999999999-0");
  EXPECT_EQ(sink.take(), Strings{});
  pass(5);
  run("xautoclaim s g b 5 0");
  EXPECT_EQ(sink.take(),
            (Strings{"XGROUP CREATECONSUMER s g b",
                     "XCLAIM s g b 0 9999999999999-0 TIME 1700000000005 RETRYCOUNT 2 FORCE JUSTID "
                     "LASTID 9999999999999-0"}));
  run("xdel s 9999999999999-0"), run("xautoclaim s g b 0 0");
  EXPECT_EQ(sink.take(), (Strings{"xdel s 9999999999999-0", "XACK s g 9999999999999-0"}));
}

TEST_F(Streams, TellOfGroupsAsideOfTheContent) {
  Recorder recorder;
  keyspace.observe(&recorder);
  run("xadd s 1-1 f v");
  EXPECT_EQ(recorder.take(), Strings{"xadd"});
  run("xgroup create s g 0"), run("xgroup createconsumer s g a"), run("xgroup setid s g 0"), run("xsetid s 5-5");
  EXPECT_EQ(recorder.take(), (Strings{"xgroup-create aside", "xgroup-createconsumer aside", "xgroup-setid aside",
                                      "xsetid aside"}));
  run("xreadgroup group g b streams s >"), run("xack s g 1-1"), run("xgroup delconsumer s g b");
  run("xgroup destroy s g");
  EXPECT_EQ(recorder.take(), (Strings{"xgroup-createconsumer aside", "xgroup-delconsumer aside",
                                      "xgroup-destroy aside"}));
  run("xadd s maxlen 1 6-1 f v"), run("xtrim s maxlen 5"), run("xtrim s maxlen 0"), run("xdel s 6-1");
  EXPECT_EQ(recorder.take(), (Strings{"xadd", "xtrim", "xtrim"}));
  run("xgroup create t g 0 mkstream");
  EXPECT_EQ(recorder.take(), Strings{"xgroup-create"});
  keyspace.unobserve(&recorder);
}

TEST_F(Streams, LeaveWatchedKeysAloneWhenOnlyGroupsChange) {
  Session& other = open();
  run("xadd s 1-1 f v");
  run("watch s");
  run(other, "xgroup create s g 0"), run(other, "xreadgroup group g a streams s >"), run(other, "xack s g 1-1");
  run("multi"), run("xlen s");
  EXPECT_EQ(run("exec"), "*1 :1");
  run("watch s"), run(other, "xadd s 2-1 f v"), run("multi");
  EXPECT_EQ(run("exec"), "*-1");
}

TEST_F(Streams, WakeWhoWaitsForEntries) {
  Session &a = open(), &b = open();
  run("xadd s 1-1 f v"), run("xgroup create s g $");
  EXPECT_EQ(run(a, "xread block 0 streams s t $ $"), "");
  EXPECT_EQ(run(b, "xreadgroup group g x block 50 streams s >"), "");
  run("xadd s 2-1 f v");
  EXPECT_EQ(take(a), "*1 *2 $1 s *1 *2 $3 2-1 *2 $1 f $1 v");
  EXPECT_EQ(take(b), "*1 *2 $1 s *1 *2 $3 2-1 *2 $1 f $1 v");
  run(b, "xreadgroup group g x block 50 streams s >");
  pass(49);
  EXPECT_EQ(take(b), "");
  pass(1);
  EXPECT_EQ(take(b), "*-1");
}

TEST_F(Streams, TellWhoWaitsThatTheGroupIsGone) {
  const std::string gone = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
  Session &a = open(), &b = open();
  for (const std::string end : {"xgroup destroy s g", "del s", "rename s t", "flushdb"}) {
    run("xgroup create s g $ mkstream");
    run(a, "xreadgroup group g x block 0 streams s >"), run(b, "xread block 0 streams s $");
    EXPECT_EQ(run(end).substr(0, 1), end == "xgroup destroy s g" || end == "del s" ? ":" : "+");
    EXPECT_EQ(take(a), gone);
    EXPECT_EQ(take(b), "");
    run("del s"), run("xadd s * f v");
    EXPECT_EQ(take(b).substr(0, 2), "*1");
    run("del s");
  }
  run("xgroup create s g $ mkstream"), run(a, "xreadgroup group g x block 0 streams s >"), run("set s x");
  EXPECT_EQ(take(a), "-WRONGTYPE Operation against a key holding the wrong kind of value");
  EXPECT_EQ(waiters.parked(), 0u);
}

TEST_F(Streams, ClaimTheLongestIdleFirst) {
  run("xadd s 1-1 f v"), run("xadd s 2-1 f v"), run("xadd s 3-1 f v"), run("xadd s 4-1 f v");
  run("xgroup create s g 0"), run("xreadgroup group g a count 3 streams s >");
  pass(10);
  run("xclaim s g a 0 1-1 retrycount 5");
  pass(20);
  EXPECT_EQ(run("xreadgroup group g b claim 31 count 1 streams s >"), "*1 *2 $1 s *1 *2 $3 4-1 *2 $1 f $1 v");
  EXPECT_EQ(run("xreadgroup group g b claim 20 count 2 streams s >"),
            "*1 *2 $1 s *2 *4 $3 2-1 *2 $1 f $1 v :30 :1 *4 $3 3-1 *2 $1 f $1 v :30 :1");
  // What was given back is older than anything.
  run("xnack s g silent ids 1 3-1"), run("xdel s 1-1"), run("xadd s 5-1 f v");
  EXPECT_EQ(run("xreadgroup group g c claim 5 streams s >"),
            "*1 *2 $1 s *2 *4 $3 3-1 *2 $1 f $1 v :-1 :1 *2 $3 5-1 *2 $1 f $1 v");
  // Nothing was left of 1-1: it is pending no more.
  EXPECT_EQ(run("xpending s g - + 9"),
            "*4 *4 $3 2-1 $1 b :0 :2 *4 $3 3-1 $1 c :0 :2 *4 $3 4-1 $1 b :0 :1 *4 $3 5-1 $1 c :0 :1");
  run("xgroup delconsumer s g b");
  pass(5);
  EXPECT_EQ(run("xreadgroup group g d claim 5 streams s >"),
            "*1 *2 $1 s *2 *4 $3 3-1 *2 $1 f $1 v :5 :2 *4 $3 5-1 *2 $1 f $1 v :5 :1");
}

TEST_F(Streams, WakeWhoWaitsToClaim) {
  Session &a = open(), &b = open();
  run("xadd s 1-1 f v"), run("xgroup create s g 0"), run("xreadgroup group g x streams s >");
  pass(10);
  EXPECT_EQ(run(a, "xreadgroup group g a block 0 claim 50 streams s >"), "");
  pass(39);
  EXPECT_EQ(take(a), "");
  pass(1);
  EXPECT_EQ(take(a), "*1 *2 $1 s *1 *4 $3 1-1 *2 $1 f $1 v :50 :1");
  // Somebody else was faster: it waits until the next is due.
  run(a, "xreadgroup group g a block 0 claim 50 streams s >");
  pass(30);
  run("xclaim s g x 0 1-1");
  pass(20);
  EXPECT_EQ(take(a), "");
  pass(30);
  EXPECT_EQ(take(a), "*1 *2 $1 s *1 *4 $3 1-1 *2 $1 f $1 v :50 :3");
  // Given back, or made old by hand, it can be had at once; the longest waiting gets it.
  run(a, "xreadgroup group g a block 0 claim 1000 streams s >");
  run(b, "xreadgroup group g b block 60 claim 1000 streams s >");
  run("xnack s g fail ids 1 1-1");
  EXPECT_EQ(take(a), "*1 *2 $1 s *1 *4 $3 1-1 *2 $1 f $1 v :-1 :4");
  run("xclaim s g x 0 1-1 idle 2000");
  EXPECT_EQ(take(b), "*1 *2 $1 s *1 *4 $3 1-1 *2 $1 f $1 v :2000 :6");
  run(b, "xreadgroup group g b block 60 claim 1000 streams s >");
  pass(60);
  EXPECT_EQ(take(b), "*-1");
  EXPECT_EQ(waiters.parked(), 0u);
}

TEST_F(Streams, ReplayNewerCommandsInExactWords) {
  StreamRecorder sink(dispatcher.effects());
  run("xadd s 1-1 f v"), run("xadd s 2-1 f v"), run("xadd s 3-1 f v");
  run("xgroup create s g 0"), run("xreadgroup group g a streams s >"), run("xack s g 1-1");
  sink.take();
  run("xtrim s maxlen ~ 0 limit 0 acked"), run("xdelex s ids 1 9-9"), run("xdelex s delref ids 1 9-9");
  EXPECT_EQ(sink.take(), Strings{"XTRIM s ACKED MAXLEN = 2"});
  run("xnack s g fail ids 1 9-9"), run("xnack s g fail ids 1 2-1");
  EXPECT_EQ(sink.take(), Strings{"xnack s g fail ids 1 2-1"});
  run("xreadgroup group g a claim 50 streams s >");
  EXPECT_EQ(sink.take(), Strings{"XCLAIM s g a 0 2-1 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 3-1"});
  run("xackdel s g acked ids 2 2-1 9-9"), run("xdelex s delref ids 1 3-1");
  EXPECT_EQ(sink.take(), (Strings{"xackdel s g acked ids 2 2-1 9-9", "xdelex s delref ids 1 3-1"}));
  run("xadd s idmp p one * f v"), run("xadd s idmp p one * f v"), run("xcfgset s idmp-maxsize 5");
  EXPECT_EQ(sink.take(), (Strings{"XADD s 1700000000000-0 f v", "XIDMPRECORD s p one 1700000000000-0",
                                  "xcfgset s idmp-maxsize 5"}));
  run("xidmprecord s p two 1700000000000-0"), run("xidmprecord s p two 1700000000000-0");
  EXPECT_EQ(sink.take(), Strings{"xidmprecord s p two 1700000000000-0"});
  // All of it goes: no id is left that could tell where the rest begins.
  run("xtrim s minid ~ 9999999999999");
  EXPECT_EQ(sink.take(), Strings{"XTRIM s MAXLEN = 0"});
}

TEST_F(Streams, RememberProducersForATime) {
  run("xadd s idmp p 1 * f v"), run("xcfgset s idmp-duration 2"), run("xadd s idmp p 1 * f v");
  pass(1000);
  EXPECT_EQ(run("xadd s idmp p 1 * f v"), "$15 1700000000000-1");
  run("xadd s idmp p 2 * f v"), run("xadd s idmp q 2 * f v");
  pass(999);
  EXPECT_EQ(run("xadd s idmp p 1 * f v"), "$15 1700000000000-1");
  pass(1);
  EXPECT_EQ(run("xadd s idmp p 1 * f v"), "$15 1700000002000-0");
  EXPECT_EQ(run("xadd s idmp p 2 * f v"), "$15 1700000001000-0");
  pass(1000);
  EXPECT_NE(run("xinfo stream s").find("$12 pids-tracked :1 $12 iids-tracked :1 $10 iids-added :5"), std::string::npos);
  pass(1000);
  std::string nothing = "$12 pids-tracked :0 $12 iids-tracked :0 $10 iids-added :5 $15 iids-duplicates :3";
  EXPECT_NE(run("xinfo stream s").find(nothing), std::string::npos);
}

TEST_F(Streams, TellOfNewerChanges) {
  Recorder recorder;
  run("xadd s 1-1 f v"), run("xadd s 2-1 f v"), run("xgroup create s g 0"), run("xreadgroup group g a streams s >");
  keyspace.observe(&recorder);
  run("xdelex s acked ids 1 1-1"), run("xdelex s ids 1 9-9"), run("xnack s g fail ids 1 1-1");
  EXPECT_EQ(recorder.take(), Strings{});
  run("xackdel s g ids 1 1-1"), run("xdelex s delref ids 1 2-1"), run("xcfgset s idmp-maxsize 5");
  EXPECT_EQ(recorder.take(), (Strings{"xdel", "xdel", "xcfgset aside"}));
  run("xadd s idmp p 1 * f v"), run("xadd s idmp p 1 * f v");
  EXPECT_EQ(recorder.take(), Strings{"xadd"});
  keyspace.unobserve(&recorder);
}

}  // namespace
}  // namespace vitrine
