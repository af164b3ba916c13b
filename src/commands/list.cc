// Lists: pushing, popping, reading and changing one list.
#include "commands/families.h"
#include "commands/list_replies.h"
#include "commands/packed_replies.h"
#include "engine/command.h"

namespace vitrine {

namespace {

// ---- the ends ----

void push(Call& c, End end, Missing missing) {
  auto list = c.edit<List>(c.args.bytes(), push_event(end), missing);
  if (!list) return list.missing() ? c.reply.integer(0) : void();
  list->push(end, c.args.rest());
  c.reply.integer(static_cast<int64_t>(list->size()));
}
void lpush(Call& c) { push(c, End::left, Missing::create); }
void rpush(Call& c) { push(c, End::right, Missing::create); }
void lpushx(Call& c) { push(c, End::left, Missing::skip); }
void rpushx(Call& c) { push(c, End::right, Missing::skip); }

void pop_one(Call& c, End end) {
  auto list = c.edit<List>(c.args[1], pop_event(end), Missing::skip);
  if (!list) return list.missing() ? c.reply.null() : void();
  reply_item(c, list->peek(end));
  list->pop(end);
}

void pop(Call& c, End end) {
  constexpr Bytes kNotPositive = "ERR value is out of range, must be positive";
  if (c.args.size() == 2) return pop_one(c, end);
  if (c.args.size() > 3)
    return c.reply.error("ERR wrong number of arguments for '" + c.command->full_name + "' command");
  Bytes key = c.args.bytes();
  int64_t count = c.args.integer(0, INT64_MAX, kNotPositive, kNotPositive);
  if (!c.args.done()) return;
  auto list = c.edit<List>(key, pop_event(end), Missing::skip);
  if (!list) return list.missing() ? c.reply.null_array() : void();
  size_t n = std::min(static_cast<size_t>(count), list->size());
  c.reply.array(static_cast<int64_t>(n));
  if (n == 0) return;
  reply_from(c, *list, end, n);
  list->pop(end, n);
}
void lpop(Call& c) { pop(c, End::left); }
void rpop(Call& c) { pop(c, End::right); }

// ---- reading ----

void llen(Call& c) {
  auto list = c.read<List>(c.args[1]);
  if (!list.wrong_type()) c.reply.integer(list ? static_cast<int64_t>(list->size()) : 0);
}

// What `first` and `last`, counted from the end if negative, mean for a list of so many items.
struct Span {
  size_t index = 0, n = 0;

  static Span of(int64_t first, int64_t last, size_t size) {
    int64_t items = static_cast<int64_t>(size);
    if (first < 0) first = std::max<int64_t>(0, first + items);
    if (last < 0) last += items;
    last = std::min(last, items - 1);
    if (first > last) return {};
    return {static_cast<size_t>(first), static_cast<size_t>(last - first + 1)};
  }
};

void lrange(Call& c) {
  Bytes key = c.args.bytes();
  int64_t first = c.args.integer(), last = c.args.integer();
  if (!c.args.done()) return;
  auto list = c.read<List>(key);
  if (!list) return list.missing() ? c.reply.array(0) : void();
  Span span = Span::of(first, last, list->size());
  c.reply.array(static_cast<int64_t>(span.n));
  if (span.n == 0) return;
  BulkWriter out(c.reply);
  list->for_each(span.index, span.n, [&](const PackedValue& v) { write_packed(out, v); });
}

void lindex(Call& c) {
  auto list = c.read<List>(c.args.bytes());
  if (!list) return list.missing() ? c.reply.null() : void();
  int64_t index = c.args.integer();
  if (!c.args.done()) return;
  auto item = list->at(index);
  item ? reply_item(c, *item) : c.reply.null();
}

// ---- LPOS ----

struct PositionSearch {
  int64_t rank = 1, count = -1, longest = 0;   // count -1: one position; longest 0: the whole list

  bool read(Args& args) {
    constexpr Bytes kNegativeCount = "ERR COUNT can't be negative", kNegativeLength = "ERR MAXLEN can't be negative";
    while (args.more()) {
      if (args.accept("RANK", 1)) {
        rank = args.integer(-INT64_MAX, INT64_MAX,
                            "ERR value is out of range, value must between -9223372036854775807 and "
                            "9223372036854775807",
                            Args::kNotInteger);
        if (!args.failed() && rank == 0)
          args.fail(
              "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to "
              "start from the end of the list");
      } else if (args.accept("COUNT", 1)) {
        count = args.integer(0, INT64_MAX, kNegativeCount, kNegativeCount);
      } else if (args.accept("MAXLEN", 1)) {
        longest = args.integer(0, INT64_MAX, kNegativeLength, kNegativeLength);
      } else {
        args.fail();
      }
    }
    return args.done();
  }
  bool backwards() const { return rank < 0; }
  // Matches to pass over before the first that counts.
  int64_t skipped() const { return (rank > 0 ? rank : -rank) - 1; }

  // Calls found(index) for each position.
  template <class Found>
  void run(const List& list, const PackedItem& item, Found found) const {
    size_t size = list.size();
    size_t n = longest ? std::min(size, static_cast<size_t>(longest)) : size;
    int64_t to_skip = skipped(), wanted = count < 0 ? 1 : count == 0 ? INT64_MAX : count;
    int64_t index = backwards() ? static_cast<int64_t>(size) - 1 : 0, step = backwards() ? -1 : 1;
    auto visit = [&](const PackedValue& v) {
      if (item.matches(v) && to_skip-- <= 0) {
        found(index);
        if (--wanted == 0) return false;
      }
      index += step;
      return true;
    };
    if (backwards()) list.for_each_backwards(size - 1, n, visit);
    else list.for_each(0, n, visit);
  }
};

void lpos(Call& c) {
  Bytes key = c.args.bytes(), item = c.args.bytes();
  PositionSearch search;
  if (!search.read(c.args)) return;
  auto list = c.read<List>(key);
  if (list.wrong_type()) return;
  if (search.count < 0) {
    int64_t at = -1;
    if (list) search.run(*list, item, [&](int64_t index) { at = index; });
    return at < 0 ? c.reply.null() : c.reply.integer(at);
  }
  auto mark = c.reply.later();
  int64_t n = 0;
  if (list) search.run(*list, item, [&](int64_t index) { c.reply.integer(index), n++; });
  c.reply.array_at(mark, n);
}

// ---- changing ----

void lset(Call& c) {
  auto list = c.edit<List>(c.args.bytes(), "lset", Missing::skip);
  if (!list) return list.missing() ? c.reply.error("ERR no such key") : void();
  int64_t index = c.args.integer();
  Bytes item = c.args.bytes();
  if (!c.args.done()) return;
  list->replace(index, item) ? c.reply.ok() : c.reply.error("ERR index out of range");
}

void linsert(Call& c) {
  Bytes key = c.args.bytes();
  bool after = c.args.accept("AFTER");
  if (!after && !c.args.accept("BEFORE")) c.args.fail();
  Bytes pivot = c.args.bytes(), item = c.args.bytes();
  if (!c.args.done()) return;
  auto list = c.edit<List>(key, "linsert", Missing::skip);
  if (!list) return list.missing() ? c.reply.integer(0) : void();
  c.reply.integer(list->insert(pivot, after, item) ? static_cast<int64_t>(list->size()) : -1);
}

void lrem(Call& c) {
  Bytes key = c.args.bytes();
  int64_t count = c.args.integer();
  Bytes item = c.args.bytes();
  if (!c.args.done()) return;
  auto list = c.edit<List>(key, "lrem", Missing::skip);
  if (!list) return list.missing() ? c.reply.integer(0) : void();
  uint64_t most = count < 0 ? 0 - static_cast<uint64_t>(count) : static_cast<uint64_t>(count);
  c.reply.integer(static_cast<int64_t>(list->remove(item, most ? most : SIZE_MAX, count < 0 ? End::right : End::left)));
}

void ltrim(Call& c) {
  Bytes key = c.args.bytes();
  int64_t first = c.args.integer(), last = c.args.integer();
  if (!c.args.done()) return;
  auto list = c.edit<List>(key, "ltrim", Missing::skip);
  if (list.wrong_type()) return;
  if (list) {
    Span span = Span::of(first, last, list->size());
    // What trims nothing changes nothing, but is told all the same.
    if (span.n == list->size()) c.keyspace.announce_also({c.db, key, "ltrim", EventClass::list, Type::list, false});
    else list->keep(span.index, span.n);
  }
  c.reply.ok();
}

constexpr CommandRow kRows[] = {
    {"lpush", lpush}, {"rpush", rpush},   {"lpushx", lpushx}, {"rpushx", rpushx}, {"lpop", lpop},
    {"rpop", rpop},   {"llen", llen},     {"lrange", lrange}, {"lindex", lindex}, {"lpos", lpos},
    {"lset", lset},   {"linsert", linsert}, {"lrem", lrem},   {"ltrim", ltrim},
};

}  // namespace

void add_list_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
