// Strings that are compared before they are changed: SET's conditions, DELEX, DELIFEQ, DIGEST.
#include "commands/string_condition.h"

#include <charconv>

#include "base/hash.h"
#include "commands/families.h"
#include "engine/call.h"
#include "engine/command.h"
#include "store/string.h"

namespace vitrine {

uint64_t string_digest(Bytes content) { return XXH3_64bits(content.data(), content.size()); }

bool StringCondition::accept(Args& args) {
  constexpr size_t kDigits = 16;
  static constexpr Bytes kWords[] = {"", "IFEQ", "IFNE", "IFDEQ", "IFDNE"};
  for (Kind each : {equal, different, equal_digest, different_digest}) {
    if (!args.accept(kWords[each], 1)) continue;
    kind_ = each;
    value_ = args.bytes();
    if (each < equal_digest) return true;
    const char* end = value_.data() + value_.size();
    auto [stop, error] = std::from_chars(value_.data(), end, digest_, 16);
    if (value_.size() != kDigits || error != std::errc() || stop != end)
      args.fail("ERR must be exactly 16 hexadecimal characters");
    return true;
  }
  return false;
}

bool StringCondition::holds(const Entry* string) const {
  bool wants_equal = kind_ == equal || kind_ == equal_digest;
  if (!string) return !wants_equal;
  char scratch[24];
  Bytes content = string_bytes(*string, scratch);
  bool is_equal = kind_ >= equal_digest ? string_digest(content) == digest_ : content == value_;
  return is_equal == wants_equal;
}

namespace {

void remove_and_reply(Call& c, Bytes key) {
  c.remove(key);
  c.effects.replace({"DEL", key});
  c.reply.integer(1);
}

void delex(Call& c) {
  Bytes key = c.args.bytes();
  StringCondition condition;
  if (c.args.more() && !condition.accept(c.args)) c.args.fail();
  if (!c.args.done()) return;
  Entry* entry = c.find_for_write(key);
  if (!entry) return c.reply.integer(0);
  if (condition.given()) {
    if (entry->type() != Type::string) return c.wrong_type();
    if (!condition.holds(entry)) return c.reply.integer(0);
  }
  remove_and_reply(c, key);
}

void delifeq(Call& c) {
  bool wrong;
  Entry* entry = c.find_string(c.args[1], wrong, true);
  if (wrong) return;
  char scratch[24];
  if (!entry || string_bytes(*entry, scratch) != c.args[2]) return c.reply.integer(0);
  remove_and_reply(c, c.args[1]);
}

void digest(Call& c) {
  bool wrong;
  Entry* entry = c.find_string(c.args[1], wrong);
  if (wrong) return;
  if (!entry) return c.reply.null();
  char scratch[24], text[16];
  uint64_t digest = string_digest(string_bytes(*entry, scratch));
  for (size_t i = 0; i < sizeof text; i++) text[i] = "0123456789abcdef"[digest >> (60 - 4 * i) & 15];
  c.reply.bulk({text, sizeof text});
}

constexpr CommandRow kRows[] = {{"delex", delex}, {"delifeq", delifeq}, {"digest", digest}};

}  // namespace

void add_string_condition_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
