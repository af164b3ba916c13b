// Hash: fields with values, each with an expiry of its own if wanted.
//
//   listpack    one packed block: field, value, field, value ... in order of insertion (no block while empty)
//   listpackex  ExpiringBlock: a packed block of field, value, moment (ms; 0 = never) ...
//   hashtable   FieldTable (store/hash_fields.h)
//   shared      one packed block: the address of a FieldSet (8 bytes), then the values of its fields in its order.
//               Says listpack, too.
//
// It starts as listpack, becomes listpackex with the first field that expires and hashtable when it outgrows the limits
// (`hash-max-listpack-*`), and never goes back. make_shared() gives the shared form, which becomes listpack with the
// first field that is none of the set, is erased or expires, and hashtable with a value beyond the limit.
//
// An expired field is never visible here: every reader passes over it, and set() treats it as absent. It is removed by
// the reclaimer (remove_expired in kHashOps) or when it is written again. The Database keeps a hint of when a hash has
// something due; each hash remembers in `claimed_ms` for which moment such a hint exists, and sets Object::rescheduled
// when the hint must be renewed: its earliest expiry came before that moment, or nothing expires any more. Hints before
// `claimed_ms` are stale and ignored, so however often expiries change, one hint per hash does work.
//
// Values are read as PackedValue: an integer or a text, valid until the next change of the hash.
#pragma once

#include <optional>

#include "base/random.h"
#include "ds/packed.h"
#include "store/encoding_limits.h"
#include "store/field_set.h"
#include "store/hash_fields.h"
#include "store/keyspace.h"

namespace vitrine {

class Hash {
 public:
  static constexpr Type kType = Type::hash;
  static constexpr EventClass kEvents = EventClass::hash;
  static constexpr int64_t kNoField = -2;  // expiry() of a field that is not there
  struct Pair {
    PackedValue field, value;
  };

  static Object make(const TypeContext&) { return Object::of(kType, kPacked, nullptr); }

  // A hash of these fields, whose names it shares if it is small. REQUIRES: as many values as fields.
  static Object make_shared(FieldSet& fields, std::span<const Bytes> values, const TypeContext&);

  Hash(Object& object, const TypeContext& context) : object_(object), context_(context) {}

  size_t size() const;
  bool contains(Bytes field) const { return expiry(field) != kNoField; }
  std::optional<PackedValue> get(Bytes field) const;
  // kNoField, kNoExpiry or a moment.
  int64_t expiry(Bytes field) const;

  // True if the field is new. A field that was there loses its expiry, unless `keep_expiry`.
  bool set(Bytes field, Bytes value, bool keep_expiry = false);
  // Makes room for these fields and values at once.
  void reserve(std::span<const Bytes> pairs);
  bool erase(Bytes field);
  // kNoExpiry: never. REQUIRES: contains(field).
  void set_expiry(Bytes field, int64_t at_ms);

  // Calls visit(PackedValue field, PackedValue value) for each.
  template <class Visit>
  void for_each(Visit visit) const;
  // Calls visit(field, value) for the fields of one step of a scan and returns the next cursor, 0 at the end. A small
  // hash is visited whole in one step, whatever the cursor.
  template <class Visit>
  uint64_t scan(uint64_t cursor, Visit visit) const;
  // A uniformly random field. REQUIRES: size() > 0.
  Pair random(Random& random) const;
  bool is_table() const { return object_.encoding == kTable; }

 private:
  friend struct HashOps;
  friend struct HashRdb;
  enum Encoding : uint8_t { kPacked, kPackedExpiring, kTable, kShared };
  struct ExpiringBlock {
    uint8_t* block;
    int64_t claimed_ms;
    size_t expiring;  // fields that have an expiry
  };

  static constexpr size_t kMaxReserved = 1 << 20;

  bool live(int64_t at_ms) const { return at_ms <= 0 || at_ms > context_.now_ms; }
  bool has_moments() const { return object_.encoding == kPackedExpiring; }
  bool is_shared() const { return object_.encoding == kShared; }
  // REQUIRES: a block of a shared hash.
  static FieldSet& field_set(const uint8_t* block) {
    FieldSet* set;
    std::memcpy(&set, block + Packed::kHeader + 1, sizeof set);
    return *set;
  }
  FieldSet& field_set() const { return field_set(object_.as<uint8_t>()); }
  static PackedIterator shared_value(const Packed& block, size_t at) {
    auto value = block.begin().next();
    for (; at > 0; at--) ++value;
    return value;
  }
  bool set_shared(Bytes field, Bytes value);
  void unshare();
  size_t stride() const { return has_moments() ? 3 : 2; }
  FieldTable* table() const { return object_.as<FieldTable>(); }
  ExpiringBlock* expiring_block() const { return object_.as<ExpiringBlock>(); }
  Packed packed() const { return Packed(has_moments() ? expiring_block()->block : object_.as<uint8_t>()); }
  void keep(const Packed& packed) {
    if (has_moments()) expiring_block()->block = packed.block();
    else object_.point_to(packed.block());
  }

  PackedIterator find_packed(const Packed& packed, Bytes field) const {
    return packed.find(PackedItem(field), stride() - 1);
  }
  int64_t moment_at(PackedIterator field) const { return has_moments() ? (*field.next().next()).number : 0; }
  // The live field, or null.
  Field* find_in_table(Bytes field) const {
    Field* f = table()->find(field);
    return f && live(f->expire_at_ms()) ? f : nullptr;
  }
  bool set_packed(Bytes field, Bytes value, bool keep_expiry);
  void leave_block_if_many(size_t items);
  bool set_in_table(Bytes field, Bytes value, bool keep_expiry);
  void set_expiry_packed(Bytes field, int64_t at_ms);
  void add_moments();
  void become_table();
  void count_expiring(int change);
  void after_expiry_change(int64_t at_ms);

  Object& object_;
  TypeContext context_;
};

extern const TypeOps kHashOps;

template <class Visit>
void Hash::for_each(Visit visit) const {
  if (is_table()) {
    table()->table().for_each([&](Word w) {
      const Field* f = FieldTable::Policy::field(w);
      if (live(f->expire_at_ms())) visit(PackedValue{false, 0, f->name()}, PackedValue{false, 0, f->value()});
    });
    return;
  }
  if (!object_.word) return;
  Packed block = packed();
  if (is_shared()) {
    const FieldSet& fields = field_set();
    auto at = block.begin().next();
    for (size_t i = 0, n = fields.count(); i < n; i++) visit(PackedValue{false, 0, fields.name(i)}, at.take());
    return;
  }
  bool moments = has_moments();
  for (auto at = block.begin(), end = block.end(); at != end;) {
    PackedValue field = at.take(), value = at.take();
    if (moments && !live(at.take().number)) continue;
    visit(field, value);
  }
}

template <class Visit>
uint64_t Hash::scan(uint64_t cursor, Visit visit) const {
  if (!is_table()) return for_each(visit), 0;
  return table()->table().scan(cursor, [&](Word w) {
    const Field* f = FieldTable::Policy::field(w);
    if (live(f->expire_at_ms())) visit(PackedValue{false, 0, f->name()}, PackedValue{false, 0, f->value()});
  });
}

}  // namespace vitrine
