// Strings: reading, writing, counting.
#include <cmath>

#include "base/numbers.h"
#include "commands/expiry_args.h"
#include "commands/families.h"
#include "commands/string_condition.h"
#include "commands/string_edit.h"
#include "engine/command.h"
#include "store/string.h"

namespace vitrine {

namespace {

void reply_string(Call& c, const Entry* entry) {
  if (!entry) return c.reply.null();
  if (entry->inline_text()) return c.reply.bulk(entry->text());
  char scratch[24];
  c.reply.bulk(string_bytes(*entry, scratch));
}

void get(Call& c) {
  bool wrong;
  Entry* entry = c.find_string(c.args[1], wrong);
  if (!wrong) reply_string(c, entry);
}

// ---- SET and its relatives ----

struct SetOptions {
  int64_t expire_at_ms = kNoExpiry;
  bool nx = false, xx = false, get = false;
  StringCondition condition;
};

bool read_set_options(Call& c, SetOptions& o) {
  ExpiryChoice expiry;
  while (c.args.more()) {
    if (expiry.accept(c, ExpiryChoice::keepttl)) continue;
    bool compared = o.condition.given();
    if (!o.xx && !compared && c.args.accept("NX")) o.nx = true;
    else if (!o.nx && !compared && c.args.accept("XX")) o.xx = true;
    else if (c.args.accept("GET")) o.get = true;
    else if (o.nx || o.xx || compared || !o.condition.accept(c.args)) c.args.fail();
  }
  if (!c.args.failed()) o.expire_at_ms = expiry.resolve(c);
  return c.args.done();
}

// Stores it, and tells of its deadline.
void store_set(Call& c, Bytes key, Bytes value, int64_t expire_at_ms) {
  Entry* entry = c.put_string(key, value, "set", expire_at_ms);
  if (expire_at_ms == kNoExpiry || expire_at_ms == Keyspace::kKeepTtl) return;
  c.keyspace.announce_also({c.db, key, "expire", EventClass::generic, Type::string, !entry});
  if (!entry) c.keyspace.tell_expired(c.db, key, Type::string);   // at once
}

void set(Call& c) {
  Bytes key = c.args.bytes(), value = c.args.bytes();
  SetOptions o;
  if (c.args.more() && !read_set_options(c, o)) return;
  bool compare = o.condition.given();
  if (!o.nx && !o.xx && !o.get && !compare) {
    store_set(c, key, value, o.expire_at_ms);
    replay_set(c, key, value, o.expire_at_ms);
    return c.reply.ok();
  }
  Entry* entry = o.get ? c.find(key) : c.find_for_write(key);
  if ((o.get || compare) && entry && entry->type() != Type::string) return c.wrong_type();
  bool store = compare ? o.condition.holds(entry) : !(o.nx && entry) && !(o.xx && !entry);
  if (o.get) reply_string(c, entry);
  else store ? c.reply.ok() : c.reply.null();
  if (!store) return;
  store_set(c, key, value, o.expire_at_ms);
  replay_set(c, key, value, o.expire_at_ms);
}

void setnx(Call& c) {
  Bytes key = c.args[1];
  if (c.find_for_write(key)) return c.reply.integer(0);
  c.put_string(key, c.args[2], "set", kNoExpiry);
  c.reply.integer(1);
}

void set_with_ttl(Call& c, bool seconds) {
  Bytes key = c.args.bytes();
  int64_t number = c.args.integer();
  int64_t at_ms = c.args.failed() ? 0 : to_moment(c, number, seconds, false);
  Bytes value = c.args.bytes();
  if (!c.args.done()) return;
  store_set(c, key, value, at_ms);
  replay_set(c, key, value, at_ms);
  c.reply.ok();
}
void setex(Call& c) { set_with_ttl(c, true); }
void psetex(Call& c) { set_with_ttl(c, false); }

void getset(Call& c) {
  Bytes key = c.args[1];
  bool wrong;
  Entry* entry = c.find_string(key, wrong);
  if (wrong) return;
  reply_string(c, entry);
  c.put_string(key, c.args[2], "set", kNoExpiry);
  replay_set(c, key, c.args[2], kNoExpiry);
}

void getdel(Call& c) {
  bool wrong;
  Entry* entry = c.find_string(c.args[1], wrong);
  if (wrong) return;
  reply_string(c, entry);
  if (!entry) return;
  c.remove(c.args[1]);
  c.effects.replace({"DEL", c.args[1]});
}

void getex(Call& c) {
  Bytes key = c.args.bytes();
  ExpiryChoice expiry;
  while (c.args.more())
    if (!expiry.accept(c, ExpiryChoice::persist)) c.args.fail();
  if (!c.args.done()) return;
  bool wrong;
  Entry* entry = c.find_string(key, wrong);
  if (wrong) return;
  if (!entry) return c.reply.null();
  int64_t at_ms = expiry.resolve(c);
  if (c.args.failed()) return;
  reply_string(c, entry);
  if (expiry.kind() == ExpiryChoice::none) return;
  if (expiry.kind() == ExpiryChoice::persist) {
    if (!entry->has_expiry()) return;
    c.keyspace.set_expiry(c.db, entry, c.hash_of(key), kNoExpiry);
    c.announce(key, "persist", EventClass::generic, Type::string);
    c.effects.replace({"PERSIST", key});
  } else if (c.keyspace.past(at_ms)) {
    c.remove(key);
    c.effects.replace({"DEL", key});
  } else {
    c.keyspace.set_expiry(c.db, entry, c.hash_of(key), at_ms);
    c.announce(key, "expire", EventClass::generic, Type::string);
    if (c.effects.wanted()) c.effects.replace({"PEXPIREAT", key, std::to_string(at_ms)});
  }
}

// ---- several keys ----

void mget(Call& c) {
  auto keys = c.args.rest();
  c.reply.array(static_cast<int64_t>(keys.size()));
  for (size_t i = 0; i < keys.size(); i++) {
    if (i % 16 == 0) c.prefetch(keys.subspan(i));
    Entry* entry = c.find(keys[i]);
    reply_string(c, entry && entry->type() == Type::string ? entry : nullptr);
  }
}

bool pairs_are_whole(Call& c) {
  if (c.args.size() % 2 == 1) return true;
  c.reply.error("ERR wrong number of arguments for '" + c.command->full_name + "' command");
  return false;
}

void put_pairs(Call& c) {
  auto pairs = c.args.rest();
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    if (i % 32 == 0) c.prefetch(pairs.subspan(i), 2);
    c.put_string(pairs[i], pairs[i + 1], "set", kNoExpiry);
  }
}

void mset(Call& c) {
  if (!pairs_are_whole(c)) return;
  put_pairs(c);
  c.reply.ok();
}

void msetnx(Call& c) {
  if (!pairs_are_whole(c)) return;
  for (size_t i = 1; i < c.args.size(); i += 2)
    if (c.find_for_write(c.args[i])) return c.reply.integer(0);
  put_pairs(c);
  c.reply.integer(1);
}

void msetex(Call& c) {
  int64_t count = c.args.integer(1, INT32_MAX / 2, "ERR invalid numkeys value", "ERR invalid numkeys value");
  if (!c.args.failed() && static_cast<size_t>(count) * 2 > c.args.left())
    return c.reply.error("ERR wrong number of key-value pairs");
  auto pairs = c.args.take(static_cast<size_t>(count) * 2);
  bool nx = false, xx = false;
  ExpiryChoice expiry;
  while (c.args.more()) {
    if (expiry.accept(c, ExpiryChoice::keepttl)) continue;
    if (!xx && c.args.accept("NX")) nx = true;
    else if (!nx && c.args.accept("XX")) xx = true;
    else c.args.fail();
  }
  int64_t expire_at_ms = c.args.failed() ? kNoExpiry : expiry.resolve(c);
  if (!c.args.done()) return;
  c.prefetch(pairs, 2);
  for (size_t i = 0; (nx || xx) && i < pairs.size(); i += 2)
    if ((c.find_for_write(pairs[i]) != nullptr) != xx) return c.reply.integer(0);
  for (size_t i = 0; i < pairs.size(); i += 2) {
    store_set(c, pairs[i], pairs[i + 1], expire_at_ms);
    replay_set(c, pairs[i], pairs[i + 1], expire_at_ms);
  }
  c.reply.integer(1);
}

// ---- parts of a string ----

void strlen(Call& c) {
  bool wrong;
  Entry* entry = c.find_string(c.args[1], wrong);
  if (!wrong) c.reply.integer(entry ? static_cast<int64_t>(string_length(*entry)) : 0);
}

void getrange(Call& c) {
  Bytes key = c.args.bytes();
  int64_t start = c.args.integer(), end = c.args.integer();
  if (!c.args.done()) return;
  bool wrong;
  Entry* entry = c.find_string(key, wrong);
  if (wrong) return;
  if (!entry) return c.reply.bulk("");
  char scratch[24];
  Bytes all = string_bytes(*entry, scratch);
  int64_t size = static_cast<int64_t>(all.size());
  if (start < 0 && end < 0 && start > end) return c.reply.bulk("");
  if (start < 0) start = std::max<int64_t>(0, start + size);
  if (end < 0) end = std::max<int64_t>(0, end + size);
  end = std::min(end, size - 1);
  if (start > end || size == 0) return c.reply.bulk("");
  c.reply.bulk(all.substr(static_cast<size_t>(start), static_cast<size_t>(end - start + 1)));
}

void append(Call& c) {
  Bytes key = c.args[1], tail = c.args[2];
  bool wrong;
  Entry* entry = c.find_string(key, wrong, true);
  if (wrong) return;
  if (!entry) {
    c.put_string(key, tail, "append", kNoExpiry);
    return c.reply.integer(static_cast<int64_t>(tail.size()));
  }
  size_t old = string_length(*entry);
  if (!string_size_allowed(c, old, tail.size())) return;
  edit_string(c, key, entry, old + tail.size(), "append",
              [&](char* data) { std::memcpy(data + old, tail.data(), tail.size()); });
  c.reply.integer(static_cast<int64_t>(old + tail.size()));
}

void setrange(Call& c) {
  Bytes key = c.args.bytes();
  int64_t offset = c.args.integer();
  Bytes part = c.args.bytes();
  if (!c.args.done()) return;
  if (offset < 0) return c.reply.error("ERR offset is out of range");
  bool wrong;
  Entry* entry = c.find_string(key, wrong, true);
  if (wrong) return;
  size_t old = entry ? string_length(*entry) : 0;
  if (part.empty()) return c.reply.integer(static_cast<int64_t>(old));
  size_t from = static_cast<size_t>(offset);
  if (!string_size_allowed(c, from, part.size())) return;
  size_t size = std::max(old, from + part.size());
  edit_string(c, key, entry, size, "setrange",
              [&](char* data) { std::memcpy(data + from, part.data(), part.size()); });
  c.reply.integer(static_cast<int64_t>(size));
}

// ---- counters ----

void add_to(Call& c, Bytes key, int64_t delta) {
  bool wrong;
  Entry* entry = c.find_string(key, wrong, true);
  if (wrong) return;
  int64_t value = 0;
  if (entry && entry->encoding() == kStringInt) {
    value = static_cast<int64_t>(entry->object().word);
  } else if (entry) {
    char scratch[24];
    auto parsed = parse_int64(string_bytes(*entry, scratch));
    if (!parsed) return c.reply.error(Args::kNotInteger);
    value = *parsed;
  }
  if (__builtin_add_overflow(value, delta, &value))
    return c.reply.error("ERR increment or decrement would overflow");
  if (entry && entry->encoding() == kStringInt) {
    c.keyspace.set_integer(c.db, entry, value);
    c.announce(key, "incrby", EventClass::string, Type::string);
  } else {
    Value sum(Object::of(Type::string, kStringInt, static_cast<uint64_t>(value)));
    c.keyspace.put(c.db, key, c.hash_of(key), std::move(sum), Keyspace::kKeepTtl);
    c.announce(key, "incrby", EventClass::string, Type::string);
  }
  c.reply.integer(value);
}

void incr(Call& c) { add_to(c, c.args[1], 1); }
void decr(Call& c) { add_to(c, c.args[1], -1); }

void incrby(Call& c) {
  Bytes key = c.args.bytes();
  int64_t delta = c.args.integer();
  if (c.args.done()) add_to(c, key, delta);
}

void decrby(Call& c) {
  Bytes key = c.args.bytes();
  int64_t delta = c.args.integer();
  if (!c.args.done()) return;
  if (delta == INT64_MIN) return c.reply.error("ERR decrement would overflow");
  add_to(c, key, -delta);
}

void incrbyfloat(Call& c) {
  Bytes key = c.args[1];
  bool wrong;
  Entry* entry = c.find_string(key, wrong, true);
  if (wrong) return;
  char scratch[24];
  auto value = entry ? parse_long_double(string_bytes(*entry, scratch)) : std::optional<long double>(0);
  auto delta = parse_long_double(c.args[2]);
  if (!value || !delta) return c.reply.error(Args::kNotFloat);
  long double sum = *value + *delta;
  if (std::isnan(sum) || std::isinf(sum)) return c.reply.error("ERR increment would produce NaN or Infinity");
  std::string text = format_long_double(sum);
  c.keyspace.put_string(c.db, key, c.hash_of(key), text, Keyspace::kKeepTtl, false);
  c.announce(key, "incrbyfloat", EventClass::string, Type::string);
  c.effects.replace({"SET", key, text, "KEEPTTL"});
  c.reply.bulk(text);
}

constexpr CommandRow kRows[] = {
    {"get", get},           {"set", set},           {"setnx", setnx},       {"setex", setex},
    {"psetex", psetex},     {"getset", getset},     {"getdel", getdel},     {"getex", getex},
    {"mget", mget},         {"mset", mset},         {"msetnx", msetnx},     {"msetex", msetex},
    {"strlen", strlen},     {"getrange", getrange}, {"substr", getrange},   {"append", append},
    {"setrange", setrange}, {"incr", incr},         {"decr", decr},         {"incrby", incrby},
    {"decrby", decrby},     {"incrbyfloat", incrbyfloat},
};

}  // namespace

void add_string_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
