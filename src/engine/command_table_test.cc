#include "engine/command_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engine/command_docs.h"

namespace vitrine {
namespace {

template <class F>
void for_all(F f) {
  for (const CommandInfo& info : command_infos()) {
    f(info);
    for (const CommandInfo& sub : info.subcommands) f(sub);
  }
}

TEST(CommandTable, FindsEveryRowByItsName) {
  size_t count = 0;
  std::set<uint16_t> numbers;
  for_all([&](const CommandInfo& info) {
    EXPECT_EQ(find_command_info(info.full_name), &info);
    numbers.insert(info.number);
    count++;
  });
  EXPECT_EQ(numbers.size(), count);
  EXPECT_EQ(*numbers.rbegin(), count - 1);
  for (Bytes unknown : {"", "nosuch", "gets", "GET", "client|", "client|nosuch", "|list", "get|get", "client|list|x"})
    EXPECT_EQ(find_command_info(unknown), nullptr) << unknown;
}

TEST(CommandTable, TellsWhatTheGatesAsk) {
  using namespace command_flag;
  const CommandInfo& set = *find_command_info("set");
  EXPECT_EQ(set.arity, -3);
  EXPECT_EQ(set.flags, kWrite | kDenyoom);
  EXPECT_EQ(set.categories, acl_category::kWrite | acl_category::kString | acl_category::kSlow);
  EXPECT_EQ(set.first_key, 1);
  EXPECT_EQ(find_command_info("bitop")->last_key, -1);
  EXPECT_EQ(find_command_info("mset")->key_step, 2);
  EXPECT_TRUE(find_command_info("auth")->flags & kNoAuth);
  EXPECT_TRUE(find_command_info("xread")->flags & kMovablekeys);
  EXPECT_TRUE(find_command_info("pfcount")->flags & kMayReplicate);
  EXPECT_EQ(find_command_info("config|set")->arity, -4);
  // COMMAND INFO names all flags but the last.
  EXPECT_EQ(uint64_t{1} << command_flag_names().size(), kMayReplicate);
  EXPECT_EQ(acl_category_names()[20], "scripting");
  EXPECT_EQ(acl_category_names().back(), "array");
  EXPECT_EQ(uint32_t{1} << 20, acl_category::kScripting);
  EXPECT_EQ(key_flag_names()[10], "variable_flags");
}

TEST(CommandTable, EveryCommandIsDescribed) {
  for_all([](const CommandInfo& info) {
    const CommandDocs& docs = command_docs(info);
    EXPECT_FALSE(docs.summary.empty() || docs.since.empty() || docs.group.empty()) << info.full_name;
    for (const ArgumentDocs& a : docs.arguments)
      EXPECT_LT(a.key_spec, static_cast<int>(info.keys.size())) << info.full_name << " " << a.name;
  });
  EXPECT_EQ(command_docs(*find_command_info("zadd")).group, "sorted-set");
  EXPECT_EQ(command_docs(*find_command_info("client|list")).usage, "[<option> <value> ...]");
  EXPECT_EQ(command_docs(*find_command_info("getset")).deprecated_since, "6.2.0");
}

}  // namespace
}  // namespace vitrine
