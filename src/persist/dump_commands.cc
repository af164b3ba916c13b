// DUMP and RESTORE: one value as a snapshot holds it, with version and checksum behind it.
#include "base/numbers.h"
#include "engine/call.h"
#include "engine/command.h"
#include "persist/commands.h"
#include "persist/snapshots.h"
#include "store/rdb_values.h"
#include "wire/crc64.h"

namespace vitrine {

namespace {

constexpr size_t kFooterBytes = 10;
constexpr int64_t kLongestIdle = int64_t{1} << 40;   // seconds: anything the clock of uses cannot tell from more

void dump(Call& c, const Snapshots& snapshots) {
  const Entry* entry = c.find(c.args[1]);
  if (!entry) return c.reply.null();
  int wanted = snapshots.options().version;
  uint8_t type = rdb_type_of(*entry, wanted ? wanted : rdb::kBaseVersion);
  RdbOutput out({std::max(rdb_version_of(type), wanted), snapshots.options().compress, true});
  out.byte(type);
  save_value(*entry, type, out);
  out.finish_payload();
  c.reply.bulk(out.view());
}

// Nothing if the footer is wrong.
std::optional<Bytes> checked_payload(Bytes payload, bool any_version, int& version) {
  if (payload.size() <= kFooterBytes) return std::nullopt;
  Bytes footer = payload.substr(payload.size() - kFooterBytes);
  uint16_t number;
  uint64_t sum;
  std::memcpy(&number, footer.data(), sizeof number);
  std::memcpy(&sum, footer.data() + sizeof number, sizeof sum);
  version = number;
  if (!any_version && !is_known_version(version)) return std::nullopt;
  if (crc64(0, payload.substr(0, payload.size() - sizeof sum)) != sum) return std::nullopt;
  return payload.substr(0, payload.size() - kFooterBytes);
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

Value read_payload(Bytes body, int version, const TypeContext& context) {
  RdbInput in(body, version);
  uint8_t type = in.byte();
  Value value = load_value(type, in, context);
  if (!value || in.failed() || !in.at_end()) return {};
  bool empty = type_ops(value->type).length(*value) == 0;
  return empty ? Value() : std::move(value);
}

void restore(Call& c, const Snapshots& snapshots) {
  Bytes key = c.args.bytes(), ttl_text = c.args.bytes(), payload = c.args.bytes();
  RestoreArgs options = read_options(c);
  if (!c.args.done()) return;
  if (!options.replace && c.find_for_write(key))
    return c.reply.error("BUSYKEY Target key name already exists.");
  auto ttl = parse_int64(ttl_text);
  if (!ttl) return c.reply.error(Args::kNotInteger);
  if (*ttl < 0) return c.reply.error("ERR Invalid TTL value, must be >= 0");
  int version;
  bool any = snapshots.options().version_check == PersistOptions::VersionCheck::relaxed;
  auto body = checked_payload(payload, any, version);
  if (!body) return c.reply.error("ERR DUMP payload version or checksum are wrong");
  Value value = read_payload(*body, version, c.keyspace.context());
  if (!value) return c.reply.error("ERR Bad data format");
  bool was_there = c.remove(key);
  int64_t at_ms = *ttl == 0 ? kNoExpiry : options.absolute ? *ttl : c.now_ms + *ttl;
  if (at_ms != kNoExpiry && at_ms <= c.now_ms) {
    if (was_there) c.effects.replace({"DEL", key});
    return c.reply.ok();
  }
  Type type = value->type;
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

void add_dump_commands(CommandRegistry& registry, const Snapshots& snapshots) {
  registry.add("dump", [&](Call& c) { dump(c, snapshots); });
  registry.add("restore", [&](Call& c) { restore(c, snapshots); });
}

}  // namespace vitrine
