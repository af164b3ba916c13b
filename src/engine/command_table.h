// The facts about every command: a first form, replaced by the table generated from data/commands.
#pragma once
#include <cstdint>
#include <span>
#include "base/bytes.h"
namespace vitrine {
enum CommandFlag : uint64_t { kWrite=1,kReadonly=2,kDenyoom=4,kAdmin=8,kNoAuth=16,kNoMulti=32,kMayReplicate=64,kBlocking=128,kFast=256 };
struct CommandInfo { std::string_view name, full_name; int arity; uint64_t flags; int first_key, last_key, key_step; std::span<const CommandInfo> subcommands; };
const CommandInfo* find_command_info(Bytes lower_name);
}
