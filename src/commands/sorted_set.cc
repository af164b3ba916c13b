// Commands on single members of sorted sets. Ranges are in sorted_set_range.cc, walking and drawing in
// sorted_set_scan.cc, taking from an end in sorted_set_waiting.cc, unions and their like in sorted_set_algebra.cc.
#include <memory>

#include "base/numbers.h"
#include "commands/families.h"
#include "commands/sorted_set_replies.h"
#include "engine/command.h"

namespace vitrine {

namespace {

constexpr Bytes kNotANumber = "ERR resulting score is not a number (NaN)";

// ---- writing ----

// The scores of `score member score member ...`, all read before anything changes.
class Scores {
 public:
  // False when an error has been replied.
  bool read(Call& c, std::span<const Bytes> pairs) {
    size_t n = pairs.size() / 2;
    if (n > kFew) many_ = std::make_unique<double[]>(n);
    for (size_t i = 0; i < n; i++) {
      auto score = parse_double(pairs[2 * i]);
      if (!score) return c.reply.error(Args::kNotFloat), false;
      all()[i] = *score;
    }
    return true;
  }
  double operator[](size_t i) { return all()[i]; }

 private:
  static constexpr size_t kFew = 32;
  double* all() { return many_ ? many_.get() : few_; }

  double few_[kFew];
  std::unique_ptr<double[]> many_;
};

struct AddOptions {
  SortedSet::AddRules rules;
  bool count_updates = false;  // CH

  // Reads up to the first score; latches errors.
  void read(Args& args) {
    auto& r = rules;
    while (args.more()) {
      if (args.accept("NX")) r.only_new = true;
      else if (args.accept("XX")) r.only_present = true;
      else if (args.accept("CH")) count_updates = true;
      else if (args.accept("INCR")) r.increment = true;
      else if (args.accept("GT")) r.only_greater = true;
      else if (args.accept("LT")) r.only_less = true;
      else break;
    }
    size_t left = args.left();
    if (left == 0 || left % 2 != 0) return args.fail();
    if (r.only_new && r.only_present) return args.fail("ERR XX and NX options at the same time are not compatible");
    if (r.only_greater + r.only_less + r.only_new > 1)
      return args.fail("ERR GT, LT, and/or NX options at the same time are not compatible");
    if (r.increment && left > 2) return args.fail("ERR INCR option supports a single increment-element pair");
  }
};

// ZADD INCR and ZINCRBY. Replayed as the sum.
void increment(Call& c, Bytes key, Bytes by, Bytes member, const SortedSet::AddRules& rules) {
  auto delta = parse_double(by);
  if (!delta) return c.reply.error(Args::kNotFloat);
  auto set = c.edit<SortedSet>(key, "zincr", rules.only_present ? Missing::skip : Missing::create);
  if (!set) return set.missing() ? c.reply.null() : void();
  auto [outcome, score] = set->add(member, *delta, rules);
  if (outcome == SortedSet::Outcome::not_a_number) return c.reply.error(kNotANumber);
  if (outcome == SortedSet::Outcome::refused) return c.reply.null();
  c.reply.real(score);
  if (c.effects.wanted()) c.effects.replace({"ZADD", key, format_double(score), member});
}

void zadd(Call& c) {
  using Outcome = SortedSet::Outcome;
  Bytes key = c.args.bytes();
  AddOptions options;
  options.read(c.args);
  if (c.args.failed()) return;
  auto pairs = c.args.rest();
  if (options.rules.increment) return increment(c, key, pairs[0], pairs[1], options.rules);
  Scores scores;
  if (!scores.read(c, pairs)) return;
  auto set = c.edit<SortedSet>(key, "zadd", options.rules.only_present ? Missing::skip : Missing::create);
  if (!set) return set.missing() ? c.reply.integer(0) : void();
  if (pairs.size() > 2)
    for (size_t i = 0; i < pairs.size(); i += 2) set->prefetch(pairs[i + 1]);
  int64_t added = 0, updated = 0;
  for (size_t i = 0; i < pairs.size() / 2; i++) {
    Outcome outcome = set->add(pairs[2 * i + 1], scores[i], options.rules).outcome;
    added += outcome == Outcome::added;
    updated += outcome == Outcome::updated;
  }
  c.reply.integer(options.count_updates ? added + updated : added);
}

// The words that are options of ZADD are no increments, which makes a difference only to the error.
void zincrby(Call& c) {
  Bytes key = c.args.bytes();
  AddOptions options;
  options.rules.increment = true;
  options.read(c.args);
  if (c.args.failed()) return;
  increment(c, key, c.args[2], c.args[3], options.rules);
}

void zrem(Call& c) {
  auto set = c.edit<SortedSet>(c.args[1], "zrem", Missing::skip);
  if (!set) return set.missing() ? c.reply.integer(0) : void();
  int64_t erased = 0;
  for (Bytes member : c.args.argv().subspan(2)) erased += set->erase(member);
  c.reply.integer(erased);
}

// ---- reading ----

void reply_score(Call& c, std::optional<double> score) { score ? c.reply.real(*score) : c.reply.null(); }

void zscore(Call& c) {
  auto set = c.read<SortedSet>(c.args[1]);
  if (!set) return set.missing() ? c.reply.null() : void();
  reply_score(c, set->score(c.args[2]));
}

void zmscore(Call& c) {
  auto members = c.args.argv().subspan(2);
  auto set = c.read<SortedSet>(c.args[1]);
  if (set.wrong_type()) return;
  c.reply.array(static_cast<int64_t>(members.size()));
  for (Bytes member : members) set ? reply_score(c, set->score(member)) : c.reply.null();
}

void zcard(Call& c) {
  auto set = c.read<SortedSet>(c.args[1]);
  if (!set) return set.missing() ? c.reply.integer(0) : void();
  c.reply.integer(static_cast<int64_t>(set->size()));
}

void reply_rank(Call& c, bool reverse) {
  Bytes key = c.args.bytes(), member = c.args.bytes();
  if (c.args.left() > 1)
    return c.reply.error("ERR wrong number of arguments for '" + c.command->full_name + "' command");
  bool with_score = c.args.accept("WITHSCORE");
  if (!c.args.done()) return;
  auto set = c.read<SortedSet>(key);
  if (set.wrong_type()) return;
  auto place = set ? set->place(member) : std::nullopt;
  if (!place) return with_score ? c.reply.null_array() : c.reply.null();
  if (with_score) c.reply.array(2);
  c.reply.integer(static_cast<int64_t>(reverse ? set->size() - 1 - place->rank : place->rank));
  if (with_score) c.reply.real(place->score);
}
void zrank(Call& c) { reply_rank(c, false); }
void zrevrank(Call& c) { reply_rank(c, true); }

constexpr CommandRow kRows[] = {
    {"zadd", zadd},   {"zincrby", zincrby}, {"zrem", zrem},         {"zscore", zscore}, {"zmscore", zmscore},
    {"zcard", zcard}, {"zrank", zrank},     {"zrevrank", zrevrank},
};

}  // namespace

void add_sorted_set_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
