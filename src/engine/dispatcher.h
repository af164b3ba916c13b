// Dispatcher: takes one command of one session through the gates and runs it.
//
// A gate is a small function that lets a command pass or refuses it with a reply: known, arity, authenticated, memory,
// paused, queued by MULTI. What comes after a run: statistics, effects, and the parked commands that were fed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/settings.h"
#include "base/ticks.h"
#include "engine/call.h"
#include "engine/client_options.h"
#include "engine/command.h"
#include "engine/observe_options.h"
#include "engine/pubsub.h"
#include "engine/tracking.h"
#include "engine/transaction.h"
#include "engine/waiters.h"
#include "wire/resp_parser.h"

namespace vitrine {

class Acl;

// A command looked up and hashed ahead of its run, so that its memory can be fetched meanwhile.
struct Prepared {
  Command* command = nullptr;     // null: unknown; for containers the subcommand if there is one
  std::span<const Bytes> argv;
  Bytes key;                      // the first key, empty when there is none
  uint64_t hash = 0;
};

// Sees commands pass. Attached only while somebody wants to see (MONITOR), or called past a threshold (slow log).
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  // After the command ran (so that EXEC comes after what it ran); not when a parked command runs again.
  virtual void on_call(const Session&, const Command&, std::span<const Bytes>) {}
  // After a command that crossed one of the thresholds below. `request_bytes`: as clients send it.
  virtual void on_notable(const Session&, const Command&, std::span<const Bytes>, uint64_t /*duration_ns*/,
                          size_t /*request_bytes*/, size_t /*reply_bytes*/) {}
};

class Dispatcher {
 public:
  // What it reads of the rooms' options; they outlive it.
  struct Options {
    const ClientOptions& clients;
    const ObserveOptions& observe;
    const Allowance& debug_command;
    const Allowance& module_command;
  };
  struct Stats {
    uint64_t commands = 0;      // that ran, also within transactions and scripts
    uint64_t unknown = 0;
    uint64_t total_errors = 0;
    uint64_t blocked_runs = 0;
    std::map<std::string, uint64_t, std::less<>> errors;   // by code, as INFO errorstats
  };
  // Above these a finished command is shown to the observers. UINT64_MAX: never.
  struct Thresholds {
    uint64_t slow_ticks = UINT64_MAX;
    uint64_t request_bytes = UINT64_MAX;
    uint64_t reply_bytes = UINT64_MAX;
  };
  enum class Outcome : uint8_t {
    done,     // a reply was written (or none was due)
    parked,   // waits for a key: the session takes no further command until it is released
    held,     // not run at all, because of CLIENT PAUSE: to be offered again
  };

  Dispatcher(Options options, CommandRegistry& registry, Keyspace& keyspace, Sessions& sessions,
             Waiters& waiters, WatchTable& watches);
  ~Dispatcher();

  Prepared prepare(std::span<const Bytes> argv) const;
  // Prepares a batch and fetches the memory it will touch. `out` has room for it.
  void prepare(const CommandBatch& batch, Prepared* out) const;

  Outcome run(Session& session, const Prepared& prepared);
  // A turn of the loop begins, at this stamp of base/ticks.h. Its moment holds for all commands until they have taken a
  // quarter of a millisecond: then `wall_ms` is asked, between two commands, never within a transaction or a script.
  void begin_turn(int64_t now_ms, uint64_t stamp);
  std::function<int64_t()> wall_ms;
  // A batch begins: time is counted from now.
  void begin_batch() { last_stamp_ = 0; }
  // Runs what was fed meanwhile (timers, unblocked sessions); run() does it by itself.
  void serve_waiters();
  // Runs a command as part of the unit under way, without gates or waiters (EXEC, scripts).
  void run_nested(Session& session, Command* command, std::span<const Bytes> argv);
  void run_nested(Session& session, const Prepared& p) {
    execute(session, p.command, p.argv, p.hash, p.key, true, nullptr);
  }
  // Counts a call of a script that was refused with this error instead of being run; `command` null: there is none.
  void note_refused_call(Command* command, Bytes error);
  // Tells the observers of a call now, before what it calls itself; the handler then sets Call::shown.
  void show(const Call& call) {
    for (CallObserver* observer : observers_) observer->on_call(call.session, *call.command, call.args.argv());
  }
  // Runs a command of a log: without gates, statistics or waiters, and nothing is gathered of what it does. The reply
  // is written all the same.
  enum class Replayed : uint8_t {
    done,
    failed,      // its reply is an error
    skipped,     // it only reads
    unknown,     // there is no such command
    misplaced,   // it has no place in a log, or the wrong number of arguments
  };
  Replayed replay(Session& session, const Prepared& prepared);
  // For a command that was permitted when it was queued: false when it no longer is, and the refusal is its reply.
  bool still_permitted(Session& session, const Command& command, std::span<const Bytes> argv);

  // The memory gate: while memory::allocated_here() is below `checkpoint`, memory is within its limit; else make_room()
  // looks closer, evicts and sets the next checkpoint; false: memory is over the limit and nothing can go.
  struct MemoryGate {
    uint64_t checkpoint = UINT64_MAX;
    std::function<bool()> make_room;
  };
  MemoryGate memory_gate;
  // What the state of the data on disk refuses: everything but what says it may run then (loading), or writes (with
  // this error). All free: false and empty.
  struct DataGate {
    bool loading = false;
    Bytes write_refusal;
    Bytes busy_refusal;             // a script runs for long: what everything gets that is not allowed meanwhile
    bool open() const { return !loading && write_refusal.empty() && busy_refusal.empty(); }
  };
  DataGate data_gate;
  // Told when RESET or the session's end stops a MONITOR.
  std::function<void(Session&)> on_stop_monitoring;
  Thresholds thresholds;

  void observe_calls(CallObserver* observer) { observers_.push_back(observer); }
  void unobserve_calls(CallObserver* observer) { std::erase(observers_, observer); }
  void observe_notable(CallObserver* observer) { notable_observers_.push_back(observer); }

  // CLIENT PAUSE / UNPAUSE. Meanwhile nothing expires or is evicted either: the data stays as it is.
  void pause(int64_t until_ms, bool writes_only);
  void unpause();
  bool paused(int64_t now_ms) const { return now_ms < pause_until_ms_; }
  bool pause_writes_only() const { return pause_writes_only_; }
  int64_t pause_until_ms() const { return pause_until_ms_; }
  // Sessions whose command was held; the owner offers it again when the pause is over.
  std::vector<SessionId> take_held();
  size_t held() const { return held_.size(); }

  const Stats& stats() const { return stats_; }
  void reset_stats();
  Effects& effects() { return effects_; }
  CommandRegistry& registry() { return registry_; }
  Keyspace& keyspace() { return keyspace_; }
  Sessions& sessions() { return sessions_; }
  Waiters& waiters() { return waiters_; }
  WatchTable& watches() { return watches_; }
  PubSub& pubsub() { return pubsub_; }
  Tracking& tracking() { return tracking_; }
  // The session ends: nobody holds it any more.
  void forget(Session& session);
  const Options& options() const { return options_; }
  Acl& acl() const { return *acl_; }
  // False while sessions begin unauthenticated.
  bool open_to_all() const;
  // The command that took longest in this turn, of all clients; null when none ran.
  const Command* longest_of_turn() const { return longest_command_; }
  // The command on the stack, for a crash report; null when none.
  std::span<const Bytes> in_hand() const { return in_hand_; }
  const Session* session_in_hand() const { return session_in_hand_; }

 private:
  inline Prepared look_up(std::span<const Bytes> argv) const;
  // Each returns true when the command was refused (and the refusal is the reply).
  bool refuse(Session& session, const Prepared& p, Bytes error);
  bool refuse_unknown(Session& session, const Prepared& p);
  bool refuse_arity(Session& session, const Prepared& p);
  bool refuse_unauthenticated(Session& session, const Prepared& p);
  bool refuse_protected(Session& session, const Prepared& p);
  bool refuse_denied(Session& session, const Prepared& p);
  bool refuse_no_multi(Session& session, const Prepared& p);
  bool refuse_for_memory(Session& session, const Prepared& p);
  bool refuse_for_data(Session& session, const Prepared& p);
  bool refuse_listener(Session& session, const Prepared& p);
  bool refuse_monitor(Session& session, const Prepared& p);
  bool must_hold(Session& session, const Prepared& p);
  bool queue_in_transaction(Session& session, const Prepared& p);
  inline bool passes_freely(const Session& session, const Prepared& p) const;
  bool refused(Session& session, const Prepared& p);
  void note_refusal(Session& session, const Prepared& p);
  void count_refusal(Session& session, const Prepared& p);
  void execute(Session& session, Command* command, std::span<const Bytes> argv, uint64_t hash, Bytes key, bool nested,
               const Bytes* fed_key);
  void renew_time(uint64_t stamp);
  void count_error(Bytes code);
  void finish_reply(Session& session, OutputBuffer::Mark before);
  void send_pushes(Session& session);

  const Options options_;
  const std::unique_ptr<Acl> acl_;
  CommandRegistry& registry_;
  Keyspace& keyspace_;
  Sessions& sessions_;
  Waiters& waiters_;
  WatchTable& watches_;
  Effects effects_;
  Effects unheard_;   // what replay() does
  Stats stats_;
  std::vector<CallObserver*> observers_, notable_observers_;
  int64_t pause_until_ms_ = 0;
  bool pause_writes_only_ = false;
  std::vector<SessionId> held_;
  bool serving_ = false;
  const uint64_t time_holds_ticks_ = ns_to_ticks(250'000);
  uint64_t time_stamp_ = 0;   // when the keyspace was told the time
  uint64_t last_stamp_ = 0;   // when the last command of this batch ended, in ticks; 0: none yet
  std::span<const Bytes> in_hand_;
  Session* session_in_hand_ = nullptr;   // of a script: its client
  uint64_t nested_errors_ = 0;           // of commands that EXEC has run or refused
  PubSub pubsub_;
  Tracking tracking_;
  int depth_ = 0;             // commands on the stack: those of a client, within a script that lets them in, as well
  uint64_t longest_ticks_ = 0;
  const Command* longest_command_ = nullptr;
};

}  // namespace vitrine
