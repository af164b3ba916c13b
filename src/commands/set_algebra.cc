// Sets: intersection, union, difference, and storing them.
#include <algorithm>
#include <memory>

#include "base/numbers.h"
#include "commands/families.h"
#include "commands/store_target.h"
#include "ds/hyperloglog.h"
#include "engine/call.h"
#include "engine/command.h"
#include "store/set.h"

namespace vitrine {

namespace {

// The sets behind several keys, opened for reading; a missing key is an empty one.
class Operands {
 public:
  // False when WRONGTYPE has been replied.
  bool open(Call& c, std::span<const Bytes> keys) {
    objects_.resize(keys.size());
    context_ = c.keyspace.context();
    for (size_t i = 0; i < keys.size(); i++) {
      Entry* entry = c.find(keys[i]);
      if (entry && entry->type() != Type::set) return c.wrong_type(), false;
      present_.push_back(entry != nullptr);
      if (entry) objects_[i] = entry->object();
    }
    for (size_t i = 0; i < keys.size(); i++) sets_.emplace_back(objects_[i], context_);
    return true;
  }
  size_t count() const { return sets_.size(); }
  bool present(size_t i) const { return present_[i]; }
  bool any_missing() const { return std::find(present_.begin(), present_.end(), false) != present_.end(); }
  const Set& operator[](size_t i) const { return sets_[i]; }
  size_t size(size_t i) const { return present_[i] ? sets_[i].size() : 0; }

 private:
  std::vector<Object> objects_;
  std::vector<bool> present_;
  std::vector<Set> sets_;
  TypeContext context_;
};

// Calls visit(const PackedValue&) for each member of the intersection; a visit that returns false ends it.
template <class Visit>
void intersect(const Operands& sets, Visit visit) {
  if (sets.count() == 0 || sets.any_missing()) return;
  std::vector<size_t> order(sets.count());
  for (size_t i = 0; i < order.size(); i++) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return sets.size(a) < sets.size(b); });
  sets[order[0]].for_each([&](const PackedValue& v) -> bool {
    PackedItem item = PackedItem::of(v);
    for (size_t i = 1; i < order.size(); i++)
      if (order[i] != order[0] && !sets[order[i]].contains(item)) return true;
    return visit(v);
  });
}

// A set of its own that no key holds yet.
class Result {
 public:
  explicit Result(Call& c) : context_(c.keyspace.context()), value_(Set::make(context_)), set_(*value_, context_) {}
  void add(const PackedValue& v) { set_.add(PackedItem::of(v)); }
  void remove(const PackedValue& v) { set_.remove(PackedItem::of(v)); }
  const Set& set() const { return set_; }
  Value take() { return std::move(value_); }

 private:
  TypeContext context_;
  Value value_;
  Set set_;
};

void unite(const Operands& sets, Result& result) {
  for (size_t i = 0; i < sets.count(); i++)
    if (sets.present(i)) sets[i].for_each([&](const PackedValue& v) { result.add(v); });
}

// Either asks the other sets for each member of the first, or takes the members of the others out of a copy: whichever
// is less work.
void subtract(const Operands& sets, Result& result) {
  if (!sets.present(0)) return;
  size_t there = 0, taking = 0;
  for (size_t i = 0; i < sets.count(); i++) there += sets.present(i), taking += sets.size(i);
  if (sets.size(0) * there / 2 <= taking) {
    sets[0].for_each([&](const PackedValue& v) {
      PackedItem item = PackedItem::of(v);
      for (size_t i = 1; i < sets.count(); i++)
        if (sets.present(i) && sets[i].contains(item)) return;
      result.add(v);
    });
    return;
  }
  sets[0].for_each([&](const PackedValue& v) { result.add(v); });
  for (size_t i = 1; i < sets.count() && result.set().size() > 0; i++)
    if (sets.present(i)) sets[i].for_each([&](const PackedValue& v) { result.remove(v); });
}

void reply_set(Call& c, const Set& set) {
  c.reply.set(static_cast<int64_t>(set.size()));
  set.for_each([&](const PackedValue& v) { v.is_int ? c.reply.bulk_integer(v.number) : c.reply.bulk(v.text); });
}

void store_set(Call& c, Bytes target, Result& result, Bytes event) {
  int64_t size = static_cast<int64_t>(result.set().size());
  if (size == 0) remove_target(c, target);
  else c.put(target, result.take(), event, EventClass::set);
  c.reply.integer(size);
}

enum class Operation { inter, unite, subtract };

void run(Call& c, Operation operation, std::span<const Bytes> keys, const Bytes* target, Bytes event) {
  Operands sets;
  if (!sets.open(c, keys)) return;
  Result result(c);
  switch (operation) {
    case Operation::inter:
      intersect(sets, [&](const PackedValue& v) { return result.add(v), true; });
      break;
    case Operation::unite: unite(sets, result); break;
    case Operation::subtract: subtract(sets, result); break;
  }
  if (target) store_set(c, *target, result, event);
  else reply_set(c, result.set());
}

void read_only(Call& c, Operation operation) { run(c, operation, c.args.rest(), nullptr, ""); }
void storing(Call& c, Operation operation, Bytes event) {
  Bytes target = c.args.bytes();
  run(c, operation, c.args.rest(), &target, event);
}

void sinter(Call& c) { read_only(c, Operation::inter); }
void sunion(Call& c) { read_only(c, Operation::unite); }
void sdiff(Call& c) { read_only(c, Operation::subtract); }
void sinterstore(Call& c) { storing(c, Operation::inter, "sinterstore"); }
void sunionstore(Call& c) { storing(c, Operation::unite, "sunionstore"); }
void sdiffstore(Call& c) { storing(c, Operation::subtract, "sdiffstore"); }

// ---- how many members the result would have ----

// numkeys key [key ...] [APPROX] [LIMIT limit]
struct CountQuery {
  Operands sets;
  int64_t limit = 0;      // 0: none
  bool approximate = false;

  // False when an error has been replied.
  bool open(Call& c, bool may_approximate = false) {
    constexpr Bytes kBadCount = "ERR numkeys should be greater than 0", kNegative = "ERR LIMIT can't be negative";
    int64_t count = c.args.integer(1, INT64_MAX, kBadCount, kBadCount);
    if (!c.args.failed() && static_cast<size_t>(count) > c.args.left())
      c.args.fail("ERR Number of keys can't be greater than number of args");
    auto keys = c.args.take(static_cast<size_t>(count));
    while (c.args.more()) {
      if (c.args.accept("LIMIT", 1)) limit = c.args.integer(0, INT64_MAX, kNegative, kNegative);
      else if (may_approximate && c.args.accept("APPROX")) approximate = true;
      else c.args.fail();
    }
    return c.args.done() && sets.open(c, keys);
  }
  int64_t limited(int64_t count) const { return limit ? std::min(count, limit) : count; }
};

void sintercard(Call& c) {
  CountQuery query;
  if (!query.open(c)) return;
  int64_t found = 0;
  intersect(query.sets, [&](const PackedValue&) { return ++found != query.limit; });
  c.reply.integer(found);
}

void sdiffcard(Call& c) {
  CountQuery query;
  if (!query.open(c)) return;
  const Operands& sets = query.sets;
  int64_t found = 0;
  if (sets.present(0)) sets[0].for_each([&](const PackedValue& v) -> bool {
    PackedItem item = PackedItem::of(v);
    for (size_t i = 1; i < sets.count(); i++)
      if (sets.present(i) && sets[i].contains(item)) return true;
    return ++found != query.limit;
  });
  c.reply.integer(found);
}

// Of few sets: all of the largest, then what of the others is in none before. Nothing is copied.
int64_t count_union_in_place(const CountQuery& query) {
  const Operands& sets = query.sets;
  std::vector<size_t> order;
  for (size_t i = 0; i < sets.count(); i++)
    if (sets.present(i)) order.push_back(i);
  if (order.empty()) return 0;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return sets.size(a) > sets.size(b); });
  int64_t found = query.limited(static_cast<int64_t>(sets.size(order[0])));
  for (size_t n = 1; n < order.size() && (!query.limit || found < query.limit); n++)
    sets[order[n]].for_each([&](const PackedValue& v) -> bool {
      PackedItem item = PackedItem::of(v);
      for (size_t before = 0; before < n; before++)
        if (sets[order[before]].contains(item)) return true;
      return ++found != query.limit;
    });
  return found;
}

int64_t count_union_in_a_copy(Call& c, const CountQuery& query) {
  Result result(c);
  size_t limit = query.limit ? static_cast<size_t>(query.limit) : SIZE_MAX;
  for (size_t i = 0; i < query.sets.count() && result.set().size() < limit; i++)
    if (query.sets.present(i)) query.sets[i].for_each([&](const PackedValue& v) {
      result.add(v);
      return result.set().size() < limit;
    });
  return static_cast<int64_t>(result.set().size());
}

int64_t estimate_union(const CountQuery& query) {
  auto registers = std::make_unique<hll::Registers>();
  registers->clear();
  char scratch[24];
  for (size_t i = 0; i < query.sets.count(); i++)
    if (query.sets.present(i)) query.sets[i].for_each([&](const PackedValue& v) {
      hll::Mark mark = hll::mark_of(v.bytes(scratch));
      uint8_t& rank = registers->ranks[mark.index];
      rank = std::max(rank, mark.rank);
    });
  return query.limited(static_cast<int64_t>(hll::estimate(hll::histogram(*registers))));
}

void sunioncard(Call& c) {
  constexpr size_t kFew = 4;
  CountQuery query;
  if (!query.open(c, true)) return;
  if (query.approximate) c.reply.integer(estimate_union(query));
  else if (query.sets.count() <= kFew) c.reply.integer(count_union_in_place(query));
  else c.reply.integer(count_union_in_a_copy(c, query));
}

constexpr CommandRow kRows[] = {
    {"sinter", sinter},           {"sunion", sunion},           {"sdiff", sdiff},
    {"sinterstore", sinterstore}, {"sunionstore", sunionstore}, {"sdiffstore", sdiffstore},
    {"sintercard", sintercard},   {"sdiffcard", sdiffcard},     {"sunioncard", sunioncard},
};

}  // namespace

void add_set_algebra_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
