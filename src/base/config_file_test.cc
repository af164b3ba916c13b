#include "base/config_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"

namespace vitrine {
namespace {

namespace fs = std::filesystem;

TEST(ConfigFile, SplitsWords) {
  EXPECT_EQ(split_words(""), Words());
  EXPECT_EQ(split_words("  \t "), Words());
  EXPECT_EQ(split_words("save 900  1"), (Words{"save", "900", "1"}));
  EXPECT_EQ(split_words("a \"b c\" 'd e'"), (Words{"a", "b c", "d e"}));
  EXPECT_EQ(split_words("\"\""), Words{""});
  EXPECT_EQ(split_words("''"), Words{""});
  EXPECT_EQ(split_words(R"("\n\r\t\b\a\x41\xfF\q\"\\")"), Words{"\n\r\t\b\aA\xffq\"\\"});
  EXPECT_EQ(split_words(R"("\xg1")"), Words{"xg1"});
  EXPECT_EQ(split_words(R"('it\'s \n')"), Words{"it's \\n"});
  EXPECT_EQ(split_words("a\"b\""), Words{"ab"});
  for (Bytes bad : {"\"abc", "'abc", "\"abc\\\"", "\"a\"b", "'a'b", "\"", "'"}) EXPECT_FALSE(split_words(bad)) << bad;
}

TEST(ConfigFile, QuotedWordsReadBack) {
  Random random(17);
  for (int i = 0; i < 20000; i++) {
    Words words(1 + random.below(3));
    std::string plain, quoted;
    for (std::string& word : words) {
      for (uint64_t n = random.below(6); n > 0; n--)
        word += random.below(2) ? static_cast<char>(random.below(256)) : "\"'\\# xn\t"[random.below(8)];
      (quoted += ' ') += quote_word(word);
      (plain += ' ') += quote_word_if_needed(word);
    }
    ASSERT_EQ(split_words(quoted), words) << quoted;
    ASSERT_EQ(split_words(plain), words) << plain;
    // A line of configuration survives whatever stands in its words.
    auto lines = parse_config("x" + plain + "\n", "f");
    ASSERT_TRUE(lines);
    ASSERT_EQ((*lines)[0].args, words);
  }
}

TEST(ConfigFile, ParsesLines) {
  auto lines = parse_config("# comment\n\nPort 1\r\n   bind a b  \n#x\nsave \"\"", "f.conf");
  ASSERT_TRUE(lines);
  ASSERT_EQ(lines->size(), 3u);
  EXPECT_EQ((*lines)[0].directive, "port");
  EXPECT_EQ((*lines)[0].args, Words{"1"});
  EXPECT_EQ((*lines)[0].number, 3);
  EXPECT_EQ((*lines)[1].text, "bind a b");
  EXPECT_EQ((*lines)[2].number, 6);
  EXPECT_EQ((*lines)[2].args, Words{""});
  auto bad = parse_config("port 1\n hz \"abc \n", "f.conf");
  ASSERT_FALSE(bad);
  EXPECT_EQ(fatal_config_text(bad.error(), "8.0.0"),
            "\n*** FATAL CONFIG FILE ERROR (Redis 8.0.0) ***\nReading the configuration file, at line 2\n"
            ">>> 'hz \"abc'\nUnbalanced quotes in configuration line\n");
}

std::string from(std::vector<const char*> arguments) { return config_from_arguments(arguments); }

TEST(ConfigFile, CommandLine) {
  EXPECT_EQ(from({}), "");
  EXPECT_EQ(from({"--port", "1", "--bind", "a", "b"}), "\nport \"1\"\nbind \"a\" \"b\"\n");
  EXPECT_EQ(from({"--hz 10", "--port", "1"}), "\nhz 10\nport \"1\"\n");
  EXPECT_EQ(from({"--save", "--port", "1"}), "\nsave \"\"\nport \"1\"\n");
  EXPECT_EQ(from({"--save"}), "\nsave \"\"\n");
  EXPECT_EQ(from({"--save", "", "--port", "1"}), "\nsave \"\"\nport \"1\"\n");
  EXPECT_EQ(from({"--requirepass", "--secret"}), "\nrequirepass \"--secret\"\n");
  EXPECT_EQ(from({"--hz"}), "\nhz\n");
  EXPECT_EQ(from({"--dir", "a \"b"}), "\ndir \"a \\\"b\"\n");
}

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/config_file_test.XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string put(const std::string& name, const std::string& text) {
    std::string path = path_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(ConfigFile, IncludesInPlace) {
  Folder folder;
  folder.put("b.part", "two 2\n");
  folder.put("a.part", "one 1\n");
  std::string deep = folder.put("deep.conf", "include " + folder.path() + "/*.part\nthree 3\n");
  auto lines = parse_config_with_includes("zero 0\ninclude '" + deep + "'\nfour 4\n", "main");
  ASSERT_TRUE(lines);
  std::string order;
  for (const ConfigLine& line : *lines) order += line.directive + " ";
  EXPECT_EQ(order, "zero one two three four ");
  EXPECT_EQ((*lines)[3].file, deep);
  EXPECT_TRUE(parse_config_with_includes("include " + folder.path() + "/*.none\n", ""));
  auto missing = parse_config_with_includes("include " + folder.path() + "/none\n", "");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().number, 0);
  EXPECT_EQ(missing.error().reason,
            "Fatal error, can't open config file '" + folder.path() + "/none': No such file or directory");
  std::string loop = folder.path() + "/loop";
  folder.put("loop", "include " + loop + "\n");
  EXPECT_FALSE(parse_config_with_includes("include " + loop + "\n", ""));
}

TEST(ConfigFile, ReplacesFiles) {
  Folder folder;
  std::string path = folder.put("x", "old");
  chmod(path.c_str(), 0600);
  EXPECT_EQ(replace_file(path, "new"), "");
  EXPECT_EQ(read_whole_file(path), "new");
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
  EXPECT_NE(replace_file(folder.path() + "/none/x", "new"), "");
}

using Line = ConfigRewriter::Line;

TEST(ConfigRewriter, KeepsWhatTheUserWrote) {
  ConfigRewriter rewriter("# head\nport 1 \n\nhz 20\n# why\nbind a  b\nuser x on\nhz 30\nbroken \"\n");
  std::string port[] = {"port"}, hz[] = {"hz"}, bind[] = {"bind"}, fresh[] = {"maxmemory"}, usual[] = {"dir"};
  rewriter.put(port, std::vector<Line>{{"1", false}});
  rewriter.put(hz, std::vector<Line>{{"50"}});
  rewriter.put(bind, std::vector<Line>{{"a b"}});
  rewriter.put(fresh, std::vector<Line>{{"1gb"}});
  rewriter.put(usual, std::vector<Line>{{"\"/\"", false}});
  EXPECT_EQ(rewriter.text(),
            "# head\nport 1 \n\nhz 50\n# why\nbind a  b\nuser x on\nbroken \"\n# Generated by CONFIG REWRITE\n"
            "maxmemory 1gb\n");
}

TEST(ConfigRewriter, OneMarkHoweverOften) {
  std::string text = "port 1\n";
  std::string a[] = {"a"}, b[] = {"b"};
  ConfigRewriter first(text);
  first.put(a, std::vector<Line>{{"1"}});
  ConfigRewriter second(first.text());
  second.put(a, std::vector<Line>{{"2"}});
  second.put(b, std::vector<Line>{{"3"}});
  EXPECT_EQ(second.text(), "port 1\n# Generated by CONFIG REWRITE\na 2\nb 3\n");
}

TEST(ConfigRewriter, RepeatedLinesAndAliases) {
  std::string names[] = {"limit", "old-limit"};
  ConfigRewriter rewriter("limit x 1\nold-limit y 2\nlimit z 3\n");
  rewriter.put(names, std::vector<Line>{{"y 2"}, {"x 9"}, {"w 0", false}});
  EXPECT_EQ(rewriter.text(), "limit x 9\nold-limit y 2\n");
}

}  // namespace
}  // namespace vitrine
