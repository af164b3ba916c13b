// Waiters: commands that wait for a key to hold something (BLPOP, BZMPOP, ...), and when they run again.
//
// A handler that finds nothing parks its session: `c.park({keys, Type::list, deadline, TimeoutReply::null_array})`. Its
// argv is copied and kept. When a Change makes one of the keys hold the awaited type, the parked commands of that key run
// again, the longest waiting first, after the unit that fed them and before any other client's command: Redis' fairness.
// Keys are served in the order in which they were first fed; a command that waits for several is run for the one under
// way (Call::fed_key) and looks at no other. If it finds nothing (somebody older took it) it parks again, and keeps its
// place in every queue and its deadline.
//
// Some (XREADGROUP) also run again when their key goes or is replaced, or at a moment of their own choice.
//
// WAIT-like commands that wait for something else than a key park with no keys and are woken by whoever owns the event.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "engine/park.h"
#include "engine/session.h"
#include "store/keyspace.h"

namespace vitrine {

class Waiters : public KeyObserver {
 public:
  explicit Waiters(Keyspace& keyspace) : keyspace_(keyspace) {}
  ~Waiters() override;

  // REQUIRES: the session is not parked, or is being run again by serve().
  void park(Session& session, Command* command, std::span<const Bytes> argv, const ParkRequest& request);
  // Takes the session out of every queue; it is free again.
  void release(Session& session);

  // Runs what was fed since the last call: `run(session, command, argv, key)` runs the parked command again for this key; the
  // session is released first and is parked again, at its old place, if the command parks once more. Repeats until nothing is fed.
  using Run = std::function<void(Session&, Command*, std::span<const Bytes>, Bytes)>;
  void serve(const Sessions& sessions, const Run& run);
  bool fed() const { return !fed_.empty(); }

  // Runs those who wait for this key again, as if it had been written.
  void feed(int db, Bytes key) { feed({db, std::string(key)}); }

  // Releases the sessions whose deadline has passed and writes their timeout reply; feeds the keys of those that wanted
  // to run again by now.
  void expire(const Sessions& sessions, int64_t now_ms) {
    if (!deadlines_.empty() || !retries_.empty()) expire_until(now_ms, sessions);
  }
  // The next moment at which expire() has something to do; 0: never.
  int64_t next_deadline_ms() const;
  // CLIENT UNBLOCK: as if the deadline had passed, or with an error. False when it is not parked.
  bool unblock(Session& session, bool with_error);
  // Told when a parked command ends with an error of this code that it did not reply itself.
  std::function<void(Command&, Bytes code)> on_error;

  size_t parked() const { return parked_.size(); }
  size_t with_deadline() const { return deadlines_.size(); }
  size_t keys_waited_for() const { return queues_.size(); }

  void on_change(const Change& change) override;
  void on_flush(int db) override;
  void on_swap(int a, int b) override;

 private:
  struct Key {
    int db;
    std::string name;
    bool operator==(const Key&) const = default;
    bool operator<(const Key& o) const { return db != o.db ? db < o.db : name < o.name; }
  };
  struct Parked {
    uint64_t order;                        // who waits longer is served first
    Command* command;
    std::vector<std::string> argv;
    std::vector<Key> keys;
    Type type;
    int64_t deadline_ms;
    TimeoutReply timeout_reply;
    bool also_when_gone;
    int64_t retry_ms;
  };
  struct Queue {
    std::map<uint64_t, SessionId> waiting;       // by order
    size_t when_gone = 0;                        // how many run again when the key goes
  };
  using Moments = std::multimap<int64_t, SessionId>;

  void feed(const Key& key);
  static void forget(Moments& moments, int64_t at_ms, SessionId id);
  void write_timeout(Session& session, TimeoutReply reply);
  void serve_key(const Key& key, const Sessions& sessions, const Run& run);

  Keyspace& keyspace_;
  std::map<Key, Queue> queues_;
  std::unordered_map<SessionId, Parked> parked_;
  void expire_until(int64_t now_ms, const Sessions& sessions);

  Moments deadlines_, retries_;
  std::vector<Key> fed_;
  uint64_t next_order_ = 1;
  uint64_t reuse_order_ = 0;               // while serve() runs a command again: the order it had,
  int64_t reuse_deadline_ms_ = 0;          // and its deadline
};

}  // namespace vitrine
