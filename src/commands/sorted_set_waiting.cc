// Sorted sets: taking the lowest or the highest members, of the first of several sets too, and waiting until there are
// some.
#include "base/numbers.h"
#include "commands/families.h"
#include "commands/pop_first.h"
#include "commands/sorted_set_replies.h"
#include "engine/command.h"

namespace vitrine {

namespace {

enum class Extreme : uint8_t { min, max };

constexpr Bytes pop_event(Extreme extreme) { return extreme == Extreme::min ? "zpopmin" : "zpopmax"; }
constexpr Bytes pop_command(Extreme extreme) { return extreme == Extreme::min ? "ZPOPMIN" : "ZPOPMAX"; }

// The `count` outermost members, all if there are not as many.
SortedSet::Run outermost(const SortedSet& set, Extreme extreme, uint64_t count) {
  uint64_t size = set.size();
  count = std::min(count, size);
  return set.ranks(extreme == Extreme::min ? 0 : size - count, count);
}

// Replies with them, outermost first, and removes them. Returns how many there were.
uint64_t pop(Call& c, SortedSet& set, Extreme extreme, uint64_t count, ScoredShape shape) {
  auto run = outermost(set, extreme, count);
  reply_run(c, set, run, extreme == Extreme::max, shape);
  set.erase(run);
  return run.count;
}

// ---- from one set ----

void pop_from_key(Call& c, Extreme extreme) {
  constexpr Bytes kNotPositive = "ERR value is out of range, must be positive";
  Bytes key = c.args.bytes();
  if (c.args.left() > 1) return c.args.fail();
  bool counted = c.args.more();
  int64_t count = counted ? c.args.integer(0, INT64_MAX, kNotPositive, kNotPositive) : 1;
  if (!c.args.done()) return;
  auto set = c.edit<SortedSet>(key, pop_event(extreme), Missing::skip);
  if (!set) return set.missing() ? c.reply.array(0) : void();
  pop(c, *set, extreme, static_cast<uint64_t>(count), counted ? scored_shape(c, true) : ScoredShape::flat);
}
void zpopmin(Call& c) { pop_from_key(c, Extreme::min); }
void zpopmax(Call& c) { pop_from_key(c, Extreme::max); }

// ---- from the first of several that holds something ----

void pop_or_wait(Call& c, Extreme extreme) {
  pop_first_or_wait<SortedSet>(c, pop_event(extreme), [&](SortedSet& set, Bytes key) {
    auto run = outermost(set, extreme, 1);
    c.reply.array(3);
    c.reply.bulk(key);
    set.for_each(run, false, [&](const PackedValue& member, double score) {
      reply_scored(c, member, score, ScoredShape::flat);
    });
    set.erase(run);
    c.effects.replace({pop_command(extreme), key});
  });
}
void bzpopmin(Call& c) { pop_or_wait(c, Extreme::min); }
void bzpopmax(Call& c) { pop_or_wait(c, Extreme::max); }

Extreme take_extreme(Args& args) {
  if (args.accept("MAX")) return Extreme::max;
  if (!args.accept("MIN")) args.fail();
  return Extreme::min;
}

auto pop_several(Call& c) {
  return [&c](SortedSet& set, Bytes key, Extreme extreme, uint64_t count) {
    c.reply.array(2);
    c.reply.bulk(key);
    uint64_t n = pop(c, set, extreme, count, ScoredShape::pairs);
    if (c.effects.wanted()) c.effects.replace({pop_command(extreme), key, std::to_string(n)});
  };
}
void zmpop(Call& c) { multi_pop<SortedSet>(c, take_extreme, pop_several(c)); }
void bzmpop(Call& c) { multi_pop_or_wait<SortedSet>(c, take_extreme, pop_several(c)); }

constexpr CommandRow kRows[] = {
    {"zpopmin", zpopmin},   {"zpopmax", zpopmax}, {"bzpopmin", bzpopmin},
    {"bzpopmax", bzpopmax}, {"zmpop", zmpop},     {"bzmpop", bzmpop},
};

}  // namespace

void add_sorted_set_waiting_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
