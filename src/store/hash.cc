#include "store/hash.h"

#include "base/numbers.h"
#include "store/rdb_types.h"
#include "store/rewrite.h"

namespace vitrine {

size_t Hash::size() const {
  if (is_table()) return table()->size() - table()->count_due(context_.now_ms);
  if (!object_.word) return 0;
  if (is_shared()) return field_set().count();
  if (!has_moments()) return packed().count() / 2;
  size_t n = 0;
  for_each([&](const PackedValue&, const PackedValue&) { n++; });
  return n;
}

std::optional<PackedValue> Hash::get(Bytes field) const {
  if (is_table()) {
    const Field* f = find_in_table(field);
    if (!f) return std::nullopt;
    return PackedValue{false, 0, f->value()};
  }
  if (!object_.word) return std::nullopt;
  Packed block = packed();
  if (is_shared()) {
    size_t place = field_set().find(field);
    return place == FieldSet::kNone ? std::nullopt : std::optional(*shared_value(block, place));
  }
  auto at = find_packed(block, field);
  if (at == block.end() || !live(moment_at(at))) return std::nullopt;
  return *at.next();
}

int64_t Hash::expiry(Bytes field) const {
  if (is_table()) {
    const Field* f = find_in_table(field);
    return f ? f->expire_at_ms() : kNoField;
  }
  if (!object_.word) return kNoField;
  if (is_shared()) return field_set().find(field) == FieldSet::kNone ? kNoField : kNoExpiry;
  Packed block = packed();
  auto at = find_packed(block, field);
  if (at == block.end()) return kNoField;
  int64_t moment = moment_at(at);
  if (!live(moment)) return kNoField;
  return moment == 0 ? kNoExpiry : moment;
}

void Hash::reserve(std::span<const Bytes> pairs) {
  if (object_.word || pairs.size() / 2 > context_.limits->hash_max_listpack_entries) return;
  size_t bytes = 0;
  for (Bytes b : pairs) {
    if (b.size() > context_.limits->hash_max_listpack_value) return;
    bytes += b.size() + (b.size() < 64 ? 2 : 10);
  }
  if (bytes < kMaxReserved) object_.point_to(Packed::create(bytes).block());
}

bool Hash::set(Bytes field, Bytes value, bool keep_expiry) {
  object_.changes++;
  if (is_shared()) {
    if (set_shared(field, value)) return false;
    unshare();
  }
  if (!is_table()) {
    size_t limit = context_.limits->hash_max_listpack_value;
    bool fits = field.size() <= limit && value.size() <= limit;
    if (fits && !object_.word) object_.point_to(Packed::create().block());
    size_t more = Packed::worst_size(field.size()) + Packed::worst_size(value.size()) + Packed::worst_size(8);
    if (fits && packed().would_fit(more)) return set_packed(field, value, keep_expiry);
    become_table();
  }
  return set_in_table(field, value, keep_expiry);
}

Object Hash::make_shared(FieldSet& fields, std::span<const Bytes> values, const TypeContext& context) {
  constexpr size_t kAddressBytes = sizeof(FieldSet*) + 2;
  const EncodingLimits& limits = *context.limits;
  Object object = make(context);
  object.changes++;
  bool small = fields.count() <= limits.hash_max_listpack_entries && fields.longest() <= limits.hash_max_listpack_value;
  size_t bytes = kAddressBytes;
  for (Bytes value : values) {
    small &= value.size() <= limits.hash_max_listpack_value;
    bytes += PackedItem(value).size();
  }
  if (!small || bytes > kMaxReserved) {
    Hash hash(object, context);
    for (size_t i = 0; i < values.size(); i++) hash.set(fields.name(i), values[i]);
    return object;
  }
  fields.retain();
  FieldSet* address = &fields;
  Packed block = Packed::create(bytes);
  // Addresses end in two zero bytes: never taken for a number.
  block.append(Bytes(reinterpret_cast<const char*>(&address), sizeof address));
  for (Bytes value : values) block.append(value);
  object.encoding = kShared;
  object.point_to(block.block());
  return object;
}

// False if the shared form cannot hold that.
bool Hash::set_shared(Bytes field, Bytes value) {
  size_t place = field_set().find(field);
  Packed block = packed();
  if (place == FieldSet::kNone || value.size() > context_.limits->hash_max_listpack_value) return false;
  if (!block.would_fit(Packed::worst_size(value.size()))) return false;
  block.replace(shared_value(block, place), PackedItem(value));
  keep(block);
  return true;
}

// The same fields as a listpack.
void Hash::unshare() {
  FieldSet& fields = field_set();
  Packed old = packed();
  Packed block = Packed::create(old.bytes_used() + fields.count() * Packed::worst_size(fields.longest()));
  for_each([&](const PackedValue& field, const PackedValue& value) {
    block.append(PackedItem(field.text), PackedItem::of(value));
  });
  block.shrink_to_fit();
  Packed::free(old.block());
  fields.release();
  object_.encoding = kPacked;
  object_.point_to(block.block());
}

bool Hash::set_packed(Bytes field, Bytes value, bool keep_expiry) {
  Packed block = packed();
  PackedItem item(field);
  auto at = block.find(item, stride() - 1);
  if (at != block.end()) {
    int64_t moment = moment_at(at);
    bool was_live = live(moment);
    auto value_at = block.replace(at.next(), PackedItem(value));
    bool forget = moment != 0 && (!keep_expiry || !was_live);
    if (forget) block.replace(value_at.next(), PackedItem::of(0));
    keep(block);
    if (forget) count_expiring(-1);
    leave_block_if_many(block.count());
    return !was_live;
  }
  if (has_moments()) {
    const PackedItem items[] = {item, PackedItem(value), PackedItem::of(0)};
    block.insert(block.end(), items);
  } else {
    block.append(item, PackedItem(value));
  }
  keep(block);
  leave_block_if_many(block.count());
  return true;
}

// Also when nothing was added: the limit may have been lowered.
void Hash::leave_block_if_many(size_t items) {
  if (items / stride() > context_.limits->hash_max_listpack_entries) become_table();
}

bool Hash::set_in_table(Bytes field, Bytes value, bool keep_expiry) {
  Field* f = table()->find(field);
  if (!f) {
    table()->insert(field, value);
    return true;
  }
  bool was_live = live(f->expire_at_ms());
  f = table()->set_value(f, value);
  if (f->expires() && (!keep_expiry || !was_live)) {
    table()->set_expiry(f, kNoExpiry);
    after_expiry_change(kNoExpiry);
  }
  return !was_live;
}

bool Hash::erase(Bytes field) {
  if (is_table()) {
    Field* f = find_in_table(field);
    if (!f) return false;
    bool expires = f->expires();
    table()->erase(f);
    if (expires) after_expiry_change(kNoExpiry);
  } else {
    if (!object_.word) return false;
    if (is_shared()) {
      if (field_set().find(field) == FieldSet::kNone) return false;
      unshare();
    }
    Packed block = packed();
    auto at = find_packed(block, field);
    if (at == block.end()) return false;
    int64_t moment = moment_at(at);
    if (!live(moment)) return false;
    block.erase(at, stride());
    keep(block);
    if (moment) count_expiring(-1);
  }
  object_.changes++;
  return true;
}

void Hash::set_expiry(Bytes field, int64_t at_ms) {
  object_.changes++;
  if (!is_table()) return set_expiry_packed(field, at_ms);
  Field* f = table()->find(field);
  CHECK(f);
  table()->set_expiry(f, at_ms);
  after_expiry_change(at_ms);
}

void Hash::set_expiry_packed(Bytes field, int64_t at_ms) {
  if (is_shared()) {
    if (at_ms == kNoExpiry) return;
    unshare();
  }
  if (!has_moments()) {
    if (at_ms == kNoExpiry) return;
    add_moments();
  }
  Packed block = packed();
  auto at = find_packed(block, field);
  CHECK(at != block.end());
  bool had = moment_at(at) != 0, has = at_ms != kNoExpiry;
  block.replace(at.next().next(), PackedItem::of(has ? at_ms : 0));
  keep(block);
  expiring_block()->expiring += static_cast<size_t>(has) - static_cast<size_t>(had);
  after_expiry_change(at_ms);
}

void Hash::count_expiring(int change) {
  expiring_block()->expiring += static_cast<size_t>(change);
  after_expiry_change(kNoExpiry);
}

// A field was given this expiry, or lost one (kNoExpiry): does the database have to know?
void Hash::after_expiry_change(int64_t at_ms) {
  int64_t claimed = is_table() ? table()->claimed_ms : expiring_block()->claimed_ms;
  size_t expiring = is_table() ? table()->expiring() : expiring_block()->expiring;
  if (at_ms != kNoExpiry && (claimed == kNoExpiry || at_ms < claimed)) object_.rescheduled = true;
  if (expiring == 0 && claimed != kNoExpiry) object_.rescheduled = true;
}

void Hash::add_moments() {
  Packed old = packed();
  Packed block = Packed::create(old.bytes_used() + old.count());
  for (auto at = old.begin(); at != old.end();) {
    PackedValue field = at.take(), value = at.take();
    const PackedItem items[] = {PackedItem::of(field), PackedItem::of(value), PackedItem::of(0)};
    block.insert(block.end(), items);
  }
  Packed::free(old.block());
  auto* expiring = static_cast<ExpiringBlock*>(memory::allocate(sizeof(ExpiringBlock)));
  *expiring = {block.block(), kNoExpiry, 0};
  object_.encoding = kPackedExpiring;
  object_.point_to(expiring);
}

void Hash::become_table() {
  auto* fields = new FieldTable;
  if (!object_.word) {
    object_.encoding = kTable;
    return object_.point_to(fields);
  }
  Packed block = packed();
  char name[24], text[24];
  for (auto at = block.begin(), end = block.end(); at != end;) {
    PackedValue field = at.take(), value = at.take();
    int64_t moment = has_moments() ? at.take().number : 0;
    fields->insert(field.bytes(name), value.bytes(text), moment ? moment : kNoExpiry);
  }
  Packed::free(block.block());
  if (has_moments()) {
    fields->claimed_ms = expiring_block()->claimed_ms;
    memory::release(expiring_block(), sizeof(ExpiringBlock));
  }
  object_.encoding = kTable;
  object_.point_to(fields);
}

Hash::Pair Hash::random(Random& random) const {
  if (is_table()) {
    // Fields that are due but not yet removed are passed over; when they are most of the hash, a walk finds one that
    // is not.
    for (int tries = 0; tries < 100; tries++) {
      const Field* f = FieldTable::Policy::field(table()->table().random(random));
      if (live(f->expire_at_ms())) return {{false, 0, f->name()}, {false, 0, f->value()}};
    }
  }
  Pair found;
  if (is_shared()) {
    size_t place = random.below(field_set().count());
    return {{false, 0, field_set().name(place)}, *shared_value(packed(), place)};
  }
  if (!is_table() && !has_moments()) {
    auto at = packed().at(static_cast<int64_t>(random.below(packed().count() / 2) * 2));
    found.field = at.take();
    found.value = at.take();
    return found;
  }
  uint64_t nth = random.below(size());
  for_each([&](const PackedValue& field, const PackedValue& value) {
    if (nth-- == 0) found = {field, value};
  });
  return found;
}

struct HashOps {
  // ExpiryIndex reaches 198 days; what is due later is given then.
  static constexpr int64_t kFarMs = int64_t{100} * 86'400'000;

  static void destroy(Object& o) {
    if (o.encoding == Hash::kTable) {
      delete o.as<FieldTable>();
    } else if (o.encoding == Hash::kPackedExpiring) {
      Packed::free(o.as<Hash::ExpiringBlock>()->block);
      memory::release(o.as<Hash::ExpiringBlock>(), sizeof(Hash::ExpiringBlock));
    } else if (o.word) {
      if (o.encoding == Hash::kShared) Hash::field_set(o.as<uint8_t>()).release();
      Packed::free(o.as<uint8_t>());
    }
  }

  static Object clone(const Object& o) {
    Object copy = o;
    if (o.encoding == Hash::kTable) {
      copy.point_to(o.as<FieldTable>()->clone());
    } else if (o.encoding == Hash::kPackedExpiring) {
      auto* from = o.as<Hash::ExpiringBlock>();
      auto* to = static_cast<Hash::ExpiringBlock*>(memory::allocate(sizeof(Hash::ExpiringBlock)));
      *to = {Packed(from->block).clone().block(), kNoExpiry, from->expiring};
      copy.point_to(to);
    } else if (o.word) {
      if (o.encoding == Hash::kShared) Hash::field_set(o.as<uint8_t>()).retain();
      copy.point_to(Packed(o.as<uint8_t>()).clone().block());
    }
    return copy;
  }

  static Bytes encoding_name(const Object& o) {
    constexpr Bytes kNames[] = {"listpack", "listpackex", "hashtable", "listpack"};
    return kNames[o.encoding];
  }

  static uint8_t* block_of(const Object& o) {
    return o.encoding == Hash::kPackedExpiring ? o.as<Hash::ExpiringBlock>()->block : o.as<uint8_t>();
  }

  static size_t length(const Object& o) {
    if (o.encoding == Hash::kTable) return o.as<FieldTable>()->size();
    if (!o.word) return 0;
    if (o.encoding == Hash::kShared) return Hash::field_set(o.as<uint8_t>()).count();
    return Packed(block_of(o)).count() / (o.encoding == Hash::kPackedExpiring ? 3 : 2);
  }

  static size_t memory_of(const Object& o, size_t samples) {
    if (o.encoding == Hash::kTable) return o.as<FieldTable>()->memory_bytes(samples);
    if (!o.word) return 0;
    size_t bytes = memory::usable_size(block_of(o));
    if (o.encoding == Hash::kShared) {
      const FieldSet& fields = Hash::field_set(o.as<uint8_t>());
      return bytes + fields.memory() / fields.references();
    }
    return o.encoding == Hash::kPackedExpiring ? bytes + memory::usable_size(o.as<void>()) : bytes;
  }

  static size_t free_effort(const Object& o) { return o.encoding == Hash::kTable ? o.as<FieldTable>()->size() : 1; }

  static void digest(const Object& o, const std::function<void(std::initializer_list<Bytes>)>& part) {
    Object object = o;
    char name[24], text[24], moment[24];
    const Hash hash(object, TypeContext{INT64_MIN, nullptr});
    bool expires = o.encoding == Hash::kPackedExpiring || o.encoding == Hash::kTable;
    hash.for_each([&](const PackedValue& field, const PackedValue& value) {
      int64_t at_ms = expires ? hash.expiry(field.bytes(name)) : kNoExpiry;
      if (at_ms == kNoExpiry) return part({field.bytes(name), value.bytes(text)});
      part({field.bytes(name), value.bytes(text), Bytes(moment, format_int64(moment, at_ms))});
    });
  }

  static void rewrite(const Object& o, CommandMaker& maker) {
    digest(o, [&](std::initializer_list<Bytes> field) {
      const Bytes* words = field.begin();
      maker.item("HSET", {words[0], words[1]});
      if (field.size() > 2) maker.command("HPEXPIREAT", {words[2], "FIELDS", "1", words[0]});
    });
  }

  // Also notes that the database will be told of that moment.
  static int64_t earliest_expiry(const Object& o) {
    if (o.encoding == Hash::kTable) return o.as<FieldTable>()->claimed_ms = o.as<FieldTable>()->earliest();
    if (o.encoding != Hash::kPackedExpiring) return kNoExpiry;
    auto* expiring = o.as<Hash::ExpiringBlock>();
    return expiring->claimed_ms = earliest_moment(expiring);
  }

  static int64_t earliest_moment(const Hash::ExpiringBlock* expiring) {
    int64_t earliest = kNoExpiry;
    if (expiring->expiring == 0) return earliest;
    Packed block(expiring->block);
    for (auto at = block.begin(), end = block.end(); at != end;) {
      ++at, ++at;
      int64_t moment = at.take().number;
      if (moment != 0 && (earliest == kNoExpiry || moment < earliest)) earliest = moment;
    }
    return earliest;
  }

  static bool all_expired(const Object& o, int64_t now_ms) {
    if (o.encoding == Hash::kTable) return o.as<FieldTable>()->all_due(now_ms);
    if (o.encoding != Hash::kPackedExpiring) return false;
    const auto* expiring = o.as<Hash::ExpiringBlock>();
    if (expiring->claimed_ms > now_ms || expiring->expiring < length(o)) return false;
    Packed block(expiring->block);
    for (auto at = block.begin(), end = block.end(); at != end;) {
      ++at, ++at;
      if (at.take().number > now_ms) return false;
    }
    return true;
  }

  using Names = std::vector<std::string>;

  static size_t remove_expired(Object& o, const TypeContext& context, size_t steps, Names* names) {
    if (o.encoding == Hash::kPacked || o.encoding == Hash::kShared) return 0;
    int64_t claimed = o.encoding == Hash::kTable ? o.as<FieldTable>()->claimed_ms
                                                 : o.as<Hash::ExpiringBlock>()->claimed_ms;
    // A hint before its time is stale and the right one is yet to come; but hints very far ahead are given early.
    if (claimed > context.now_ms + kFarMs) return o.rescheduled = true, 0;
    if (claimed > context.now_ms) return 0;
    size_t removed = o.encoding == Hash::kTable
                         ? remove_from_table(o.as<FieldTable>(), context.now_ms, steps, names)
                         : remove_from_block(o.as<Hash::ExpiringBlock>(), context.now_ms, names);
    o.changes += static_cast<uint32_t>(removed);
    o.rescheduled = true;
    return removed;
  }

  static size_t remove_from_table(FieldTable* fields, int64_t now_ms, size_t steps, Names* names) {
    size_t removed = 0;
    while (removed < steps && fields->expiring() > 0 && fields->earliest() <= now_ms) {
      Field* due = fields->first_due();
      if (names) names->emplace_back(due->name());
      fields->erase(due);
      removed++;
    }
    return removed;
  }

  static size_t remove_from_block(Hash::ExpiringBlock* expiring, int64_t now_ms, Names* names) {
    size_t removed = 0;
    Packed block(expiring->block);
    for (auto at = block.begin(); at != block.end();) {
      auto moment_at = at.next().next();
      int64_t moment = (*moment_at).number;
      if (moment == 0 || moment > now_ms) {
        at = moment_at.next();
        continue;
      }
      char scratch[24];
      if (names) names->emplace_back((*at).bytes(scratch));
      at = block.erase(at, 3);
      removed++;
    }
    expiring->block = block.block();
    expiring->expiring -= removed;
    return removed;
  }
};

const TypeOps kHashOps = {
    "hash", HashOps::destroy, HashOps::clone, HashOps::encoding_name, HashOps::length, HashOps::memory_of,
    HashOps::free_effort, HashOps::digest, false, hash_rdb_type, save_hash, load_hash,
    HashOps::rewrite, HashOps::earliest_expiry, HashOps::remove_expired, HashOps::all_expired};

}  // namespace vitrine
