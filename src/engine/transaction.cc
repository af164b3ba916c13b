#include "store/database.h"
#include "engine/transaction.h"

#include <algorithm>

namespace vitrine {

WatchTable::~WatchTable() {
  if (!watchers_.empty()) keyspace_.unobserve(this);
}

void WatchTable::watch(Session& session, Bytes key) {
  auto& watched = session.transaction.watched;
  for (const WatchedKey& w : watched)
    if (w.db == session.db && w.key == key) return;
  if (watchers_.empty()) keyspace_.observe(this);
  watchers_[{session.db, std::string(key)}].insert(session.id);
  watched.push_back({session.db, std::string(key)});
}

void WatchTable::unwatch(Session& session) {
  auto& watched = session.transaction.watched;
  if (watched.empty()) return;
  for (const WatchedKey& w : watched) {
    auto it = watchers_.find({w.db, w.key});
    if (it == watchers_.end()) continue;
    it->second.erase(session.id);
    if (it->second.empty()) watchers_.erase(it);
  }
  watched.clear();
  if (watchers_.empty()) keyspace_.unobserve(this);
}

bool WatchTable::has_expired_key(const Session& session) const {
  return std::any_of(session.transaction.watched.begin(), session.transaction.watched.end(), [&](const WatchedKey& w) {
    const Entry* entry = keyspace_.database(w.db).find(w.key, hash_bytes(w.key));
    return entry && entry->expired(keyspace_.now_ms());
  });
}

void WatchTable::on_change(const Change& change) {
  if (change.aside) return;
  auto it = watchers_.find({change.db, std::string(change.key)});
  if (it == watchers_.end()) return;
  for (SessionId id : it->second)
    if (Session* session = sessions_.find(id)) session->transaction.touched = true;
}

// Flushing and swapping touch the watched keys that exist before or after.
void WatchTable::touch_all(int db) {
  for (auto& [key, ids] : watchers_) {
    if (key.first != db || !keyspace_.database(db).find(key.second, hash_bytes(key.second))) continue;
    for (SessionId id : ids)
      if (Session* session = sessions_.find(id)) session->transaction.touched = true;
  }
}

void WatchTable::on_flush(int db) { touch_all(db); }

void WatchTable::on_swap(int a, int b) {
  for (int db : {a, b}) {
    int other = db == a ? b : a;
    for (auto& [key, ids] : watchers_) {
      if (key.first != db) continue;
      uint64_t hash = hash_bytes(key.second);
      bool there = keyspace_.database(db).find(key.second, hash) || keyspace_.database(other).find(key.second, hash);
      if (!there) continue;
      for (SessionId id : ids)
        if (Session* session = sessions_.find(id)) session->transaction.touched = true;
    }
  }
}

void discard_transaction(Session& session, WatchTable& watches) {
  TransactionState& t = session.transaction;
  watches.unwatch(session);
  t = {};
}

}  // namespace vitrine
