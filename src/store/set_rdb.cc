#include "store/rdb_types.h"
#include "store/set.h"

namespace vitrine {

namespace {

// A set grows member by member: its own rules find the encoding.
bool add_member(RdbInput& in, Set& set, const PackedItem& member) {
  return set.add(member) || in.fail("a set holds a member twice");
}

bool add_members(RdbInput& in, Set& set) {
  uint64_t n = in.length();
  if (in.failed()) return false;
  set.expect(in.reserve(n, 1));
  for (; n > 0; n--) {
    Bytes member = in.string();
    if (in.failed() || !add_member(in, set, PackedItem(member))) return false;
  }
  return true;
}

bool add_integers(RdbInput& in, Set& set) {
  Bytes data = in.string();
  if (in.failed()) return false;
  if (!IntSet::validate(data)) return in.fail("a broken intset");
  // The view is only read.
  IntSet ints(reinterpret_cast<uint8_t*>(const_cast<char*>(data.data())));
  ints.for_each([&](int64_t v) { set.add(PackedItem::of(v)); });
  return true;
}

bool add_packed(RdbInput& in, Set& set) {
  auto block = rdb_detail::read_listpack(in);
  if (!block) return false;
  Packed packed(block.get());
  for (auto at = packed.begin(); at != packed.end();)
    if (!add_member(in, set, PackedItem::of(at.take()))) return false;
  return true;
}

}  // namespace

uint8_t set_rdb_type(const Object& o, int version) {
  if (o.encoding == Set::kIntSet) return rdb::kSetIntset;
  return o.encoding == Set::kPacked && version >= rdb::kSetListpackVersion ? rdb::kSetListpack : rdb::kSet;
}

void save_set(const Object& o, uint8_t type, RdbOutput& out) {
  if (type == rdb::kSetIntset) return out.string(IntSet(o.as<uint8_t>()).raw());
  if (type == rdb::kSetListpack) return rdb_detail::write_listpack(Packed(o.as<uint8_t>()), out);
  Object object = o;
  Set set(object, TypeContext{0, nullptr});
  out.length(set.size());
  set.for_each([&](const PackedValue& v) { rdb_detail::write_value(v, out); });
}

Value load_set(uint8_t type, RdbInput& in, const TypeContext& context) {
  Value value(Set::make(context));
  Set set(*value, context);
  bool done = type == rdb::kSetIntset ? add_integers(in, set) : type == rdb::kSetListpack ? add_packed(in, set)
                                                                                          : add_members(in, set);
  return done ? std::move(value) : Value();
}

}  // namespace vitrine
