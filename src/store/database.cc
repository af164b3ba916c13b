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
  due_.add(static_cast<uint32_t>(hash), entry->expire_at_ms());
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
  if (has) fields_due_.add(static_cast<uint32_t>(hash), earliest_ms);
}

Entry* Database::next_due(int64_t now_ms, size_t& steps, uint64_t& hash) {
  if (due_.size() > 2 * expiring_ + 4096 && !reindexing_) {
    // Stale items outnumber live ones: drop them all and index again, a slice at a time.
    due_.clear(now_ms);
    reindexing_ = true;
    reindex_cursor_ = 0;
  }
  if (reindexing_) reindex_slice(now_ms, steps);
  uint32_t low;
  while (due_.take_due(now_ms, steps, low)) {
    Entry* due = nullptr;
    table_.visit_hash(low, [&](Word w) {
      Entry* e = Policy::entry(w);
      if (!e->has_expiry()) return;
      if (e->expired(now_ms)) {
        due = e;
        return;
      }
      uint64_t h = hash_bytes(e->key());
      if (static_cast<uint32_t>(h) != low || !e->indexed()) return;
      due_.add(low, e->expire_at_ms());  // came early: its time was put off
    });
    if (!due) continue;
    // Others of this bucket may be due as well: their items come by themselves.
    hash = hash_bytes(due->key());
    if (static_cast<uint32_t>(hash) != low) due_.add(low, now_ms);
    return due;
  }
  return nullptr;
}

void Database::reindex_slice(int64_t, size_t& steps) {
  for (size_t buckets = 0; buckets < 64 && steps > 0; buckets++) {
    steps--;
    reindex_cursor_ = table_.scan(reindex_cursor_, [&](Word w) {
      Entry* e = Policy::entry(w);
      if (e->has_expiry()) due_.add(static_cast<uint32_t>(hash_bytes(e->key())), e->expire_at_ms());
      e->set_indexed(e->has_expiry());
    });
    if (reindex_cursor_ == 0) {
      reindexing_ = false;
      return;
    }
  }
}

Entry* Database::next_field_due(int64_t now_ms, size_t& steps, uint64_t& hash) {
  if (Entry* twin = take_field_twin(hash)) return twin;
  if (fields_due_.size() > 2 * field_expiring_ + table_.size() / 8 + 4096 && !reindexing_fields_) {
    fields_due_.clear(now_ms);  // mostly stale, as in next_due
    reindexing_fields_ = true;
    reindex_fields_cursor_ = 0;
  }
  if (reindexing_fields_) reindex_fields_slice(steps);
  uint32_t low;
  while (fields_due_.take_due(now_ms, steps, low)) {
    Entry* due = nullptr;
    table_.visit_hash(low, [&](Word w) {
      Entry* e = Policy::entry(w);
      if (!e->has_field_expiry()) return;
      uint64_t h = hash_bytes(e->key());
      if (static_cast<uint32_t>(h) != low) return;
      if (due) field_twin_ = due, field_twin_low_ = low;
      due = e, hash = h;
    });
    if (due) return due;
  }
  return nullptr;
}

Entry* Database::take_field_twin(uint64_t& hash) {
  if (!field_twin_) return nullptr;
  Entry* found = nullptr;
  table_.visit_hash(field_twin_low_, [&](Word w) {
    if (Policy::entry(w) == field_twin_ && field_twin_->has_field_expiry()) found = field_twin_;
  });
  field_twin_ = nullptr;
  if (found) hash = hash_bytes(found->key());
  return found;
}

void Database::reindex_fields_slice(size_t& steps) {
  for (size_t buckets = 0; buckets < 64 && steps > 0; buckets++) {
    steps--;
    reindex_fields_cursor_ = table_.scan(reindex_fields_cursor_, [&](Word w) {
      Entry* e = Policy::entry(w);
      if (!e->has_field_expiry()) return;
      Object object = e->object();
      int64_t earliest = type_ops(object.type).earliest_expiry(object);
      if (earliest != kNoExpiry) fields_due_.add(static_cast<uint32_t>(hash_bytes(e->key())), earliest);
    });
    if (reindex_fields_cursor_ == 0) {
      reindexing_fields_ = false;
      return;
    }
  }
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
  due_.clear(0);
  fields_due_.clear(0);
  reindexing_ = reindexing_fields_ = false;
  field_twin_ = nullptr;
}

}  // namespace vitrine
