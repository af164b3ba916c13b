#include "engine/command_table.h"

#include <algorithm>

namespace vitrine {

namespace {

constexpr Bytes kFlagNames[] = {
    "write",        "readonly",        "denyoom", "admin", "pubsub",  "noscript",          "blocking",
    "loading",      "stale",           "skip_monitor", "skip_slowlog", "skip_commandlog", "asking", "fast",
    "no_auth",      "no_mandatory_keys", "no_async_loading", "no_multi", "movablekeys", "allow_busy"};
constexpr Bytes kCategoryNames[] = {"keyspace", "read",   "write",       "set",       "sortedset", "list",    "hash",
                                    "string",   "bitmap", "hyperloglog", "geo",       "stream",    "pubsub",  "admin",
                                    "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction",
                                    "scripting", "array"};
constexpr Bytes kKeyFlagNames[] = {"RO",     "RW",     "OW",      "RM",         "access",        "update",
                                   "insert", "delete", "not_key", "incomplete", "variable_flags"};

const CommandInfo* find_in(std::span<const CommandInfo> rows, Bytes name) {
  auto at = std::ranges::lower_bound(rows, name, {}, &CommandInfo::name);
  return at != rows.end() && at->name == name ? &*at : nullptr;
}

}  // namespace

const CommandInfo* find_command_info(Bytes full_name) {
  size_t bar = full_name.find('|');
  const CommandInfo* info = find_in(command_infos(), full_name.substr(0, bar));
  return !info || bar == Bytes::npos ? info : find_in(info->subcommands, full_name.substr(bar + 1));
}

LogPlace place_in_log(const CommandInfo* info, size_t given) {
  if (!info || !info->subcommands.empty()) return LogPlace::unknown;
  int count = static_cast<int>(given);
  if (info->arity > 0 ? count != info->arity : count < -info->arity) return LogPlace::misplaced;
  if (info->flags & (command_flag::kWrite | command_flag::kMayReplicate)) return LogPlace::replayed;
  // Redis before 7 wrote down which scripts there are, so that EVALSHA finds them.
  for (Bytes state : {"select", "script|load", "script|flush"})
    if (info->full_name == state) return LogPlace::replayed;
  bool reads = (info->flags & command_flag::kReadonly) || info->full_name == "ping";
  return reads ? LogPlace::skipped : LogPlace::misplaced;
}

std::span<const Bytes> command_flag_names() { return kFlagNames; }
std::span<const Bytes> acl_category_names() { return kCategoryNames; }
std::span<const Bytes> key_flag_names() { return kKeyFlagNames; }

}  // namespace vitrine
