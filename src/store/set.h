// Sets: members are distinct byte strings, in no order.
//
// Encodings:
//   intset     every member is an integer, at most set-max-intset-entries of them: one sorted block (ds/int_set.h)
//   listpack   at most set-max-listpack-entries members of at most set-max-listpack-value bytes: one Packed block
//   hashtable  a HashTable of words; a word is
//                an integer of 47 bits      | value, 47 bits | 1 |
//                a string of up to 5 bytes  | bytes, 40 bits | length, 4 bits | 0010 |
//                a pointer to a record      | address, 44 bits | 0000 |
//                record                     | length, 1 byte (255: eight more) | bytes |
//              so small members cost no allocation at all.
//
// A member that reads as a canonical integer is one, in every encoding. A set never goes back to a smaller encoding.
#pragma once

#include "ds/hash_table.h"
#include "ds/int_set.h"
#include "ds/packed.h"
#include "store/keyspace.h"
#include "store/object.h"

namespace vitrine {

namespace set_detail {

struct Policy {
  static uint64_t hash(Word w);
  static void prefetch(Word w) {
    if ((w & 15) == 0) vitrine::prefetch(reinterpret_cast<const void*>(w));
  }
};
using Table = HashTable<Policy, 22>;

PackedValue read_word(Word w);

}  // namespace set_detail

class Set {
 public:
  static constexpr Type kType = Type::set;
  static constexpr EventClass kEvents = EventClass::set;
  enum Encoding : uint8_t { kIntSet, kPacked, kTable };

  Set(Object& object, const TypeContext& context) : object_(object), context_(context) {}
  static Object make(const TypeContext& context);

  size_t size() const;
  bool contains(const PackedItem& member) const;
  // Both return whether anything changed.
  bool add(const PackedItem& member);
  bool remove(const PackedItem& member);
  // Prepares for `count` members (of which the first is given) when that decides the encoding at once.
  void expect(size_t count);

  // Calls visit(const PackedValue&) for every member; `visit` may return false to stop. It must not change the set.
  template <class Visit>
  void for_each(Visit visit) const;
  // REQUIRES: size() > 0. The value lives until the set changes.
  PackedValue random(Random& random) const;
  // Calls visit(const PackedValue&) for `count` distinct random members (all if there are not as many); the value lives
  // during the call. `visit` must not change the set.
  void sample(size_t count, Random& random, const std::function<void(const PackedValue&)>& visit) const;
  // One step of a scan: calls visit for some members and returns the next cursor (see HashTable::scan).
  template <class Visit>
  uint64_t scan(uint64_t cursor, size_t count, Visit visit) const;

  // Fetches what contains(member) will read.
  void prefetch(const PackedItem& member) const;

 private:
  IntSet ints() const { return IntSet(object_.as<uint8_t>()); }
  Packed packed() const { return Packed(object_.as<uint8_t>()); }
  set_detail::Table& table() const { return *object_.as<set_detail::Table>(); }
  bool packed_allows(size_t members, size_t length) const;
  void to_packed();
  void to_table();
  bool add_to_table(const PackedItem& member);
  bool add_to_ints(const PackedItem& member);

  Object& object_;
  const TypeContext context_;
};

extern const TypeOps kSetOps;

template <class Visit>
void Set::for_each(Visit visit) const {
  auto go_on = [&](const PackedValue& v) {
    if constexpr (std::is_same_v<decltype(visit(v)), bool>) return visit(v);
    else return visit(v), true;
  };
  if (object_.encoding == kIntSet) {
    IntSet set = ints();
    for (size_t i = 0, n = set.size(); i < n; i++)
      if (!go_on({true, set.at(i), {}})) return;
  } else if (object_.encoding == kPacked) {
    Packed block = packed();
    for (auto it = block.begin(); it != block.end();)
      if (!go_on(it.take())) return;
  } else {
    bool going = true;
    table().for_each([&](Word w) { going = going && go_on(set_detail::read_word(w)); });
  }
}

template <class Visit>
uint64_t Set::scan(uint64_t cursor, size_t count, Visit visit) const {
  if (object_.encoding != kTable) {
    for_each([&](const PackedValue& v) { visit(v); });
    return 0;
  }
  size_t seen = 0, rounds = count < SIZE_MAX / 10 ? count * 10 : SIZE_MAX;
  do {
    cursor = table().scan(cursor, [&](Word w) { visit(set_detail::read_word(w)), seen++; });
  } while (cursor && seen < count && --rounds);
  return cursor;
}

}  // namespace vitrine
