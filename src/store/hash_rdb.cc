#include <algorithm>
#include <vector>

#include "base/memory.h"
#include "store/hash.h"
#include "store/old_encodings.h"
#include "store/rdb_types.h"

namespace vitrine {

namespace {

// Moments are below this; what is above is no moment.
constexpr int64_t kLatestMoment = (int64_t{1} << 48) - 1;

}  // namespace

struct HashRdb {
  using Block = Hash::ExpiringBlock;

  static size_t expiring(const Object& o) {
    if (o.encoding == Hash::kTable) return o.as<FieldTable>()->expiring();
    return o.encoding == Hash::kPackedExpiring ? o.as<Block>()->expiring : 0;
  }

  static size_t count(const Object& o) {
    if (o.encoding == Hash::kTable) return o.as<FieldTable>()->size();
    if (!o.word) return 0;
    if (o.encoding == Hash::kShared) return Hash::field_set(o.as<uint8_t>()).count();
    return o.encoding == Hash::kPackedExpiring ? Packed(o.as<Block>()->block).count() / 3
                                               : Packed(o.as<uint8_t>()).count() / 2;
  }

  static uint8_t type_of(const Object& o, int version) {
    if (expiring(o) == 0) return o.encoding == Hash::kPacked && o.word ? rdb::kHashListpack : rdb::kHash;
    if (rdb::is_valkey(version)) return rdb::kHashMomentsValkey;
    return o.encoding == Hash::kTable ? rdb::kHashMoments : rdb::kHashListpackMoments;
  }

  // Every field, expired or not; moment 0: never expires.
  template <class Each>
  static void for_each(const Object& o, Each each) {
    if (o.encoding == Hash::kTable) {
      return o.as<FieldTable>()->table().for_each([&](Word w) {
        const Field* f = FieldTable::Policy::field(w);
        each(PackedValue{false, 0, f->name()}, PackedValue{false, 0, f->value()},
             f->expires() ? f->expire_at_ms() : 0);
      });
    }
    if (!o.word) return;
    if (o.encoding == Hash::kShared) {
      Object object = o;
      return Hash(object, TypeContext{INT64_MIN, nullptr}).for_each([&](const PackedValue& f, const PackedValue& v) {
        each(f, v, 0);
      });
    }
    bool moments = o.encoding == Hash::kPackedExpiring;
    Packed block(moments ? o.as<Block>()->block : o.as<uint8_t>());
    for (auto at = block.begin(), end = block.end(); at != end;) {
      PackedValue field = at.take(), value = at.take();
      each(field, value, moments ? at.take().number : 0);
    }
  }

  static int64_t earliest(const Object& o) {
    int64_t found = INT64_MAX;
    for_each(o, [&](const PackedValue&, const PackedValue&, int64_t moment) {
      if (moment) found = std::min(found, moment);
    });
    return found;
  }

  // Fields that expire first come first, those that never do come last: what readers of this type expect.
  static void save_with_moments(const Object& o, RdbOutput& out) {
    struct Part {
      PackedValue field, value;
      int64_t moment;
    };
    std::vector<Part> parts;
    for_each(o, [&](const PackedValue& f, const PackedValue& v, int64_t m) { parts.push_back({f, v, m}); });
    std::ranges::stable_sort(parts, {}, [](const Part& p) { return p.moment ? p.moment : INT64_MAX; });
    Packed block = Packed::create(Packed(o.as<Block>()->block).bytes_used());
    for (const Part& p : parts) {
      const PackedItem items[] = {PackedItem::of(p.field), PackedItem::of(p.value), PackedItem::of(p.moment)};
      block.insert(block.end(), items);
    }
    out.fixed64(static_cast<uint64_t>(parts.front().moment));
    rdb_detail::write_listpack(block, out);
    Packed::free(block.block());
  }

  static void save_table(const Object& o, uint8_t type, RdbOutput& out) {
    bool valkey = type == rdb::kHashMomentsValkey && rdb::is_valkey(out.version());
    int64_t first = 0;
    if (type == rdb::kHashMoments) {
      first = earliest(o);
      out.fixed64(static_cast<uint64_t>(first));
    }
    out.length(count(o));
    for_each(o, [&](const PackedValue& field, const PackedValue& value, int64_t moment) {
      if (type == rdb::kHashMoments) out.length(moment ? static_cast<uint64_t>(moment - first) + 1 : 0);
      rdb_detail::write_value(field, out);
      rdb_detail::write_value(value, out);
      if (valkey) out.fixed64(static_cast<uint64_t>(moment ? moment : -1));
    });
  }

  // Adds one field of a file, within the hash's own rules.
  static bool add(RdbInput& in, Hash& hash, Bytes field, Bytes value, int64_t moment = 0) {
    if (moment < 0 || moment > kLatestMoment) return in.fail("an impossible moment of expiry");
    if (!hash.set(field, value)) return in.fail("a hash holds a field twice");
    if (moment) hash.set_expiry(field, moment);
    return true;
  }

  static bool add_pairs(RdbInput& in, Hash& hash, uint8_t type) {
    bool preview = type == rdb::kHashMomentsPreview && !rdb::is_valkey(in.version());
    bool valkey = type == rdb::kHashMomentsValkey && !preview;
    int64_t first = type == rdb::kHashMoments ? static_cast<int64_t>(in.fixed64()) : 0;
    if (first < 0 || first > kLatestMoment) return in.fail("an impossible moment of expiry");
    for (uint64_t n = in.length(); n > 0; n--) {
      uint64_t distance = type == rdb::kHashMoments || preview ? in.length() : 0;
      Bytes field = in.string(), value = in.string();
      if (distance > kLatestMoment) return in.fail("an impossible moment of expiry");
      int64_t moment = static_cast<int64_t>(distance);
      if (moment && !preview) moment += first - 1;
      if (valkey) moment = static_cast<int64_t>(in.fixed64());
      if (valkey && moment == -1) moment = 0;
      if (in.failed() || !add(in, hash, field, value, moment)) return false;
    }
    return !in.failed();
  }

  // Elements of a listpack; `stride` 3: each third is a moment.
  static bool add_packed(RdbInput& in, Value& value, const TypeContext& context, size_t stride) {
    auto block = rdb_detail::read_listpack(in);
    if (!block) return false;
    Packed packed(block.get());
    if (packed.count() % stride) return in.fail("a hash in a listpack with a part missing");
    if (stride == 2 && fits(packed, context) && !(in.suspicious() && has_twins(packed))) {
      value->point_to(block.release());
      return true;
    }
    Hash hash(*value, context);
    char name[24], text[24];
    for (auto at = packed.begin(); at != packed.end();) {
      PackedValue field = at.take(), content = at.take();
      PackedValue moment = stride == 3 ? at.take() : PackedValue{true, 0, {}};
      if (!moment.is_int) return in.fail("an impossible moment of expiry");
      if (!add(in, hash, field.bytes(name), content.bytes(text), moment.number)) return false;
    }
    return true;
  }

  static bool fits(const Packed& packed, const TypeContext& context) {
    if (packed.empty() || packed.count() / 2 > context.limits->hash_max_listpack_entries) return false;
    for (auto at = packed.begin(); at != packed.end();)
      if (at.take().text.size() > context.limits->hash_max_listpack_value) return false;
    return true;
  }
  static bool has_twins(const Packed& packed) {
    for (auto at = packed.begin(); at != packed.end(); at = at.next().next())
      if (packed.find(PackedItem::of(*at), at.next().next(), 1) != packed.end()) return true;
    return false;
  }

  static bool add_old(RdbInput& in, Hash& hash, bool zipmap) {
    Bytes data = in.string();
    if (in.failed()) return false;
    std::string field;
    bool is_value = false;
    auto each = [&](const PackedValue& v) {
      is_value = !is_value;
      if (is_value) return field = v.str(), true;
      return add(in, hash, field, v.str());
    };
    bool sound = zipmap ? read_zipmap(data, each) : read_ziplist(data, each);
    if (!sound || is_value) return in.fail(zipmap ? "a broken zipmap" : "a broken ziplist");
    return true;
  }
};

uint8_t hash_rdb_type(const Object& o, int version) { return HashRdb::type_of(o, version); }

void save_hash(const Object& o, uint8_t type, RdbOutput& out) {
  if (type == rdb::kHashListpack) return rdb_detail::write_listpack(Packed(o.as<uint8_t>()), out);
  if (type == rdb::kHashListpackMoments) return HashRdb::save_with_moments(o, out);
  HashRdb::save_table(o, type, out);
}

Value load_hash(uint8_t type, RdbInput& in, const TypeContext& now) {
  // No field counts as expired while it is loaded, so that one that comes twice is noticed.
  const TypeContext context{INT64_MIN, now.limits};
  Value value(Hash::make(context));
  Hash hash(*value, context);
  bool done;
  switch (type) {
    case rdb::kHashListpack: done = HashRdb::add_packed(in, value, context, 2); break;
    case rdb::kHashListpackMoments:
      in.fixed64();
      [[fallthrough]];
    case rdb::kHashListpackMomentsPreview: done = HashRdb::add_packed(in, value, context, 3); break;
    case rdb::kHashZipmap:
    case rdb::kHashZiplist: done = HashRdb::add_old(in, hash, type == rdb::kHashZipmap); break;
    default: done = HashRdb::add_pairs(in, hash, type);
  }
  return done ? std::move(value) : Value();
}

}  // namespace vitrine
