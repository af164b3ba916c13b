// The first line of a script or library, if it begins with "#!": which engine, and words `name=value` after it.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

struct Shebang {
  bool present = false;
  std::string engine;                     // "lua", as given
  std::vector<std::string> words;         // "flags=no-writes"
  Bytes rest;                             // the code behind it, its line's end included: lines keep their numbers
};

// Words may be quoted, as in redis-cli. An error when the line begins with "#!" and does not end, or its quotes do not
// balance.
std::expected<Shebang, std::string> read_shebang(Bytes code);

// "flags=a,b" of a script: the flags, or what is wrong with them.
std::expected<uint32_t, std::string> read_script_flags(const Shebang& shebang);

}  // namespace vitrine
