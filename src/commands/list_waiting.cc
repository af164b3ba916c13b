// Lists: moving an item to another list, popping from the first of several, and waiting until there is something.
#include "commands/families.h"
#include "commands/list_replies.h"
#include "commands/pop_first.h"
#include "engine/command.h"

namespace vitrine {

namespace {

Bytes end_name(End end) { return end == End::left ? "LEFT" : "RIGHT"; }

// ---- from one list to another ----

struct Move {
  Bytes from, to;
  End from_end = End::right, to_end = End::left;
};

// In one list the item goes around.
void rotate(Call& c, List& list, const Move& m) {
  std::string item = list.peek(m.from_end).str();
  c.reply.bulk(item);
  list.pop(m.from_end);
  list.push(m.to_end, item);
  c.announce(m.to, push_event(m.to_end), EventClass::list, Type::list);
}

// The push is announced before the pop.
bool take_across(Call& c, const Move& m) {
  auto source = c.edit<List>(m.from, pop_event(m.from_end), Missing::skip);
  if (!source) return !source.missing();
  if (m.from == m.to) return rotate(c, *source, m), true;
  auto target = c.edit<List>(m.to, push_event(m.to_end));
  if (!target) return true;
  PackedValue item = source->peek(m.from_end);
  reply_item(c, item);
  char scratch[24];
  target->push(m.to_end, item.bytes(scratch));
  source->pop(m.from_end);
  return true;
}

// Moves an item and replies with it. False when there is nothing to move (and nothing was replied).
bool move_item(Call& c, const Move& m) {
  bool answered = take_across(c, m);
  c.count_as_one_change();
  return answered;
}

void lmove(Call& c) {
  Move m;
  m.from = c.args.bytes(), m.to = c.args.bytes();
  m.from_end = take_end(c.args), m.to_end = take_end(c.args);
  if (!c.args.done()) return;
  if (!move_item(c, m)) c.reply.null();
}

void rpoplpush(Call& c) {
  if (!move_item(c, {c.args[1], c.args[2]})) c.reply.null();
}

void move_or_wait(Call& c, const Move& m, int64_t deadline_ms) {
  if (move_item(c, m)) return;
  if (!c.may_block) return c.reply.null();
  c.park({{m.from}, Type::list, deadline_ms, TimeoutReply::null_array});
}

void blmove(Call& c) {
  Move m;
  m.from = c.args.bytes(), m.to = c.args.bytes();
  m.from_end = take_end(c.args), m.to_end = take_end(c.args);
  int64_t deadline_ms = c.take_deadline();
  if (!c.args.done()) return;
  move_or_wait(c, m, deadline_ms);
  if (c.changed()) c.effects.replace({"LMOVE", m.from, m.to, end_name(m.from_end), end_name(m.to_end)});
}

void brpoplpush(Call& c) {
  Move m{c.args.bytes(), c.args.bytes()};
  int64_t deadline_ms = c.take_deadline();
  if (!c.args.done()) return;
  move_or_wait(c, m, deadline_ms);
  if (c.changed()) c.effects.replace({"RPOPLPUSH", m.from, m.to});
}

// ---- several at once ----

// What LMOVEM and BLMOVEM have in common.
struct MoveMany {
  Move m;
  size_t count = 1;
  bool exactly = false;      // nothing is moved if there are fewer
  bool one_by_one = false;

  void read_lists(Args& args) {
    m.from = args.bytes(), m.to = args.bytes();
    m.from_end = take_end(args), m.to_end = take_end(args);
  }
  // [COUNT count | EXACTLY count, OBO | BULK]
  void read_how_many(Args& args) {
    constexpr Bytes kNoCount = "ERR count should be greater than 0";
    if (!args.more()) return;
    exactly = args.accept("EXACTLY", 2);
    if (!exactly && !args.accept("COUNT", 2)) args.fail();
    count = static_cast<size_t>(args.integer(1, INT64_MAX, kNoCount, kNoCount));
    one_by_one = args.accept("OBO");
    if (!one_by_one && !args.accept("BULK")) args.fail();
  }

  // One by one, what comes from an end to the same end is turned round.
  bool reverses() const { return one_by_one && m.from_end == m.to_end; }
  // Calls visit(item) for n items of `list`, in the order in which they will stand, or against it.
  template <class Visit>
  void for_each(const List& list, size_t n, bool along, Visit visit) const {
    size_t first = m.from_end == End::left ? 0 : list.size() - n;
    if (along != reverses()) list.for_each(first, n, visit);
    else list.for_each_backwards(first + n - 1, n, visit);
  }
  void push_all(List& target, const List& source, size_t n) const {
    char scratch[24];
    for_each(source, n, m.to_end == End::right,
             [&](const PackedValue& v) { target.push(m.to_end, v.bytes(scratch)); });
  }
  void turn(Call& c, List& list, size_t n) const {
    std::vector<std::string> items;
    items.reserve(n);
    for_each(list, n, m.to_end == End::right, [&](const PackedValue& v) { items.push_back(v.str()); });
    list.pop(m.from_end, n);
    for (const std::string& item : items) list.push(m.to_end, item);
    c.announce(m.to, push_event(m.to_end), EventClass::list, Type::list);
  }

  // False when there is nothing, or not enough, to move (and nothing was replied).
  bool run(Call& c) const {
    auto source = c.edit<List>(m.from, pop_event(m.from_end), Missing::skip);
    if (!source) return !source.missing();
    if (exactly && source->size() < count) return false;
    size_t n = std::min(count, source->size());
    auto reply = [&] {
      c.reply.array(static_cast<int64_t>(n));
      for_each(*source, n, true, [&](const PackedValue& v) { reply_item(c, v); });
    };
    if (m.from == m.to) {
      reply();
      if (m.from_end != m.to_end || (reverses() && n > 1)) turn(c, *source, n);
      return true;
    }
    auto target = c.edit<List>(m.to, push_event(m.to_end));
    if (!target) return true;
    reply();
    push_all(*target, *source, n);
    source->pop(m.from_end, n);
    return true;
  }
};

void lmovem(Call& c) {
  MoveMany move;
  move.read_lists(c.args);
  move.read_how_many(c.args);
  if (!c.args.done() || move.run(c)) return;
  move.exactly ? c.reply.null_array() : c.reply.array(0);
}

void blmovem(Call& c) {
  MoveMany move;
  move.read_lists(c.args);
  int64_t deadline_ms = c.take_deadline();
  move.read_how_many(c.args);
  if (!c.args.done()) return;
  if (!move.run(c)) return c.park({{move.m.from}, Type::list, deadline_ms, TimeoutReply::null_array});
  if (c.changed() && c.effects.wanted())
    c.effects.replace({"LMOVEM", move.m.from, move.m.to, end_name(move.m.from_end), end_name(move.m.to_end),
                       move.exactly ? "EXACTLY" : "COUNT", std::to_string(move.count),
                       move.one_by_one ? "OBO" : "BULK"});
}

// ---- from the first of several lists that holds something ----

void pop_or_wait(Call& c, End end) {
  pop_first_or_wait<List>(c, pop_event(end), [&](List& list, Bytes key) {
    c.reply.array(2);
    c.reply.bulk(key);
    reply_item(c, list.peek(end));
    list.pop(end);
    c.effects.replace({end == End::left ? "LPOP" : "RPOP", key});
  });
}
void blpop(Call& c) { pop_or_wait(c, End::left); }
void brpop(Call& c) { pop_or_wait(c, End::right); }

auto pop_several(Call& c) {
  return [&c](List& list, Bytes key, End end, uint64_t count) {
    size_t n = std::min(count, list.size());
    c.reply.array(2);
    c.reply.bulk(key);
    c.reply.array(static_cast<int64_t>(n));
    reply_from(c, list, end, n);
    list.pop(end, n);
    if (c.effects.wanted()) c.effects.replace({end == End::left ? "LPOP" : "RPOP", key, std::to_string(n)});
  };
}
void lmpop(Call& c) { multi_pop<List>(c, take_end, pop_several(c)); }
void blmpop(Call& c) { multi_pop_or_wait<List>(c, take_end, pop_several(c)); }

constexpr CommandRow kRows[] = {
    {"lmove", lmove},   {"rpoplpush", rpoplpush}, {"lmpop", lmpop},   {"blpop", blpop},
    {"brpop", brpop},   {"blmove", blmove},       {"brpoplpush", brpoplpush}, {"blmpop", blmpop},
    {"lmovem", lmovem}, {"blmovem", blmovem},
};

}  // namespace

void add_list_waiting_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
