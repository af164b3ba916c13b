// Expiry of keys, and what OBJECT tells of them.
#include "commands/expiry_args.h"
#include "commands/families.h"
#include "engine/command.h"
#include "store/string.h"

namespace vitrine {

namespace {

struct ExpireConditions {
  bool nx = false, xx = false, gt = false, lt = false;

  bool allow(int64_t current, int64_t at_ms) const {
    bool has = current != kNoExpiry;
    if (nx && has) return false;
    if (xx && !has) return false;
    if (gt && (!has || at_ms <= current)) return false;
    if (lt && has && at_ms >= current) return false;
    return true;
  }
};

bool read_conditions(Call& c, ExpireConditions& o) {
  while (c.args.more()) {
    if (c.args.accept("NX")) o.nx = true;
    else if (c.args.accept("XX")) o.xx = true;
    else if (c.args.accept("GT")) o.gt = true;
    else if (c.args.accept("LT")) o.lt = true;
    else c.args.fail_formatted("ERR Unsupported option " + std::string(c.args.peek()));
  }
  if (!c.args.failed() && o.nx && (o.xx || o.gt || o.lt))
    c.args.fail("ERR NX and XX, GT or LT options at the same time are not compatible");
  if (!c.args.failed() && o.gt && o.lt) c.args.fail("ERR GT and LT options at the same time are not compatible");
  return c.args.done();
}

void expire_generic(Call& c, bool seconds, bool absolute) {
  Bytes key = c.args.bytes(), when = c.args.bytes();
  ExpireConditions conditions;
  if (!read_conditions(c, conditions)) return;
  c.args.seek(2);
  (void)when;
  int64_t number = c.args.integer();
  int64_t at_ms = c.args.failed() ? 0 : to_moment(c, number, seconds, absolute, true);
  if (c.args.failed()) return;
  Entry* entry = c.find_for_write(key);
  if (!entry || !conditions.allow(entry->expire_at_ms(), at_ms)) return c.reply.integer(0);
  if (c.keyspace.past(at_ms)) {
    c.remove(key);
    c.effects.replace({"DEL", key});
    return c.reply.integer(1);
  }
  Type its_type = entry->type();
  c.keyspace.set_expiry(c.db, entry, c.hash_of(key), at_ms);
  c.announce(key, "expire", EventClass::generic, its_type);
  if (c.effects.wanted()) c.effects.replace({"PEXPIREAT", key, std::to_string(at_ms)});
  c.reply.integer(1);
}
void expire(Call& c) { expire_generic(c, true, false); }
void pexpire(Call& c) { expire_generic(c, false, false); }
void expireat(Call& c) { expire_generic(c, true, true); }
void pexpireat(Call& c) { expire_generic(c, false, true); }

void ttl_generic(Call& c, bool seconds, bool absolute) {
  Entry* entry = c.look(c.args[1]);
  if (!entry) return c.reply.integer(-2);
  if (!entry->has_expiry()) return c.reply.integer(-1);
  int64_t ms = entry->expire_at_ms() - (absolute ? 0 : c.now_ms);
  if (seconds) ms = ms / 1000 + (ms % 1000 >= 500);   // to the nearest; the latest moment has nothing to be added to
  c.reply.integer(ms);
}
void ttl(Call& c) { ttl_generic(c, true, false); }
void pttl(Call& c) { ttl_generic(c, false, false); }
void expiretime(Call& c) { ttl_generic(c, true, true); }
void pexpiretime(Call& c) { ttl_generic(c, false, true); }

void persist(Call& c) {
  Bytes key = c.args[1];
  Entry* entry = c.find_for_write(key);
  if (!entry || !entry->has_expiry()) return c.reply.integer(0);
  Type its_type = entry->type();
  c.keyspace.set_expiry(c.db, entry, c.hash_of(key), kNoExpiry);
  c.announce(key, "persist", EventClass::generic, its_type);
  c.reply.integer(1);
}

// ---- OBJECT ----

Entry* object_entry(Call& c) {
  Entry* entry = c.peek(c.args[2]);
  entry ? c.keyspace.stats().hits++ : c.keyspace.stats().misses++;
  if (!entry) c.reply.null();
  return entry;
}

void object_encoding(Call& c) {
  Entry* entry = object_entry(c);
  if (!entry) return;
  if (entry->type() == Type::string) return c.reply.bulk(string_encoding_name(*entry));
  c.reply.bulk(type_ops(entry->type()).encoding_name(entry->object()));
}

void object_refcount(Call& c) {
  Entry* entry = object_entry(c);
  if (entry) c.reply.integer(shown_refcount(*entry));
}

void object_idletime(Call& c) {
  Entry* entry = object_entry(c);
  if (!entry) return;
  if (c.keyspace.options().lfu)
    return c.reply.error(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between "
        "policies at runtime LRU and LFU data will take some time to adjust.");
  c.reply.integer(access::lru_idle_ms(c.keyspace.access_of(*entry), c.now_ms) / 1000);
}

void object_freq(Call& c) {
  Entry* entry = object_entry(c);
  if (!entry) return;
  if (!c.keyspace.options().lfu)
    return c.reply.error(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
        "between policies at runtime LRU and LFU data will take some time to adjust.");
  c.reply.integer(
      access::lfu_counter(c.keyspace.access_of(*entry), c.now_ms, c.keyspace.options().lfu_decay_time));
}

constexpr CommandRow kRows[] = {
    {"expire", expire},         {"pexpire", pexpire},         {"expireat", expireat},
    {"pexpireat", pexpireat},   {"ttl", ttl},                 {"pttl", pttl},
    {"expiretime", expiretime}, {"pexpiretime", pexpiretime}, {"persist", persist},
    {"object|encoding", object_encoding}, {"object|refcount", object_refcount},
    {"object|idletime", object_idletime}, {"object|freq", object_freq},
};

}  // namespace

void add_expiry_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
