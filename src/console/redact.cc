#include "console/redact.h"

#include "base/settings.h"
#include "engine/command.h"

namespace vitrine {

namespace {

void hide(std::vector<Bytes>& argv, size_t from, size_t count = SIZE_MAX) {
  for (size_t i = from; i < argv.size() && i - from < count; i++) argv[i] = kRedacted;
}

// What follows a word: `AUTH user password`.
void hide_after(std::vector<Bytes>& argv, size_t from, Bytes word, size_t count) {
  for (size_t i = from; i < argv.size(); i++)
    if (equals_ignoring_case(argv[i], word)) return hide(argv, i + 1, count);
}

void hide_settings(std::vector<Bytes>& argv, const Settings& settings) {
  for (size_t i = 2; i + 1 < argv.size(); i += 2) {
    const Setting* row = settings.find(argv[i]);
    if (!row || row->is_sensitive()) argv[i + 1] = kRedacted;    // unknown: perhaps a misspelled requirepass
  }
}

}  // namespace

std::vector<Bytes> shown_arguments(const Command& command, std::span<const Bytes> argv, const Settings& settings) {
  std::vector<Bytes> shown(argv.begin(), argv.end());
  const std::string& name = command.full_name;
  if (name == "auth") hide(shown, 1);
  else if (name == "hello") hide_after(shown, 1, "AUTH", 2);   // also where the version was forgotten
  else if (name == "config|set") hide_settings(shown, settings);
  else if (name == "acl|setuser") hide(shown, 2);
  else if (name == "acl|dryrun") hide(shown, 4);
  else if (name == "command|getkeys" || name == "command|getkeysandflags") hide(shown, 3);
  else if (name == "migrate") hide_after(shown, 6, "AUTH", 1), hide_after(shown, 6, "AUTH2", 2);
  return shown;
}

void append_quoted(std::string& out, Bytes text) {
  out += '"';
  for (char c : text) {
    switch (c) {
      case '\\': out += "\\\\"; continue;
      case '"': out += "\\\""; continue;
      case '\n': out += "\\n"; continue;
      case '\r': out += "\\r"; continue;
      case '\t': out += "\\t"; continue;
      case '\a': out += "\\a"; continue;
      case '\b': out += "\\b"; continue;
      default: break;
    }
    unsigned byte = static_cast<unsigned char>(c);
    if (byte >= 32 && byte < 127) {
      out += c;
      continue;
    }
    constexpr char kHex[] = "0123456789abcdef";
    out += "\\x";
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  out += '"';
}

}  // namespace vitrine
