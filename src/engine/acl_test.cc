#include <gtest/gtest.h>

#include <random>

#include "base/sha256.h"
#include "engine/acl.h"
#include "engine/acl_options.h"
#include "engine/command_table.h"
#include "engine/session.h"

namespace vitrine {
namespace {

class AclTest : public testing::Test {
 protected:
  std::string set(Bytes name, std::vector<Bytes> rules) { return acl.set_user(name, rules); }
  std::string text(Bytes name) { return acl.find(name)->text(); }
  // What `rules` come to, of a new user.
  std::string normal(std::vector<Bytes> rules) {
    acl.remove_user("n");
    std::string problem = set("n", rules);
    return problem.empty() ? text("n").substr(4) : problem;   // without "off "
  }
  AclVerdict check(Bytes name, std::vector<Bytes> argv, int db = 0) {
    std::string command(argv[0]);
    const CommandInfo* info = find_command_info(command);
    if (!info->subcommands.empty()) info = find_command_info(command + "|" + std::string(argv[1]));
    return acl.check(*acl.find(name), db, *info, argv);
  }
  // "" when permitted, else the reason and what was denied.
  std::string verdict(Bytes name, std::vector<Bytes> argv, int db = 0) {
    AclVerdict v = check(name, std::move(argv), db);
    return v.permitted() ? "" : std::string(acl_reason_name(v.reason)) + " " + v.object;
  }

  AclOptions options;
  Sessions sessions;
  Acl acl{options, sessions};
};

TEST_F(AclTest, Sha256) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_F(AclTest, RulesWithoutEffectAreForgotten) {
  EXPECT_EQ(normal({}), "resetchannels -@all");
  EXPECT_EQ(normal({"+get", "+set", "+GET"}), "resetchannels -@all +set +get");
  EXPECT_EQ(normal({"+@all", "+get"}), "resetchannels +@all");
  EXPECT_EQ(normal({"-get"}), "resetchannels -@all");
  EXPECT_EQ(normal({"+@string", "-get", "+get"}), "resetchannels -@all +@string");
  EXPECT_EQ(normal({"+config", "-config|set"}), "resetchannels -@all +config -config|set");
  EXPECT_EQ(normal({"+config|get", "+config"}), "resetchannels -@all +config");
  EXPECT_EQ(normal({"+get", "+@read"}), "resetchannels -@all +@read");
  EXPECT_EQ(normal({"+select|1", "+select"}), "resetchannels -@all +select");
  EXPECT_EQ(normal({"+select|1", "-@connection"}), "resetchannels -@all");
  EXPECT_EQ(normal({"+SELECT|a", "+select|A"}), "resetchannels -@all +select|a");
  EXPECT_EQ(normal({"+@all", "-@dangerous", "allcommands"}), "resetchannels +@all");
  EXPECT_EQ(normal({"~a", "~b", "~a", "%R~b"}), "~a ~b resetchannels -@all");
  EXPECT_EQ(normal({"%R~a", "%w~a", "%R~c"}), "~a %R~c resetchannels -@all");
  EXPECT_EQ(normal({"%R~*", "~a", "%W~*"}), "~* resetchannels -@all");
  EXPECT_EQ(normal({"~a", "allkeys"}), "~* resetchannels -@all");
  EXPECT_EQ(normal({"&a", "&b", "&a"}), "resetchannels &a &b -@all");
  EXPECT_EQ(normal({"&a", "allchannels"}), "&* -@all");
  EXPECT_EQ(normal({"db=3,1,3"}), "resetchannels db=1,3 -@all");
  EXPECT_EQ(normal({"db=3", "resetdbs"}), "resetchannels resetdbs -@all");
  EXPECT_EQ(normal({"db=3", "alldbs"}), "resetchannels -@all");
  EXPECT_EQ(normal({"(+get", "~a)", "(allkeys +@all allchannels)"}),
            "resetchannels -@all (~a resetchannels -@all +get) (~* &* +@all)");
  EXPECT_EQ(normal({"nopass", "sanitize-payload"}), "nopass sanitize-payload resetchannels -@all");
}

TEST_F(AclTest, WrongRulesChangeNothing) {
  ASSERT_EQ(set("u", {"on", "+get", "~a"}), "");
  std::string before = text("u");
  for (Bytes rule : {"x", "+nosuch", "-@nosuch", "+config|nosuch", "-select|1", "+config|get|x", "+get|", "+", "@",
                     "%~a", "%X~a", "~a b", "&a b", "<p", "#12", "!12", "(on)", "(+nosuch)", "db=", "db=x", "db=-1",
                     "db=1,", "+select|a b"})
    EXPECT_NE(set("u", {"+set", rule}), "") << rule;
  EXPECT_EQ(set("u", {"(+get", "~a"}), "Unmatched parenthesis in acl selector starting at '(+get'.");
  EXPECT_EQ(set("u", {"(~x) +get)"}), "Unmatched parenthesis in acl selector starting at '(~x) +get)'.");
  EXPECT_EQ(set("u", {"(~a) ", "+get)"}), "Unmatched parenthesis in acl selector starting at '(~a) '.");
  EXPECT_EQ(set("u", {"(~x))"}), "Unmatched parenthesis in acl selector starting at '(~x))'.");
  EXPECT_EQ(set("a b", {}), "Usernames can't contain spaces or null characters");
  EXPECT_EQ(set("u", {"~*", "~b"}).substr(0, 45), "Error in ACL SETUSER modifier '~b': Adding a ");
  EXPECT_EQ(text("u"), before);
}

TEST_F(AclTest, EveryKeyMustBePermittedForWhatIsDoneToIt) {
  ASSERT_EQ(set("u", {"+@all", "~a*", "%R~r*", "%W~w*"}), "");
  EXPECT_EQ(verdict("u", {"get", "a"}), "");
  EXPECT_EQ(verdict("u", {"get", "r"}), "");
  EXPECT_EQ(verdict("u", {"get", "w"}), "key w");
  EXPECT_EQ(verdict("u", {"set", "w", "1"}), "");
  EXPECT_EQ(verdict("u", {"set", "w", "1", "GET"}), "key w");
  EXPECT_EQ(verdict("u", {"set", "w", "1", "IFEQ", "0"}), "key w");
  EXPECT_EQ(verdict("u", {"delex", "w", "IFEQ", "0"}), "key w");
  EXPECT_EQ(verdict("u", {"delex", "w"}), "");
  EXPECT_EQ(verdict("u", {"delifeq", "w", "0"}), "key w");
  EXPECT_EQ(verdict("u", {"set", "r", "1"}), "key r");
  EXPECT_EQ(verdict("u", {"mget", "a", "r", "w", "x"}), "key w");
  EXPECT_EQ(verdict("u", {"exists", "a", "r", "w"}), "");
  EXPECT_EQ(verdict("u", {"exists", "x"}), "key x");
  EXPECT_EQ(verdict("u", {"copy", "r", "w"}), "");
  EXPECT_EQ(verdict("u", {"copy", "w", "r"}), "key w");
  EXPECT_EQ(verdict("u", {"eval", "", "2", "a", "x"}), "key x");
  EXPECT_EQ(verdict("u", {"xread", "streams", "r", "x", "0", "0"}), "key x");
  EXPECT_EQ(verdict("u", {"bitfield", "r", "get", "u8", "0"}), "");
  EXPECT_EQ(verdict("u", {"bitfield", "r", "set", "u8", "0", "1"}), "key r");
}

TEST_F(AclTest, ASelectorPermitsTheWholeOrNothing) {
  ASSERT_EQ(set("u", {"+get", "~a", "(+set ~b)", "(+mget ~a ~b)"}), "");
  EXPECT_EQ(verdict("u", {"get", "a"}), "");
  EXPECT_EQ(verdict("u", {"set", "b", "1"}), "");
  EXPECT_EQ(verdict("u", {"get", "b"}), "key b");
  EXPECT_EQ(verdict("u", {"set", "a", "1"}), "key a");
  EXPECT_EQ(verdict("u", {"mget", "a", "b"}), "");
  EXPECT_EQ(verdict("u", {"mget", "a", "c"}), "key c");
  EXPECT_EQ(verdict("u", {"del", "a"}), "command del");
}

TEST_F(AclTest, ChannelsAndFirstArguments) {
  ASSERT_EQ(set("u", {"+@pubsub", "+select|1", "&news.*", "&x?"}), "");
  EXPECT_EQ(verdict("u", {"subscribe", "news.a", "xy"}), "");
  EXPECT_EQ(verdict("u", {"subscribe", "news.a", "xyz"}), "channel xyz");
  EXPECT_EQ(verdict("u", {"psubscribe", "news.*"}), "");
  EXPECT_EQ(verdict("u", {"psubscribe", "news.a"}), "channel news.a");
  EXPECT_EQ(verdict("u", {"publish", "z", "news.a"}), "channel z");
  EXPECT_EQ(verdict("u", {"unsubscribe", "z"}), "");
  EXPECT_EQ(verdict("u", {"select", "1"}), "");
  EXPECT_EQ(verdict("u", {"select", "2"}), "command select");
  EXPECT_EQ(verdict("u", {"auth", "x"}), "");
}

TEST_F(AclTest, Databases) {
  ASSERT_EQ(set("u", {"+@all", "~*", "&*", "db=0,2"}), "");
  EXPECT_EQ(verdict("u", {"get", "a"}), "");
  EXPECT_EQ(verdict("u", {"get", "a"}, 1), "database 1");
  EXPECT_EQ(verdict("u", {"dbsize"}, 1), "database 1");
  EXPECT_EQ(verdict("u", {"ping"}, 1), "");
  EXPECT_EQ(verdict("u", {"select", "1"}), "database 1");
  EXPECT_EQ(verdict("u", {"select", "2"}, 1), "");
  EXPECT_EQ(verdict("u", {"swapdb", "0", "1"}), "database 0");
  EXPECT_EQ(verdict("u", {"move", "a", "1"}), "database 0");
  EXPECT_EQ(verdict("u", {"move", "a", "2"}), "");
  EXPECT_EQ(verdict("u", {"copy", "a", "b", "DB", "1"}), "database 0");
  EXPECT_EQ(verdict("u", {"copy", "a", "b"}), "");
  EXPECT_EQ(verdict("u", {"flushall"}).substr(0, 8), "database");
  EXPECT_EQ(verdict("u", {"publish", "a", "b"}, 1), "");
  ASSERT_EQ(set("u", {"resetdbs", "-@all", "(+get ~* db=0)", "(+set ~* alldbs)"}), "");
  EXPECT_EQ(verdict("u", {"get", "a"}), "");
  EXPECT_EQ(verdict("u", {"get", "a"}, 3), "database 3");
  EXPECT_EQ(verdict("u", {"set", "a", "1"}, 3), "");
}

TEST_F(AclTest, PasswordsProveAUser) {
  ASSERT_EQ(set("u", {"on", ">one", ">two"}), "");
  Session& session = sessions.open(nullptr, 0);
  acl.welcome(session);
  EXPECT_TRUE(session.authenticated);
  EXPECT_FALSE(session.restricted);
  EXPECT_FALSE(acl.authenticate(session, "u", "three", "auth", 0));
  EXPECT_FALSE(acl.authenticate(session, "nobody", "one", "auth", 0));
  EXPECT_EQ(session.user, "default");
  EXPECT_TRUE(acl.authenticate(session, "u", "two", "auth", 0));
  EXPECT_EQ(session.user, "u");
  EXPECT_TRUE(session.restricted);
  ASSERT_EQ(set("u", {"<two"}), "");
  EXPECT_FALSE(acl.authenticate(session, "u", "two", "auth", 0));
  EXPECT_TRUE(acl.authenticate(session, "u", "one", "auth", 0));
  ASSERT_EQ(set("u", {"off"}), "");
  EXPECT_FALSE(acl.authenticate(session, "u", "one", "auth", 0));
  ASSERT_EQ(set("u", {"on", "nopass"}), "");
  EXPECT_TRUE(acl.authenticate(session, "u", "anything", "auth", 0));
  ASSERT_EQ(set("u", {"resetpass"}), "");
  EXPECT_FALSE(acl.authenticate(session, "u", "anything", "auth", 0));
  EXPECT_EQ(acl.stats.denied_auth, 5u);
  EXPECT_EQ(acl.log.entries().size(), 2u);
  EXPECT_EQ(acl.log.entries()[0].count, 4u);
}

TEST_F(AclTest, ChangesReachTheSessionsAtOnce) {
  ASSERT_EQ(set("u", {"on", "nopass", "+@all", "~*", "&*"}), "");
  Session& session = sessions.open(nullptr, 0);
  ASSERT_TRUE(acl.adopt(session, "u"));
  EXPECT_FALSE(session.restricted);
  ASSERT_EQ(set("u", {"-get"}), "");
  EXPECT_TRUE(session.restricted);
  ASSERT_EQ(set("u", {"+get"}), "");
  EXPECT_FALSE(session.restricted);
  EXPECT_FALSE(session.doomed);
  EXPECT_TRUE(acl.remove_user("u"));
  EXPECT_TRUE(session.doomed);
  EXPECT_FALSE(acl.remove_user("u"));
}

TEST_F(AclTest, TheLogCountsWhatRepeats) {
  options.log_max_len = 3;
  ASSERT_EQ(set("u", {"on", "nopass", "+get", "~a"}), "");
  Session& session = sessions.open(nullptr, 0);
  ASSERT_TRUE(acl.adopt(session, "u"));
  auto deny = [&](Bytes key, int64_t now_ms) {
    acl.note(session, check("u", {"get", key}), AclContext::toplevel, now_ms);
  };
  deny("x", 0), deny("y", 1), deny("x", 2);
  ASSERT_EQ(acl.log.entries().size(), 2u);
  EXPECT_EQ(acl.log.entries()[0].object, "x");
  EXPECT_EQ(acl.log.entries()[0].count, 2u);
  EXPECT_EQ(acl.log.entries()[0].created_ms, 0);
  EXPECT_EQ(acl.log.entries()[0].updated_ms, 2);
  deny("x", 60'003);
  EXPECT_EQ(acl.log.entries().size(), 3u);
  deny("z", 60'004);
  EXPECT_EQ(acl.log.entries().size(), 3u);
  EXPECT_EQ(acl.stats.denied_key, 5u);
}

// What a user's text says brings the same user back, whatever rules led there.
TEST_F(AclTest, TextsReadBack) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const std::vector<Bytes> rules = {"+@all", "-@all", "+@read", "-@read", "+@write", "-@dangerous", "+@fast", "-@fast",
                                    "+get", "-get", "+set", "-set", "+config", "-config", "+config|get", "-config|get",
                                    "-config|set", "+select|1", "+select|2", "-select", "+select", "~a", "%R~*", "%R~a",
                                    "%W~*", "resetkeys", "&a", "&b*", "resetchannels", "db=1,2", "alldbs", "resetdbs",
                                    "(+get ~a)", "(+@read %W~x &y db=0)", "~x)", "(~y)z +get)", "on", "off", "nopass",
                                    ">p", ">q", "resetpass", "reset", "clearselectors", "sanitize-payload"};
  for (int round = 0; round < 300; round++) {
    acl.remove_user("a"), acl.remove_user("b");
    ASSERT_EQ(set("a", {}), "");
    std::vector<Bytes> applied;
    for (int i = 0; i < 8; i++) {
      Bytes rule = rules[random() % rules.size()];
      if (set("a", {rule}).empty()) applied.push_back(rule);   // a pattern behind ~* is refused
    }
    ASSERT_EQ(set("b", applied), "");
    EXPECT_EQ(text("a"), text("b"));
    std::string written = text("a");
    AclUser again("a", options.pubsub_default);
    std::vector<Bytes> words;
    for (Bytes rest = written; !rest.empty();) {
      words.push_back(rest.substr(0, rest.find(' ')));
      rest.remove_prefix(std::min(words.back().size() + 1, rest.size()));
    }
    std::vector<std::string> joined;
    size_t at = 0;
    ASSERT_EQ(join_selectors(words, joined), "");
    ASSERT_EQ(again.apply(joined, at), "") << written;
    EXPECT_TRUE(again == *acl.find("a")) << written << "\n" << again.text();
  }
}

}  // namespace
}  // namespace vitrine
