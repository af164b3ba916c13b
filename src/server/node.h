// Node: one server, with every part it is made of. Several can live in one process.
//
// The constructor (server/build.cc) builds bottom-up, the destructor destroys top-down; turn() is one pass of the event
// loop, in an order written once (server/turn.cc). Nobody includes this room.
#pragma once

#include <memory>
#include <optional>

#include "base/settings.h"
#include "cluster/migration.h"
#include "console/console.h"
#include "engine/client_options.h"
#include "engine/dispatcher.h"
#include "engine/notifier.h"
#include "engine/observe_options.h"
#include "engine/removal_effects.h"
#include "io/event_loop.h"
#include "io/network_options.h"
#include "io/tls_options.h"
#include "io/workers.h"
#include "io/file.h"
#include "persist/append_only.h"
#include "persist/snapshots.h"
#include "script/scripting.h"
#include "server/client_server.h"
#include "server/later_options.h"
#include "server/process_options.h"
#include "store/evictor.h"
#include "store/keyspace.h"
#include "store/memory_options.h"

namespace vitrine {

class Call;
class InfoText;

struct NodeOptions {
  NetworkOptions network;
  TlsOptions tls;
  ClientOptions clients;
  MemoryOptions memory;
  Keyspace::Options keyspace;
  ObserveOptions observe;
  PersistOptions persist;
  ScriptOptions scripts;
  ProcessOptions process;
  LaterOptions later;
  std::string config_file;       // absolute; empty: started without one
};

class Node {
 public:
  // `options` were read from the configuration; they and `settings` (whose rows point into them) outlive the node.
  Node(NodeOptions& options, Settings& settings, const Clock& clock);
  ~Node();

  // One turn of the loop: waits at most until the next thing is due.
  void turn();
  // Turns until stop() was called.
  void run();
  // Reads the log or the snapshot there is, before the first turn; clients are served meanwhile as far as that goes.
  // False when it cannot be read (the log says why): then the node must not run. True as well when it was told to end
  // meanwhile.
  bool load_data();

  // SHUTDOWN and the signals: saves as asked for, then stop(). False when that failed and force was not given: the node
  // goes on.
  struct Farewell {
    bool save = false, nosave = false, force = false;   // neither save nor nosave: if there are save points
  };
  bool shut_down(const Farewell& how);
  // A signal asks for it: at the end of this turn, and not while a script has half changed its data. When that fails
  // `on_end_failed` is called.
  void ask_to_end(int signal);
  std::function<void()> on_end_failed;
  // False: nobody has asked.
  bool take_back_end();
  // Ends it with this turn; no further command is taken.
  void stop() {
    stopping_ = true;
    clients_.close_for_commands();
  }
  bool stopping() const { return stopping_; }
  // DEBUG RESTART: shuts down as SHUTDOWN does; then the program is to be started anew, so much later. False as above.
  bool restart(int64_t delay_ms);
  std::optional<int64_t> restart_after_ms() const { return restart_after_ms_; }
  // Starts it anew without any of that, at once: DEBUG CRASH-AND-RECOVER. Never returns.
  std::function<void(int64_t delay_ms)> start_anew;

  ClientServer& clients() { return clients_; }
  EventLoop& loop() { return loop_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  Keyspace& keyspace() { return keyspace_; }
  Evictor& evictor() { return evictor_; }
  Workers& workers() { return workers_; }
  Console& console() { return console_; }
  Snapshots& snapshots() { return snapshots_; }

 private:
  void apply_settings();
  void apply_memory_settings();
  void apply_acl_settings();
  void wire_persistence();
  void wire_scripts();
  void wire_append_only();
  void follow_persistence();
  bool load_append_log();
  bool begin_append_log(const std::optional<AofManifest>& manifest);
  bool cannot_write_log(const std::string& why);
  void reload_append_log(Call& c);
  bool load_snapshot();
  void serve_while_loading();
  bool serve_while_busy();
  void end_if_asked();
  ScriptFigures script_figures() const;
  void reset_stats();
  inline int sleep_ms();
  bool expiry_is_due() const { return expiry_backlog_ || keyspace_.now_ms() / ExpiryIndex::kTickMs != expiry_tick_; }
  void reclaim_expired();
  size_t counted_bytes() const;
  void relieve_memory();
  bool make_room();
  void release_pause();
  void tend();
  void log_figures(int64_t now);

  NodeOptions& options_;
  Settings& settings_;
  EventLoop loop_;
  Workers workers_;
  Keyspace keyspace_;
  Evictor evictor_;
  Sessions sessions_;
  CommandRegistry registry_;
  Waiters waiters_;
  WatchTable watches_;
  Dispatcher dispatcher_;
  RemovalEffects removals_;
  Notifier notifier_;
  Scripting scripting_;
  SystemFiles files_;
  Snapshots snapshots_;
  AppendOnly append_only_;
  Migration migration_;
  ClientServer clients_;
  Console console_;
  bool stopping_ = false;
  std::optional<int64_t> restart_after_ms_;
  int end_signal_ = 0;              // that asked for the end; 0: none
  bool expiry_backlog_ = false, eviction_backlog_ = false;
  int64_t turn_start_us_ = 0;
  int64_t expiry_tick_ = 0;         // the last for which all that was due is gone
  int64_t due_asked_tick_ = 0;      // the last in which the keyspace was asked what is due next
  int64_t next_tend_ms_ = 0, next_sample_ms_ = 0, next_figures_ms_ = 0;
};

// INFO persistence.
void write_persistence_section(InfoText& text, const Snapshots& snapshots, const AppendOnly& log, int64_t now_ms);

}  // namespace vitrine
