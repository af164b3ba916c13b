// Popping from the first of several keys that holds something, and waiting until one does: what lists and sorted sets
// have in common. `Side` says where items leave; `pop_event(Side)` is the event's name.
#pragma once

#include <algorithm>

#include "engine/call.h"
#include "engine/edit.h"

namespace vitrine {

// Calls pop(Edit<T>&, key) for it. False when there is none (and nothing was replied).
template <class T, class Pop>
bool pop_first(Call& c, std::span<const Bytes> keys, Bytes event, Pop pop) {
  if (c.retried) keys = {&c.fed_key, 1};
  for (Bytes key : keys) {
    auto items = c.edit<T>(key, event, Missing::skip);
    if (items.missing()) continue;
    if (items) pop(*items, key);
    return true;
  }
  return false;
}

template <class T>
void wait_for_items(Call& c, std::span<const Bytes> keys, int64_t deadline_ms) {
  c.park({{keys.begin(), keys.end()}, T::kType, deadline_ms, TimeoutReply::null_array});
}

// Runs BLPOP and its like: key [key ...] timeout.
template <class T, class Pop>
void pop_first_or_wait(Call& c, Bytes event, Pop pop) {
  auto keys = c.args.take(c.args.left() - 1);
  int64_t deadline_ms = c.take_deadline();
  if (!c.args.done()) return;
  if (!pop_first<T>(c, keys, event, pop)) wait_for_items<T>(c, keys, deadline_ms);
}

// What LMPOP, ZMPOP and their blocking forms ask for: numkeys key [key ...] SIDE [COUNT count]
template <class Side>
struct MultiPop {
  std::span<const Bytes> keys;
  Side side = {};
  uint64_t count = 1;

  bool read(Args& args, Side (*take_side)(Args&)) {
    constexpr Bytes kNoKeys = "ERR numkeys should be greater than 0", kNoCount = "ERR count should be greater than 0";
    int64_t n = args.integer(1, INT64_MAX, kNoKeys, kNoKeys);
    if (static_cast<size_t>(n) >= args.left()) args.fail();
    keys = args.take(static_cast<size_t>(n));
    side = take_side(args);
    if (args.accept("COUNT", 1)) count = static_cast<uint64_t>(args.integer(1, INT64_MAX, kNoCount, kNoCount));
    if (args.more()) args.fail();
    return args.done();
  }

  template <class T, class Pop>
  bool run(Call& c, Pop pop) const {
    return pop_first<T>(c, keys, pop_event(side), [&](T& items, Bytes key) { pop(items, key, side, count); });
  }
};

// Runs LMPOP and its like: pop(T&, key, side, count) replies with what it takes.
template <class T, class Side, class Pop>
void multi_pop(Call& c, Side (*take_side)(Args&), Pop pop) {
  MultiPop<Side> m;
  if (m.read(c.args, take_side) && !m.template run<T>(c, pop)) c.reply.null_array();
}

// Runs BLMPOP and its like: timeout numkeys key [key ...] SIDE [COUNT count]. The timeout is checked last.
template <class T, class Side, class Pop>
void multi_pop_or_wait(Call& c, Side (*take_side)(Args&), Pop pop) {
  MultiPop<Side> m;
  c.args.seek(2);
  if (!m.read(c.args, take_side)) return;
  c.args.seek(1);
  int64_t deadline_ms = c.take_deadline();
  c.args.rest();
  if (c.args.done() && !m.template run<T>(c, pop)) wait_for_items<T>(c, m.keys, deadline_ms);
}

}  // namespace vitrine
