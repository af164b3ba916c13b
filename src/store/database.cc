#include "store/database.h"

#include "base/check.h"

namespace vitrine {

Database::Database(int id, int64_t now_ms) : id_(id), due_(now_ms), fields_due_(now_ms) {}
Database::~Database() { clear(); }

void Database::count(const Entry& e, int sign) {
  if (e.has_expiry()) expiring_ += static_cast<size_t>(sign);
  if (e.has_field_expiry()) field_expiring_ += static_cast<size_t>(sign);
}

void Database::index(Entry* entry, uint64_t hash) {
  if (!entry->has_expiry() || entry->indexed()) return;
  due_.add(hash, entry->expire_at_ms());
  entry->set_indexed(true);
}

void Database::insert(Entry* entry, uint64_t hash) {
  table_.insert(hash, reinterpret_cast<Word>(entry));
  count(*entry, 1);
  index(entry, hash);
}

void Database::replace(Entry* old, Entry* fresh, uint64_t hash) {
  auto p = table_.find(hash, [old](Word w) { return Policy::entry(w) == old; });
  CHECK(p);
  table_.set(p, reinterpret_cast<Word>(fresh));
  count(*old, -1);
  count(*fresh, 1);
  // The old entry's item serves the new one as long as it comes no later than the new expiry.
  bool served = old->indexed() && old->has_expiry() && fresh->has_expiry() &&
                old->expire_at_ms() <= fresh->expire_at_ms();
  fresh->set_indexed(served);
  index(fresh, hash);
  Entry::destroy(old);
}

void Database::erase(Entry* entry, uint64_t hash) {
  auto p = table_.find(hash, [entry](Word w) { return Policy::entry(w) == entry; });
  CHECK(p);
  table_.erase(p);
  count(*entry, -1);
  Entry::destroy(entry);
}

Entry* Database::set_expiry(Entry* entry, uint64_t hash, int64_t at_ms) {
  if (entry->has_expiry() && at_ms != kNoExpiry) {
    if (at_ms < entry->expire_at_ms()) entry->set_indexed(false);
    entry->overwrite_expiry(at_ms);
    index(entry, hash);
    return entry;
  }
  if (!entry->has_expiry() && at_ms == kNoExpiry) return entry;
  Entry* fresh = entry->inline_text() ? Entry::create_text(entry->key(), entry->text(), at_ms)
                                      : Entry::create(entry->key(), entry->object(), at_ms);
  fresh->inherit(*entry);
  replace(entry, fresh, hash);
  return fresh;
}

void Database::set_field_expiry(Entry* entry, uint64_t hash, int64_t earliest_ms) {
  bool had = entry->has_field_expiry(), has = earliest_ms != kNoExpiry;
  entry->set_field_expiry(has);
  field_expiring_ += static_cast<size_t>(has) - static_cast<size_t>(had);
  if (has) fields_due_.add(hash, earliest_ms);
}

bool Database::Schedule::take_due(int64_t now_ms, size_t& steps, uint64_t& hash) {
  now_ms_ = now_ms;
  if (live_ && live_->take_due(now_ms, steps, hash)) return true;
  return steps > 0 && scanning_ && old_ && old_->take_due(now_ms, steps, hash);
}

int64_t Database::Schedule::next_due_ms() const {
  if (scanning_ || old_) return INT64_MIN;
  return live_ ? live_->next_due_ms() : INT64_MAX;
}

size_t Database::Schedule::memory_bytes() const {
  return (live_ ? live_->memory_bytes() : 0) + (old_ ? old_->memory_bytes() : 0);
}

ExpiryIndex::Lateness Database::Schedule::lateness(int64_t now_ms) const {
  ExpiryIndex::Lateness late;
  if (live_) late = live_->lateness(now_ms);
  if (!scanning_ || !old_) return late;
  ExpiryIndex::Lateness older = old_->lateness(now_ms);
  return {late.items + older.items, std::max(late.age_ms, older.age_ms)};
}

void Database::Schedule::renew_if(size_t most) {
  if (!live_ || old_ || (live_->size() <= most && !live_->worn())) return;
  old_ = std::move(live_);
  scanning_ = true;
  cursor_ = 0;
}

template <class Each>
void Database::Schedule::rebuild_slice(const Table& table, size_t& steps, Each each) {
  constexpr size_t kBucketCost = 8, kChunkCost = 8;  // in steps
  if (!old_) return;
  while (scanning_ && steps > 0) {
    cursor_ = table.scan(cursor_, each);
    scanning_ = cursor_ != 0;
    steps -= std::min(steps, kBucketCost);
  }
  while (!scanning_ && old_ && steps > 0) {
    if (old_->forget_some(1)) old_.reset();
    steps -= std::min(steps, kChunkCost);
  }
}

void Database::Schedule::clear() {
  live_.reset();
  old_.reset();
  scanning_ = false;
}

Entry* Database::next_due(int64_t now_ms, size_t& steps, uint64_t& hash) {
  due_.renew_if(expiring_ + expiring_ / 2 + 1024);
  uint64_t kept;
  while (due_.take_due(now_ms, steps, kept))
    if (Entry* due = resolve_due(kept, now_ms, hash)) return due;
  due_.rebuild_slice(table_, steps, [&](Word w) {
    Entry* e = Policy::entry(w);
    if (!e->has_expiry()) return;
    due_.add(hash_bytes(e->key()), e->expire_at_ms());
    e->set_indexed(true);
  });
  return nullptr;
}

// The due entry an item speaks of; null if there is none. An entry whose time was put off gets a new item.
Entry* Database::resolve_due(uint64_t kept, int64_t now_ms, uint64_t& hash) {
  Entry* due = nullptr;
  table_.visit_matching(kept, [&](Word w) {
    Entry* e = Policy::entry(w);
    if (!e->has_expiry()) return;
    uint64_t h = hash_bytes(e->key());
    if (!ExpiryIndex::same(h, kept)) return;
    if (e->expired(now_ms)) {
      if (due) due_.add(h, now_ms);  // a twin, for whom there may be no other item
      else due = e, hash = h;
    } else if (e->indexed()) {
      due_.add(h, e->expire_at_ms());
    }
  });
  return due;
}

Entry* Database::next_field_due(int64_t now_ms, size_t& steps, uint64_t& hash) {
  if (Entry* twin = take_field_twin(hash)) return twin;
  fields_due_.renew_if(2 * field_expiring_ + table_.size() / 8 + 4096);
  uint64_t kept;
  while (fields_due_.take_due(now_ms, steps, kept)) {
    Entry* due = nullptr;
    table_.visit_matching(kept, [&](Word w) {
      Entry* e = Policy::entry(w);
      if (!e->has_field_expiry()) return;
      uint64_t h = hash_bytes(e->key());
      if (!ExpiryIndex::same(h, kept)) return;
      if (due) field_twin_ = due, field_twin_hash_ = kept;
      due = e, hash = h;
    });
    if (due) return due;
  }
  fields_due_.rebuild_slice(table_, steps, [&](Word w) {
    Entry* e = Policy::entry(w);
    if (!e->has_field_expiry()) return;
    int64_t earliest = type_ops(e->type()).earliest_expiry(e->object());
    if (earliest != kNoExpiry) fields_due_.add(hash_bytes(e->key()), earliest);
  });
  return nullptr;
}

Entry* Database::take_field_twin(uint64_t& hash) {
  if (!field_twin_) return nullptr;
  Entry* found = nullptr;
  table_.visit_matching(field_twin_hash_, [&](Word w) {
    if (Policy::entry(w) == field_twin_ && field_twin_->has_field_expiry()) found = field_twin_;
  });
  field_twin_ = nullptr;
  if (found) hash = hash_bytes(found->key());
  return found;
}

void Database::sample_expiring(Random& random, size_t want, const Show& show) {
  if (expiring_ == 0) return;
  size_t seen = commonly_expiring() || due_.rebuilding() ? sample_by_table(random, want, show)
                                                         : sample_by_index(random, want, false, show);
  if (seen == 0) search_expiring(show);
}

Entry* Database::random_expiring(Random& random) {
  if (expiring_ == 0) return nullptr;
  constexpr int kDraws = 64;
  if (commonly_expiring())
    for (int i = 0; i < kDraws; i++)
      if (Entry* e = Policy::entry(table_.random(random)); e->has_expiry()) return e;
  Entry* chosen = nullptr;
  size_t seen = 0;
  while (!chosen)
    sample_expiring(random, 1, [&](Entry* e) {
      if (random.below(++seen) == 0) chosen = e;
    });
  return chosen;
}

void Database::sample_soonest(Random& random, size_t want, const Show& show) {
  if (expiring_ == 0) return;
  if (due_.rebuilding()) return sample_expiring(random, want, show);
  if (sample_by_index(random, want, true, show) == 0) search_expiring(show);
}

size_t Database::sample_by_table(Random& random, size_t want, const Show& show) {
  size_t seen = 0;
  for (int bucket = 0; bucket < 24 && seen < want; bucket++)
    sample(random, 1, [&](Entry* e) {
      if (e->has_expiry()) seen++, show(e);
    });
  return seen;
}

// Stale items are dropped on the way, so that many of them slow down only the first calls; those whose keys were given
// a later time move to where they belong.
size_t Database::sample_by_index(Random& random, size_t want, bool soonest, const Show& show) {
  size_t seen = 0;
  auto visit = [&](uint64_t kept) {
    bool stale = true;
    table_.visit_matching(kept, [&](Word w) {
      Entry* e = Policy::entry(w);
      if (!e->has_expiry()) return;
      uint64_t h = hash_bytes(e->key());
      if (!ExpiryIndex::same(h, kept)) return;
      stale = soonest;
      if (soonest) due_.add(h, e->expire_at_ms());
      seen++;
      show(e);
    });
    return !stale;
  };
  constexpr size_t kStaleFor = 4;  // items tried for each one wanted
  for (size_t i = 0; i < kStaleFor && seen < want; i++) {
    if (soonest) due_.index().sample_soonest(random, want - seen, visit);
    else due_.index().sample(random, want - seen, visit);
  }
  return seen;
}

// When chance finds none: a bounded walk through the table, which the next call goes on with.
void Database::search_expiring(const Show& show) {
  bool found = false;
  for (int buckets = 0; buckets < 512 && !found; buckets++)
    search_cursor_ = table_.scan(search_cursor_, [&](Word w) {
      Entry* e = Policy::entry(w);
      if (e->has_expiry()) found = true, show(e);
    });
}

size_t Database::estimated_bytes(Random& random) const {
  constexpr size_t kEntries = 64, kElements = 5;
  size_t bytes = 0, seen = 0;
  sample(random, kEntries, [&](Entry* e) {
    seen++;
    bytes += e->size();
    if (!e->inline_text()) bytes += type_ops(e->type()).memory(e->object(), kElements);
  });
  return table_bytes() + index_bytes() + (seen ? bytes * size() / seen : 0);
}

void Database::clear() {
  table_.for_each([](Word w) {
    Entry* e = Policy::entry(w);
    if (!e->inline_text()) {
      Object o = e->object();
      type_ops(o.type).destroy(o);
    }
    Entry::destroy(e);
  });
  table_.clear();
  expiring_ = field_expiring_ = 0;
  due_.clear();
  fields_due_.clear();
  field_twin_ = nullptr;
}

}  // namespace vitrine
