// Sorted sets: ranges of ranks, of scores and of members, read, counted, stored and removed.
#include <cmath>
#include <cstdlib>

#include "base/numbers.h"
#include "commands/families.h"
#include "commands/sorted_set_replies.h"
#include "commands/store_target.h"
#include "engine/command.h"

namespace vitrine {

namespace {

constexpr Bytes kNotScore = "ERR min or max is not a float";
constexpr Bytes kNotLex = "ERR min or max not valid string range item";

// ---- the ends of a range ----

// As strtod reads it: also with spaces before it, also nothing (0), also what is out of range (infinite, or 0).
std::optional<double> parse_end(Bytes text) {
  if (auto value = parse_double(text)) return value;
  std::string terminated(text.substr(0, text.find('\0')));
  char* end;
  double value = std::strtod(terminated.c_str(), &end);
  if (*end != '\0' || std::isnan(value)) return std::nullopt;
  return value;
}

bool read_score_end(Bytes text, double& score, bool& open) {
  open = text.starts_with('(');
  if (open) text.remove_prefix(1);
  auto value = parse_end(text);
  score = value.value_or(0);
  return value.has_value();
}

bool read_lex_end(Bytes text, LexEnd& end) {
  if (text == "-") return end.kind = LexEnd::Kind::lowest, true;
  if (text == "+") return end.kind = LexEnd::Kind::highest, true;
  if (text.empty() || (text[0] != '(' && text[0] != '[')) return false;
  end.kind = text[0] == '(' ? LexEnd::Kind::exclusive : LexEnd::Kind::inclusive;
  end.text = text.substr(1);
  return true;
}

enum class By : uint8_t { rank, score, lex };

// Which members: a range of one of three kinds.
struct Range {
  By by = By::rank;
  int64_t start = 0, stop = 0;  // ranks, counted from the end if negative
  ScoreRange scores;
  LexRange lex;

  // Latches errors.
  void read(Args& args, Bytes min, Bytes max) {
    if (by == By::rank) {
      auto first = parse_int64(min), last = parse_int64(max);
      if (!first || !last) return args.fail(Args::kNotInteger);
      start = *first, stop = *last;
    } else if (by == By::score) {
      if (!read_score_end(min, scores.min, scores.min_open) || !read_score_end(max, scores.max, scores.max_open))
        args.fail(kNotScore);
    } else if (!read_lex_end(min, lex.min) || !read_lex_end(max, lex.max)) {
      args.fail(kNotLex);
    }
  }

  SortedSet::Run find(const SortedSet& set, bool reverse = false) const {
    if (by == By::score) return set.find(scores);
    if (by == By::lex) return set.find(lex);
    int64_t n = static_cast<int64_t>(set.size());
    int64_t first = std::max<int64_t>(start < 0 ? start + n : start, 0);
    int64_t last = std::min(stop < 0 ? stop + n : stop, n - 1);
    if (first > last) return {};
    return set.ranks(static_cast<uint64_t>(reverse ? n - 1 - last : first), static_cast<uint64_t>(last - first + 1));
  }
};

// ---- ZRANGE and its elder forms ----

// What a command's name has already decided.
struct Form {
  bool any_kind = false;        // BYSCORE, BYLEX and REV are options
  By by = By::rank;
  bool reverse = false;
  bool storing = false;
};

struct Query {
  Range range;
  bool reverse = false, with_scores = false;
  int64_t offset = 0, limit = -1;

  // From `min max [options]` on; latches errors.
  void read(Args& args, const Form& form) {
    Bytes min = args.bytes(), max = args.bytes();
    range.by = form.by;
    reverse = form.reverse;
    bool kind_open = form.any_kind, direction_open = form.any_kind;
    while (args.more()) {
      if (!form.storing && args.accept("WITHSCORES")) with_scores = true;
      else if (args.accept("LIMIT", 2)) offset = args.integer(), limit = args.integer();
      else if (direction_open && args.accept("REV")) reverse = true, direction_open = false;
      else if (kind_open && args.accept("BYLEX")) range.by = By::lex, kind_open = false;
      else if (kind_open && args.accept("BYSCORE")) range.by = By::score, kind_open = false;
      else args.fail();
    }
    if (limit != -1 && range.by == By::rank)
      args.fail("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
    if (with_scores && range.by == By::lex)
      args.fail("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    if (args.failed()) return;
    if (reverse && range.by != By::rank) std::swap(min, max);
    range.read(args, min, max);
  }

  SortedSet::Run find(const SortedSet& set) const {
    auto run = range.find(set, reverse);
    if (range.by == By::rank || (offset == 0 && limit < 0)) return run;
    uint64_t skipped = offset < 0 ? UINT64_MAX : static_cast<uint64_t>(offset);
    run.cut(skipped, limit < 0 ? UINT64_MAX : static_cast<uint64_t>(limit), reverse);
    return run;
  }
};

void reply_range(Call& c, const Form& form) {
  Bytes key = c.args.bytes();
  Query query;
  query.read(c.args, form);
  if (!c.args.done()) return;
  auto set = c.read<SortedSet>(key);
  if (!set) return set.missing() ? c.reply.array(0) : void();
  reply_run(c, *set, query.find(*set), query.reverse, scored_shape(c, query.with_scores));
}
void zrange(Call& c) { reply_range(c, {.any_kind = true}); }
void zrevrange(Call& c) { reply_range(c, {.reverse = true}); }
void zrangebyscore(Call& c) { reply_range(c, {.by = By::score}); }
void zrevrangebyscore(Call& c) { reply_range(c, {.by = By::score, .reverse = true}); }
void zrangebylex(Call& c) { reply_range(c, {.by = By::lex}); }
void zrevrangebylex(Call& c) { reply_range(c, {.by = By::lex, .reverse = true}); }

void zrangestore(Call& c) {
  Bytes target = c.args.bytes(), key = c.args.bytes();
  Query query;
  query.read(c.args, {.any_kind = true, .storing = true});
  if (!c.args.done()) return;
  auto source = c.read<SortedSet>(key);
  if (source.wrong_type()) return;
  auto run = source ? query.find(*source) : SortedSet::Run();
  if (run.count == 0) {
    remove_target(c, target);
    return c.reply.integer(0);
  }
  TypeContext context = c.keyspace.context();
  Value value(SortedSet::make(context));
  SortedSet stored(*value, context);
  char scratch[24];
  // As Redis, for what comes while the result is a listpack loses the sign of a zero: in the order of the reply, and
  // prepared for its size only where that is known beforehand.
  if (query.range.by == By::rank) stored.expect(run.count, 0);
  source->for_each(run, query.reverse, [&](const PackedValue& member, double score) {
    Bytes text = member.bytes(scratch);
    query.reverse ? stored.set(text, score) : stored.append(text, score);
  });
  c.put(target, std::move(value), "zrangestore", EventClass::zset);
  c.reply.integer(static_cast<int64_t>(run.count));
}

// ---- counting and removing ----

void count(Call& c, By by) {
  Range range;
  range.by = by;
  range.read(c.args, c.args[2], c.args[3]);
  if (c.args.failed()) return;
  auto set = c.read<SortedSet>(c.args[1]);
  if (!set) return set.missing() ? c.reply.integer(0) : void();
  c.reply.integer(static_cast<int64_t>(range.find(*set).count));
}
void zcount(Call& c) { count(c, By::score); }
void zlexcount(Call& c) { count(c, By::lex); }

void remove_range(Call& c, By by, Bytes event) {
  Range range;
  range.by = by;
  range.read(c.args, c.args[2], c.args[3]);
  if (c.args.failed()) return;
  auto set = c.edit<SortedSet>(c.args[1], event, Missing::skip);
  if (!set) return set.missing() ? c.reply.integer(0) : void();
  auto run = range.find(*set);
  set->erase(run);
  c.reply.integer(static_cast<int64_t>(run.count));
}
void zremrangebyrank(Call& c) { remove_range(c, By::rank, "zremrangebyrank"); }
void zremrangebyscore(Call& c) { remove_range(c, By::score, "zremrangebyscore"); }
void zremrangebylex(Call& c) { remove_range(c, By::lex, "zremrangebylex"); }

constexpr CommandRow kRows[] = {
    {"zrange", zrange},
    {"zrevrange", zrevrange},
    {"zrangebyscore", zrangebyscore},
    {"zrevrangebyscore", zrevrangebyscore},
    {"zrangebylex", zrangebylex},
    {"zrevrangebylex", zrevrangebylex},
    {"zrangestore", zrangestore},
    {"zcount", zcount},
    {"zlexcount", zlexcount},
    {"zremrangebyrank", zremrangebyrank},
    {"zremrangebyscore", zremrangebyscore},
    {"zremrangebylex", zremrangebylex},
};

}  // namespace

void add_sorted_set_range_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
