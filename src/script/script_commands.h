// EVAL and its kin, SCRIPT; FCALL and FUNCTION.
#pragma once

#include <optional>
#include <span>

#include "base/bytes.h"

namespace vitrine {

class Call;
class CommandRegistry;
class Scripting;

void add_script_commands(CommandRegistry& registry, Scripting& scripting);
void add_function_commands(CommandRegistry& registry, Scripting& scripting);

// The keys and arguments of EVAL and FCALL, whose number of keys is argv[2]. Nothing: the error is the reply.
struct KeysAndArguments {
  std::span<const Bytes> keys, arguments;
};
std::optional<KeysAndArguments> read_keys_and_arguments(Call& c, Bytes not_a_number);
// True for [ASYNC|SYNC] or nothing; the other is an error reply.
bool read_flush_mode(Call& c, Bytes error);

}  // namespace vitrine
