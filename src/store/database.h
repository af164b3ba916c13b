// Database: one numbered keyspace: the table of entries and the index of what is due. It keeps the two consistent and
// owns every entry; it knows nothing of events, statistics or policies (Keyspace does).
//
// REQUIRES throughout: `hash` is hash_bytes(key).
#pragma once

#include <algorithm>
#include <functional>
#include <memory>

#include "base/hash.h"
#include "ds/hash_table.h"
#include "store/entry.h"
#include "store/expiry_index.h"

namespace vitrine {

class Database {
 public:
  struct Policy {
    static Entry* entry(Word w) { return reinterpret_cast<Entry*>(w); }
    static uint64_t hash(Word w) { return hash_bytes(entry(w)->key()); }
    static void prefetch(Word w) { vitrine::prefetch(entry(w)); }
  };
  using Table = HashTable<Policy>;
  // Fetches the value of the key with this hash. REQUIRES: bucket and entry were fetched, else it is slow.
  void prefetch_value(uint64_t hash) const {
    table_.visit_likely(hash, [](Word w) { Policy::entry(w)->prefetch_value(); });
  }

  Database(int id, int64_t now_ms);
  ~Database();

  int id() const { return id_; }
  void set_id(int id) { id_ = id; }
  size_t size() const { return table_.size(); }
  // Keys with an expiry; hashes with fields that expire.
  size_t expiring() const { return expiring_; }
  size_t field_expiring() const { return field_expiring_; }
  // So many keys expire that those that do are found by looking anywhere in the table.
  bool commonly_expiring() const { return expiring_ * 8 >= table_.size(); }
  const Table& table() const { return table_; }

  // Expired or not: the caller asks the entry. Valid until the entry is replaced or erased.
  Entry* find(Bytes key, uint64_t hash) const {
    auto p = position(key, hash);
    return p ? Policy::entry(table_.at(p)) : nullptr;
  }
  // REQUIRES: the key is absent. Takes the entry over.
  void insert(Entry* entry, uint64_t hash);
  // So many keys are about to be inserted. Does nothing unless the database is empty.
  void reserve(size_t keys) { table_.reserve(keys); }
  // Fetches where a key with this hash will be looked for.
  void prefetch(uint64_t hash) const { table_.prefetch_bucket(hash); }
  // Puts `fresh` (same key) where `old` was and destroys `old` (not what its word points to).
  void replace(Entry* old, Entry* fresh, uint64_t hash);
  // Removes and destroys the entry; the caller has taken its object.
  void erase(Entry* entry, uint64_t hash);
  // Gives the entry this expiry (kNoExpiry: none); returns the entry, which may have moved.
  Entry* set_expiry(Entry* entry, uint64_t hash, int64_t at_ms);
  // A hash has fields that expire, the earliest then; kNoExpiry: none any more.
  void set_field_expiry(Entry* entry, uint64_t hash, int64_t earliest_ms);

  // Yields entries that are due (key expiry); null when none is left or `steps` ran out (then steps is 0 and there may
  // be more). The caller removes the entry before asking again.
  Entry* next_due(int64_t now_ms, size_t& steps, uint64_t& hash);
  // Likewise for hashes that may have due fields. A hash comes once for each call of set_field_expiry; whether it
  // really has something due, it knows itself.
  Entry* next_field_due(int64_t now_ms, size_t& steps, uint64_t& hash);

  // A moment before which neither has anything to do; INT64_MAX: never.
  int64_t next_due_ms() const { return std::min(due_.next_due_ms(), fields_due_.next_due_ms()); }

  // Shows some entries, near uniformly drawn, to `visit(Entry*)`: at least `want` unless there are fewer.
  template <class Visit>
  void sample(Random& random, size_t want, Visit visit) const {
    table_.sample(random, want, [&](Word w) { visit(Policy::entry(w)); });
  }
  // The same for keys with an expiry; about `want` of them, at least one if there is any (of millions without expiry it
  // may take several calls to come across the only one with).
  using Show = std::function<void(Entry*)>;
  void sample_expiring(Random& random, size_t want, const Show& show);
  // One of them; null if there is none.
  Entry* random_expiring(Random& random);
  // The same for keys that will expire soonest.
  void sample_soonest(Random& random, size_t want, const Show& show);

  ExpiryIndex::Lateness lateness(int64_t now_ms) const { return due_.lateness(now_ms); }
  size_t table_bytes() const { return table_.memory_bytes(); }
  size_t index_bytes() const { return due_.memory_bytes() + fields_due_.memory_bytes(); }
  // All that clear() would free, judged by some of the entries.
  size_t estimated_bytes(Random& random) const;

  // Frees everything; may run on any thread once nobody else holds the database.
  void clear();

 private:
  // An expiry index and its successor, which is built while the old one still serves: when stale items outnumber live
  // ones, or ticks come near their end. Every live key has an item in the new index, or one in the old and the scan of
  // the table has not come by yet.
  class Schedule {
   public:
    explicit Schedule(int64_t now_ms) : now_ms_(now_ms) {}
    void add(uint64_t hash, int64_t due_ms) { index().add(hash, due_ms); }
    bool take_due(int64_t now_ms, size_t& steps, uint64_t& hash);
    int64_t next_due_ms() const;
    size_t size() const { return live_ ? live_->size() : 0; }
    size_t memory_bytes() const;
    ExpiryIndex::Lateness lateness(int64_t now_ms) const;
    ExpiryIndex& index() {
      if (!live_) live_ = std::make_unique<ExpiryIndex>(now_ms_);
      return *live_;
    }

    bool rebuilding() const { return scanning_; }
    // Starts a new index if there are more than `most` items.
    void renew_if(size_t most);
    // A slice of that: `each(word)` adds what the word's entry needs.
    template <class Each>
    void rebuild_slice(const Table& table, size_t& steps, Each each);
    void clear();

   private:
    int64_t now_ms_;
    std::unique_ptr<ExpiryIndex> live_, old_;   // null: empty
    bool scanning_ = false;
    uint64_t cursor_ = 0;                       // of the table's scan
  };

  Table::Position position(Bytes key, uint64_t hash) const {
    return table_.find(hash, [key](Word w) { return same_bytes(Policy::entry(w)->key(), key); });
  }
  void count(const Entry& e, int sign);
  void index(Entry* entry, uint64_t hash);
  Entry* resolve_due(uint64_t kept, int64_t now_ms, uint64_t& hash);
  Entry* take_field_twin(uint64_t& hash);
  size_t sample_by_table(Random& random, size_t want, const Show& show);
  size_t sample_by_index(Random& random, size_t want, bool soonest, const Show& show);
  void search_expiring(const Show& show);

  int id_;
  Table table_;
  size_t expiring_ = 0, field_expiring_ = 0;
  Schedule due_, fields_due_;
  uint64_t search_cursor_ = 0;
  // Another hash whose key has the same kept bits as the one last given by next_field_due.
  Entry* field_twin_ = nullptr;
  uint64_t field_twin_hash_ = 0;
};

}  // namespace vitrine
