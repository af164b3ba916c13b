// What the commands of arrays share: indexes as arguments and in replies, and ranges of slots as replies.
#pragma once

#include <vector>

#include "base/numbers.h"
#include "engine/call.h"
#include "store/array.h"

namespace vitrine {

constexpr Bytes kBadArrayIndex = "ERR invalid array index";
constexpr Bytes kNotPositiveCount = "ERR value is out of range, must be positive";

// Latches an error unless it is an index, at most `highest`.
inline uint64_t read_array_index(Args& args, Bytes text, uint64_t highest = Array::kMaxIndex) {
  auto index = parse_uint64(text);
  if (!index || *index > highest) args.fail(kBadArrayIndex);
  return index.value_or(0);
}

inline uint64_t take_array_index(Args& args) { return read_array_index(args, args.bytes()); }

// What is left, all of it indexes. Every index is read before any of them is used.
inline std::vector<uint64_t> take_array_indexes(Args& args) {
  std::vector<uint64_t> indexes;
  indexes.reserve(args.left());
  while (args.more()) indexes.push_back(take_array_index(args));
  return indexes;
}

// Indexes and lengths beyond a signed integer: a big number in RESP3, a bulk string in RESP2.
inline void reply_unsigned(Call& c, uint64_t n) {
  if (n <= INT64_MAX) return c.reply.integer(static_cast<int64_t>(n));
  char digits[kInt64Chars];
  c.reply.big_number(Bytes(digits, format_uint64(digits, n)));
}

// The slots from `from` to `to`, both included, in order or against it, null for each that is empty.
inline void reply_slots(Call& c, const SparseArray& values, uint64_t from, uint64_t to) {
  uint64_t left = from <= to ? to - from + 1 : from - to + 1;
  auto cursor = from <= to ? values.at_or_after(from) : values.at_or_before(from);
  for (uint64_t at = from; left > 0; left--, from <= to ? at++ : at--) {
    if (!cursor || cursor.index() != at) {
      c.reply.null();
      continue;
    }
    c.reply.bulk(cursor.value());
    from <= to ? ++cursor : --cursor;
  }
}

// The values of a range in order or against it, with their indexes; `visit` may return false to stop.
template <class Visit>
void visit_array_range(const SparseArray& values, uint64_t from, uint64_t to, Visit visit) {
  if (from <= to) {
    for (auto at = values.at_or_after(from); at && at.index() <= to; ++at)
      if (!visit(at.index(), at.value())) return;
  } else {
    for (auto at = values.at_or_before(from); at && at.index() >= to; --at)
      if (!visit(at.index(), at.value())) return;
  }
}

}  // namespace vitrine
