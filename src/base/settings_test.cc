#include "base/settings.h"

#include <gtest/gtest.h>
#include <limits>

namespace vitrine {
namespace {

enum class Colour { red, green, blue };
constexpr EnumName kColours[] = {{"red", 0}, {"green", 1}, {"blue", 2}, {"azure", 2}};
constexpr EnumName kFlags[] = {{"default", 0}, {"save", 1}, {"now", 2}};

struct Options {
  bool on = false;
  int hz = 10;
  uint32_t clients = 100;
  uint64_t memory = 0;
  int64_t share = 0;
  int mode = 0;
  std::string secret;
  Words bind = {"*", "-::*"};
  Colour colour = Colour::green;
  int flags = 0;
  int fixed = 1;
  std::string dir;
};

class SettingsTest : public testing::Test {
 protected:
  SettingsTest() {
    settings.boolean("on", &o.on).alias("aan");
    settings.integer("hz", &o.hz, 0, INT32_MAX).validate([this] {
      if (o.hz > 500) o.hz = 500;
      return Refusal();
    });
    settings.integer("clients", &o.clients, 1, UINT32_MAX);
    settings.memory("memory", &o.memory, 0, UINT64_MAX);
    settings.memory_or_percent("share", &o.share, -100, INT64_MAX);
    settings.octal("mode", &o.mode, 0, 0777);
    settings.text("secret", &o.secret).sensitive();
    settings.words("bind", &o.bind).validate([this] {
      return Refusal(o.bind.size() > 3 ? "Too many bind addresses specified." : "");
    });
    settings.enumeration("colour", &o.colour, kColours);
    settings.enumeration_flags("flags", &o.flags, kFlags);
    settings.integer("fixed", &o.fixed, 0, 9).immutable();
    settings.text("dir", &o.dir).guarded().hidden();
    settings.guard_with(&allowance);
  }

  std::string set(std::vector<Settings::Change> changes) { return settings.set(changes, true); }
  std::string set(Bytes name, Bytes value) { return set({{name, value}}); }
  // The reason alone.
  std::string why(Bytes name, Bytes value) {
    std::string error = set(name, value), head = "CONFIG SET failed (possibly related to argument '";
    head += std::string(name) + "') - ";
    return error.starts_with(head) ? error.substr(head.size()) : error;
  }
  std::string get(Bytes name) {
    auto found = settings.get(std::vector<Bytes>{name});
    return found.size() == 1 ? found[0].second : "none";
  }
  std::string load(Bytes text) {
    auto lines = parse_config(text, "f");
    if (!lines) return lines.error().reason;
    auto result = settings.load(*lines);
    return result ? "" : std::to_string(result.error().number) + ": " + result.error().reason;
  }

  Options o;
  Allowance allowance = Allowance::no;
  Settings settings;
};

TEST_F(SettingsTest, EveryKindReadsAndShows) {
  EXPECT_EQ(set({{"on", "YES"}, {"hz", "20"}, {"clients", "4294967295"}, {"memory", "2mb"}, {"share", "5%"},
                 {"secret", "a b"}, {"bind", "x y"}, {"colour", "AZURE"}, {"flags", "save now"}, {"mode", "750"}}),
            "");
  EXPECT_TRUE(o.on);
  EXPECT_EQ(o.clients, UINT32_MAX);
  EXPECT_EQ(o.share, -5);
  EXPECT_EQ(o.mode, 0750);
  EXPECT_EQ(o.bind, (Words{"x", "y"}));
  EXPECT_EQ(get("memory"), "2097152");
  EXPECT_EQ(get("share"), "5%");
  EXPECT_EQ(get("mode"), "750");
  EXPECT_EQ(get("colour"), "blue");
  EXPECT_EQ(get("flags"), "save now");
  EXPECT_EQ(get("bind"), "x y");
  EXPECT_EQ(get("aan"), "yes");
  EXPECT_EQ(set("bind", ""), "");
  EXPECT_TRUE(o.bind.empty());
  EXPECT_EQ(set("hz", "501"), "");
  EXPECT_EQ(get("hz"), "500");
}

TEST_F(SettingsTest, RefusalsSayWhy) {
  EXPECT_EQ(why("on", "maybe"), "argument must be 'yes' or 'no'");
  EXPECT_EQ(why("hz", "abc"), "argument couldn't be parsed into an integer");
  EXPECT_EQ(why("hz", " 1"), "argument couldn't be parsed into an integer");
  EXPECT_EQ(why("hz", "-1"), "argument must be between 0 and 2147483647 inclusive");
  EXPECT_EQ(why("hz", "2147483648"), "argument must be between 0 and 2147483647 inclusive");
  EXPECT_EQ(why("clients", "0"), "argument must be between 1 and 4294967295 inclusive");
  EXPECT_EQ(why("clients", "-1"), "argument must be between 1 and 4294967295 inclusive");
  EXPECT_EQ(why("clients", "99999999999"), "argument must be between 1 and 4294967295 inclusive");
  EXPECT_EQ(why("memory", "-1"), "argument must be a memory value");
  EXPECT_EQ(why("share", "101%"), "percentage argument must be less or equal to 100");
  EXPECT_EQ(why("share", "-5%"), "argument must be a memory or percent value");
  EXPECT_EQ(why("share", "x"), "argument must be a memory or percent value");
  EXPECT_EQ(why("mode", "999"), "argument couldn't be parsed as an octal number");
  EXPECT_EQ(why("mode", "1000"), "argument must be between 0 and 777 inclusive");
  EXPECT_EQ(why("colour", "x"), "argument(s) must be one of the following: red, green, blue, azure");
  EXPECT_EQ(why("flags", ""), "argument(s) must be one of the following: default, save, now");
  EXPECT_EQ(why("fixed", "2"), "can't set immutable config");
  EXPECT_EQ(why("dir", "/"), "can't set protected config");
  EXPECT_EQ(why("nosuch", "1"), "Unknown option or number of arguments for CONFIG SET - 'nosuch'");
  EXPECT_EQ(set({{"hz", "1"}, {"HZ", "2"}}), "CONFIG SET failed (possibly related to argument 'HZ') - duplicate parameter");
}

TEST_F(SettingsTest, GuardedOnesAskWho) {
  allowance = Allowance::local;
  EXPECT_NE(settings.set(std::vector<Settings::Change>{{"dir", "/"}}, false), "");
  EXPECT_EQ(settings.set(std::vector<Settings::Change>{{"dir", "/"}}, true), "");
  allowance = Allowance::yes;
  EXPECT_EQ(settings.set(std::vector<Settings::Change>{{"dir", "/tmp"}}, false), "");
}

TEST_F(SettingsTest, AllOrNothing) {
  std::vector<int> seen;
  settings.find("memory")->apply([&] {
    seen.push_back(static_cast<int>(o.memory));
    return Refusal();
  });
  settings.find("colour")->apply([&] { return Refusal(o.colour == Colour::red ? "no red" : ""); });
  EXPECT_NE(set({{"memory", "7"}, {"bind", "a b c d"}}), "");
  EXPECT_EQ(o.memory, 0u);
  EXPECT_EQ(o.bind, (Words{"*", "-::*"}));
  EXPECT_TRUE(seen.empty());
  EXPECT_EQ(set({{"memory", "7"}, {"share", "9%"}, {"colour", "red"}}),
            "CONFIG SET failed (possibly related to argument 'colour') - no red");
  EXPECT_EQ(o.memory, 0u);
  EXPECT_EQ(o.share, 0);
  EXPECT_EQ(o.colour, Colour::green);
  EXPECT_EQ(seen, (std::vector<int>{7, 0}));
  EXPECT_EQ(set("memory", "0"), "");  // unchanged: not applied
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_EQ(set({{"on", "yes"}, {"aan", "no"}}), "");
  EXPECT_FALSE(o.on);
}

TEST_F(SettingsTest, GetByPattern) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(settings.get(std::vector<Bytes>{"HZ", "h*", "hz"}), (Pairs{{"HZ", "10"}}));
  EXPECT_EQ(settings.get(std::vector<Bytes>{"*n"}), (Pairs{{"on", "no"}, {"aan", "no"}}));
  EXPECT_EQ(settings.get(std::vector<Bytes>{"di*"}), Pairs());
  EXPECT_EQ(settings.get(std::vector<Bytes>{"dir"}), (Pairs{{"dir", ""}}));
  EXPECT_EQ(settings.get(std::vector<Bytes>{"nosuch"}), Pairs());
}

TEST_F(SettingsTest, Loads) {
  std::string renamed;
  settings.directive("rename-command", [&](std::span<const std::string> words) -> Refusal {
    if (words.size() != 2) return "Bad directive or wrong number of arguments";
    renamed += words[0] + ">" + words[1];
    return "";
  });
  settings.obsolete("vm-enabled");
  EXPECT_EQ(load("HZ 30\nfixed 3\nrename-command a b\nbind \"p q\"\nvm-enabled no\ndir /x\nmemory 1kb\n"), "");
  EXPECT_EQ(o.hz, 30);
  EXPECT_EQ(o.fixed, 3);
  EXPECT_EQ(o.bind, (Words{"p", "q"}));
  EXPECT_EQ(renamed, "a>b");
  EXPECT_EQ(load("hz 1\nnosuch 1\n"), "2: Bad directive or wrong number of arguments");
  EXPECT_EQ(load("hz\n"), "1: wrong number of arguments");
  EXPECT_EQ(load("bind\n"), "") << "a list may be empty";
  EXPECT_EQ(load("hz 1 2\n"), "1: wrong number of arguments");
  EXPECT_EQ(load("\nhz x\n"), "2: argument couldn't be parsed into an integer");
}

TEST_F(SettingsTest, RewritesWhatChanged) {
  EXPECT_EQ(settings.rewritten("# mine\n"), "# mine\n");
  EXPECT_EQ(load("hz 30\nbind a b\nrequired\n"), "3: Bad directive or wrong number of arguments");
  EXPECT_EQ(set({{"memory", "1048576"}, {"secret", "a \"b"}, {"hz", "10"}, {"share", "7%"}}), "");
  std::string text = settings.rewritten("# mine\nhz 30\n\nbind a b\nhz 40\n");
  EXPECT_EQ(text,
            "# mine\nhz 10\n\nbind a b\n# Generated by CONFIG REWRITE\nmemory 1mb\nshare 7%\nsecret \"a \\\"b\"\n");
  EXPECT_EQ(settings.rewritten(text), text);
  EXPECT_EQ(set("bind", ""), "");
  text = settings.rewritten(text);
  EXPECT_NE(text.find("\nbind \"\"\n"), std::string::npos);
  // What was written brings everything back.
  Words values;
  for (const auto& row : settings.rows()) values.push_back(row->format());
  EXPECT_EQ(set({{"memory", "1"}, {"secret", ""}, {"share", "0"}, {"bind", "z"}}), "");
  EXPECT_EQ(load(text), "");
  for (size_t i = 0; i < values.size(); i++) EXPECT_EQ(settings.rows()[i]->format(), values[i]);
}

}  // namespace
}  // namespace vitrine
