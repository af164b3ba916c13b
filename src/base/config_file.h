// redis.conf's grammar, and its rewriting.
//
//   # a comment                       a line whose first visible character is '#'
//   directive argument argument       words between blanks; the directive in any case
//   requirepass "a \"b\" \x41\n"      double quotes: \n \r \t \b \a \xHH, and \c is c for any other c
//   dir '/var/lib/it\'s'              single quotes: only \' is special
//   include /etc/redis/conf.d/*.conf  read in place, in the order of names; "**" and braces have no meaning
//
// A closing quote must be followed by a blank or the end of the line. Lines end with \n; \r before it is a blank.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

using Words = std::vector<std::string>;

// Splits a line into words; nullopt for unbalanced quotes. "" gives no words.
std::optional<Words> split_words(Bytes line);
// The word between double quotes, so that split_words gives back exactly it.
std::string quote_word(Bytes word);
// As it is where that reads back as the same single word, otherwise quoted.
std::string quote_word_if_needed(Bytes word);

struct ConfigLine {
  std::string file;       // as named by the user; empty for standard input and the command line
  int number = 0;         // from 1
  std::string text;       // as written, without blanks around it
  std::string directive;  // in lower case
  Words args;
};

struct ConfigError {
  std::string file;
  int number = 0;    // 0: the file could not be read, and `reason` says so
  std::string text;  // the line
  std::string reason;
};

// Lines that say something, in order; `include` is a directive like others.
std::expected<std::vector<ConfigLine>, ConfigError> parse_config(Bytes text, Bytes file);
// The same with every `include` replaced by what it names.
std::expected<std::vector<ConfigLine>, ConfigError> parse_config_with_includes(Bytes text, Bytes file);

// `--name value… --name value…` as lines of configuration, each value quoted: {"--port", "1", "--save", ""} →
// "\nport \"1\"\nsave \"\"\n". What follows a name up to the next argument that begins with "--" is its values.
std::string config_from_arguments(std::span<const char* const> arguments);

// What a server prints on standard error before it exits with 1.
std::string fatal_config_text(const ConfigError& error, Bytes version);

// The whole of a file, or why not.
std::expected<std::string, std::string> read_whole_file(const std::string& path);
// Puts the text there so that a reader, and a power failure, sees the old or the new: a temporary beside it, fsync,
// rename, fsync of the folder. The result is empty, or why not.
std::string replace_file(const std::string& path, Bytes text);

// Rewrites a configuration file's text: comments, order, blank lines and unchanged lines stay as the user wrote
// them; changed ones are replaced where they stand; what is new comes at the end, under a comment that says so.
class ConfigRewriter {
 public:
  struct Line {
    std::string args;      // all that follows the name
    bool needed = true;    // false: it is the default, and need not stand in a file that does not mention it
  };

  explicit ConfigRewriter(Bytes old_text);
  // What the file shall say about a directive under any of its names (the first one is written). Several lines for
  // those that repeat. Lines that call it by a name and say something else disappear. `same`: whether words say in
  // another form what the only line does.
  using Same = std::function<bool(const Words&)>;
  void put(std::span<const std::string> names, std::span<const Line> lines, const Same& same = nullptr);
  std::string text() const;

 private:
  struct OldLine {
    std::string text;
    std::string directive;  // empty: comment, blank, or not understood
    Words args;
    bool removed = false;
  };
  std::vector<OldLine> lines_;
  Words appended_;
  bool has_mark_ = false;
};

}  // namespace vitrine
