// What people and their tools read about a command: COMMAND DOCS, the HELP of containers, hints of redis-cli. Written
// at build time, as engine/command_table.h, and apart from it so that nothing on the way of a command reads this.
//
// The arguments are a tree: a `one_of` or a `block` has arguments of its own, anything else is one word, behind its
// `token` if it has one; a Kind::token is the token alone.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace vitrine {

struct CommandInfo;

namespace argument_flag {
constexpr uint8_t kOptional = 1, kMultiple = 2, kMultipleToken = 4;  // the last: repeated with its token
}  // namespace argument_flag

struct ArgumentDocs {
  enum class Kind : uint8_t { string, integer, real, key, pattern, unix_time, token, one_of, block };
  Bytes name;
  Kind kind;
  uint8_t flags;
  int8_t key_spec;     // which specification of CommandInfo::keys finds it; -1: it is no key
  bool has_token;      // which may be the empty word
  Bytes token;
  Bytes since;         // empty: as old as the command
  std::span<const ArgumentDocs> arguments;
};

struct HistoryNote {
  Bytes since, text;
};

struct CommandDocs {
  Bytes summary;
  Bytes complexity;    // empty: there is nothing to say
  Bytes since;
  Bytes group;
  Bytes deprecated_since, replaced_by;  // both empty or neither
  Bytes usage;         // "<key> [SAMPLES <count>]"
  bool system;         // not for people
  std::span<const HistoryNote> history;
  std::span<const ArgumentDocs> arguments;
};

const CommandDocs& command_docs(const CommandInfo& info);

}  // namespace vitrine
