// MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//
// WatchTable knows who watches which key and marks their sessions when a Change, a flush or a swap touches it. It is an
// observer of the keyspace only while somebody watches.
#pragma once

#include <map>
#include <set>

#include "engine/session.h"
#include "store/keyspace.h"

namespace vitrine {

class WatchTable : public KeyObserver {
 public:
  WatchTable(Keyspace& keyspace, const Sessions& sessions) : keyspace_(keyspace), sessions_(sessions) {}
  ~WatchTable() override;

  void watch(Session& session, Bytes key);
  void unwatch(Session& session);
  size_t watched_keys() const { return watchers_.size(); }
  // True when a key the session watches has expired since, though nobody has noticed yet.
  bool has_expired_key(const Session& session) const;

  void on_change(const Change& change) override;
  void on_flush(int db) override;
  void on_swap(int a, int b) override;

 private:
  using Key = std::pair<int, std::string>;
  void touch_all(int db);

  Keyspace& keyspace_;
  const Sessions& sessions_;
  std::map<Key, std::set<SessionId>> watchers_;
};

// Leaves MULTI: forgets the queue and what was watched.
void discard_transaction(Session& session, WatchTable& watches);

}  // namespace vitrine
