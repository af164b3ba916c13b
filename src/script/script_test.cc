// What of scripts needs no server: the libraries against themselves and against garbage, the first line, the memory.
#include <gtest/gtest.h>

#include <cstdio>

#include "base/random.h"
#include "base/ticks.h"
#include "script/lua_escapes.h"
#include "script/shebang.h"
#include "script/testing.h"

namespace vitrine {
namespace {

class ScriptTest : public testing::Test, protected BareScripting {
 protected:
  ScriptTest() { calibrate_ticks(); }
};

TEST_F(ScriptTest, ConvertsValues) {
  EXPECT_EQ(eval("return 3.99"), ":3\r\n");
  EXPECT_EQ(eval("return {1, {2, 'x'}, true, false, nil, 5}"),
            "*4\r\n:1\r\n*2\r\n:2\r\n$1\r\nx\r\n:1\r\n$-1\r\n");
  EXPECT_EQ(eval("return {ok = 'fine'}"), "+fine\r\n");
  EXPECT_EQ(eval("return {err = 'My word'}"), "-My word\r\n");
  EXPECT_EQ(eval("return ARGV[2]", {"a", Bytes("b\0c", 3)}), std::string("$3\r\nb\0c\r\n", 9));
}

TEST_F(ScriptTest, CountsItsMemoryExactlyAndLimitsIt) {
  LuaHeap& heap = scripting.scripts.interpreter().heap();
  eval("return 1");
  size_t before = heap.used_bytes();
  EXPECT_GT(before, 10000u);
  EXPECT_NE(eval("return #string.rep('x', 1e8)").find("not enough memory"), std::string::npos);
  EXPECT_EQ(eval("return #string.rep('x', 1e7)"), ":10000000\r\n");
  // What Lua keeps to build strings in shrinks a little with each collection.
  eval("for i = 1, 20 do collectgarbage('collect') end");
  EXPECT_LT(heap.used_bytes(), before + 100000);
}

TEST_F(ScriptTest, ForgetsWhatScriptsSet) {
  EXPECT_EQ(eval("cjson.encode_number_precision(3) return cjson.encode(1/3)"), "$5\r\n0.333\r\n");
  EXPECT_EQ(eval("return cjson.encode(1/3)"), "$16\r\n0.33333333333333\r\n");
  EXPECT_EQ(eval("math.randomseed(5) return math.random(1000000)"), ":524840\r\n");
}

// A random value, encoded, decoded and encoded again gives the same bytes. The value is built in Lua from a seed.
TEST_F(ScriptTest, LibrariesRoundTrip) {
  Bytes make = R"(
    local function make(depth)
      local kind = math.random(depth < 4 and 8 or 6)
      if kind == 1 then return math.random(2^30) - 2^29 end
      if kind == 2 then return math.random() * 2 ^ math.random(-40, 40) end
      if kind == 3 then return math.random(2) == 1 end
      if kind == 4 then return (string.rep(string.char(math.random(0, 255)), math.random(0, 40))) end
      if kind == 5 then return 2 ^ math.random(0, 52) + math.random(0, 1) end
      if kind == 6 then return string.char(math.random(32, 126)) .. '"\\/\n' end
      local t = {}
      for i = 1, math.random(0, 20) do
        if kind == 7 then t[i] = make(depth + 1) else t['k' .. math.random(100)] = make(depth + 1) end
      end
      return t
    end
    math.randomseed(tonumber(ARGV[1]))
    local function same(a, b)
      if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end
      for k, v in pairs(a) do if not same(v, b[k]) then return false end end
      for k in pairs(b) do if a[k] == nil then return false end end
      return true
    end
    local v = {make(0)}
    if not same(v, cmsgpack.unpack(cmsgpack.pack(v))) then return 'cmsgpack' end
    local text = cjson.encode(v)
    local back = cjson.decode(text)
    if not same(back, cjson.decode(cjson.encode(back))) then return 'cjson' end
    return 'same')";
  for (int seed = 1; seed <= 400; seed++) {
    std::string argument = std::to_string(seed);
    ASSERT_EQ(eval(make, {argument}), "$4\r\nsame\r\n") << "seed " << seed;
  }
}

// Bytes of every kind, most of them nearly right: an error or a value, and nothing else.
TEST_F(ScriptTest, LibrariesTakeGarbage) {
  Bytes code = "local a, b = pcall(cjson.decode, ARGV[1]) local c = pcall(cmsgpack.unpack, ARGV[1]) "
               "pcall(cmsgpack.unpack_limit, ARGV[1], 3, #ARGV[1] % 5) pcall(struct.unpack, ARGV[2], ARGV[1]) "
               "pcall(struct.pack, ARGV[2], 1, 'x', 3) pcall(struct.size, ARGV[2]) "
               "if a then pcall(cjson.encode, b) end return 1";
  constexpr Bytes kPieces[] = {"[", "]", "{", "}", ",", ":", "\"", "\\u", "\\", "d800", "1", "e9", "-", "null", "true",
                               " ", "NaN", "0x", "\xdf", "\xdd", "\xff", "\x81", "\x91", "\xd9\x05", "\xc1", "\xca",
                               "\xdc\x01", "\xa5", "\x01", "\xcf"};
  constexpr Bytes kFormats[] = {"<", ">", "!", "!8", "b", "H", "i", "i7", "I32", "l", "s", "c0", "c5", "c", "x", "d",
                                "f", "i33", "!3", " ", "z", "99999999999"};
  Random random(20260101);
  for (int i = 0; i < 5000; i++) {
    std::string text, format;
    for (uint64_t n = random.below(12); n > 0; n--) text += kPieces[random.below(std::size(kPieces))];
    for (uint64_t n = random.below(6); n > 0; n--) format += kFormats[random.below(std::size(kFormats))];
    ASSERT_EQ(eval(code, {text, format}), ":1\r\n") << "round " << i << ": " << text << " and " << format;
  }
}

std::string without_escapes(LuaEscapes escapes, Bytes source, Random* random = nullptr) {
  std::string out;
  while (!source.empty()) {
    Bytes piece = source.substr(0, random ? 1 + random->below(4) : source.size());
    source.remove_prefix(piece.size());
    for (Bytes part = escapes.next(piece); !part.empty(); part = escapes.next(piece)) out += part;
    EXPECT_TRUE(piece.empty());
  }
  return out;
}

TEST(LuaEscapes, LeavesOutBackslashesThatMeanNothing) {
  const std::pair<Bytes, Bytes> kPairs[] = {
      {R"("a\.b\%\z\x41\u{41}" '\e\-')", R"("a.b%zx41u{41}" 'e-')"},
      {R"("\\.\"\." '\'\.\"' .. '\\' .. "\.")", R"("\\.\"." '\'.\"' .. '\\' .. ".")"},
      {R"("\a\b\f\n\r\t\v\0\19\255\.")", R"("\a\b\f\n\r\t\v\0\19\255.")"},
      {"'\\\n\\.' '\\\r\n\\.'", "'\\\n.' '\\\r\n.'"},
      {{"'\\\0\0\\.'\0", 8}, {"'\0\0.'\0", 6}},
      {"x = 1 -- it's \\.\ny = '\\.'", "x = 1 -- it's \\.\ny = '.'"},
      {"--[[ ' \n ]] '\\.'", "--[[ ' \n ]] '.'"},
      {"--[==[ ' ]] ]=] ]==] '\\.'", "--[==[ ' ]] ]=] ]==] '.'"},
      {"--[= '\n'\\.'", "--[= '\n'.'"},
      {"--[\r'\\.'", "--[\r'.'"},
      {"--=[[ '\n'\\.'", "--=[[ '\n'.'"},
      {"--\n'\\.'", "--\n'.'"},
      {"a[[\\.]]]=]] '\\.'", "a[[\\.]]]=]] '.'"},
      {"[=[\\.]]]=] '\\.'", "[=[\\.]]]=] '.'"},
      {"a['\\.'] - '\\.' [-1]", "a['.'] - '.' [-1]"},
      {"\\. \\z", "\\. \\z"},
      {"# \n'\\.'", " # \n'.'"},
      {"#", " #"},
      {"'\\.\\.\\.\\.", "'...."},
      {"return 1", "return 1"},
      {"", ""}};
  Random random(20260102);
  for (auto [source, expected] : kPairs) {
    EXPECT_EQ(without_escapes(LuaEscapes(source), source), expected) << source;
    EXPECT_EQ(without_escapes(LuaEscapes(), source), expected) << source;
    for (int i = 0; i < 20; i++) EXPECT_EQ(without_escapes(LuaEscapes(), source, &random), expected) << source;
  }
}

// In pieces of any size it says the same, and never more than it may.
TEST(LuaEscapes, TakesPieces) {
  constexpr Bytes kFragments[] = {"'", "\"", "\\", "\\\\", "\\'", "\\.", "\\x41", "\\z", "\\065", "\n", "\r", "-", "--",
                                  "[", "[[", "]]", "]", "=", "[=[", "]=]", "a", " ", "#"};
  Random random(20260103);
  for (int i = 0; i < 20000; i++) {
    std::string source;
    for (uint64_t n = random.below(16); n > 0; n--) source += kFragments[random.below(std::size(kFragments))];
    ASSERT_EQ(without_escapes(LuaEscapes(), source, &random), without_escapes(LuaEscapes(source), source)) << source;
  }
  std::string large = "'" + std::string(LuaEscapes::kMostBytes * 3, 'x') + "\\.'";
  LuaEscapes escapes(large);
  Bytes rest = large;
  EXPECT_EQ(escapes.next(rest).size(), LuaEscapes::kMostBytes);
}

// Strings of random escapes are what the manual of Lua 5.1 says.
TEST_F(ScriptTest, ReadsEscapesAsLua51) {
  constexpr Bytes kNamed = "abfnrtv\\\"'\n", kValues = "\a\b\f\n\r\t\v\\\"'\n";
  Random random(20260104);
  for (int i = 0; i < 2000; i++) {
    std::string source, expected;
    for (uint64_t n = random.below(20); n > 0; n--) {
      char c = static_cast<char>(random.below(256));
      uint64_t kind = random.below(3);
      if (kind == 0) {
        char digits[8];
        std::snprintf(digits, sizeof digits, "\\%03d", static_cast<unsigned char>(c));
        source += digits;
      } else if (size_t named = kNamed.find(c); named != Bytes::npos) {
        source += {'\\', c};
        c = kValues[named];
      } else if (c == '\r' || (c >= '0' && c <= '9')) {
        continue;
      } else {
        if (kind == 1) source += '\\';
        source += c;
      }
      expected += c;
    }
    ASSERT_EQ(eval("return '" + source + "'"), "$" + std::to_string(expected.size()) + "\r\n" + expected + "\r\n")
        << source;
  }
}

TEST(Shebang, IsRead) {
  auto flags = [](Bytes code) {
    auto shebang = read_shebang(code);
    return shebang ? read_script_flags(*shebang).value_or(999) : 998;
  };
  EXPECT_EQ(flags("return 1"), script_flag::kUndeclared);
  EXPECT_EQ(flags("#!lua\nreturn 1"), 0u);
  EXPECT_EQ(flags("#!lua  flags=no-writes,allow-oom  \n"), script_flag::kNoWrites | script_flag::kAllowOom);
  EXPECT_EQ(flags("#!lua flags=no\n"), 999u);
  EXPECT_EQ(flags("#!lua flags=\n"), 0u);
  for (Bytes bad : {"#!lua flags=no-writes,\n", "#!lua flags=,no-writes\n", "#!lua flags=no-writes,,allow-oom\n",
                    "#!lua flags=,\n"})
    EXPECT_EQ(flags(bad), 999u) << bad;
  EXPECT_EQ(flags("#!lua"), 998u);
  for (Bytes good : {"#!lua flags=no-writes\r\n", "#!lua\tflags=no-writes\n", "#!lua \"flags=no-writes\"\n",
                     "#!'lua' 'flags=no-writes'\n", "#!lua flags=\"no-writes\"\n"})
    EXPECT_EQ(flags(good), script_flag::kNoWrites) << good;
  EXPECT_EQ(flags("#!lua \"flags=no-writes\n"), 998u);
  EXPECT_EQ(flags(Bytes("#!lua \0\n", 8)), 998u);
  EXPECT_EQ(read_shebang("#!lua x=1\nabc")->rest, "\nabc");
}

}  // namespace
}  // namespace vitrine
