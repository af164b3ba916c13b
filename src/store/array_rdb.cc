// An array in snapshots. What Redis 8.8 writes for arrays is nowhere described, so this is a form of our own under a
// type number far from all others: servers that do not know it refuse it by its number.
//
//   count, next, ring: lengths; count times: how many empty slots lie before it: length; the value: string
#include "store/array.h"
#include "store/rdb_types.h"

namespace vitrine {

uint8_t array_rdb_type(const Object&, int) { return rdb::kArray; }

void save_array(const Object& o, uint8_t, RdbOutput& out) {
  const ArrayData& data = *o.as<ArrayData>();
  out.length(data.values.count());
  out.length(data.next);
  out.length(data.ring);
  uint64_t expected = 0;
  for (auto c = data.values.first(); c; ++c) {
    out.length(c.index() - expected);
    out.string(c.value());
    expected = c.index() + 1;
  }
}

Value load_array(uint8_t, RdbInput& in, const TypeContext& context) {
  Value value(Array::make(context));
  ArrayData& data = *value->as<ArrayData>();
  uint64_t n = in.length(), expected = 0;
  data.next = in.length();
  data.ring = in.length();
  for (; n > 0 && !in.failed(); n--) {
    uint64_t gap = in.length();
    if (gap > Array::kMaxIndex - expected || expected == Array::kExhausted) in.fail("an index beyond the last");
    Bytes text = in.string();
    if (in.failed()) break;
    data.values.set(expected + gap, text);
    expected += gap + 1;
  }
  return in.failed() ? Value() : std::move(value);
}

}  // namespace vitrine
