// Sorted sets: union, intersection, difference, and storing them. Sets take part as if each member had the score 1.
#include <algorithm>
#include <cmath>
#include <deque>
#include <variant>

#include "base/numbers.h"
#include "commands/families.h"
#include "commands/sorted_set_replies.h"
#include "commands/store_target.h"
#include "engine/command.h"
#include "ds/hash_table.h"
#include "store/set.h"

namespace vitrine {

namespace {

// ---- what is combined ----

// A sorted set or a set, opened for reading; a missing key is an empty one.
class Operand {
 public:
  Operand(Entry* entry, const TypeContext& context) {
    if (!entry) return;
    object_ = entry->object();
    if (entry->type() == Type::zset) view_.emplace<SortedSet>(object_, context);
    else view_.emplace<Set>(object_, context);
  }
  Operand(const Operand&) = delete;  // the view refers to the object

  size_t size() const {
    if (auto* sorted = std::get_if<SortedSet>(&view_)) return sorted->size();
    if (auto* set = std::get_if<Set>(&view_)) return set->size();
    return 0;
  }
  std::optional<double> score(Bytes member) const {
    if (auto* sorted = std::get_if<SortedSet>(&view_)) return sorted->score(member);
    auto* set = std::get_if<Set>(&view_);
    return set && set->contains(PackedItem(member)) ? std::optional(1.0) : std::nullopt;
  }
  // Calls visit(const PackedValue& member, double score); a visit that returns false ends it.
  template <class Visit>
  void for_each(Visit visit) const {
    if (auto* set = std::get_if<Set>(&view_)) return set->for_each([&](const PackedValue& v) { return visit(v, 1.0); });
    auto* sorted = std::get_if<SortedSet>(&view_);
    if (!sorted) return;
    bool going = true;
    sorted->for_each([&](const PackedValue& v, double score) { going = going && visit(v, score); });
  }

  double weight = 1;

 private:
  Object object_;
  std::variant<std::monostate, SortedSet, Set> view_;
};

using Operands = std::deque<Operand>;

// The smallest first: it decides how much work an intersection is.
std::vector<const Operand*> by_size(const Operands& operands) {
  std::vector<const Operand*> order;
  for (const Operand& o : operands) order.push_back(&o);
  std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->size() < b->size(); });
  return order;
}

enum class Aggregate : uint8_t { sum, min, max, count };

// `b` may be NaN (0 times inf): no minimum or maximum, and a sum of 0, as Redis has it for intersections.
double combine(Aggregate how, double a, double b) {
  if (how == Aggregate::min) return std::min(a, b);
  if (how == Aggregate::max) return std::max(a, b);
  double sum = a + b;
  return std::isnan(sum) ? 0 : sum;  // also of inf and -inf
}

// What a member brings along from one operand. COUNT takes the weight whatever the score is.
double contribution(Aggregate how, const Operand& operand, double score) {
  return how == Aggregate::count ? operand.weight : operand.weight * score;
}

double weighted(Aggregate how, const Operand& operand, double score) {
  double product = contribution(how, operand, score);
  return std::isnan(product) ? 0 : product;  // 0 times inf
}

// ---- the result ----

// Distinct members with the scores they have so far. Texts are borrowed from the operands, which do not change
// meanwhile; short ones are copied: a set lends them for a moment only, and integers have no text.
class Result {
 public:
  struct Item {
    Bytes member;
    double score;
  };

  // REQUIRES: absent.
  void add(const PackedValue& member, double score) { items_.push_back({text_of(member), score}); }
  // Adds it, or combines its score with the one it has.
  void merge(const PackedValue& member, double score, Aggregate how) {
    Bytes text = text_of(member);
    uint64_t hash = hash_bytes(text);
    auto at = index_.find(hash, [text](Word w) { return same_bytes(Index::item(w)->member, text); });
    if (at) {
      double& present = Index::item(index_.at(at))->score;
      present = combine(how, present, score);
    } else {
      items_.push_back({text, score});
      index_.insert(hash, reinterpret_cast<Word>(&items_.back()));
    }
  }
  size_t size() const { return items_.size(); }
  size_t longest() const {
    size_t bytes = 0;
    for (const Item& item : items_) bytes = std::max(bytes, item.member.size());
    return bytes;
  }
  // In order of score, then of bytes.
  const std::deque<Item>& sorted() {
    index_ = {};
    std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
      return a.score < b.score || (a.score == b.score && a.member < b.member);
    });
    return items_;
  }

 private:
  struct Index {
    static Item* item(Word w) { return reinterpret_cast<Item*>(w); }
    static uint64_t hash(Word w) { return hash_bytes(item(w)->member); }
    static void prefetch(Word w) { vitrine::prefetch(item(w)); }
  };

  Bytes text_of(const PackedValue& member) {
    if (!member.is_int && member.text.size() > sizeof(ShortText)) return member.text;
    char* copy = copies_.emplace_back().bytes;
    if (member.is_int) return {copy, format_int64(copy, member.number)};
    std::memcpy(copy, member.text.data(), member.text.size());
    return {copy, member.text.size()};
  }

  struct ShortText {
    char bytes[kInt64Chars];
  };
  std::deque<Item> items_;  // does not move what it holds
  std::deque<ShortText> copies_;
  HashTable<Index> index_;
};

void unite(const Operands& operands, Aggregate how, Result& result) {
  for (const Operand* o : by_size(operands))
    o->for_each([&](const PackedValue& member, double score) {
      return result.merge(member, weighted(how, *o, score), how), true;
    });
}

// Calls visit(member, score) for each member of the intersection; a visit that returns false ends it.
template <class Visit>
void intersect(const Operands& operands, Aggregate how, Visit visit) {
  auto order = by_size(operands);
  order[0]->for_each([&](const PackedValue& member, double score) {
    char scratch[24];
    Bytes text = member.bytes(scratch);
    double total = weighted(how, *order[0], score);
    for (size_t i = 1; i < order.size(); i++) {
      auto other = order[i]->score(text);
      if (!other) return true;
      total = combine(how, total, contribution(how, *order[i], *other));
    }
    return visit(member, total);
  });
}

void subtract(const Operands& operands, Result& result) {
  operands[0].for_each([&](const PackedValue& member, double score) {
    char scratch[24];
    Bytes text = member.bytes(scratch);
    bool elsewhere = std::any_of(operands.begin() + 1, operands.end(), [&](const Operand& o) {
      return o.score(text).has_value();
    });
    if (!elsewhere) result.add(member, score);
    return true;
  });
}

// ---- the commands ----

enum class Operation : uint8_t { unite, intersect, subtract };

struct Query {
  Operands operands;
  Aggregate aggregate = Aggregate::sum;
  bool with_scores = false;

  // `numkeys key ...`: false when an error has been replied.
  bool open(Call& c) {
    int64_t count = c.args.integer();
    if (c.args.failed()) return c.args.done();
    if (count < 1) {
      c.reply.error("ERR at least 1 input key is needed for '" + c.command->full_name + "' command");
      return false;
    }
    if (static_cast<uint64_t>(count) > c.args.left()) return c.args.fail(), c.args.done();
    for (Bytes key : c.args.take(static_cast<size_t>(count))) {
      Entry* entry = c.find(key);
      if (entry && entry->type() != Type::zset && entry->type() != Type::set) return c.wrong_type(), false;
      operands.emplace_back(entry, c.keyspace.context());
    }
    return true;
  }

  // Latches errors.
  void read_options(Args& args, bool combines, bool stores) {
    while (args.more()) {
      if (combines && args.accept("WEIGHTS", operands.size()))
        for (Operand& o : operands) o.weight = args.real("ERR weight value is not a float");
      else if (combines && args.accept("AGGREGATE", 1)) read_aggregate(args);
      else if (!stores && args.accept("WITHSCORES")) with_scores = true;
      else args.fail();
    }
  }

 private:
  void read_aggregate(Args& args) {
    if (args.accept("SUM")) aggregate = Aggregate::sum;
    else if (args.accept("MIN")) aggregate = Aggregate::min;
    else if (args.accept("MAX")) aggregate = Aggregate::max;
    else if (args.accept("COUNT")) aggregate = Aggregate::count;
    else args.fail();
  }
};

void compute(const Query& query, Operation operation, Result& result) {
  if (operation == Operation::unite) return unite(query.operands, query.aggregate, result);
  if (operation == Operation::subtract) return subtract(query.operands, result);
  intersect(query.operands, query.aggregate, [&](const PackedValue& member, double score) {
    return result.add(member, score), true;
  });
}

void reply_result(Call& c, Operation operation) {
  Query query;
  if (!query.open(c)) return;
  query.read_options(c.args, operation != Operation::subtract, false);
  if (!c.args.done()) return;
  Result result;
  compute(query, operation, result);
  ScoredShape shape = scored_shape(c, query.with_scores);
  reply_scored_head(c, result.size(), shape);
  for (const auto& item : result.sorted()) reply_scored(c, PackedValue{false, 0, item.member}, item.score, shape);
}

void store_result(Call& c, Operation operation, Bytes event) {
  Bytes target = c.args.bytes();
  Query query;
  if (!query.open(c)) return;
  query.read_options(c.args, operation != Operation::subtract, true);
  if (!c.args.done()) return;
  Result result;
  compute(query, operation, result);
  if (result.size() == 0) {
    remove_target(c, target);
    return c.reply.integer(0);
  }
  TypeContext context = c.keyspace.context();
  Value value(SortedSet::make(context));
  SortedSet stored(*value, context);
  stored.expect(result.size(), result.longest());
  for (const auto& item : result.sorted()) stored.append(item.member, item.score);
  c.put(target, std::move(value), event, EventClass::zset);
  c.reply.integer(static_cast<int64_t>(result.size()));
}

void zunion(Call& c) { reply_result(c, Operation::unite); }
void zinter(Call& c) { reply_result(c, Operation::intersect); }
void zdiff(Call& c) { reply_result(c, Operation::subtract); }
void zunionstore(Call& c) { store_result(c, Operation::unite, "zunionstore"); }
void zinterstore(Call& c) { store_result(c, Operation::intersect, "zinterstore"); }
void zdiffstore(Call& c) { store_result(c, Operation::subtract, "zdiffstore"); }

void zintercard(Call& c) {
  constexpr Bytes kNegative = "ERR LIMIT can't be negative";
  Query query;
  if (!query.open(c)) return;
  int64_t limit = 0;
  while (c.args.more()) {
    if (c.args.accept("LIMIT", 1)) limit = c.args.integer(0, INT64_MAX, kNegative, kNegative);
    else c.args.fail();
  }
  if (!c.args.done()) return;
  int64_t found = 0;
  intersect(query.operands, Aggregate::sum, [&](const PackedValue&, double) { return ++found != limit; });
  c.reply.integer(found);
}

constexpr CommandRow kRows[] = {
    {"zunion", zunion},           {"zinter", zinter},           {"zdiff", zdiff},
    {"zunionstore", zunionstore}, {"zinterstore", zinterstore}, {"zdiffstore", zdiffstore},
    {"zintercard", zintercard},
};

}  // namespace

void add_sorted_set_algebra_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
