// Sets: members.
#include "base/glob.h"
#include "commands/families.h"
#include "commands/packed_replies.h"
#include "engine/call.h"
#include "engine/command.h"
#include "engine/scan_args.h"
#include "store/set.h"

namespace vitrine {

namespace {

void reply_member(Call& c, const PackedValue& v) { v.is_int ? c.reply.bulk_integer(v.number) : c.reply.bulk(v.text); }

void sadd(Call& c) {
  Bytes key = c.args.bytes();
  auto members = c.args.rest();
  auto set = c.edit<Set>(key, "sadd");
  if (!set) return;
  if (set.created()) set->expect(members.size());
  int64_t added = 0;
  for (Bytes member : members) added += set->add(member);
  c.reply.integer(added);
}

void srem(Call& c) {
  Bytes key = c.args.bytes();
  auto set = c.edit<Set>(key, "srem", Missing::skip);
  if (!set) return set.missing() ? c.reply.integer(0) : void();
  int64_t removed = 0;
  for (Bytes member : c.args.rest()) {
    removed += set->remove(member);
    if (set->size() == 0) break;
  }
  c.reply.integer(removed);
}

void smove(Call& c) {
  Bytes from = c.args[1], to = c.args[2], member = c.args[3];
  Entry* target = c.find_for_write(to);
  {
    auto source = c.edit<Set>(from, "srem", Missing::skip);
    if (!source) return source.missing() ? c.reply.integer(0) : void();
    if (target && target->type() != Type::set) return c.wrong_type();
    if (from == to) return c.reply.integer(source->contains(member));
    if (!source->remove(member)) return c.reply.integer(0);
  }
  auto destination = c.edit<Set>(to, "sadd");
  destination->add(member);
  c.reply.integer(1);
}

void sismember(Call& c) {
  auto set = c.read<Set>(c.args[1]);
  if (set.wrong_type()) return;
  c.reply.integer(set && set->contains(c.args[2]));
}

void smismember(Call& c) {
  auto set = c.read<Set>(c.args.bytes());
  if (set.wrong_type()) return;
  auto members = c.args.rest();
  c.reply.array(static_cast<int64_t>(members.size()));
  if (set)
    for (Bytes member : members) set->prefetch(member);
  for (Bytes member : members) c.reply.integer(set && set->contains(member));
}

void scard(Call& c) {
  auto set = c.read<Set>(c.args[1]);
  if (!set.wrong_type()) c.reply.integer(set ? static_cast<int64_t>(set->size()) : 0);
}

void smembers(Call& c) {
  auto set = c.read<Set>(c.args[1]);
  if (set.wrong_type()) return;
  c.reply.set(set ? static_cast<int64_t>(set->size()) : 0);
  if (!set) return;
  BulkWriter out(c.reply);
  set->for_each([&](const PackedValue& v) { write_packed(out, v); });
}

// ---- random members ----

constexpr Bytes kNotPositive = "ERR value is out of range, must be positive";

void replay_removal(Call& c, Bytes key, const std::vector<std::string>& members) {
  if (!c.effects.wanted()) return;
  std::vector<Bytes> argv = {"SREM", key};
  argv.insert(argv.end(), members.begin(), members.end());
  c.effects.replace(argv);
}

void spop_one(Call& c, Bytes key) {
  auto set = c.edit<Set>(key, "spop", Missing::skip);
  if (!set) return set.missing() ? c.reply.null() : void();
  std::string member = set->random(c.keyspace.random()).str();
  set->remove(member);
  c.reply.bulk(member);
  replay_removal(c, key, {member});
}

void spop(Call& c) {
  Bytes key = c.args.bytes();
  if (!c.args.more()) return spop_one(c, key);
  if (c.args.left() > 1) return c.reply.error(Args::kSyntaxError);
  int64_t count = c.args.integer(0, INT64_MAX, kNotPositive, kNotPositive);
  if (!c.args.done()) return;
  auto set = c.edit<Set>(key, "spop", Missing::skip);
  if (!set) return set.missing() ? c.reply.set(0) : void();
  std::vector<std::string> members;
  set->sample(static_cast<size_t>(count), c.keyspace.random(),
              [&](const PackedValue& v) { members.push_back(v.str()); });
  c.reply.set(static_cast<int64_t>(members.size()));
  for (const std::string& member : members) {
    c.reply.bulk(member);
    set->remove(member);
  }
  if (!members.empty()) replay_removal(c, key, members);
}

int64_t take_count(Call& c) {
  return c.args.integer(-INT64_MAX, INT64_MAX,
                        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
}

constexpr int64_t kMostDrawn = -INT64_MAX / 2;

void srandmember(Call& c) {
  Bytes key = c.args.bytes();
  bool counted = c.args.more();
  if (c.args.left() > 1) return c.reply.error(Args::kSyntaxError);
  int64_t count = counted ? take_count(c) : 1;
  if (!c.args.done()) return;
  auto set = c.read<Set>(key);
  if (set.wrong_type()) return;
  if (!set) return counted ? c.reply.array(0) : c.reply.null();
  if (!counted) return reply_member(c, set->random(c.keyspace.random()));
  if (count < 0) {
    if (count < kMostDrawn) return c.reply.error("ERR value is out of range");   // more than any client could read
    c.reply.array(-count);
    for (; count < 0; count++) reply_member(c, set->random(c.keyspace.random()));
    return;
  }
  size_t wanted = std::min(static_cast<size_t>(count), set->size());
  c.reply.array(static_cast<int64_t>(wanted));
  if (wanted == set->size()) return set->for_each([&](const PackedValue& v) { reply_member(c, v); });
  set->sample(wanted, c.keyspace.random(), [&](const PackedValue& v) { reply_member(c, v); });
}

void sscan(Call& c) {
  Bytes key = c.args.bytes();
  ScanArgs args;
  if (!read_scan_cursor(c, args)) return;
  auto set = c.read<Set>(key);
  if (set.wrong_type()) return;
  if (set.missing()) {
    reply_scan_cursor(c, 0);
    return c.reply.array(0);
  }
  if (!read_scan_options(c, ScanKind::set, args)) return;
  std::vector<std::string> found;
  uint64_t cursor = set->scan(args.cursor, args.count, [&](const PackedValue& v) {
    char scratch[24];
    Bytes member = v.bytes(scratch);
    if (!args.has_pattern || glob_match(args.pattern, member)) found.emplace_back(member);
  });
  reply_scan_cursor(c, cursor);
  c.reply.array(static_cast<int64_t>(found.size()));
  for (const std::string& member : found) c.reply.bulk(member);
}

constexpr CommandRow kRows[] = {
    {"sadd", sadd},         {"srem", srem},   {"smove", smove},       {"sismember", sismember},
    {"smismember", smismember}, {"scard", scard}, {"smembers", smembers}, {"spop", spop},
    {"srandmember", srandmember}, {"sscan", sscan},
};

}  // namespace

void add_set_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
