#include "script/shebang.h"

#include "script/script_engine.h"
#include "wire/resp_parser.h"

namespace vitrine {

std::expected<Shebang, std::string> read_shebang(Bytes code) {
  Shebang s;
  s.rest = code;
  if (!code.starts_with("#!")) return s;
  s.present = true;
  size_t end = code.find('\n');
  Bytes line = code.substr(0, end);
  if (end == Bytes::npos || line.find('\0') != Bytes::npos) return std::unexpected("Invalid script shebang");
  s.rest = code.substr(end);
  if (!split_quoted(line, s.words)) return std::unexpected("Invalid engine in script shebang");
  s.engine = s.words.front().substr(2);
  s.words.erase(s.words.begin());
  return s;
}

std::expected<uint32_t, std::string> read_script_flags(const Shebang& shebang) {
  if (!shebang.present) return script_flag::kUndeclared;
  if (shebang.engine != "lua") return std::unexpected("Unexpected engine in script shebang: #!" + shebang.engine);
  uint32_t flags = 0;
  for (const std::string& word : shebang.words) {
    if (!word.starts_with("flags=")) return std::unexpected("Unknown lua shebang option: " + word);
    // No flags at all may be given, but none may be empty.
    for (size_t at = 6; word.size() > 6 && at <= word.size();) {
      size_t stop = std::min(word.find(',', at), word.size());
      Bytes name = Bytes(word).substr(at, stop - at);
      at = stop + 1;
      uint32_t before = flags;
      bool known = false;
      for (const FlagName& f : script_flag_names())
        if (f.name == name) flags = before | f.flag, known = true;
      if (!known) return std::unexpected("Unexpected flag in script shebang: " + std::string(name));
    }
  }
  return flags;
}

}  // namespace vitrine
