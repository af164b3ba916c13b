#include "persist/loading.h"

#include <gtest/gtest.h>

#include <vector>

namespace vitrine {
namespace {

TEST(Loading, DrawsABarBeforeATerminal) {
  ManualClock clock;
  Loading loading(clock);
  std::vector<std::string> lines;
  loading.show = [&](Bytes line) { lines.emplace_back(line); };
  loading.begin("dump.rdb", 100'000'000, 1, {});
  for (int i = 0; i < 4; i++) {
    clock.advance_us(250'000);
    EXPECT_TRUE(loading.advance(25'000'000));
  }
  loading.end();
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0], "dump.rdb [##########" + std::string(30, ' ') + "]  25%  100 MB/s, 1 s left");
  EXPECT_EQ(lines[3], "dump.rdb [" + std::string(40, '#') + "] 100%  100 MB/s, 0 s left");
  EXPECT_EQ(lines[4], "");
}

TEST(Loading, StopsWhenItsOwnerSaysSo) {
  ManualClock clock;
  Loading loading(clock);
  int asked = 0;
  loading.begin("a", 100, 10, [&] { return ++asked < 3; });
  EXPECT_TRUE(loading.advance(10));
  EXPECT_TRUE(loading.advance(5));
  EXPECT_TRUE(loading.advance(5));
  EXPECT_FALSE(loading.advance(20));
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace vitrine
