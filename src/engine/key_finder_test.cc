#include "engine/key_finder.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "engine/command_table.h"

namespace vitrine {
namespace {

// "1:RW access, 2:OW", or "invalid".
std::string keys_of(const std::string& call) {
  std::istringstream in(call);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word == "''" ? "" : word);
  std::vector<Bytes> argv(words.begin(), words.end());
  const CommandInfo* info = find_command_info(argv[0]);
  if (info && !info->subcommands.empty()) info = find_command_info(words[0] + "|" + words[1]);
  if (!info) return "unknown";
  std::vector<KeyAt> found{{99, 0}};
  if (!find_keys(*info, argv, found)) return "invalid";
  std::string out;
  for (const KeyAt& key : found) {
    out += (out.empty() ? "" : ", ") + std::to_string(key.index) + ":";
    for (size_t i = 0, n = 0; i < key_flag_names().size(); i++)
      if (key.flags >> i & 1) out += (n++ ? " " : "") + std::string(key_flag_names()[i]);
  }
  return out;
}

TEST(KeyFinder, Ranges) {
  EXPECT_EQ(keys_of("get a"), "1:RO access");
  EXPECT_EQ(keys_of("mset a 1 b 2"), "1:OW update, 3:OW update");
  EXPECT_EQ(keys_of("mset a 1 b"), "1:OW update, 3:OW update");
  EXPECT_EQ(keys_of("blpop a b 0"), "1:RW access delete, 2:RW access delete");
  EXPECT_EQ(keys_of("rename a b"), "1:RW access delete, 2:OW update");
  EXPECT_EQ(keys_of("pfmerge a"), "1:RW access insert");
  EXPECT_EQ(keys_of("pfmerge a b c"), "1:RW access insert, 2:RO access, 3:RO access");
  EXPECT_EQ(keys_of("bitop and a b"), "2:OW update, 3:RO access");
  EXPECT_EQ(keys_of("object encoding a"), "2:RO");
}

TEST(KeyFinder, NumbersOfKeys) {
  EXPECT_EQ(keys_of("zunionstore d 2 a b weights 1 2"), "1:OW update, 3:RO access, 4:RO access");
  EXPECT_EQ(keys_of("zunionstore d 3 a b"), "invalid");
  EXPECT_EQ(keys_of("zinter 0 a"), "invalid");
  EXPECT_EQ(keys_of("zinter x a"), "invalid");
  EXPECT_EQ(keys_of("zinter 9223372036854775807 a"), "invalid");
  EXPECT_EQ(keys_of("lmpop -1 a left"), "invalid");
  EXPECT_EQ(keys_of("msetex 2 a 1 b 2 ex 5"), "2:OW update, 4:OW update");
  EXPECT_EQ(keys_of("msetex 3 a 1 b 2"), "invalid");
  EXPECT_EQ(keys_of("msetex 2 a 1 b"), "2:OW update, 4:OW update");
}

TEST(KeyFinder, ScriptsMayHaveNone) {
  EXPECT_EQ(keys_of("eval x 2 a b c"), "3:RW access update, 4:RW access update");
  EXPECT_EQ(keys_of("eval x 0"), "");
  EXPECT_EQ(keys_of("eval x 2 a"), "");
  EXPECT_EQ(keys_of("fcall_ro f -1 a"), "");
}

TEST(KeyFinder, Keywords) {
  EXPECT_EQ(keys_of("xread count 1 streams a b 0 0"), "4:RO access, 5:RO access");
  EXPECT_EQ(keys_of("xread streams a b c"), "2:RO access");
  EXPECT_EQ(keys_of("xread a b c"), "invalid");
  EXPECT_EQ(keys_of("xread count streams streams"), "invalid");
  EXPECT_EQ(keys_of("xreadgroup group g c streams s >"), "5:RO access");
  EXPECT_EQ(keys_of("georadius a 1 1 1 m"), "1:RO access");
  EXPECT_EQ(keys_of("georadius a 1 1 1 m storedist b store c"), "1:RO access, 9:OW update, 7:OW update");
  EXPECT_EQ(keys_of("georadius a 1 1 1 m store"), "1:RO access");
}

TEST(KeyFinder, WhatOptionsDecide) {
  EXPECT_EQ(keys_of("set a b"), "1:OW update");
  EXPECT_EQ(keys_of("set a get"), "1:OW update");
  EXPECT_EQ(keys_of("set a b nx GET"), "1:RW access update");
  EXPECT_EQ(keys_of("set a ifeq"), "1:OW update");
  for (const char* condition : {"ifeq x", "IFNE x", "ex 5 ifdeq x", "ifdne x"})
    EXPECT_EQ(keys_of(std::string("set a b ") + condition), "1:RW access update") << condition;
  EXPECT_EQ(keys_of("delex a"), "1:RM delete");
  EXPECT_EQ(keys_of("delex a ifeq x"), "1:RW access delete");
  EXPECT_EQ(keys_of("delifeq a x"), "1:RW access delete");
  EXPECT_EQ(keys_of("bitfield a"), "1:RO access");
  EXPECT_EQ(keys_of("bitfield a overflow sat get u8 1"), "1:RO access");
  EXPECT_EQ(keys_of("bitfield a get u8 1 set u8 1 2"), "1:RW access update");
}

TEST(KeyFinder, SortAndMigrate) {
  EXPECT_EQ(keys_of("sort a"), "1:RO access");
  EXPECT_EQ(keys_of("sort a by store get store limit store 1 store b"), "1:RO access, 10:OW update");
  EXPECT_EQ(keys_of("sort a store b store c"), "1:RO access, 5:OW update");
  EXPECT_EQ(keys_of("sort a store store b"), "1:RO access, 4:OW update");
  EXPECT_EQ(keys_of("sort a store"), "1:RO access");
  EXPECT_EQ(keys_of("sort_ro a by b"), "1:RO access");
  EXPECT_EQ(keys_of("migrate h 1 k 0 100 copy"), "3:RW access delete");
  EXPECT_EQ(keys_of("migrate h 1 '' 0 100 auth keys keys a b"), "9:RW access delete, 10:RW access delete");
  EXPECT_EQ(keys_of("migrate h 1 '' 0 100 auth2 u keys keys a"), "10:RW access delete");
  EXPECT_EQ(keys_of("migrate h 1 k 0 100 keys a"), "invalid");
  EXPECT_EQ(keys_of("migrate h 1 k 0 100 keys"), "3:RW access delete");
}

TEST(KeyFinder, ChannelsAreNoKeys) {
  EXPECT_FALSE(may_have_keys(*find_command_info("spublish")));
  EXPECT_FALSE(may_have_keys(*find_command_info("ping")));
  EXPECT_TRUE(may_have_keys(*find_command_info("memory|usage")));
  EXPECT_EQ(keys_of("spublish a b"), "invalid");
}

// Whatever the arguments are, nothing but arguments is found, and nothing behind their end is looked at.
TEST(KeyFinder, StaysWithinTheArguments) {
  const std::string words[] = {"0", "1", "2", "a", "store", "streams", "keys", "get", "-1", "limit"};
  uint64_t random = 7;
  for (const CommandInfo& info : command_infos()) {
    if (!info.subcommands.empty()) continue;
    for (int round = 0; round < 60; round++) {
      size_t least = static_cast<size_t>(info.arity < 0 ? -info.arity : info.arity);
      size_t n = info.arity > 0 ? least : least + static_cast<size_t>(round % 6);
      std::vector<std::string> argv{std::string(info.name)};
      while (argv.size() < n) argv.push_back(words[(random = random * 6364136223846793005ull + 1) >> 32 & 7]);
      std::vector<Bytes> views(argv.begin(), argv.end());
      std::vector<KeyAt> found;
      bool valid = find_keys(info, views, found);
      EXPECT_TRUE(valid || found.empty()) << info.name;
      for (const KeyAt& key : found) EXPECT_TRUE(key.index > 0 && key.index < views.size()) << info.name;
    }
  }
}

}  // namespace
}  // namespace vitrine
