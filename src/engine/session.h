// Session: who asks. One per connection, and one for each source of commands without a connection (a script, a log being
// loaded, a replica's stream, a test).
//
// Others keep a SessionId, never a pointer: a session may end at any turn of the loop. Sessions::find() gives the
// pointer back while it lives.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "wire/output_buffer.h"
#include "wire/reply_builder.h"

namespace vitrine {

struct Command;
struct FieldSets;
class AclUser;
struct Subscriptions;
struct TrackingState;
using SessionId = uint64_t;

enum class Origin : uint8_t { client, script, aof, replica };

// What the engine may ask of the connection behind a session. Null for sessions without one.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual std::string address() const = 0;         // "127.0.0.1:50312"
  virtual std::string local_address() const = 0;
  virtual int descriptor() const = 0;
  virtual size_t input_bytes() const = 0;          // unparsed input held
  virtual size_t input_capacity() const = 0;       // memory of the input buffer
  virtual uint64_t bytes_read() const = 0;
  virtual uint64_t bytes_written() const = 0;
  virtual bool is_unix_socket() const = 0;
  // There are replies to send, or the session was doomed: visit it at the end of this turn.
  virtual void schedule_flush() = 0;
  // The same for what it did not ask for (a message, an invalidation). A crowd that gets the same may be served over
  // several turns, so that others need not wait for all of it.
  virtual void schedule_push() { schedule_flush(); }
  // Parsed commands wait because the session was parked or paused: go on when it is free again.
  virtual void resume() = 0;
};

enum class ReplyMode : uint8_t { on, off, skip_next, skipping };

struct QueuedCommand {
  Command* command;
  std::vector<std::string> argv;
};

struct WatchedKey {
  int db;
  std::string key;
};

// MULTI and WATCH state (engine/transaction.h).
struct TransactionState {
  bool open = false;           // between MULTI and EXEC
  bool spoiled = false;        // a queued command was refused: EXECABORT
  bool touched = false;        // a watched key changed: EXEC replies null
  int db = -1;                 // of the last SELECT that is queued; -1: none is
  uint64_t queued_flags = 0;   // of all queued commands together
  std::vector<QueuedCommand> queue;
  size_t queue_bytes = 0;
  int64_t executing = -1;      // how many commands EXEC runs; -1: it runs none
  std::vector<WatchedKey> watched;
};

class alignas(64) Session {
 public:
  Session(SessionId its_id, Peer* its_peer, int64_t now_ms);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // What every command touches stands first, in as few cache lines as hold it: between two commands of a client
  // without a pipeline the kernel empties the cache.
  const SessionId id;
  Peer* const peer;
  int db = 0;
  Origin origin = Origin::client;
  ReplyMode reply_mode = ReplyMode::on;
  bool authenticated = false;
  bool restricted = false;                    // the user may not do everything (engine/acl.h)
  bool no_touch = false, no_evict = false, monitoring = false;
  bool parked = false;                        // waits for a key (engine/waiters.h)
  bool paused = false;                        // waits for CLIENT PAUSE to end
  bool running = false;                       // a command of it is on the stack
  bool close_after_reply = false;             // QUIT, protocol error
  bool doomed = false;                        // ends at the end of this turn, without waiting for anything
  std::unique_ptr<Subscriptions> subscriptions;   // engine/pubsub.h; null: listens to nothing
  std::unique_ptr<TrackingState> tracking;        // engine/tracking.h; null: CLIENT TRACKING is off
  std::unique_ptr<std::string> pushes;        // what must come behind the reply of the command that runs
  const Command* last_command = nullptr;
  OutputBuffer out;
  int64_t last_active_ms;
  uint64_t commands = 0;
  int64_t soft_limit_since_ms = 0;            // output over its soft limit since then; 0: it is not
  ReplyBuilder reply;
  TransactionState transaction;

  size_t argv_bytes = 0;                      // of the command under way
  const int64_t created_ms;
  std::string user = "default";
  std::shared_ptr<AclUser> acl_user;          // null: nobody's; such a session may do everything
  std::string name, library_name, library_version;
  std::vector<std::string> capabilities;      // CLIENT CAPA
  std::shared_ptr<FieldSets> field_sets;      // HIMPORT PREPARE; null: none

  // The reply of the command under way is not sent (CLIENT REPLY OFF or SKIP).
  bool is_muted() const { return reply_mode == ReplyMode::off || reply_mode == ReplyMode::skipping; }
  // What SKIP was for is over.
  void end_skipping() {
    if (reply_mode == ReplyMode::skipping) reply_mode = ReplyMode::on;
    else if (reply_mode == ReplyMode::skip_next) reply_mode = ReplyMode::skipping;
  }
  // Has neither: then what is sent to it are replies only, and nothing follows a command of it.
  bool plain() const { return !subscriptions && !tracking; }
  // From this machine, or from within the server.
  bool is_local() const;
  // Listens in RESP2: nothing but messages may come from now on, and few commands may be given.
  bool only_listens() const { return subscriptions && reply.protocol() == 2; }
  // It ends with this turn: nothing that is still to come may be spent on it.
  bool is_leaving() const { return doomed || close_after_reply; }
  // Ends the session at the end of this turn (now, if it is not running).
  void doom() {
    doomed = true;
    if (peer) peer->schedule_flush();
  }
  // What CLIENT LIST and the eviction of clients count.
  size_t memory_bytes() const;
};

class Sessions {
 public:
  // `peer` may be null.
  Session& open(Peer* peer, int64_t now_ms);
  void close(SessionId id);
  Session* find(SessionId id) const;
  size_t size() const { return by_id_.size(); }
  // In order of creation. The callback may doom sessions, not close them.
  template <class Visit>
  void for_each(Visit visit) const {
    for (SessionId id : order_)
      if (auto it = by_id_.find(id); it != by_id_.end()) visit(*it->second);
  }
  uint64_t opened() const { return next_id_ - 1; }

 private:
  SessionId next_id_ = 1;
  std::unordered_map<SessionId, std::unique_ptr<Session>> by_id_;
  std::deque<SessionId> order_;   // ids only grow; closed ones are dropped lazily
  size_t closed_in_order_ = 0;
};

}  // namespace vitrine
