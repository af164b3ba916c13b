#include "store/keyspace.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "base/numbers.h"
#include "store/database.h"
#include "store/size_census.h"
#include "store/string.h"

namespace vitrine {

Keyspace::Keyspace(Options& options, int64_t now_ms, uint64_t seed)
    : options_(options), now_ms_(now_ms), random_(seed), sizes_(static_cast<size_t>(options.databases)) {
  for (int db = 0; db < options.databases; db++) databases_.push_back(std::make_unique<Database>(db, now_ms));
}
Keyspace::~Keyspace() = default;

SizeCensus& Keyspace::census(int db) { return sizes_[static_cast<size_t>(db)]; }
const SizeCensus& Keyspace::sizes(int db) const { return sizes_[static_cast<size_t>(db)]; }

size_t Keyspace::total_keys() const {
  size_t n = 0;
  for (const auto& database : databases_) n += database->size();
  return n;
}

void Keyspace::touch(Entry* entry) {
  if (!options_.lfu) {
    if (__builtin_expect(!options_.lrm, 1)) entry->set_access(access::lru_clock(now_ms_), false);
    return;
  }
  uint8_t counter = access::lfu_counter(access_of(*entry), now_ms_, options_.lfu_decay_time);
  counter = access::lfu_grown(counter, options_.lfu_log_factor, random_);
  entry->set_access(access::lfu_bits(now_ms_, counter), true);
}

Entry* Keyspace::find(int db, Bytes key, uint64_t hash, Touch how) {
  Entry* entry = database(db).find(key, hash);
  if (entry && __builtin_expect(entry->expired(due_ms_), 0)) {
    if (!holds_removals_) expire(db, entry, hash);
    entry = nullptr;
  }
  if (entry && __builtin_expect(entry->has_field_expiry(), 0)) entry = without_due_fields(db, entry, hash, how);
  if (how == Touch::peek) return entry;
  if (__builtin_expect(!entry, 0)) {
    if (how != Touch::write) miss(db, key);
    return nullptr;
  }
  if (how != Touch::write) stats_.hits++;
  if (how != Touch::look) touch(entry);
  return entry;
}

// With its last live field a hash has gone, whoever looks; a few dead ones are in nobody's way but a writer's.
Entry* Keyspace::without_due_fields(int db, Entry* entry, uint64_t hash, Touch how) {
  if (how != Touch::write) {
    if (!type_ops(entry->type()).all_expired(entry->object(), due_ms_)) return entry;
    if (holds_removals_) return nullptr;
  }
  size_t all = SIZE_MAX;
  return remove_due_fields(db, entry, hash, all);
}

bool Keyspace::is_due(const Entry& entry) const {
  if (entry.expired(due_ms_)) return true;
  if (__builtin_expect(!entry.has_field_expiry(), 1)) return false;
  return type_ops(entry.type()).all_expired(entry.object(), due_ms_);
}

void Keyspace::miss(int db, Bytes key) {
  stats_.misses++;
  if (miss_observer_) miss_observer_->on_miss(db, key);
}

void Keyspace::find_overwritten(int db, Bytes key, uint64_t hash, Type type) {
  Entry* old = find(db, key, hash, Touch::peek);
  if (old) tell_overwritten(db, key, old->type(), type);
}

// Puts a new entry in the place of `old` (null: the key is new) and settles the access bits.
Entry* Keyspace::place(int db, Entry* old, Entry* fresh, uint64_t hash) {
  if (!old) {
    fresh->set_access(fresh_access(), options_.lfu);
    database(db).insert(fresh, hash);
    census(db).add(*fresh);
    if (__builtin_expect(created_observer_ != nullptr, 0)) created_observer_->on_created(db, fresh->key());
    return fresh;
  }
  fresh->copy_access(*old);
  touch(fresh);
  census(db).remove(*old);
  census(db).add(*fresh);
  if (!old->inline_text()) free_value(old->object());
  database(db).replace(old, fresh, hash);
  return fresh;
}

Entry* Keyspace::put(int db, Bytes key, uint64_t hash, Value value, int64_t expire_at_ms) {
  if (value->type == Type::string) {
    char scratch[24];
    bool number = value->encoding == kStringInt;
    Bytes content = string_bytes(*value, scratch);
    if (number || content.size() <= Entry::kMaxInline) {
      Entry* entry = put_string(db, key, hash, content, expire_at_ms, number);
      if (entry) entry->set_edited(value->edited);
      return entry;
    }
  }
  Entry* old = database(db).find(key, hash);
  if (old && __builtin_expect(old->expired(due_ms_), 0)) {
    expire(db, old, hash);
    old = nullptr;
  }
  if (expire_at_ms == kKeepTtl) expire_at_ms = old ? old->expire_at_ms() : kNoExpiry;
  if (expire_at_ms != kNoExpiry && past(expire_at_ms)) {
    if (old) remove(db, old, hash);
    else if (created_observer_) created_observer_->on_created(db, key);    // and is gone at once
    return nullptr;
  }
  Object object = value.release();
  Entry* entry = place(db, old, Entry::create(key, object, expire_at_ms), hash);
  schedule_elements(db, entry, hash, object);
  return entry;
}

Entry* Keyspace::put_string(int db, Bytes key, uint64_t hash, Bytes content, int64_t expire_at_ms, bool as_int) {
  Entry* old = database(db).find(key, hash);
  if (old && __builtin_expect(old->expired(due_ms_), 0)) {
    expire(db, old, hash);
    old = nullptr;
  }
  if (expire_at_ms == kKeepTtl) expire_at_ms = old ? old->expire_at_ms() : kNoExpiry;
  if (expire_at_ms != kNoExpiry && past(expire_at_ms)) {
    if (old) remove(db, old, hash);
    else if (created_observer_) created_observer_->on_created(db, key);    // and is gone at once
    return nullptr;
  }
  std::optional<int64_t> number;
  if (as_int && content.size() <= kMaxIntText) number = parse_int64(content);
  if (old && old->type() == Type::string && old->has_expiry() == (expire_at_ms != kNoExpiry)) {
    bool same_shape = number ? old->encoding() == kStringInt : old->inline_text() && content.size() <= Entry::kMaxInline;
    if (same_shape && (number || old->overwrite_text(content))) {
      if (number) set_integer(db, old, *number);
      if (expire_at_ms != kNoExpiry) database(db).set_expiry(old, hash, expire_at_ms);
      old->set_edited(false);
      touch(old);
      return old;
    }
  }
  Entry* fresh;
  if (number) {
    fresh = Entry::create(key, Object::of(Type::string, kStringInt, static_cast<uint64_t>(*number)), expire_at_ms);
  } else if (content.size() <= Entry::kMaxInline) {
    fresh = Entry::create_text(key, content, expire_at_ms);
  } else {
    fresh = Entry::create(key, make_string(content, false).release(), expire_at_ms);
  }
  return place(db, old, fresh, hash);
}

bool Keyspace::adopt(int db, Entry* entry, uint64_t hash, bool replace) {
  Database& into = database(db);
  Entry* old = into.find(entry->key(), hash);
  if (__builtin_expect(old && !replace, 0)) return false;
  if (old) remove(db, old, hash);
  into.insert(entry, hash);
  census(db).add(*entry);
  if (type_ops(entry->type()).earliest_expiry) schedule_elements(db, entry, hash, entry->object());
  return true;
}

Entry* Keyspace::set_expiry(int db, Entry* entry, uint64_t hash, int64_t at_ms) {
  return database(db).set_expiry(entry, hash, at_ms);
}

void Keyspace::free_in_background(size_t bytes, std::function<void()> work) {
  freeing_bytes_->fetch_add(bytes, std::memory_order_relaxed);
  background_([work = std::move(work), bytes, freeing = freeing_bytes_] {
    work();
    freeing->fetch_sub(bytes, std::memory_order_relaxed);
  });
}

void Keyspace::free_value(Object object) {
  constexpr size_t kSamples = 5;
  const TypeOps& ops = type_ops(object.type);
  if (ops.free_effort(object) <= options_.background_effort || !background_) {
    ops.destroy(object);
    return;
  }
  stats_.freed_in_background++;
  free_in_background(ops.memory(object, kSamples), [object]() mutable { type_ops(object.type).destroy(object); });
}

Value Keyspace::take(int db, Entry* entry, uint64_t hash) {
  census(db).remove(*entry);
  Value value;
  if (entry->inline_text()) value = make_string(entry->text(), false);
  else value = Value(entry->object());
  value->edited = entry->edited();
  database(db).erase(entry, hash);
  return value;
}

void Keyspace::remove(int db, Entry* entry, uint64_t hash) {
  census(db).remove(*entry);
  if (!entry->inline_text()) free_value(entry->object());
  database(db).erase(entry, hash);
}

void Keyspace::set_integer(int db, Entry* entry, int64_t value) {
  size_t before = string_length(*entry);
  entry->set_object(Object::of(Type::string, kStringInt, static_cast<uint64_t>(value)));
  census(db).move(Type::string, before, string_length(*entry));
}

Blob* Keyspace::resize_blob(int db, Entry* entry, size_t size) {
  Blob* blob = entry->object().as<Blob>();
  census(db).move(Type::string, blob->size, size);
  blob = Blob::resized(blob, size);
  entry->set_object(Object::of(Type::string, kStringBlob, blob));
  return blob;
}

bool Keyspace::write_back(int db, Entry* entry, uint64_t hash, const Object& object, size_t length_before, Bytes event,
                          EventClass kind) {
  if (!object.changes) return true;
  stats_.changes += object.changes - 1;   // announcing counts one
  entry->set_object(object);
  if (object.rescheduled) schedule_elements(db, entry, hash, object);
  size_t length = type_ops(object.type).length(object);
  census(db).move(object.type, length_before, length);
  if (length > 0) {
    announce(db, entry->key(), event, kind, object.type);
    return true;
  }
  std::string key(entry->key());
  remove(db, entry, hash);
  announce(db, key, event, kind, object.type, true);
  announce_also({db, key, "del", EventClass::generic, object.type, true});
  return false;
}

void Keyspace::schedule_elements(int db, Entry* entry, uint64_t hash, const Object& object) {
  auto earliest_expiry = type_ops(object.type).earliest_expiry;
  if (!earliest_expiry) return;
  int64_t earliest = earliest_expiry(object);
  if (earliest != kNoExpiry || entry->has_field_expiry()) database(db).set_field_expiry(entry, hash, earliest);
}

void Keyspace::announce(const Change& change) {
  stats_.changes++;
  if (__builtin_expect(options_.lrm, 0) && !change.gone) {
    Entry* entry = database(change.db).find(change.key, hash_bytes(change.key));
    if (entry) entry->set_access(access::lru_clock(now_ms_), false);
  }
  for (KeyObserver* observer : observers_) observer->on_change(change);
}

void Keyspace::observe(KeyObserver* observer) { observers_.push_back(observer); }
void Keyspace::unobserve(KeyObserver* observer) { std::erase(observers_, observer); }

void Keyspace::expire(int db, Entry* entry, uint64_t hash) {
  std::string key(entry->key());
  Type type = entry->type();
  remove(db, entry, hash);
  if (removals_wanted()) removals_->on_expired(db, key);
  tell_expired(db, key, type);
}

void Keyspace::tell_expired(int db, Bytes key, Type type) {
  stats_.expired++;
  announce_also({db, key, "expired", EventClass::expired, type, true});
}

void Keyspace::evict(int db, Entry* entry, uint64_t hash) {
  std::string key(entry->key());
  Type type = entry->type();
  remove(db, entry, hash);
  stats_.evicted++;
  if (removals_wanted()) removals_->on_evicted(db, key);
  announce_also({db, key, "evicted", EventClass::evicted, type, true});
}

size_t Keyspace::flush(int db, bool background) {
  size_t removed = 0;
  for (auto& database : databases_) {
    if (db >= 0 && database->id() != db) continue;
    for (KeyObserver* observer : observers_) observer->on_flush(database->id());
    removed += database->size();
    if (database->size() == 0) continue;
    Database* old = database.release();
    database = std::make_unique<Database>(old->id(), now_ms_);
    census(old->id()) = {};
    if (background_ && (background || old->size() > options_.background_effort)) {
      stats_.freed_in_background += old->size();
      free_in_background(old->estimated_bytes(random_), [old] { delete old; });
    } else {
      delete old;
    }
  }
  stats_.changes += removed;
  for (KeyObserver* observer : observers_) observer->on_flushed(db);
  return removed;
}

void Keyspace::swap(int a, int b) {
  std::swap(databases_[static_cast<size_t>(a)], databases_[static_cast<size_t>(b)]);
  std::swap(census(a), census(b));
  database(a).set_id(a);
  database(b).set_id(b);
  stats_.changes++;
  for (KeyObserver* observer : observers_) observer->on_swap(a, b);
}

size_t Keyspace::expire_some(size_t steps) {
  if (!active_expiry_ || holds_expiry_ || holds_removals_) return steps;
  for (int i = 0; i < databases() && steps > 0; i++) {
    Database& each = database(next_expiry_db_);
    steps = expire_some_of(each, steps);
    steps = expire_fields_of(each, steps);
    if (steps > 0) next_expiry_db_ = (next_expiry_db_ + 1) % databases();
  }
  return steps;
}

size_t Keyspace::expire_some_of(Database& each, size_t steps) {
  constexpr size_t kRemovalCost = 8;  // in steps
  uint64_t hash;
  while (Entry* due = each.next_due(now_ms_, steps, hash)) {
    expire(each.id(), due, hash);
    steps -= std::min(steps, kRemovalCost);
  }
  return steps;
}

size_t Keyspace::expire_fields_of(Database& each, size_t steps) {
  uint64_t hash;
  while (Entry* due = each.next_field_due(now_ms_, steps, hash)) remove_due_fields(each.id(), due, hash, steps);
  return steps;
}

// Returns the entry, null when no field is left.
Entry* Keyspace::remove_due_fields(int db, Entry* entry, uint64_t hash, size_t& steps) {
  constexpr size_t kRemovalCost = 4;  // in steps
  Object object = entry->object();
  size_t length_before = type_ops(object.type).length(object);
  std::vector<std::string> names;
  std::string key(fields_observer_ ? entry->key() : Bytes());
  bool logged = removals_wanted();
  size_t removed = type_ops(object.type).remove_expired(object, context(), steps / kRemovalCost + 1,
                                                        logged || fields_observer_ ? &names : nullptr);
  steps -= std::min(steps, removed * kRemovalCost + 1);
  if (!removed) {
    if (object.rescheduled) schedule_elements(db, entry, hash, object);
    return entry;
  }
  stats_.expired_fields += removed;
  std::vector<Bytes> fields(names.begin(), names.end());
  if (logged) removals_->on_fields_expired(db, entry->key(), fields);
  uint64_t changes = stats_.changes;
  bool kept = write_back(db, entry, hash, object, length_before, "hexpired", EventClass::hash);
  stats_.changes = changes;
  tell_fields(db, key, "hexpired", fields);
  return kept ? entry : nullptr;
}

int64_t Keyspace::next_due_ms() const {
  int64_t next = INT64_MAX;
  if (!active_expiry_ || holds_removals_) return next;
  for (const auto& database : databases_) next = std::min(next, database->next_due_ms());
  return next;
}

ExpiryIndex::Lateness Keyspace::lateness() const {
  ExpiryIndex::Lateness all;
  for (const auto& database : databases_) {
    auto late = database->lateness(now_ms_);
    all.items += late.items;
    all.age_ms = std::max(all.age_ms, late.age_ms);
  }
  return all;
}

}  // namespace vitrine
