// Which arguments of a call are keys, and what the command would do to them: by the key specifications of its row
// (engine/command_table.h), and by knowledge of the few commands whose specifications cannot say it all (SORT, MIGRATE,
// DELIFEQ) or whose flags depend on their options (SET, DELEX, BITFIELD).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

struct CommandInfo;

struct KeyAt {
  uint32_t index;      // of argv
  uint16_t flags;      // key_flag
  bool operator==(const KeyAt&) const = default;
};

// Puts the keys of this call into `found`, in the order of the specifications; names of channels are left out. False
// when the arguments make no sense: a number of keys that is none, or no key where there must be one.
// REQUIRES: argv fits the arity; argv[0] is the command's name, of a subcommand argv[1] too.
bool find_keys(const CommandInfo& info, std::span<const Bytes> argv, std::vector<KeyAt>& found);

// Whether calls of this command may have keys at all.
bool may_have_keys(const CommandInfo& info);

}  // namespace vitrine
