// Whatever bytes a configuration file holds: parsing, loading, CONFIG SET and CONFIG REWRITE neither break nor lose
// what was said.
#include <climits>
#include <cstdlib>

#include "base/check.h"
#include "base/glob.h"
#include "base/numbers.h"
#include "base/settings.h"

using namespace vitrine;

namespace {

constexpr EnumName kNames[] = {{"none", 0}, {"one", 1}, {"two", 2}};

// One setting of each kind, under short names that a fuzzer finds.
struct Table {
  bool a = false;
  int b = 3;
  uint32_t c = 4;
  uint64_t d = 5;
  int64_t e = 0;
  int f = 0;
  std::string g = "text";
  Words h = {"x", "y"};
  int i = 1, j = 0;
  Settings settings;

  Table() {
    settings.boolean("a", &a).alias("aa");
    settings.integer("b", &b, -10, INT_MAX);
    settings.integer("c", &c, 1, UINT_MAX);
    settings.memory("d", &d, 0, UINT64_MAX);
    settings.memory_or_percent("e", &e, -100, INT64_MAX);
    settings.octal("f", &f, 0, 0777);
    settings.text("g", &g);
    settings.words("h", &h);
    settings.enumeration("i", &i, kNames);
    settings.enumeration_flags("j", &j, kNames);
    settings.obsolete("k");
  }

  bool same(const Table& other) const {
    for (size_t row = 0; row < settings.rows().size(); row++)
      if (settings.rows()[row]->format() != other.settings.rows()[row]->format()) return false;
    return true;
  }
};

void check_words(Bytes text) {
  std::optional<Words> words = split_words(text);
  if (!words) return;
  std::string quoted, plain;
  for (const std::string& word : *words) {
    (quoted += ' ') += quote_word(word);
    (plain += ' ') += quote_word_if_needed(word);
  }
  CHECK(split_words(quoted) == words);
  CHECK(split_words(plain) == words);
}

void check_file(Bytes text) {
  auto lines = parse_config(text, "file");
  if (!lines) {
    CHECK(lines.error().number > 0);
    return;
  }
  Table table;
  bool loaded = table.settings.load(*lines).has_value();
  for (const ConfigLine& line : *lines) {
    if (line.args.empty()) continue;
    Settings::Change change{line.directive, line.args[0]};
    table.settings.set(std::span(&change, 1), true);
    Bytes pattern = line.args[0];
    table.settings.get(std::span(&pattern, 1));
  }
  std::string rewritten = table.settings.rewritten(loaded ? text : Bytes());
  CHECK(table.settings.rewritten(rewritten) == rewritten);
  auto again = parse_config(rewritten, "file");
  CHECK(again.has_value());
  Table back;
  CHECK(back.settings.load(*again).has_value());
  CHECK(back.same(table));
}

void check_numbers(Bytes text) {
  if (auto whole = parse_int64(text)) {
    char out[kInt64Chars];
    CHECK(Bytes(out, format_int64(out, *whole)) == text);
  }
  if (auto number = parse_double(text)) CHECK(parse_double(format_double(*number)) == number);
  parse_long_double(text);
  parse_memory(text);
  parse_percent(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes text(reinterpret_cast<const char*>(data), size);
  check_words(text);
  check_file(text);
  check_numbers(text);
  glob_match(text.substr(0, size / 2), text.substr(size / 2), size % 2);
  return 0;
}
