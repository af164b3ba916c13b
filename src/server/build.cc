// The only file that names every part: what a node is made of, bottom-up.
#include "base/log.h"
#include "base/memory.h"
#include "base/ticks.h"
#include "commands/families.h"
#include "console/debug.h"
#include "engine/acl.h"
#include "engine/engine_commands.h"
#include "persist/commands.h"
#include "script/script_commands.h"
#include "server/node.h"
#include "server/server_commands.h"

namespace vitrine {

namespace {

// Each word between blanks, so that it reads back.
std::string quote_words(Bytes line) {
  std::string quoted;
  while (true) {
    Bytes word = line.substr(0, line.find(' '));
    quoted += quote_word_if_needed(word);
    if (word.size() == line.size()) return quoted;
    quoted += ' ';
    line.remove_prefix(word.size() + 1);
  }
}

void add_all_commands(CommandRegistry& registry, Dispatcher& dispatcher) {
  add_string_commands(registry);
  add_string_condition_commands(registry);
  add_increx_command(registry);
  add_bitmap_commands(registry);
  add_bitfield_commands(registry);
  add_hyperloglog_commands(registry);
  add_hyperloglog_debug_commands(registry);
  add_geo_commands(registry);
  add_geo_search_commands(registry);
  add_lcs_command(registry);
  add_set_commands(registry);
  add_set_algebra_commands(registry);
  add_generic_commands(registry);
  add_expiry_commands(registry);
  add_list_commands(registry);
  add_list_waiting_commands(registry);
  add_sort_commands(registry);
  add_stream_commands(registry);
  add_stream_delete_commands(registry);
  add_stream_producer_commands(registry);
  add_stream_read_commands(registry);
  add_stream_info_commands(registry);
  add_stream_group_commands(registry);
  add_stream_claim_commands(registry);
  add_hash_commands(registry);
  add_hash_import_commands(registry);
  add_hash_scan_commands(registry);
  add_hash_expiry_commands(registry);
  add_sorted_set_commands(registry);
  add_sorted_set_algebra_commands(registry);
  add_sorted_set_range_commands(registry);
  add_sorted_set_scan_commands(registry);
  add_sorted_set_waiting_commands(registry);
  add_array_commands(registry);
  add_array_append_commands(registry);
  add_array_compute_commands(registry);
  add_array_search_commands(registry);
  add_session_commands(registry, dispatcher);
  add_client_commands(registry, dispatcher);
  add_transaction_commands(registry, dispatcher);
  add_pubsub_commands(registry, dispatcher.pubsub());
  add_tracking_commands(registry, dispatcher.tracking(), dispatcher.sessions());
  add_table_commands(registry);
  add_acl_commands(registry, dispatcher);
}

ConnectionFigures connection_figures(const ClientServer::Stats& s, const Migration& migration) {
  ConnectionFigures f;
  f.migrating = migration.connections();
  f.accepted = s.connections, f.rejected = s.rejected_connections;
  f.bytes_read = s.bytes_read, f.bytes_written = s.bytes_written, f.reads = s.reads, f.writes = s.writes;
  f.protocol_errors = s.protocol_errors;
  f.query_buffer_disconnections = s.query_buffer_limit_disconnections;
  f.output_buffer_disconnections = s.output_limit_disconnections;
  f.idle_disconnections = s.idle_disconnections, f.evicted_clients = s.evicted_clients;
  f.denied_by_protected_mode = s.denied_by_protected_mode;
  return f;
}

ForkFigures fork_figures(const FileWriter::Stats& s, const FileWriter::Stats& a) {
  return {s.forks + a.forks, a.last_fork_ms > s.last_fork_ms ? a.last_fork_us : s.last_fork_us};
}

}  // namespace

Node::Node(NodeOptions& options, Settings& settings, const Clock& clock)
    : options_(options), settings_(settings), loop_(clock), workers_(options.process.background_cpus),
      keyspace_(options.keyspace, loop_.wall_ms(), hash_seed ^ static_cast<uint64_t>(loop_.wall_us())),
      evictor_(keyspace_, options.memory,
               {[this] { return counted_bytes(); }, [this] { return loop_.clock().monotonic_us(); }}),
      waiters_(keyspace_), watches_(keyspace_, sessions_),
      dispatcher_({options.clients, options.observe, options.process.debug_command,
                   options.process.module_command}, registry_, keyspace_, sessions_,
                  waiters_, watches_),
      removals_(keyspace_, dispatcher_.effects(), options.memory, [this] { return !dispatcher_.in_hand().empty(); }),
      notifier_(keyspace_, dispatcher_.pubsub()), scripting_(dispatcher_, options.scripts),
      snapshots_(loop_, files_, keyspace_, options.persist),
      append_only_(loop_, workers_, files_, dispatcher_.effects(), snapshots_, options.persist.append),
      migration_(options.persist),
      clients_(loop_, dispatcher_, options.network, options.clients, options.tls),
      console_({loop_, workers_, keyspace_, evictor_, dispatcher_, settings, options.network, options.clients,
                options.memory, options.observe, options.config_file,
                [this] { return connection_figures(clients_.stats, migration_); },
                [this] { return fork_figures(snapshots_.writer().stats(), append_only_.writer().stats()); },
                [this] { return script_figures(); },
                [this] { return append_only_.append_log().buffer_memory(); }}) {
  keyspace_.set_background([this](std::function<void()> work) {
    workers_.submit(Workers::Kind::lazy_free, std::move(work));
  });
  dispatcher_.wall_ms = [this] {
    loop_.refresh();
    return loop_.wall_ms();
  };
  add_all_commands(registry_, dispatcher_);
  add_config_commands(registry_, settings, options.config_file, [this] { reset_stats(); },
                      [this] { return snapshots_.loading().active(); });
  console_.debug().add("CONFIG-REWRITE-FORCE-ALL",
                       "CONFIG REWRITE that writes every setting, also those that stand at their default.", 0, 0,
                       [this](Call& c) { rewrite_config(c, settings_, options_.config_file, true); });
  add_shutdown_command(registry_, *this);
  add_restart_commands(console_.debug(), *this, settings, options.config_file);
  add_dump_commands(registry_, options.persist);
  migration_.add_commands(registry_);
  add_snapshot_commands(registry_, snapshots_);
  add_append_only_commands(registry_, append_only_, snapshots_);
  add_script_commands(registry_, scripting_);
  console_.add_commands(registry_);
  console_.add_help(registry_);
  wire_persistence();
  wire_scripts();
  apply_settings();
  console_.started();
}

Node::~Node() = default;

// What must happen at once when a setting changes; most are simply read where they are used.
void Node::apply_settings() {
  clients_.follow(settings_);
  auto string_limit = [this] {
    options_.keyspace.max_string_bytes = static_cast<size_t>(options_.clients.max_bulk_bytes);
    return Refusal();
  };
  settings_.find("proto-max-bulk-len")->apply(string_limit);
  string_limit();
  auto thresholds = [this] {
    auto above = [](int64_t limit) { return limit < 0 ? UINT64_MAX : static_cast<uint64_t>(limit); };
    const ObserveOptions& o = options_.observe;
    console_.apply_thresholds();
    dispatcher_.thresholds.request_bytes = above(o.request_larger_than_bytes);
    dispatcher_.thresholds.reply_bytes = above(o.reply_larger_than_bytes);
    return Refusal();
  };
  for (const char* name : {"slowlog-log-slower-than", "latency-monitor-threshold", "commandlog-request-larger-than",
                           "commandlog-reply-larger-than", "slowlog-max-len", "commandlog-large-request-max-len",
                           "commandlog-large-reply-max-len"})
    settings_.find(name)->apply(thresholds);
  thresholds();
  settings_.find("crash-log-enabled")->apply([this] {
    console_.report_crashes(the_log().options.crash_log_enabled);
    return Refusal();
  });
  auto notify = [this] {
    notifier_.follow(options_.observe.notify_events);
    return Refusal();
  };
  settings_.find("notify-keyspace-events")->apply(notify);
  notify();
  apply_memory_settings();
  apply_acl_settings();
  for (const auto& [from, to] : options_.process.renamed_commands) registry_.rename(from, to);
}

void Node::apply_acl_settings() {
  Acl& acl = dispatcher_.acl();
  acl.may_go_on_listening = PubSub::may_go_on;
  auto password = [this, &acl] {
    acl.set_default_password(options_.clients.password);
    return Refusal();
  };
  settings_.find("requirepass")->apply(password);
  password();
  // With an aclfile the users stand there; the default user is not told of while it is what requirepass makes it.
  settings_.rewrite_directive("user", [this, &acl] {
    std::vector<std::string> lines;
    if (!options_.clients.acl.file.empty()) return lines;
    for (const auto& [name, user] : acl.users())
      if (name != "default" || !acl.default_is_usual(options_.clients.password))
        lines.push_back(quote_words(name + ' ' + user->text()));
    return lines;
  });
}

void Node::apply_memory_settings() {
  dispatcher_.memory_gate.make_room = [this] { return make_room(); };
  auto limit = [this] {
    clients_.memory_limit = options_.memory.maxmemory;
    make_room();  // the new limit, or the new policy, acts at once
    return Refusal();
  };
  for (const char* name : {"maxmemory", "maxmemory-policy"}) settings_.find(name)->apply(limit);
  limit();
  auto purging = [this] {
    memory::purge_in_background(options_.memory.jemalloc_background_thread);
    return Refusal();
  };
  settings_.find("jemalloc-bg-thread")->apply(purging);
  purging();
}

void Node::reset_stats() {
  dispatcher_.reset_stats();
  evictor_.reset_stats();
  uint64_t changes = keyspace_.stats().changes;
  keyspace_.stats() = {};
  keyspace_.stats().changes = changes;
  clients_.stats = {};
  scripting_.scripts.reset_stats();
  console_.reset_stats();
  snapshots_.reset_stats();
  append_only_.reset_stats();
}

}  // namespace vitrine
