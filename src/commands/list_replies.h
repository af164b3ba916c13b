// Items of lists as replies, and what the list commands have in common.
#pragma once

#include "engine/call.h"
#include "engine/edit.h"
#include "store/list.h"
#include "wire/bulk_writer.h"

namespace vitrine {

inline void reply_item(Call& c, const PackedValue& v) {
  v.is_int ? c.reply.bulk_integer(v.number) : c.reply.bulk(v.text);
}

// The n items at this end, outermost first, as bulk strings.
inline void reply_from(Call& c, const List& list, End end, size_t n) {
  BulkWriter out(c.reply);
  auto write = [&](const PackedValue& v) { v.is_int ? out.bulk_integer(v.number) : out.bulk(v.text); };
  if (end == End::left) list.for_each(0, n, write);
  else list.for_each_backwards(list.size() - 1, n, write);
}

constexpr Bytes push_event(End end) { return end == End::left ? "lpush" : "rpush"; }
constexpr Bytes pop_event(End end) { return end == End::left ? "lpop" : "rpop"; }

// LEFT or RIGHT.
inline End take_end(Args& args) {
  if (args.accept("LEFT")) return End::left;
  if (!args.accept("RIGHT")) args.fail();
  return End::right;
}

}  // namespace vitrine
