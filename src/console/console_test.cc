// What the console makes of what it is shown: trimming, quoting, merging, rates. The commands themselves are tested
// against a running server.
#include <gtest/gtest.h>

#include "base/settings.h"
#include "base/ticks.h"
#include "console/command_log.h"
#include "console/digest.h"
#include "console/info.h"
#include "console/latency.h"
#include "console/lolwut.h"
#include "console/monitor.h"
#include "console/rates.h"
#include "console/redact.h"
#include "console/turn_meter.h"
#include "engine/observe_options.h"
#include "io/event_loop.h"
#include "store/keyspace.h"

namespace vitrine {
namespace {

std::vector<std::string> strings(std::initializer_list<const char*> words) { return {words.begin(), words.end()}; }

TEST(CommandLogTest, KeepsShortArgumentsAsTheyAre) {
  std::vector<Bytes> argv = {"set", "k", ""};
  EXPECT_EQ(CommandLog::trimmed(argv), strings({"set", "k", ""}));
}

TEST(CommandLogTest, CutsLongArgumentsAndManyArguments) {
  std::string exact(128, 'x'), longer(130, 'y');
  std::vector<Bytes> argv = {"set", exact, longer};
  auto kept = CommandLog::trimmed(argv);
  EXPECT_EQ(kept[1], exact);
  EXPECT_EQ(kept[2], std::string(128, 'y') + "... (2 more bytes)");

  std::vector<Bytes> many(32, "a");
  EXPECT_EQ(CommandLog::trimmed(many).size(), 32u);
  EXPECT_EQ(CommandLog::trimmed(many).back(), "a");
  many.push_back("b");
  kept = CommandLog::trimmed(many);
  ASSERT_EQ(kept.size(), 32u);
  EXPECT_EQ(kept.back(), "... (2 more arguments)");
}

class ObserverTest : public testing::Test {
 protected:
  ObserverTest() : loop_(clock_), session_(7, nullptr, 0) { command_.full_name = "set"; }

  ManualClock clock_;
  EventLoop loop_;
  ObserveOptions options_;
  Settings settings_;
  Session session_;
  Command command_;
  std::vector<Bytes> argv_ = {"set", "k", "v"};
};

TEST_F(ObserverTest, LogsWhatCrossesItsOwnThresholdOnly) {
  options_.slower_than_us = 100;
  options_.request_larger_than_bytes = 1000;
  options_.reply_larger_than_bytes = -1;
  CommandLog log(options_, settings_, loop_);
  log.on_notable(session_, command_, argv_, 99'000, 1000, 1 << 30);
  EXPECT_TRUE(log.entries(CommandLog::Kind::slow).empty());
  EXPECT_TRUE(log.entries(CommandLog::Kind::large_reply).empty());
  ASSERT_EQ(log.entries(CommandLog::Kind::large_request).size(), 1u);
  EXPECT_EQ(log.entries(CommandLog::Kind::large_request)[0].value, 1000u);
  log.on_notable(session_, command_, argv_, 100'000, 999, 0);
  ASSERT_EQ(log.entries(CommandLog::Kind::slow).size(), 1u);
  EXPECT_EQ(log.entries(CommandLog::Kind::slow)[0].value, 100u);
  command_.full_name = "exec";
  log.on_notable(session_, command_, argv_, 100'000, 999, 0);
  EXPECT_EQ(log.entries(CommandLog::Kind::slow).size(), 1u);
}

TEST_F(ObserverTest, KeepsTheNewestAndCountsOnAfterReset) {
  options_.slower_than_us = 0;
  options_.slow_max_len = 3;
  CommandLog log(options_, settings_, loop_);
  for (int i = 0; i < 5; i++) log.on_notable(session_, command_, argv_, 0, 0, 0);
  const auto& entries = log.entries(CommandLog::Kind::slow);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries.front().id, 4u);
  EXPECT_EQ(entries.back().id, 2u);
  log.reset(CommandLog::Kind::slow);
  log.on_notable(session_, command_, argv_, 0, 0, 0);
  EXPECT_EQ(entries.front().id, 5u);
  options_.slow_max_len = 0;
  log.on_notable(session_, command_, argv_, 0, 0, 0);
  EXPECT_TRUE(entries.empty());
}

TEST_F(ObserverTest, HidesSecrets) {
  std::string secret, open;
  settings_.text("requirepass", &secret).sensitive();
  settings_.text("pidfile", &open);
  auto shown = [&](const char* name, std::vector<Bytes> argv) {
    command_.full_name = name;
    std::string all;
    for (Bytes arg : shown_arguments(command_, argv, settings_)) (all += all.empty() ? "" : " ") += arg;
    return all;
  };
  EXPECT_EQ(shown("auth", {"AUTH", "user", "pw"}), "AUTH (redacted) (redacted)");
  EXPECT_EQ(shown("hello", {"HELLO", "3", "auth", "u", "p", "SETNAME", "x"}),
            "HELLO 3 auth (redacted) (redacted) SETNAME x");
  EXPECT_EQ(shown("config|set", {"config", "set", "pidfile", "a", "REQUIREPASS", "b"}),
            "config set pidfile a REQUIREPASS (redacted)");
  EXPECT_EQ(shown("config|set", {"config", "set", "requirepass"}), "config set requirepass");
  EXPECT_EQ(shown("set", {"set", "auth", "pw"}), "set auth pw");
  EXPECT_EQ(shown("migrate", {"migrate", "h", "1", "k", "0", "5", "AUTH2", "u", "p", "KEYS"}),
            "migrate h 1 k 0 5 AUTH2 (redacted) (redacted) KEYS");
}

TEST_F(ObserverTest, HidesSecretsOfConfigurationLines) {
  std::string secret, open;
  settings_.text("requirepass", &secret).sensitive();
  settings_.text("dir", &open);
  auto shown = [&](Bytes line) { return shown_config_line(line, settings_); };
  for (Bytes line : {"dir a b", "DIR \"a", "include x", "requirepas", "user al on ~x +nosuch", "user al (+get ~a) (on"})
    EXPECT_EQ(shown(line), line);
  for (Bytes line : {"requirepass PW x", "requirepass \"PW", "requirepass\tPW", "\"requirepass\" PW", "requirepass=PW",
                     "'requirepass PW", "'requirepass PW' x"})
    EXPECT_EQ(shown(line), "requirepass (redacted)") << line;
  EXPECT_EQ(shown("requirepas PW"), "requirepas (redacted)");
  EXPECT_EQ(shown("require\"pass\" PW x"), "require (redacted)");
  EXPECT_EQ(shown("dir a -requirepass PW"), "dir a -requirepass (redacted)");
  EXPECT_EQ(shown("dir \"a\" \"--RequirePass\" \"PW\""), "dir \"a\" \"--RequirePass\" (redacted)");
  EXPECT_EQ(shown("user al on >PW +get <PW #12 !12"),
            "user al on >(redacted) +get <(redacted) #(redacted) !(redacted)");
  EXPECT_EQ(shown("user al on \"(+get ~a)\" > PW"), "user al on \"(+get ~a)\" >(redacted) (redacted)");
  EXPECT_EQ(shown("user al PW ((>PW \"+get >PW\""), "user al (redacted) (redacted) (redacted)");
  for (Bytes line : {"user al on >\"PW", "user al \"on >PW", "'user al on >PW"})
    EXPECT_EQ(shown(line), "user (redacted)") << line;
}

TEST(MonitorTest, QuotesEveryByte) {
  std::vector<Bytes> argv = {"set", Bytes("a\"\\\n\r\t\a\b\0\x7f\xc3", 11)};
  EXPECT_EQ(Monitors::line(1339518083'000042, 3, "127.0.0.1:60866", argv),
            "+1339518083.000042 [3 127.0.0.1:60866] \"set\" \"a\\\"\\\\\\n\\r\\t\\a\\b\\x00\\x7f\\xc3\"\r\n");
}

TEST_F(ObserverTest, LatencyKeepsTheLongestOfASecond) {
  LatencyMonitor monitor(options_, loop_);
  monitor.note("command", 5'000'000);
  EXPECT_TRUE(monitor.events().empty()) << "the monitor is off";
  options_.latency_monitor_threshold_ms = 5;
  monitor.note("command", 4'999'999);
  EXPECT_TRUE(monitor.events().empty());
  monitor.note("command", 5'000'000);
  monitor.note("command", 9'000'000);
  monitor.note("command", 7'000'000);
  const auto& event = monitor.events().find("command")->second;
  ASSERT_EQ(event.samples.size(), 1u);
  EXPECT_EQ(event.samples[0].ms, 9);
  for (int i = 0; i < 300; i++) monitor.add("command", 2'000'000'000 + i, i % 40 + 1);
  EXPECT_EQ(event.samples.size(), LatencyMonitor::kSamples);
  EXPECT_EQ(event.samples.back().at_s, 2'000'000'299);
  EXPECT_EQ(event.longest_ms, 40);
  std::string graph = LatencyMonitor::graph("command", event, 2'000'000'300);
  EXPECT_TRUE(graph.starts_with("command - high 40 ms, low 1 ms (all time high 40 ms)\n")) << graph;
  EXPECT_NE(monitor.report().find("command: 160 seconds"), std::string::npos) << monitor.report();
  EXPECT_FALSE(monitor.reset("nosuch"));
  EXPECT_TRUE(monitor.reset("command"));
  EXPECT_EQ(monitor.reset_all(), 0u);
}

TEST(InfoTest, ChoosesSections) {
  Info info;
  using enum Info::Shown;
  info.set_section("Server", by_default, [](InfoText& text) { text.field("a", 1); });
  info.set_section("Commandstats", with_all, [](InfoText& text) { text.field("b", 2); });
  info.set_section("Deep", with_everything, [](InfoText& text) { text.real("c", 0.5); });
  auto render = [&](std::vector<Bytes> names) { return info.render(names); };
  EXPECT_EQ(render({}), "# Server\r\na:1\r\n");
  EXPECT_EQ(render({"ALL"}), "# Server\r\na:1\r\n\r\n# Commandstats\r\nb:2\r\n");
  EXPECT_EQ(render({"deep", "server", "server"}), "# Server\r\na:1\r\n\r\n# Deep\r\nc:0.50\r\n");
  EXPECT_EQ(render({"default", "deep"}), "# Server\r\na:1\r\n\r\n# Deep\r\nc:0.50\r\n");
  EXPECT_EQ(render({"nosuch"}), "");
  info.set_section("Server", by_default, [](InfoText& text) { text.memory("m", 1536); });
  EXPECT_EQ(render({"everything"}),
            "# Server\r\nm:1536\r\nm_human:1.50K\r\n\r\n# Commandstats\r\nb:2\r\n\r\n# Deep\r\nc:0.50\r\n");
}

TEST(InfoTest, WritesBytesForPeople) {
  EXPECT_EQ(human_bytes(0), "0B");
  EXPECT_EQ(human_bytes(1023), "1023B");
  EXPECT_EQ(human_bytes(941104), "919.05K");
  EXPECT_EQ(human_bytes(25276502016), "23.54G");
}

TEST(RateTest, AveragesSixteenSamples) {
  Rate rate;
  for (uint64_t i = 0; i <= 16; i++) rate.sample(1'000'000 + static_cast<int64_t>(i) * 100'000, i * 50);
  EXPECT_NEAR(rate.per_second(), 500, 0.01);
  for (uint64_t i = 1; i <= 8; i++) rate.sample(2'600'000 + static_cast<int64_t>(i) * 100'000, 800);
  EXPECT_NEAR(rate.per_second(), 250, 0.01);
  rate.sample(5'000'000, 0);  // the counter was reset: no sample
  EXPECT_NEAR(rate.per_second(), 250, 0.01);
}

TEST(TurnMeterTest, NamesTheLongestPhase) {
  TurnMeter meter;
  meter.command_in_question = [] { return std::string("keys"); };
  meter.wall_ms = [] { return int64_t{1234}; };
  auto spin = [](uint64_t n) {
    for (uint64_t start = ticks(); ticks() - start < n;) {}
  };
  meter.begin(ticks());
  spin(20'000'000);
  meter.lap(TurnPhase::clients);
  meter.lap(TurnPhase::expiry);
  EXPECT_EQ(meter.longest().phase, TurnPhase::clients);
  EXPECT_EQ(meter.longest().command, "keys");
  EXPECT_EQ(meter.longest().at_ms, 1234);
  EXPECT_GE(meter.longest().ticks, 20'000'000u);
  meter.reset();
  EXPECT_EQ(meter.longest().ticks, 0u);
  EXPECT_GE(meter.longest_since_start().ticks, 20'000'000u);

  int reports = 0;
  meter.on_long = [&](TurnPhase phase, uint64_t spent) {
    reports++;
    EXPECT_EQ(phase, TurnPhase::expiry);
    EXPECT_GE(spent, 10'000'000u);
  };
  meter.report_from(10'000'000);
  for (int i = 0; i < 2; i++) {
    meter.begin(ticks());
    spin(10'000'000);
    meter.lap(TurnPhase::expiry);
  }
  EXPECT_EQ(reports, 2);
  EXPECT_EQ(meter.longest().phase, TurnPhase::expiry);
  EXPECT_EQ(meter.longest().command, "");
}

// The same random data, written in another order, with another hash seed of the table and by other steps.
TEST(DigestTest, DependsOnDataOnly) {
  uint64_t seed = 20261123;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  Keyspace::Options options;
  Keyspace one(options, 1000, 1), two(options, 1000, 2);
  EXPECT_EQ(digest_of_all(one).hex(), std::string(40, '0'));
  auto put = [](Keyspace& to, int db, const std::string& key, const std::string& value, int64_t expiry = kNoExpiry) {
    to.put_string(db, key, hash_bytes(key), value, expiry);
  };
  std::vector<std::pair<std::string, std::string>> data;
  for (int i = 0; i < 500; i++) {
    std::string value = i % 3 ? std::to_string(random.next() % 1000) : std::string(random.next() % 2000, 'v');
    data.push_back({"k" + std::to_string(i), value});
  }
  for (const auto& [key, value] : data) put(one, 0, key, value);
  for (auto it = data.rbegin(); it != data.rend(); ++it) {
    put(two, 0, it->first, "other");
    put(two, 0, it->first, it->second);
  }
  EXPECT_EQ(digest_of_all(one), digest_of_all(two));

  std::string before = digest_of_all(two).hex();
  put(two, 0, "k7", data[7].second + "x");
  EXPECT_NE(digest_of_all(two).hex(), before);
  put(two, 0, "k7", data[7].second, 99999);
  EXPECT_NE(digest_of_all(two).hex(), before) << "an expiry counts";
  put(two, 0, "k7", data[7].second);
  EXPECT_EQ(digest_of_all(two).hex(), before);
  put(two, 1, "k7", data[7].second);
  EXPECT_NE(digest_of_all(two).hex(), before);
  EXPECT_NE(Digest::of({"ab", "c"}), Digest::of({"a", "bc"}));
}

TEST(LolwutTest, DrawsWithinItsSizeAndTheSameForTheSameSeed) {
  for (uint64_t seed = 1; seed < 50; seed++) {
    std::string picture = draw_cabinet(seed, 40, 12);
    EXPECT_EQ(std::count(picture.begin(), picture.end(), '\n'), 12);
    EXPECT_EQ(picture, draw_cabinet(seed, 40, 12));
  }
  EXPECT_NE(draw_cabinet(1, 40, 12), draw_cabinet(2, 40, 12));
  EXPECT_EQ(draw_cabinet(1, -5, 1 << 30), draw_cabinet(1, 8, 60));
}

}  // namespace
}  // namespace vitrine
