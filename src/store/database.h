// Database: one numbered keyspace: the table of entries and the index of what is due. It keeps the two consistent and
// owns every entry; it knows nothing of events, statistics or policies (Keyspace does).
//
// REQUIRES throughout: `hash` is hash_bytes(key).
#pragma once

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

  Database(int id, int64_t now_ms);
  ~Database();

  int id() const { return id_; }
  void set_id(int id) { id_ = id; }
  size_t size() const { return table_.size(); }
  // Keys with an expiry; hashes with fields that expire.
  size_t expiring() const { return expiring_; }
  size_t field_expiring() const { return field_expiring_; }
  const Table& table() const { return table_; }

  // Expired or not: the caller asks the entry. Valid until the entry is replaced or erased.
  Entry* find(Bytes key, uint64_t hash) const {
    auto p = position(key, hash);
    return p ? Policy::entry(table_.at(p)) : nullptr;
  }
  // REQUIRES: the key is absent. Takes the entry over.
  void insert(Entry* entry, uint64_t hash);
  // Puts `fresh` (same key) where `old` was and destroys `old` (not what its word points to).
  void replace(Entry* old, Entry* fresh, uint64_t hash);
  // Removes and destroys the entry; the caller has taken its object.
  void erase(Entry* entry, uint64_t hash);
  // Gives the entry this expiry (kNoExpiry: none); returns the entry, which may have moved.
  Entry* set_expiry(Entry* entry, uint64_t hash, int64_t at_ms);
  // A hash has fields that expire, the earliest then; kNoExpiry: none any more.
  void set_field_expiry(Entry* entry, uint64_t hash, int64_t earliest_ms);

  // Yields entries that are due (key expiry), newest index first served; false when none is left or `steps` ran out.
  // The caller removes the entry before asking again.
  Entry* next_due(int64_t now_ms, size_t& steps, uint64_t& hash);
  // Likewise for hashes that may have due fields. A hash comes once for each call of set_field_expiry; whether it really
  // has something due, it knows itself.
  Entry* next_field_due(int64_t now_ms, size_t& steps, uint64_t& hash);

  ExpiryIndex::Lateness lateness(int64_t now_ms) const { return due_.lateness(now_ms); }
  size_t table_bytes() const { return table_.memory_bytes(); }
  size_t index_bytes() const { return due_.memory_bytes() + fields_due_.memory_bytes(); }

  // Frees everything; may run on any thread once nobody else holds the database.
  void clear();

 private:
  Table::Position position(Bytes key, uint64_t hash) const {
    return table_.find(hash, [key](Word w) { return same_bytes(Policy::entry(w)->key(), key); });
  }
  void count(const Entry& e, int sign);
  void index(Entry* entry, uint64_t hash);
  void reindex_slice(int64_t now_ms, size_t& steps);
  void reindex_fields_slice(size_t& steps);
  Entry* take_field_twin(uint64_t& hash);

  int id_;
  Table table_;
  size_t expiring_ = 0, field_expiring_ = 0;
  ExpiryIndex due_, fields_due_;
  // While the index is rebuilt because stale items outnumber live ones: where the scan is, 0 = not under way.
  uint64_t reindex_cursor_ = 0;
  bool reindexing_ = false;
  uint64_t reindex_fields_cursor_ = 0;
  bool reindexing_fields_ = false;
  // Another hash whose key has the same low bits as the one last given by next_field_due.
  Entry* field_twin_ = nullptr;
  uint32_t field_twin_low_ = 0;
};

}  // namespace vitrine
