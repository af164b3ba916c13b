// Commands that walk a sorted set in steps or draw from it: ZSCAN and ZRANDMEMBER.
#include <unordered_set>
#include <vector>

#include "base/glob.h"
#include "commands/families.h"
#include "commands/sorted_set_replies.h"
#include "engine/command.h"
#include "engine/scan_args.h"

namespace vitrine {

namespace {

// ---- ZSCAN ----

bool matches(const ScanArgs& args, const PackedValue& member) {
  char scratch[24];
  return !args.has_pattern || glob_match(args.pattern, member.bytes(scratch));
}

void zscan(Call& c) {
  Bytes key = c.args.bytes();
  ScanArgs args;
  if (!read_scan_cursor(c, args)) return;
  auto set = c.read<SortedSet>(key);
  if (set.wrong_type()) return;
  if (set.missing()) {
    reply_scan_cursor(c, 0);
    return c.reply.array(0);
  }
  if (!read_scan_options(c, ScanKind::zset, args)) return;
  std::vector<SortedSet::Scored> found;
  uint64_t cursor = args.cursor;
  size_t seen = 0, rounds = args.count < SIZE_MAX / 10 ? args.count * 10 : SIZE_MAX;
  do {
    cursor = set->scan(cursor, [&](const PackedValue& member, double score) {
      seen++;
      if (matches(args, member)) found.push_back({member, score});
    });
  } while (cursor && seen < args.count && --rounds);
  reply_scan_cursor(c, cursor);
  c.reply.array(static_cast<int64_t>(found.size() * (args.values ? 2 : 1)));
  for (const auto& [member, score] : found) {
    reply_member(c, member);
    if (args.values) c.reply.bulk_real(score);
  }
}

// ---- ZRANDMEMBER ----

// Draws `count` times; the same member may come again.
void draw_with_repetition(Call& c, const SortedSet& set, uint64_t count, ScoredShape shape) {
  reply_scored_head(c, count, shape);
  Random& random = c.keyspace.random();
  if (set.is_tree()) {
    while (count-- > 0) {
      auto [member, score] = set.random(random);
      reply_scored(c, member, score, shape);
    }
    return;
  }
  std::vector<SortedSet::Scored> all;
  set.for_each([&](const PackedValue& member, double score) { all.push_back({member, score}); });
  while (count-- > 0) {
    const auto& [member, score] = all[random.below(all.size())];
    reply_scored(c, member, score, shape);
  }
}

// Draws `count` different members of `size`.
void draw_different(Call& c, const SortedSet& set, uint64_t count, uint64_t size, ScoredShape shape) {
  Random& random = c.keyspace.random();
  reply_scored_head(c, count, shape);
  if (set.is_tree() && count < size / 3) {
    std::unordered_set<const void*> drawn;
    while (drawn.size() < count) {
      auto [member, score] = set.random(random);
      if (drawn.insert(member.text.data()).second) reply_scored(c, member, score, shape);
    }
    return;
  }
  // Selection sampling (Knuth, TAOCP 3.4.2 S): one pass, every choice equally likely.
  uint64_t left = size, wanted = count;
  set.for_each([&](const PackedValue& member, double score) {
    if (random.below(left--) >= wanted) return;
    wanted--;
    reply_scored(c, member, score, shape);
  });
}

void zrandmember(Call& c) {
  Bytes key = c.args.bytes();
  if (!c.args.more()) {
    auto set = c.read<SortedSet>(key);
    if (!set) return set.missing() ? c.reply.null() : void();
    return reply_member(c, set->random(c.keyspace.random()).member);
  }
  int64_t count = c.args.integer(-INT64_MAX, INT64_MAX,
                                 "ERR value is out of range, value must between -9223372036854775807 and "
                                 "9223372036854775807");
  bool with_scores = c.args.accept("WITHSCORES");
  if (!c.args.done()) return;
  if (with_scores && (count > INT64_MAX / 2 || count < -(INT64_MAX / 2)))
    return c.reply.error("ERR value is out of range");
  auto set = c.read<SortedSet>(key);
  if (!set) return set.missing() ? c.reply.array(0) : void();
  uint64_t size = set->size();
  if (count == 0) return c.reply.array(0);
  ScoredShape shape = scored_shape(c, with_scores);
  if (count < 0) return draw_with_repetition(c, *set, static_cast<uint64_t>(-count), shape);
  draw_different(c, *set, std::min(static_cast<uint64_t>(count), size), size, shape);
}

constexpr CommandRow kRows[] = {{"zscan", zscan}, {"zrandmember", zrandmember}};

}  // namespace

void add_sorted_set_scan_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
