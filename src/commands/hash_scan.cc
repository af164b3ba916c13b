// Commands that walk a hash in steps or draw from it: HSCAN and HRANDFIELD.
#include <unordered_set>
#include <vector>

#include "base/glob.h"
#include "commands/families.h"
#include "commands/hash_replies.h"
#include "engine/command.h"
#include "engine/scan_args.h"

namespace vitrine {

namespace {

// ---- HSCAN ----

bool matches(const ScanArgs& args, const PackedValue& field) {
  char scratch[24];
  return !args.has_pattern || glob_match(args.pattern, field.bytes(scratch));
}

void hscan(Call& c) {
  Bytes key = c.args.bytes();
  ScanArgs args;
  if (!read_scan_cursor(c, args)) return;
  auto hash = c.read<Hash>(key);
  if (hash.wrong_type()) return;
  if (hash.missing()) {
    reply_scan_cursor(c, 0);
    return c.reply.array(0);
  }
  if (!read_scan_options(c, ScanKind::hash, args)) return;
  std::vector<Hash::Pair> found;
  uint64_t cursor = args.cursor;
  size_t seen = 0, rounds = args.count < SIZE_MAX / 10 ? args.count * 10 : SIZE_MAX;
  do {
    cursor = hash->scan(cursor, [&](const PackedValue& field, const PackedValue& value) {
      seen++;
      if (matches(args, field)) found.push_back({field, value});
    });
  } while (cursor && seen < args.count && --rounds);
  reply_scan_cursor(c, cursor);
  c.reply.array(static_cast<int64_t>(found.size() * (args.values ? 2 : 1)));
  for (const Hash::Pair& pair : found) {
    reply_value(c, pair.field);
    if (args.values) reply_value(c, pair.value);
  }
}

// ---- HRANDFIELD ----

class PairReply {
 public:
  PairReply(Call& c, bool with_values) : c_(c), with_values_(with_values) {}

  void head(uint64_t pairs) {
    bool flat = with_values_ && c_.reply.protocol() < 3;
    c_.reply.array(static_cast<int64_t>(flat ? pairs * 2 : pairs));
  }
  void pair(const PackedValue& field, const PackedValue& value) {
    if (with_values_ && c_.reply.protocol() == 3) c_.reply.array(2);
    reply_value(c_, field);
    if (with_values_) reply_value(c_, value);
  }

 private:
  Call& c_;
  bool with_values_;
};

// Draws `count` times; the same field may come again.
void draw_with_repetition(Call& c, const Hash& hash, uint64_t count, PairReply& reply) {
  reply.head(count);
  Random& random = c.keyspace.random();
  if (hash.is_table()) {
    while (count-- > 0) {
      Hash::Pair pair = hash.random(random);
      reply.pair(pair.field, pair.value);
    }
    return;
  }
  std::vector<Hash::Pair> all;
  hash.for_each([&](const PackedValue& field, const PackedValue& value) { all.push_back({field, value}); });
  while (count-- > 0) {
    const Hash::Pair& pair = all[random.below(all.size())];
    reply.pair(pair.field, pair.value);
  }
}

// Draws `count` different fields of `size`.
void draw_different(Call& c, const Hash& hash, uint64_t count, uint64_t size, PairReply& reply) {
  Random& random = c.keyspace.random();
  reply.head(count);
  if (hash.is_table() && count < size / 3) {
    std::unordered_set<const void*> drawn;
    while (drawn.size() < count) {
      Hash::Pair pair = hash.random(random);
      if (drawn.insert(pair.field.text.data()).second) reply.pair(pair.field, pair.value);
    }
    return;
  }
  // Selection sampling (Knuth, TAOCP 3.4.2 S): one pass, every choice equally likely.
  uint64_t left = size, wanted = count;
  hash.for_each([&](const PackedValue& field, const PackedValue& value) {
    if (random.below(left--) >= wanted) return;
    wanted--;
    reply.pair(field, value);
  });
}

void hrandfield(Call& c) {
  Bytes key = c.args.bytes();
  if (!c.args.more()) {
    auto hash = c.read<Hash>(key);
    if (!hash) return hash.missing() ? c.reply.null() : void();
    if (hash->size() == 0) return c.reply.null();
    return reply_value(c, hash->random(c.keyspace.random()).field);
  }
  int64_t count = c.args.integer(-INT64_MAX, INT64_MAX,
                                 "ERR value is out of range, value must between -9223372036854775807 and "
                                 "9223372036854775807");
  bool with_values = c.args.accept("WITHVALUES");
  if (!c.args.done()) return;
  if (with_values && (count > INT64_MAX / 2 || count < -(INT64_MAX / 2)))
    return c.reply.error("ERR value is out of range");
  auto hash = c.read<Hash>(key);
  if (!hash) return hash.missing() ? c.reply.array(0) : void();
  uint64_t size = hash->size();
  if (count == 0 || size == 0) return c.reply.array(0);
  PairReply reply(c, with_values);
  if (count < 0) return draw_with_repetition(c, *hash, static_cast<uint64_t>(-count), reply);
  draw_different(c, *hash, std::min(static_cast<uint64_t>(count), size), size, reply);
}

constexpr CommandRow kRows[] = {{"hscan", hscan}, {"hrandfield", hrandfield}};

}  // namespace

void add_hash_scan_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
