// DUMP and RESTORE: one value as a snapshot holds it, with version and checksum behind it.
#include "base/numbers.h"
#include "engine/call.h"
#include "engine/command.h"
#include "persist/commands.h"
#include "persist/payload.h"
#include "persist/snapshot_writer.h"
#include "store/rdb_values.h"

namespace vitrine {

namespace {

constexpr int64_t kLongestIdle = int64_t{1} << 40;   // seconds: anything the clock of uses cannot tell from more

void dump(Call& c, const PersistOptions& options) {
  const Entry* entry = c.find(c.args[1]);
  if (!entry) return c.reply.null();
  if (std::string problem = problem_of_version(*entry, options.version); !problem.empty())
    return c.reply.error("ERR " + problem);
  with_payload(*entry, options, [&](Bytes payload) { c.reply.bulk(payload); });
}

struct RestoreArgs {
  bool replace = false, absolute = false;
  int64_t idle_s = -1, frequency = -1;
};

RestoreArgs read_options(Call& c) {
  RestoreArgs r;
  while (c.args.more()) {
    if (c.args.accept("REPLACE")) r.replace = true;
    else if (c.args.accept("ABSTTL")) r.absolute = true;
    else if (r.frequency == -1 && c.args.accept("IDLETIME", 1))
      r.idle_s = c.args.integer(0, INT64_MAX, "ERR Invalid IDLETIME value, must be >= 0");
    else if (r.idle_s == -1 && c.args.accept("FREQ", 1))
      r.frequency = c.args.integer(0, 255, "ERR Invalid FREQ value, must be >= 0 and <= 255");
    else c.args.fail();
  }
  return r;
}

Value read_payload(const PayloadBody& body, const TypeContext& context) {
  RdbInput in(body.bytes, body.version);
  uint8_t type = in.byte();
  Value value = load_value(type, in, context);
  if (!value || in.failed() || !in.at_end()) return {};
  bool empty = type_ops(value->type).length(*value) == 0;
  return empty ? Value() : std::move(value);
}

void restore(Call& c, const PersistOptions& persist) {
  Bytes key = c.args.bytes(), ttl_text = c.args.bytes(), payload = c.args.bytes();
  RestoreArgs options = read_options(c);
  if (!c.args.done()) return;
  if (!options.replace && c.find_for_write(key))
    return c.reply.error("BUSYKEY Target key name already exists.");
  auto ttl = parse_int64(ttl_text);
  if (!ttl) return c.reply.error(Args::kNotInteger);
  if (*ttl < 0) return c.reply.error("ERR Invalid TTL value, must be >= 0");
  auto body = checked_payload(payload, persist);
  if (!body) return c.reply.error("ERR DUMP payload version or checksum are wrong");
  Value value = read_payload(*body, c.keyspace.context());
  if (!value) return c.reply.error("ERR Bad data format");
  int64_t at_ms = *ttl == 0 ? kNoExpiry : options.absolute ? *ttl : c.now_ms + *ttl;
  if (at_ms != kNoExpiry && c.keyspace.past(at_ms)) {
    if (c.remove(key)) c.effects.replace({"DEL", key});
    return c.reply.ok();
  }
  Type type = value->type;
  c.keyspace.tell_overwritten(c.db, key, c.hash_of(key), type);
  if (Entry* old = c.peek(key)) c.keyspace.remove(c.db, old, c.hash_of(key));
  Entry* entry = c.keyspace.put(c.db, key, c.hash_of(key), std::move(value), at_ms);
  bool lfu = c.keyspace.options().lfu;
  if (lfu && options.frequency >= 0)
    entry->set_access(access::lfu_bits(c.now_ms, static_cast<uint8_t>(options.frequency)), true);
  if (!lfu && options.idle_s >= 0)
    entry->set_access(access::lru_bits_of_idle(std::min(options.idle_s, kLongestIdle) * 1000, c.now_ms), false);
  c.announce(key, "restore", EventClass::generic, type);
  std::string moment = std::to_string(at_ms == kNoExpiry ? 0 : at_ms);
  c.effects.replace({"RESTORE", key, moment, payload, "REPLACE", "ABSTTL"});
  c.reply.ok();
}

}  // namespace

void add_dump_commands(CommandRegistry& registry, const PersistOptions& options) {
  registry.add("dump", [&](Call& c) { dump(c, options); });
  registry.add("restore", [&](Call& c) { restore(c, options); });
  registry.add("restore-asking", [&](Call& c) { restore(c, options); });
}

}  // namespace vitrine
