// Tracking: client-side caching (CLIENT TRACKING). Who has read a key is told when it changes, once: then the client
// has forgotten its copy, and the server has forgotten that the client had one.
//
//   default     table_:    "user:1" -> [client 7, client 12]    keys without their database, as the protocol names them
//   broadcast   prefixes_: "user:"  -> {clients}, and the keys of this turn that begin with it
//
// Invalidations go to the client itself as RESP3 pushes or, with REDIRECT, to another one: as pushes if it speaks
// RESP3, else as messages of the channel __redis__:invalidate. Those of the default mode are written at once, those of
// the broadcast mode at the end of the turn, all keys of a prefix together. A null in place of the keys: all of them.
//
// It observes the keyspace only while somebody tracks.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/random.h"
#include "engine/session.h"
#include "store/keyspace.h"

namespace vitrine {

struct ClientOptions;

struct TrackingState {
  bool broadcast = false, opt_in = false, opt_out = false, no_loop = false;
  bool broken_redirect = false;           // who was to be told has gone
  bool caching = false;                   // CLIENT CACHING, for the next command or transaction
  SessionId redirect = 0;                 // 0: the client itself
  std::vector<std::string> prefixes;      // in broadcast mode
};

class Tracking : public KeyObserver {
 public:
  // `in_hand`: the session whose command runs, or null.
  Tracking(Keyspace& keyspace, const Sessions& sessions, const ClientOptions& clients, const Session* const& in_hand);
  ~Tracking() override;

  // Begins, or changes how. `prefixes` are added to those there are; in broadcast mode none means all keys.
  void start(Session& session, TrackingState state, std::span<const Bytes> prefixes);
  void stop(Session& session);
  // A command of a session that tracks has run: remembers the keys that it has read.
  void remember(const Session& session, const Command& command, std::span<const Bytes> argv);
  // The command, with all that belongs to it, is over: what CLIENT CACHING asked for is done.
  static void command_done(Session& session, const Command* command);
  // The turn is over: tells what broadcast mode has gathered, and forgets keys above `tracking-table-max-keys`.
  void end_turn() {
    if (count_ > 0) send_broadcasts();
  }

  size_t sessions() const { return count_; }
  size_t keys() const { return table_.size(); }
  size_t items() const { return items_; }
  size_t prefixes() const { return prefixes_.size(); }

  void on_change(const Change& change) override;
  void on_flush(int) override {}
  void on_flushed(int db) override;
  void on_swap(int a, int b) override;

 private:
  void send_broadcasts();
  struct Hash {
    using is_transparent = void;
    size_t operator()(Bytes b) const { return hash_bytes(b); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(Bytes a, Bytes b) const { return a == b; }
  };
  using Table = std::unordered_map<std::string, std::vector<SessionId>, Hash, Equal>;   // ids ascending
  struct Prefix {
    std::vector<SessionId> sessions;
    std::map<std::string, SessionId> changed;     // and by whom: 0 if by no client
  };

  void note_broadcast(Bytes key, SessionId by);
  void broadcast(Prefix& prefix);
  void forget_some();
  void invalidate(Table::iterator entry, SessionId by);
  void invalidate_all();
  void leave_prefixes(const Session& session);
  // `keys`: the array of keys, encoded; empty: null.
  void tell(Session& session, Bytes keys);

  Keyspace& keyspace_;
  const Sessions& sessions_;
  const ClientOptions& clients_;
  const Session* const& in_hand_;
  size_t count_ = 0, items_ = 0;
  Table table_;
  std::unordered_map<std::string, Prefix, Hash, Equal> prefixes_;
  std::map<size_t, size_t> prefix_lengths_;       // how many prefixes have this length
  std::vector<Prefix*> changed_;
};

}  // namespace vitrine
