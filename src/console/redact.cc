#include "console/redact.h"

#include <algorithm>

#include "base/settings.h"
#include "engine/acl_user.h"
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

namespace {

constexpr Bytes kBlanks("\0\t\n\v\f\r ", 7);

// Takes the next word off the text, up to a blank: its quotes may be unbalanced.
Bytes next_word(Bytes& text, Bytes blanks) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  Bytes word = text.substr(0, text.find_first_of(blanks));
  text.remove_prefix(word.size());
  return word;
}

Bytes without_quotes(Bytes word) {
  word.remove_prefix(std::min(word.find_first_not_of("\"'"), word.size()));
  return word.substr(0, word.find_last_not_of("\"'") + 1);
}

// As much of it as may be a name: `requirepass=x`.
Bytes name_part(Bytes word) {
  return word.substr(0, word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."));
}

bool names_secret(Bytes word, const Settings& settings) {
  word = without_quotes(word);
  word.remove_prefix(std::min(word.find_first_not_of('-'), word.size()));
  const Setting* row = settings.find(name_part(word));
  return row && row->is_sensitive();
}

// What may be no password whose '>' was forgotten.
bool is_open_rule(Bytes word) {
  word.remove_prefix(std::min(word.find_first_not_of('('), word.size()));
  word = word.substr(0, word.find_last_not_of(')') + 1);
  if (word.empty() || Bytes("+-~%&").find(word[0]) != Bytes::npos) return true;
  if (shown_rule(std::string(word)) != word) return false;
  ChannelDefault channels = ChannelDefault::none;
  std::string rule(word);
  size_t at = 0;
  return AclUser("", channels).apply({&rule, 1}, at).empty();
}

std::string shown_user_rule(const std::string& rule) {
  bool open = true;
  for (Bytes rest = rule; open && !rest.empty();) open = is_open_rule(next_word(rest, kBlanks));
  if (open) return quote_word_if_needed(rule);
  std::string shown = shown_rule(rule);
  return shown == rule ? std::string(kRedacted) : shown;
}

std::string shown_user_line(Bytes line) {
  auto words = split_words(line);
  if (!words || words->size() < 2) return "user " + std::string(kRedacted);
  std::string shown = "user " + quote_word_if_needed((*words)[1]);
  bool open = true;
  for (size_t i = 2; i < words->size(); i++) {
    std::string rule = shown_user_rule((*words)[i]);
    open = open && rule == quote_word_if_needed((*words)[i]);
    (shown += ' ') += rule;
  }
  return open ? std::string(line) : shown;
}

}  // namespace

std::string shown_config_line(Bytes line, const Settings& settings) {
  Bytes rest = line, word = without_quotes(next_word(rest, kBlanks)), name = name_part(word);
  if (equals_ignoring_case(name, "user")) return shown_user_line(line);
  const std::string hidden = " " + std::string(kRedacted);
  if (word != name || !settings.knows(name) || names_secret(name, settings))
    return word == name && rest.empty() ? std::string(line) : std::string(name) + hidden;
  // What was to be a setting of its own: `port 1 -requirepass x`.
  while (!rest.empty())
    if (names_secret(next_word(rest, kBlanks), settings))
      return std::string(line.substr(0, line.size() - rest.size())) + hidden;
  return std::string(line);
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
