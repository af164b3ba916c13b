// The facts about every command that Redis or Valkey has, whether this server can run it yet or not: arity, flags, ACL
// categories, key specifications, tips. The rows are written at build time by tools/command_table.py from data/commands
// and are constants: nothing is built at start. What people read about a command stands apart, in command_docs.h.
//
// A KeySpec says where keys stand among the arguments. It finds a place to begin,
//
//   index      argv[at]
//   keyword    behind the first `keyword` from argv[at] on; a negative `at` counts from the end and searches backwards
//
// and from there
//
//   range      keys every `step` arguments up to the begin + `last`; a negative `last` counts from the end of argv;
//              with a `limit` only the first 1/limit-th of what is left is keys
//   counted    a number, and then so many keys, `step` apart
//
// `unknown` means that only engine/key_finder.h knows.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace vitrine {

// Bits of CommandInfo::flags, in the order in which COMMAND INFO names them.
namespace command_flag {
constexpr uint64_t kWrite = 1ull << 0, kReadonly = 1ull << 1, kDenyoom = 1ull << 2, kAdmin = 1ull << 3,
                   kPubsub = 1ull << 4, kNoscript = 1ull << 5, kBlocking = 1ull << 6, kLoading = 1ull << 7,
                   kStale = 1ull << 8, kSkipMonitor = 1ull << 9, kSkipSlowlog = 1ull << 10,
                   kSkipCommandlog = 1ull << 11, kAsking = 1ull << 12, kFast = 1ull << 13, kNoAuth = 1ull << 14,
                   kNoMandatoryKeys = 1ull << 15, kNoAsyncLoading = 1ull << 16, kNoMulti = 1ull << 17,
                   kMovablekeys = 1ull << 18, kAllowBusy = 1ull << 19;
// No write, yet its effects may reach replicas: what CLIENT PAUSE WRITE holds. Not shown by COMMAND INFO.
constexpr uint64_t kMayReplicate = 1ull << 20;
}  // namespace command_flag

// Bits of CommandInfo::categories, likewise.
namespace acl_category {
constexpr uint32_t kKeyspace = 1u << 0, kRead = 1u << 1, kWrite = 1u << 2, kSet = 1u << 3, kSortedset = 1u << 4,
                   kList = 1u << 5, kHash = 1u << 6, kString = 1u << 7, kBitmap = 1u << 8, kHyperloglog = 1u << 9,
                   kGeo = 1u << 10, kStream = 1u << 11, kPubsub = 1u << 12, kAdmin = 1u << 13, kFast = 1u << 14,
                   kSlow = 1u << 15, kBlocking = 1u << 16, kDangerous = 1u << 17, kConnection = 1u << 18,
                   kTransaction = 1u << 19, kScripting = 1u << 20, kArray = 1u << 21;
}  // namespace acl_category

// Bits of KeySpec::flags: what is done to the key (one of the first four), what to its content, and what else is so.
namespace key_flag {
constexpr uint16_t kRO = 1u << 0, kRW = 1u << 1, kOW = 1u << 2, kRM = 1u << 3, kAccess = 1u << 4, kUpdate = 1u << 5,
                   kInsert = 1u << 6, kDelete = 1u << 7, kNotKey = 1u << 8, kIncomplete = 1u << 9,
                   kVariableFlags = 1u << 10;
}  // namespace key_flag

struct KeySpec {
  enum class Begin : uint8_t { unknown, index, keyword };
  enum class Find : uint8_t { unknown, range, counted };
  uint16_t flags;
  Begin begin;
  Find find;
  int at;
  Bytes keyword;
  int last, step, limit;
};

struct CommandInfo {
  Bytes name;          // "set", of a subcommand "list"
  Bytes full_name;     // "client|list"
  int arity;           // the name counts (of a subcommand both); negative: at least so many
  uint16_t number;     // dense
  uint64_t flags;
  uint32_t categories;
  int first_key, last_key, key_step;  // what of the keys a first, a last and a step can tell; zeros for none
  std::span<const KeySpec> keys;
  std::span<const Bytes> tips;
  std::span<const CommandInfo> subcommands;
};

// In order of name.
std::span<const CommandInfo> command_infos();
// By name or full name, in lower case. Null when unknown.
const CommandInfo* find_command_info(Bytes full_name);

// What becomes of a command that stands in an append-only log when the log is read.
enum class LogPlace : uint8_t {
  replayed,
  skipped,     // it only reads
  unknown,     // there is no such command
  misplaced,   // it has no place in a log, or the wrong number of arguments
};
// `info`: null when there is no such command. `given`: how many arguments there are, the name counts.
LogPlace place_in_log(const CommandInfo* info, size_t given);

// The names of bits, lowest first; of command flags those that are shown.
std::span<const Bytes> command_flag_names();
std::span<const Bytes> acl_category_names();
std::span<const Bytes> key_flag_names();

}  // namespace vitrine
