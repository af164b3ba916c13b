// Lists: moving an item to another list, popping from the first of several, and waiting until there is something.
#include "commands/families.h"
#include "commands/list_replies.h"
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

// Moves an item and replies with it. False when there is nothing to move (and nothing was replied). The push is
// announced before the pop.
bool move_item(Call& c, const Move& m) {
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

// ---- from the first of several lists that holds something ----

// Calls pop(Edit<List>&, key) for it. False when there is none (and nothing was replied).
template <class Pop>
bool pop_first(Call& c, std::span<const Bytes> keys, End end, Pop pop) {
  if (c.retried) keys = {&c.fed_key, 1};
  for (Bytes key : keys) {
    auto list = c.edit<List>(key, pop_event(end), Missing::skip);
    if (list.missing()) continue;
    if (list) pop(*list, key);
    return true;
  }
  return false;
}

void pop_or_wait(Call& c, End end) {
  auto keys = c.args.take(c.args.left() - 1);
  int64_t deadline_ms = c.take_deadline();
  if (!c.args.done()) return;
  bool done = pop_first(c, keys, end, [&](List& list, Bytes key) {
    c.reply.array(2);
    c.reply.bulk(key);
    reply_item(c, list.peek(end));
    list.pop(end);
    c.effects.replace({end == End::left ? "LPOP" : "RPOP", key});
  });
  if (!done) c.park({{keys.begin(), keys.end()}, Type::list, deadline_ms, TimeoutReply::null_array});
}
void blpop(Call& c) { pop_or_wait(c, End::left); }
void brpop(Call& c) { pop_or_wait(c, End::right); }

// What LMPOP and BLMPOP have in common: numkeys key [key ...] LEFT | RIGHT [COUNT count]
struct MultiPop {
  std::span<const Bytes> keys;
  End end = End::left;
  int64_t count = 1;

  bool read(Args& args) {
    constexpr Bytes kNoKeys = "ERR numkeys should be greater than 0", kNoCount = "ERR count should be greater than 0";
    int64_t n = args.integer(1, INT64_MAX, kNoKeys, kNoKeys);
    if (static_cast<size_t>(n) >= args.left()) args.fail();
    keys = args.take(static_cast<size_t>(n));
    end = take_end(args);
    if (args.accept("COUNT", 1)) count = args.integer(1, INT64_MAX, kNoCount, kNoCount);
    if (args.more()) args.fail();
    return args.done();
  }

  bool run(Call& c) const {
    return pop_first(c, keys, end, [&](List& list, Bytes key) {
      size_t n = std::min(static_cast<size_t>(count), list.size());
      c.reply.array(2);
      c.reply.bulk(key);
      c.reply.array(static_cast<int64_t>(n));
      reply_from(c, list, end, n);
      list.pop(end, n);
      if (c.effects.wanted()) c.effects.replace({end == End::left ? "LPOP" : "RPOP", key, std::to_string(n)});
    });
  }
};

void lmpop(Call& c) {
  MultiPop pop;
  if (pop.read(c.args) && !pop.run(c)) c.reply.null_array();
}

void blmpop(Call& c) {
  // The timeout stands first and is checked last.
  MultiPop pop;
  c.args.seek(2);
  if (!pop.read(c.args)) return;
  c.args.seek(1);
  int64_t deadline_ms = c.take_deadline();
  c.args.rest();
  if (!c.args.done() || pop.run(c)) return;
  c.park({{pop.keys.begin(), pop.keys.end()}, Type::list, deadline_ms, TimeoutReply::null_array});
}

constexpr CommandRow kRows[] = {
    {"lmove", lmove},   {"rpoplpush", rpoplpush}, {"lmpop", lmpop},   {"blpop", blpop},
    {"brpop", brpop},   {"blmove", blmove},       {"brpoplpush", brpoplpush}, {"blmpop", blmpop},
};

}  // namespace

void add_list_waiting_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
