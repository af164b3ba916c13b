#include "base/numbers.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "base/random.h"

namespace vitrine {
namespace {

TEST(Numbers, ParsesExactlyWhatFormattingGivesBack) {
  for (Bytes bad : {"", "-", "+1", " 1", "1 ", "01", "-0", "-01", "00", "1a", "0x1", "9223372036854775808",
                    "-9223372036854775809", "99999999999999999999", "100000000000000000000", "1.0", "--1"})
    EXPECT_FALSE(parse_int64(bad)) << bad;
  EXPECT_FALSE(parse_int64(Bytes("1\0", 2)));
  EXPECT_EQ(parse_int64("0"), 0);
  EXPECT_EQ(parse_int64("-1"), -1);
  EXPECT_EQ(parse_int64("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(parse_int64("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(parse_uint64("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_FALSE(parse_uint64("18446744073709551616"));
  EXPECT_FALSE(parse_uint64("-1"));
}

TEST(Numbers, FormattedIntegersReadBack) {
  Random random(7);
  for (int i = 0; i < 200000; i++) {
    int64_t value = static_cast<int64_t>(random.next() >> random.below(64)) * (random.below(2) ? 1 : -1);
    if (i < 20) value = i < 10 ? std::numeric_limits<int64_t>::min() + i : std::numeric_limits<int64_t>::max() - i + 10;
    char text[kInt64Chars];
    size_t size = format_int64(text, value);
    ASSERT_EQ(Bytes(text, size), std::to_string(value));
    ASSERT_EQ(decimal_length(value), static_cast<int>(size));
    ASSERT_EQ(parse_int64(Bytes(text, size)), value);
    uint64_t positive = static_cast<uint64_t>(value);
    ASSERT_EQ(Bytes(text, format_uint64(text, positive)), std::to_string(positive));
    ASSERT_EQ(parse_uint64(std::to_string(positive)), positive);
  }
  uint64_t power = 1;
  for (int digits = 1; digits <= 20; digits++, power *= 10) {
    EXPECT_EQ(decimal_length(power), digits);
    EXPECT_EQ(decimal_length(power - 1), digits > 1 ? digits - 1 : 1);
  }
}

TEST(Numbers, DoublesAreReadAsStrtodDoes) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  for (Bytes bad : {"", " 1", "1 ", ".", "-", "+", "1e", "0x", "1_0", "1,0", "1d", "infi", "infinityy", "nan", "-nan",
                    "NAN", "nan(1)", "1e400", "-1e400", "1e309", "1e-400", "0.1f", "+-1", "-+1", "++1", "0x1p",
                    "0x1p5000", "inf ", "+ 1", "1e5.5"})
    EXPECT_FALSE(parse_double(bad)) << bad;
  EXPECT_FALSE(parse_double(Bytes("1\0", 2)));
  EXPECT_EQ(parse_double("+1"), 1);
  EXPECT_EQ(parse_double("1."), 1);
  EXPECT_EQ(parse_double(".5"), 0.5);
  EXPECT_EQ(parse_double("007"), 7);
  EXPECT_EQ(parse_double("1e5"), 1e5);
  EXPECT_EQ(parse_double("1E+5"), 1e5);
  EXPECT_EQ(parse_double("0x10"), 16);
  EXPECT_EQ(parse_double("-0X1Fp1"), -62);
  EXPECT_EQ(parse_double("+0x1p3"), 8);
  EXPECT_EQ(parse_double("1e-320"), 1e-320);
  EXPECT_EQ(parse_double("4.9e-324"), 4.9e-324);
  EXPECT_EQ(parse_double("99999999999999999999"), 1e20);
  for (Bytes good : {"inf", "+inf", "Infinity", "+INFINITY", "INF"}) EXPECT_EQ(parse_double(good), kInf) << good;
  EXPECT_EQ(parse_double("-inf"), -kInf);
  EXPECT_TRUE(std::signbit(*parse_double("-0")));
  EXPECT_TRUE(std::signbit(*parse_double("-0.0")));
}

TEST(Numbers, DoublesAreWrittenAsReplies) {
  struct Case {
    double value;
    Bytes text;
  };
  constexpr double kInf = std::numeric_limits<double>::infinity();
  for (const Case& c : {Case{0, "0"},
                        {-0.0, "-0"},
                        {3, "3"},
                        {-17, "-17"},
                        {0.1, "0.1"},
                        {-0.5, "-0.5"},
                        {0.1 + 0.2, "0.30000000000000004"},
                        {1e8, "100000000"},
                        {4503599627370496.0, "4503599627370496"},
                        {9007199254740992.0, "9007199254740992"},
                        {1e16, "10000000000000000"},
                        {-81067744968633650.0, "-81067744968633648"},
                        {99999999999999984.0, "99999999999999984"},
                        {1e17, "1e+17"},
                        {144115188075855872.0, "144115188075855870"},
                        {1e20, "1e+20"},
                        {1e21, "1e+21"},
                        {1e308, "1e+308"},
                        {1.5e-7, "1.5e-7"},
                        {0.000001, "0.000001"},
                        {1e-7, "1e-7"},
                        {1234.5, "1234.5"},
                        {3.141592653589793, "3.141592653589793"},
                        {123456.789, "123456.789"},
                        {-1e-320, "-1e-320"},
                        {5e-324, "5e-324"},
                        {1.7976931348623157e308, "1.7976931348623157e+308"},
                        {kInf, "inf"},
                        {-kInf, "-inf"},
                        {std::nan(""), "nan"}}) {
    EXPECT_EQ(format_double(c.value), c.text);
  }
}

TEST(Numbers, WrittenDoublesReadBack) {
  Random random(11);
  for (int i = 0; i < 200000; i++) {
    double value = std::bit_cast<double>(random.next());
    if (i % 3 == 0) value = static_cast<double>(static_cast<int64_t>(random.next() >> random.below(60))) / 1000;
    if (i % 3 == 1) value = std::round(random.unit() * 1e6) / 1e4 * (random.below(2) ? 1 : -1);
    if (std::isnan(value)) continue;
    char text[kDoubleChars];
    size_t size = format_double(text, value);
    ASSERT_LE(size, kDoubleChars);
    std::optional<double> back = parse_double(Bytes(text, size));
    ASSERT_TRUE(back) << Bytes(text, size);
    ASSERT_EQ(std::bit_cast<uint64_t>(*back), std::bit_cast<uint64_t>(value)) << Bytes(text, size);
  }
}

TEST(Numbers, LongDoublesAreWrittenHumanly) {
  EXPECT_EQ(format_long_double(10.6L), "10.6");
  EXPECT_EQ(format_long_double(3.0L), "3");
  EXPECT_EQ(format_long_double(-0.0L), "0");
  EXPECT_EQ(format_long_double(*parse_long_double("5.0e3") + 200), "5200");
  EXPECT_EQ(format_long_double(*parse_long_double("10.50") + *parse_long_double("0.1")), "10.6");
  EXPECT_EQ(format_long_double(*parse_long_double("1e20")), "100000000000000000000");
  EXPECT_EQ(format_long_double(1e-17L), "0.00000000000000001");
  EXPECT_EQ(format_long_double(-1e-30L), "0");
  EXPECT_EQ(format_long_double(std::numeric_limits<long double>::max()).size(), 4933u);
  for (Bytes bad : {"", " 1", "1 ", "abc", "nan", "1e5000", "1e-5000"}) EXPECT_FALSE(parse_long_double(bad)) << bad;
  EXPECT_EQ(*parse_long_double("1e400"), 1e400L);
  EXPECT_TRUE(std::isinf(*parse_long_double("inf")));
}

TEST(Numbers, MemoryUnits) {
  EXPECT_EQ(parse_memory("0"), 0u);
  EXPECT_EQ(parse_memory("12"), 12u);
  EXPECT_EQ(parse_memory("12b"), 12u);
  EXPECT_EQ(parse_memory("1k"), 1000u);
  EXPECT_EQ(parse_memory("1Kb"), 1024u);
  EXPECT_EQ(parse_memory("1m"), 1000000u);
  EXPECT_EQ(parse_memory("100MB"), 104857600u);
  EXPECT_EQ(parse_memory("2g"), 2000000000u);
  EXPECT_EQ(parse_memory("4gB"), uint64_t{4} << 30);
  EXPECT_EQ(parse_memory(""), 0u);
  EXPECT_EQ(parse_memory("kb"), 0u);
  EXPECT_EQ(parse_memory("99999999999999999999"), UINT64_MAX);
  EXPECT_EQ(parse_memory("99999999999gb"), UINT64_MAX);
  EXPECT_EQ(parse_memory(std::string(127, '9')), UINT64_MAX);
  EXPECT_FALSE(parse_memory(std::string(128, '0')));
  EXPECT_FALSE(parse_memory(std::string(400, '9') + "kb"));
  for (Bytes bad : {"-1", "+1", "1.5gb", "1 kb", "1t", "1kbb", "0x10"})
    EXPECT_FALSE(parse_memory(bad)) << bad;
  EXPECT_EQ(parse_percent("5%"), 5u);
  EXPECT_FALSE(parse_percent("5"));
  EXPECT_FALSE(parse_percent("%"));
  for (uint64_t bytes : {uint64_t{0}, uint64_t{1000}, uint64_t{1024}, uint64_t{3} << 20, uint64_t{7} << 30})
    EXPECT_EQ(parse_memory(format_memory(bytes)), bytes);
  EXPECT_EQ(format_memory(104857600), "100mb");
  EXPECT_EQ(format_memory(104857601), "104857601");
}

}  // namespace
}  // namespace vitrine
