// Commands through the dispatcher, without a network: what sessions see of each other.
#include <gtest/gtest.h>

#include <algorithm>

#include "commands/families.h"
#include "engine/acl.h"
#include "engine/dispatcher.h"
#include "engine/engine_commands.h"
#include "engine/removal_effects.h"
#include "engine/testing.h"
#include "store/database.h"

namespace vitrine {
namespace {

struct Recorder : KeyObserver {
  std::vector<std::string> events;
  void on_change(const Change& c) override { events.push_back(std::string(c.event) + " " + std::string(c.key)); }
  void on_flush(int db) override { events.push_back("flush " + std::to_string(db)); }
  void on_swap(int a, int b) override { events.push_back("swap " + std::to_string(a) + " " + std::to_string(b)); }
};

class Commands : public testing::Test, protected BareEngine {
 protected:
  Commands() {
    add_string_commands(registry);
    add_string_condition_commands(registry);
    add_increx_command(registry);
    add_list_commands(registry);
    add_list_waiting_commands(registry);
    add_generic_commands(registry);
    add_expiry_commands(registry);
    add_hash_commands(registry);
    add_hash_expiry_commands(registry);
    add_set_commands(registry);
    add_set_algebra_commands(registry);
    add_session_commands(registry, dispatcher);
    add_client_commands(registry, dispatcher);
    add_transaction_commands(registry, dispatcher);
  }

  std::string run(Session& session, const std::vector<std::string>& words) { return reply_to(session, words); }
  std::string run(const std::vector<std::string>& words) { return reply_to(me, words); }
  void pass(int64_t ms) { keyspace.set_now(keyspace.now_ms() + ms); }

  Session& me = open();
};

TEST_F(Commands, RefuseWhatIsWrongBeforeTheyRun) {
  EXPECT_EQ(run({"nosuch", "a"}), "-ERR unknown command 'nosuch', with args beginning with: 'a' \r\n");
  EXPECT_EQ(run({"get"}), "-ERR wrong number of arguments for 'get' command\r\n");
  EXPECT_EQ(run({"client", "nosuch"}), "-ERR unknown subcommand 'nosuch'. Try CLIENT HELP.\r\n");
  dispatcher.acl().set_default_password("secret");
  Session& stranger = sessions.open(nullptr, kStart);
  EXPECT_EQ(run(stranger, {"get", "a"}), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(run(stranger, {"auth", "wrong"}),
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  EXPECT_EQ(run(stranger, {"auth", "secret"}), "+OK\r\n");
  EXPECT_EQ(run(stranger, {"get", "a"}), "$-1\r\n");
  EXPECT_EQ(dispatcher.stats().errors.at("NOAUTH"), 1u);
}

TEST_F(Commands, ATransactionRunsWholeOrNotAtAll) {
  Session& other = open();
  run({"multi"});
  EXPECT_EQ(run({"set", "a", "1"}), "+QUEUED\r\n");
  EXPECT_EQ(run(other, {"get", "a"}), "$-1\r\n");
  run({"sadd", "a", "x"});
  EXPECT_EQ(run({"exec"}), "*2\r\n+OK\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");

  run({"multi"});
  run({"get"});
  EXPECT_EQ(run({"exec"}), "-EXECABORT Transaction discarded because of previous errors.\r\n");

  run({"watch", "a"});
  run(other, {"set", "a", "2"});
  run({"multi"});
  run({"set", "a", "3"});
  EXPECT_EQ(run({"exec"}), "*-1\r\n");
  EXPECT_EQ(run({"get", "a"}), "$1\r\n2\r\n");

  run({"watch", "a"});
  run({"unwatch"});
  run(other, {"set", "a", "4"});
  run({"multi"});
  EXPECT_EQ(run({"exec"}), "*0\r\n");
}

TEST_F(Commands, WatchSeesExpiryFlushAndSwap) {
  for (const char* what : {"expiry", "flush", "swap"}) {
    run({"set", "k", "v", "px", "100"});
    run({"watch", "k"});
    if (Bytes(what) == "expiry") pass(200);
    if (Bytes(what) == "flush") run({"flushdb"});
    if (Bytes(what) == "swap") run({"swapdb", "0", "1"});
    run({"multi"});
    EXPECT_EQ(run({"exec"}), "*-1\r\n") << what;
  }
}

TEST_F(Commands, ExpiredKeysAreNeverSeen) {
  Recorder recorder;
  keyspace.observe(&recorder);
  run({"set", "k", "v", "px", "100"});
  pass(99);
  EXPECT_EQ(run({"get", "k"}), "$1\r\nv\r\n");
  EXPECT_EQ(run({"pttl", "k"}), ":1\r\n");
  pass(1);
  EXPECT_EQ(run({"exists", "k"}), ":0\r\n");
  EXPECT_EQ(run({"get", "k"}), "$-1\r\n");
  EXPECT_EQ(recorder.events, (std::vector<std::string>{"set k", "expire k", "expired k"}));
  keyspace.unobserve(&recorder);
}

TEST_F(Commands, ScanRemovesWhatHasExpired) {
  run({"set", "k", "v", "px", "100"});
  run({"hset", "h", "f", "v"});
  run({"hpexpire", "h", "100", "fields", "1", "f"});
  run({"set", "other", "v"});
  pass(100);
  StreamRecorder sink(dispatcher.effects());
  MemoryOptions memory;
  memory.lazy_expire = false;
  RemovalEffects removals(keyspace, dispatcher.effects(), memory, [] { return true; });
  Recorder recorder;
  keyspace.observe(&recorder);
  EXPECT_EQ(run({"scan", "0", "match", "[kh]"}), "*2\r\n$1\r\n0\r\n*0\r\n");
  std::sort(recorder.events.begin(), recorder.events.end());
  EXPECT_EQ(recorder.events, (std::vector<std::string>{"del h", "expired k", "hexpired h"}));
  EXPECT_EQ(keyspace.database(0).size(), 1u);
  EXPECT_EQ(keyspace.stats().expired, 1u);
  std::sort(sink.commands.begin(), sink.commands.end());
  EXPECT_EQ(sink.commands, (std::vector<std::string>{"DEL k", "HDEL h f"}));
  keyspace.unobserve(&recorder);
}

// Whether its fields lie in one block or in a table.
TEST_F(Commands, AHashWhoseFieldsHaveAllExpiredIsNeverSeen) {
  for (size_t most : {size_t{512}, size_t{0}}) {
    options.limits.hash_max_listpack_entries = most;
    run({"hset", "h", "a", "1", "b", "2"});
    run({"hpexpire", "h", "100", "fields", "1", "a"});
    run({"hpexpire", "h", "200", "fields", "1", "b"});
    pass(150);
    EXPECT_EQ(run({"exists", "h"}), ":1\r\n");
    EXPECT_EQ(run({"keys", "*"}), "*1\r\n$1\r\nh\r\n");
    pass(50);
    EXPECT_EQ(run({"keys", "*"}), "*0\r\n");
    keyspace.hold_removals(true);
    EXPECT_EQ(run({"scan", "0"}), "*2\r\n$1\r\n0\r\n*0\r\n");
    EXPECT_EQ(run({"type", "h"}), "+none\r\n");
    EXPECT_EQ(run({"randomkey"}), "$-1\r\n");
    keyspace.hold_removals(false);
    EXPECT_EQ(keyspace.database(0).size(), 1u);
    StreamRecorder sink(dispatcher.effects());
    Recorder recorder;
    keyspace.observe(&recorder);
    EXPECT_EQ(run(most ? std::vector<std::string>{"exists", "h"} : std::vector<std::string>{"randomkey"}),
              most ? ":0\r\n" : "$-1\r\n");
    EXPECT_EQ(recorder.events, (std::vector<std::string>{"hexpired h", "del h"}));
    EXPECT_EQ(keyspace.database(0).size(), 0u);
    keyspace.unobserve(&recorder);
  }
}

TEST_F(Commands, NothingIsCopiedOrMovedOfAHashWhoseFieldsHaveAllExpired) {
  auto make = [&] {
    run({"hset", "h", "a", "1"});
    run({"hpexpire", "h", "100", "fields", "1", "a"});
    pass(100);
  };
  run({"set", "live", "v"});
  make();
  EXPECT_EQ(run({"copy", "h", "live", "replace"}), ":0\r\n");
  EXPECT_EQ(run({"get", "live"}), "$1\r\nv\r\n");
  make();
  EXPECT_EQ(run({"rename", "h", "live"}), "-ERR no such key\r\n");
  make();
  EXPECT_EQ(run({"get", "h"}), "$-1\r\n");
}

TEST_F(Commands, AWaitingCommandIsOneCall) {
  Session& other = open();
  const Command& blpop = *registry.find("blpop");
  run(other, {"blpop", "l", "0"});
  uint64_t before = dispatcher.stats().commands;
  run({"rpush", "l", "1"});
  EXPECT_EQ(take_output(other), "*2\r\n$1\r\nl\r\n$1\r\n1\r\n");
  EXPECT_EQ(blpop.stats.calls, 1u);
  EXPECT_EQ(dispatcher.stats().commands, before + 1);

  run(other, {"blpop", "l", "0"});
  waiters.unblock(other, true);
  EXPECT_EQ(take_output(other), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
  EXPECT_EQ(blpop.stats.failed, 1u);
  EXPECT_EQ(dispatcher.stats().errors.at("UNBLOCKED"), 1u);
  EXPECT_EQ(dispatcher.stats().total_errors, 1u);
}

TEST_F(Commands, ExpiretimeIsToTheNearestSecond) {
  run({"set", "k", "v", "pxat", "4102444800499"});
  EXPECT_EQ(run({"expiretime", "k"}), ":4102444800\r\n");
  run({"set", "k", "v", "pxat", "4102444800500"});
  EXPECT_EQ(run({"expiretime", "k"}), ":4102444801\r\n");
  run({"set", "k", "v", "pxat", "9223372036854775807"});
  EXPECT_EQ(run({"expiretime", "k"}), ":9223372036854776\r\n");
}

TEST_F(Commands, AnnounceEachChangeOnceAndTheEndOfEmptyKeys) {
  Recorder recorder;
  keyspace.observe(&recorder);
  run({"sadd", "s", "a", "b"});
  run({"sadd", "s", "a"});
  run({"srem", "s", "a", "b"});
  run({"del", "s"});
  EXPECT_EQ(recorder.events, (std::vector<std::string>{"sadd s", "srem s", "del s"}));
  EXPECT_EQ(keyspace.database(0).size(), 0u);
  keyspace.unobserve(&recorder);
}

TEST_F(Commands, SayWhatMustBeReplayed) {
  StreamRecorder sink(dispatcher.effects());
  run({"set", "k", "v", "ex", "10"});
  run({"get", "k"});
  run({"incrbyfloat", "f", "1.5"});
  run({"sadd", "s", "only"});
  run({"spop", "s"});
  run({"multi"});
  run({"set", "a", "1"});
  run({"getdel", "a"});
  run({"exec"});
  EXPECT_EQ(sink.units, (std::vector<std::string>{"SET k v PXAT 1700000010000", "SET f 1.5 KEEPTTL", "sadd s only",
                                                  "SREM s only", "SET a 1; DEL a"}));
}

TEST_F(Commands, SayWhatMustBeReplayedOfCountersAndConditions) {
  StreamRecorder sink(dispatcher.effects());
  Recorder recorder;
  keyspace.observe(&recorder);
  run({"increx", "n", "byint", "5", "ex", "10"});
  run({"increx", "n", "ubound", "5"});
  run({"increx", "n", "ex", "99", "enx"});
  run({"increx", "n", "byfloat", "0.5", "persist"});
  run({"increx", "n", "byfloat", "1", "pxat", "1"});
  run({"set", "k", "v", "ifne", "v"});
  run({"set", "k", "w", "ifne", "v"});
  run({"delex", "k", "ifne", "v"});
  run({"delex", "k", "ifeq", "v"});
  EXPECT_EQ(sink.units, (std::vector<std::string>{"SET n 5 PXAT 1700000010000", "SET n 6 KEEPTTL", "SET n 6.5",
                                                  "DEL n", "SET k v", "DEL k"}));
  EXPECT_EQ(recorder.events, (std::vector<std::string>{"incrby n", "expire n", "incrby n", "incrbyfloat n", "persist n",
                                                       "incrbyfloat n", "set k", "del k"}));
  keyspace.unobserve(&recorder);
}

TEST_F(Commands, SayWhatMustBeReplayedOfMovedItems) {
  StreamRecorder sink(dispatcher.effects());
  Recorder recorder;
  Session& other = open();
  run(other, {"blmovem", "a", "b", "left", "right", "0", "exactly", "2", "obo"});
  run({"rpush", "a", "1"});
  EXPECT_EQ(take_output(other), "");
  keyspace.observe(&recorder);
  run({"rpush", "a", "2", "3"});
  EXPECT_EQ(take_output(other), "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  run({"lmovem", "a", "a", "left", "left", "count", "1", "obo"});
  run({"lmovem", "a", "b", "left", "left", "exactly", "2", "bulk"});
  EXPECT_EQ(sink.units, (std::vector<std::string>{"rpush a 1", "rpush a 2 3", "LMOVEM a b LEFT RIGHT EXACTLY 2 OBO"}));
  EXPECT_EQ(recorder.events, (std::vector<std::string>{"rpush a", "rpush b", "lpop a"}));
  keyspace.unobserve(&recorder);
}

TEST_F(Commands, UnderLrmOnlyChangesCountAsUse) {
  options.lrm = true;
  run({"set", "k", "v"});
  pass(10'240);
  run({"get", "k"});
  run({"touch", "k"});
  run({"setnx", "k", "w"});
  run({"persist", "k"});
  EXPECT_EQ(run({"object", "idletime", "k"}), ":10\r\n");
  EXPECT_TRUE(run({"object", "freq", "k"}).starts_with("-ERR An LFU maxmemory policy is not selected"));
  for (std::vector<std::string> change : {std::vector<std::string>{"append", "k", "w"}, {"set", "k", "1"},
                                          {"incr", "k"}, {"expire", "k", "100"}, {"rename", "k", "k2"}}) {
    run(change);
    EXPECT_EQ(run({"object", "idletime", change.back() == "k2" ? "k2" : "k"}), ":0\r\n") << change[0];
    pass(10'240);
  }
}

TEST_F(Commands, RepliesCanBeTurnedOff) {
  EXPECT_EQ(run({"client", "reply", "skip"}), "");
  EXPECT_EQ(run({"set", "a", "1"}), "");
  EXPECT_EQ(run({"get", "a"}), "$1\r\n1\r\n");
  EXPECT_EQ(run({"client", "reply", "off"}), "");
  EXPECT_EQ(run({"nosuch"}), "");
  EXPECT_EQ(run({"client", "reply", "on"}), "+OK\r\n");
}

TEST_F(Commands, PauseHoldsWritesUntilItIsOver) {
  run({"client", "pause", "1000", "write"});
  Session& other = open();
  EXPECT_EQ(run(other, {"get", "a"}), "$-1\r\n");
  std::vector<Bytes> argv = {"set", "a", "1"};
  EXPECT_EQ(dispatcher.run(other, dispatcher.prepare(argv)), Dispatcher::Outcome::held);
  EXPECT_EQ(take_output(other), "");
  EXPECT_EQ(dispatcher.take_held(), std::vector<SessionId>{other.id});
  pass(1001);
  EXPECT_EQ(run(other, {"set", "a", "1"}), "+OK\r\n");
}

}  // namespace
}  // namespace vitrine
