// Commands on hashes. Those that walk or draw are in hash_scan.cc, those on expiry of fields in hash_expiry.cc.
#include <cmath>

#include "commands/families.h"
#include "commands/hash_replies.h"
#include "commands/packed_replies.h"
#include "engine/command.h"

namespace vitrine {

namespace {

// ---- writing ----

bool pairs_complete(Call& c) {
  if (c.args.size() % 2 == 0) return true;
  c.reply.error("ERR wrong number of arguments for '" + c.command->full_name + "' command");
  return false;
}

void tell_one(Call& c, Edit<Hash>& hash, Bytes field, Bytes event) {
  ChangedFields changed(c, c.args[1]);
  changed.add(field);
  changed.tell(hash, event);
}

// -1 when the reply is already an error.
int64_t set_pairs(Call& c) {
  if (!pairs_complete(c)) return -1;
  auto pairs = c.args.argv().subspan(2);
  auto hash = c.edit<Hash>(c.args[1], "hset");
  if (!hash) return -1;
  if (pairs.size() > 2) hash->reserve(pairs);
  int64_t created = 0;
  ChangedFields changed(c, c.args[1]);
  for (size_t i = 0; i < pairs.size(); i += 2) {
    created += hash->set(pairs[i], pairs[i + 1]);
    changed.add(pairs[i]);
  }
  changed.tell(hash, "hset");
  return created;
}
void hset(Call& c) {
  int64_t created = set_pairs(c);
  if (created >= 0) c.reply.integer(created);
}
void hmset(Call& c) {
  if (set_pairs(c) >= 0) c.reply.ok();
}

void hsetnx(Call& c) {
  auto hash = c.edit<Hash>(c.args[1], "hset");
  if (!hash) return;
  bool absent = !hash->contains(c.args[2]);
  if (absent) {
    hash->set(c.args[2], c.args[3]);
    tell_one(c, hash, c.args[2], "hset");
  }
  c.reply.integer(absent);
}

void hdel(Call& c) {
  auto hash = c.edit<Hash>(c.args[1], "hdel", Missing::skip);
  if (!hash) return hash.missing() ? c.reply.integer(0) : void();
  int64_t erased = 0;
  ChangedFields changed(c, c.args[1]);
  for (Bytes field : c.args.argv().subspan(2)) {
    if (!hash->erase(field)) continue;
    erased++;
    changed.add(field);
  }
  changed.tell(hash, "hdel");
  c.reply.integer(erased);
}

void hincrby(Call& c) {
  c.args.seek(3);
  int64_t delta = c.args.integer();
  if (!c.args.done()) return;
  Bytes field = c.args[2];
  auto hash = c.edit<Hash>(c.args[1], "hincrby");
  if (!hash) return;
  int64_t sum = 0;
  if (auto old = hash->get(field)) {
    auto number = old->as_int64();
    if (!number) return c.reply.error("ERR hash value is not an integer");
    sum = *number;
  }
  if (__builtin_add_overflow(sum, delta, &sum)) return c.reply.error("ERR increment or decrement would overflow");
  char text[kInt64Chars];
  hash->set(field, {text, format_int64(text, sum)}, true);
  tell_one(c, hash, field, "hincrby");
  c.reply.integer(sum);
}

void hincrbyfloat(Call& c) {
  auto delta = parse_long_double(c.args[3]);
  if (!delta) return c.reply.error(Args::kNotFloat);
  if (std::isinf(*delta)) return c.reply.error("ERR value is NaN or Infinity");
  Bytes key = c.args[1], field = c.args[2];
  auto hash = c.edit<Hash>(key, "hincrbyfloat");
  if (!hash) return;
  long double sum = 0;
  if (auto old = hash->get(field)) {
    char scratch[24];
    auto number = parse_long_double(old->bytes(scratch));
    if (!number) return c.reply.error("ERR hash value is not a float");
    sum = *number;
  }
  sum += *delta;
  if (std::isnan(sum) || std::isinf(sum)) return c.reply.error("ERR increment would produce NaN or Infinity");
  std::string text = format_long_double(sum);
  hash->set(field, text, true);
  if (hash->expiry(field) == kNoExpiry) c.effects.replace({"HSET", key, field, text});
  else c.effects.replace({"HSETEX", key, "KEEPTTL", "FIELDS", "1", field, text});
  tell_one(c, hash, field, "hincrbyfloat");
  c.reply.bulk(text);
}

// ---- reading ----

void hget(Call& c) {
  auto hash = c.read<Hash>(c.args[1]);
  if (!hash) return hash.missing() ? c.reply.null() : void();
  reply_value(c, hash->get(c.args[2]));
}

void hmget(Call& c) {
  auto fields = c.args.argv().subspan(2);
  auto hash = c.read<Hash>(c.args[1]);
  if (hash.wrong_type()) return;
  c.reply.array(static_cast<int64_t>(fields.size()));
  for (Bytes field : fields) hash ? reply_value(c, hash->get(field)) : c.reply.null();
}

void hlen(Call& c) {
  auto hash = c.read<Hash>(c.args[1]);
  if (!hash) return hash.missing() ? c.reply.integer(0) : void();
  c.reply.integer(static_cast<int64_t>(hash->size()));
}

void hexists(Call& c) {
  auto hash = c.read<Hash>(c.args[1]);
  if (!hash) return hash.missing() ? c.reply.integer(0) : void();
  c.reply.integer(hash->contains(c.args[2]));
}

void hstrlen(Call& c) {
  auto hash = c.read<Hash>(c.args[1]);
  if (!hash) return hash.missing() ? c.reply.integer(0) : void();
  auto value = hash->get(c.args[2]);
  c.reply.integer(value ? static_cast<int64_t>(value->length()) : 0);
}

void hgetall(Call& c) {
  auto hash = c.read<Hash>(c.args[1]);
  if (!hash) return hash.missing() ? c.reply.map(0) : void();
  c.reply.map(static_cast<int64_t>(hash->size()));
  BulkWriter out(c.reply);
  hash->for_each([&](const PackedValue& field, const PackedValue& value) {
    write_packed(out, field);
    write_packed(out, value);
  });
}

void hkeys(Call& c) {
  auto hash = c.read<Hash>(c.args[1]);
  if (!hash) return hash.missing() ? c.reply.array(0) : void();
  c.reply.array(static_cast<int64_t>(hash->size()));
  BulkWriter out(c.reply);
  hash->for_each([&](const PackedValue& field, const PackedValue&) { write_packed(out, field); });
}

void hvals(Call& c) {
  auto hash = c.read<Hash>(c.args[1]);
  if (!hash) return hash.missing() ? c.reply.array(0) : void();
  c.reply.array(static_cast<int64_t>(hash->size()));
  BulkWriter out(c.reply);
  hash->for_each([&](const PackedValue&, const PackedValue& value) { write_packed(out, value); });
}

constexpr CommandRow kRows[] = {
    {"hset", hset},       {"hmset", hmset},     {"hsetnx", hsetnx}, {"hdel", hdel},       {"hincrby", hincrby},
    {"hget", hget},       {"hmget", hmget},     {"hlen", hlen},     {"hexists", hexists}, {"hstrlen", hstrlen},
    {"hgetall", hgetall}, {"hkeys", hkeys},     {"hvals", hvals},   {"hincrbyfloat", hincrbyfloat},
};

}  // namespace

void add_hash_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
