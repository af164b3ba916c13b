#include "base/log.h"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <regex>
#include <unistd.h>

#include "base/config_file.h"

namespace vitrine {
namespace {

class LogTest : public testing::Test {
 protected:
  LogTest() {
    int fd = mkstemp(name_);
    close(fd);
    the_log().options = LogOptions();
    the_log().options.file = name_;
    the_log().role = 'M';
  }
  ~LogTest() override {
    unlink(name_);
    the_log().options = LogOptions();
  }
  std::string text() { return *read_whole_file(name_); }

  char name_[32] = "/tmp/log_test.XXXXXX";
};

TEST_F(LogTest, LineForm) {
  log(LogLevel::verbose, "unseen %d", 1);
  log(LogLevel::notice, "Ready %s", "x");
  log(LogLevel::warning, "bad");
  std::string head = std::to_string(getpid()) + ":M \\d\\d [A-Z][a-z]{2} \\d{4} \\d\\d:\\d\\d:\\d\\d\\.\\d{3} ";
  EXPECT_TRUE(std::regex_match(text(), std::regex(head + "\\* Ready x\n" + head + "# bad\n"))) << text();
}

TEST_F(LogTest, FollowsRotation) {
  log(LogLevel::notice, "one");
  unlink(name_);
  log(LogLevel::notice, "two");
  EXPECT_EQ(text().find("one"), std::string::npos);
  EXPECT_NE(text().find("two"), std::string::npos);
}

TEST_F(LogTest, OtherForms) {
  the_log().options.format = LogFormat::logfmt;
  the_log().options.timestamp = LogTimestamp::iso8601;
  log(LogLevel::notice, "say \"it\"\nnow");
  EXPECT_TRUE(std::regex_match(text(), std::regex("pid=\\d+ role=primary timestamp=\"\\d{4}-\\d\\d-\\d\\dT[0-9:]{8}\\."
                                                  "\\d{3}[+-]\\d\\d:\\d\\d\" level=notice message=\"say 'it' now\"\n")))
      << text();
}

TEST_F(LogTest, Levels) {
  the_log().options.level = LogLevel::nothing;
  log(LogLevel::warning, "silent");
  EXPECT_EQ(text(), "");
  the_log().options.level = LogLevel::debug;
  log(LogLevel::debug, "%s", std::string(10000, 'x').c_str());
  std::string written = text();
  EXPECT_EQ(std::count(written.begin(), written.end(), 'x'), static_cast<long>(Log::kLongestMessage));
  the_log().write_from_signal("help");
  EXPECT_NE(text().find(":signal-handler ("), std::string::npos);
}

}  // namespace
}  // namespace vitrine
