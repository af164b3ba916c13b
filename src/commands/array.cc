// Arrays: single slots and ranges of them. Appending and rings are in array_append.cc, searching and computing in
// array_search.cc and array_compute.cc.
#include "commands/array_args.h"
#include "commands/families.h"
#include "engine/command.h"

namespace vitrine {

namespace {

void wrong_count(Call& c) {
  c.reply.error("ERR wrong number of arguments for '" + c.command->full_name + "' command");
}

void arset(Call& c) {
  Bytes key = c.args.bytes();
  uint64_t index = take_array_index(c.args);
  auto values = c.args.rest();
  if (!c.args.failed() && values.size() - 1 > Array::kMaxIndex - index) c.args.fail(kBadArrayIndex);
  if (!c.args.done()) return;
  auto array = c.edit<Array>(key, "arset");
  if (!array) return;
  int64_t filled = 0;
  for (Bytes value : values) filled += array->set(index++, value);
  c.reply.integer(filled);
}

void armset(Call& c) {
  Bytes key = c.args.bytes();
  auto pairs = c.args.rest();
  if (pairs.size() % 2 != 0) return wrong_count(c);
  std::vector<uint64_t> indexes;
  indexes.reserve(pairs.size() / 2);
  for (size_t i = 0; i < pairs.size(); i += 2) indexes.push_back(read_array_index(c.args, pairs[i]));
  if (!c.args.done()) return;
  auto array = c.edit<Array>(key, "arset");
  if (!array) return;
  int64_t filled = 0;
  for (size_t i = 0; i < indexes.size(); i++) filled += array->set(indexes[i], pairs[i * 2 + 1]);
  c.reply.integer(filled);
}

void arget(Call& c) {
  Bytes key = c.args.bytes();
  uint64_t index = take_array_index(c.args);
  if (!c.args.done()) return;
  auto array = c.read<Array>(key);
  if (!array) return array.missing() ? c.reply.null() : void();
  auto value = array->values().get(index);
  value ? c.reply.bulk(*value) : c.reply.null();
}

void armget(Call& c) {
  Bytes key = c.args.bytes();
  auto indexes = take_array_indexes(c.args);
  if (!c.args.done()) return;
  auto array = c.read<Array>(key);
  if (array.wrong_type()) return;
  c.reply.array(static_cast<int64_t>(indexes.size()));
  for (uint64_t index : indexes) {
    auto value = array ? array->values().get(index) : std::nullopt;
    value ? c.reply.bulk(*value) : c.reply.null();
  }
}

void argetrange(Call& c) {
  constexpr uint64_t kMost = 1'000'000;
  Bytes key = c.args.bytes();
  uint64_t from = take_array_index(c.args), to = take_array_index(c.args);
  if (!c.args.failed() && (from <= to ? to - from : from - to) >= kMost)
    c.args.fail("ERR range exceeds maximum of 1000000 items");
  if (!c.args.done()) return;
  auto array = c.read<Array>(key);
  if (array.wrong_type()) return;
  c.reply.array(static_cast<int64_t>((from <= to ? to - from : from - to) + 1));
  reply_slots(c, array ? array->values() : SparseArray(), from, to);
}

void arscan(Call& c) {
  Bytes key = c.args.bytes();
  uint64_t from = take_array_index(c.args), to = take_array_index(c.args);
  int64_t limit = INT64_MAX;
  while (c.args.more()) {
    if (c.args.accept("LIMIT", 1)) limit = c.args.integer(1, INT64_MAX, kNotPositiveCount);
    else c.args.fail();
  }
  if (!c.args.done()) return;
  auto array = c.read<Array>(key);
  if (!array) return array.missing() ? c.reply.array(0) : void();
  auto head = c.reply.later();
  int64_t n = 0;
  visit_array_range(array->values(), from, to, [&](uint64_t index, Bytes value) {
    c.reply.array(2);
    reply_unsigned(c, index);
    c.reply.bulk(value);
    return ++n < limit;
  });
  c.reply.array_at(head, n);
}

void ardel(Call& c) {
  Bytes key = c.args.bytes();
  auto indexes = take_array_indexes(c.args);
  if (!c.args.done()) return;
  auto array = c.edit<Array>(key, "ardel", Missing::skip);
  if (!array) return array.missing() ? c.reply.integer(0) : void();
  uint64_t erased = 0;
  for (uint64_t index : indexes) erased += array->erase_range(index, index);
  c.reply.integer(static_cast<int64_t>(erased));
}

void ardelrange(Call& c) {
  Bytes key = c.args.bytes();
  if (c.args.left() % 2 != 0) return wrong_count(c);
  auto ends = take_array_indexes(c.args);
  if (!c.args.done()) return;
  auto array = c.edit<Array>(key, "ardel", Missing::skip);
  if (!array) return array.missing() ? c.reply.integer(0) : void();
  uint64_t erased = 0;
  for (size_t i = 0; i < ends.size(); i += 2)
    erased += array->erase_range(std::min(ends[i], ends[i + 1]), std::max(ends[i], ends[i + 1]));
  reply_unsigned(c, erased);
}

void arcount(Call& c) {
  auto array = c.read<Array>(c.args[1]);
  if (!array.wrong_type()) reply_unsigned(c, array ? array->values().count() : 0);
}

void arlen(Call& c) {
  auto array = c.read<Array>(c.args[1]);
  if (!array.wrong_type()) reply_unsigned(c, array ? array->values().length() : 0);
}

void reply_ratio(Call& c, size_t part, size_t whole) {
  c.reply.real(whole ? static_cast<double>(part) / static_cast<double>(whole) : 0);
}

void arinfo(Call& c) {
  Bytes key = c.args.bytes();
  bool full = c.args.accept("FULL");
  if (!full && c.args.more()) c.args.fail();
  if (!c.args.done()) return;
  auto array = c.read<Array>(key);
  if (!array) return array.missing() ? c.reply.error("ERR no such key") : void();
  const SparseArray& values = array->values();
  SparseArray::Figures f;
  if (full) f = values.figures();
  auto number = [&](Bytes name, uint64_t n) {
    c.reply.bulk(name);
    reply_unsigned(c, n);
  };
  c.reply.map(full ? 12 : 7);
  number("count", values.count());
  number("len", values.length());
  number("next-insert-index", array->next() == Array::kExhausted ? 0 : array->next());
  number("slices", values.slices());
  number("directory-size", values.slices());
  number("super-dir-entries", 0);
  number("slice-size", ArraySlice::kMaxCount);
  if (!full) return;
  number("dense-slices", f.dense);
  number("sparse-slices", f.slices - f.dense);
  c.reply.bulk("avg-dense-size");
  reply_ratio(c, f.dense_values, f.dense);
  c.reply.bulk("avg-dense-fill");
  reply_ratio(c, f.dense_used, f.dense_room);
  c.reply.bulk("avg-sparse-size");
  reply_ratio(c, f.sparse_values, f.slices - f.dense);
}

constexpr CommandRow kRows[] = {
    {"arset", arset},   {"armset", armset}, {"arget", arget},           {"armget", armget},
    {"arlen", arlen},   {"arcount", arcount}, {"argetrange", argetrange}, {"arscan", arscan},
    {"ardel", ardel},   {"ardelrange", ardelrange}, {"arinfo", arinfo},
};

}  // namespace

void add_array_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
