// Arrays as logs and rings: appending at a cursor, and reading what was appended last.
#include "commands/array_args.h"
#include "commands/families.h"
#include "engine/command.h"

namespace vitrine {

namespace {

void arinsert(Call& c) {
  Bytes key = c.args.bytes();
  auto values = c.args.rest();
  auto array = c.edit<Array>(key, "arinsert");
  if (!array) return;
  if (!array->can_append(values.size())) return c.reply.error("ERR insert index overflow");
  uint64_t index = 0;
  for (Bytes value : values) index = array->append(value);
  reply_unsigned(c, index);
}

void arring(Call& c) {
  Bytes key = c.args.bytes();
  auto size = parse_uint64(c.args.bytes());
  if (!size || *size == 0) c.args.fail(size ? kNotPositiveCount : Args::kNotInteger);
  auto values = c.args.rest();
  if (!c.args.done()) return;
  auto array = c.edit<Array>(key, "arring");
  if (!array) return;
  array->make_ring(*size);
  uint64_t index = 0;
  for (Bytes value : values) index = array->append_to_ring(value);
  reply_unsigned(c, index);
}

void arnext(Call& c) {
  auto array = c.read<Array>(c.args[1]);
  if (array.wrong_type()) return;
  uint64_t next = array ? array->next() : 0;
  next == Array::kExhausted ? c.reply.null() : reply_unsigned(c, next);
}

void arseek(Call& c) {
  Bytes key = c.args.bytes();
  uint64_t next = read_array_index(c.args, c.args.bytes(), Array::kExhausted);
  if (!c.args.done()) return;
  auto array = c.edit<Array>(key, "arseek", Missing::skip);
  if (!array) return array.missing() ? c.reply.integer(0) : void();
  array->seek(next);
  c.reply.integer(1);
}

// The slots before the cursor, which wrap from the first to the last one of the array.
void arlastitems(Call& c) {
  Bytes key = c.args.bytes();
  uint64_t count = static_cast<uint64_t>(c.args.integer(0, INT64_MAX, kNotPositiveCount));
  bool reverse = c.args.accept("REV");
  if (c.args.more()) c.args.fail();
  if (!c.args.done()) return;
  auto array = c.read<Array>(key);
  if (!array) return array.missing() ? c.reply.array(0) : void();
  const SparseArray& values = array->values();
  uint64_t length = values.length(), n = std::min(count, values.count());
  uint64_t end = array->next() ? array->next() : length;    // behind the newest slot
  uint64_t plain = std::min(n, end), wrapped = n - plain;
  c.reply.array(static_cast<int64_t>(n));
  if (reverse) {
    if (plain) reply_slots(c, values, end - 1, end - plain);
    if (wrapped) reply_slots(c, values, length - 1, length - wrapped);
  } else {
    if (wrapped) reply_slots(c, values, length - wrapped, length - 1);
    if (plain) reply_slots(c, values, end - plain, end - 1);
  }
}

constexpr CommandRow kRows[] = {
    {"arinsert", arinsert}, {"arring", arring}, {"arnext", arnext}, {"arseek", arseek}, {"arlastitems", arlastitems},
};

}  // namespace

void add_array_append_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
