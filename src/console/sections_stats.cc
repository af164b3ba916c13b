// INFO stats, commandstats, errorstats, latencystats, keyspace.
#include <algorithm>
#include <cstdio>

#include "console/sections.h"
#include "store/database.h"
#include "engine/acl.h"
#include "engine/dispatcher.h"
#include "io/event_loop.h"
#include "store/evictor.h"
#include "store/size_census.h"

namespace vitrine {

namespace {

void write_eviction_and_expiry(InfoText& text, const Sources& s, const Measured& m) {
  const Keyspace::Stats& k = s.keyspace.stats();
  ExpiryIndex::Lateness late = s.keyspace.lateness();
  text.field("expired_subkeys", k.expired_fields);
  text.field("expired_fields", k.expired_fields);
  text.field("expired_keys", k.expired);
  text.real("expired_stale_perc", k.expired_stale_percent);
  text.field("expired_time_cap_reached_count", m.meter->expiry_slices_cut);
  text.field("expire_cycle_cpu_milliseconds", ticks_to_ns(m.meter->total_ticks(TurnPhase::expiry)) / 1000000);
  text.field("expired_due_keys", late.items);
  text.field("expired_due_age_ms", late.age_ms);
  text.field("evicted_keys", k.evicted);
  text.field("evicted_clients", s.connections().evicted_clients);
  text.field("evicted_scripts", s.scripts().evicted_scripts);
  int64_t exceeding_us = s.evictor.exceeding_us();
  text.field("total_eviction_exceeded_time", (s.evictor.stats().exceeded_us + exceeding_us) / 1000);
  text.field("current_eviction_exceeded_time", exceeding_us / 1000);
  text.field("keyspace_hits", k.hits);
  text.field("keyspace_misses", k.misses);
}

void write_stall(InfoText& text, const std::string& name, const TurnMeter::Stall& stall) {
  text.field(name + "_us", ticks_to_ns(stall.ticks) / 1000);
  std::string cause = stall.ticks ? std::string(turn_phase_name(stall.phase)) : "none";
  if (!stall.command.empty()) cause += ":" + stall.command;
  text.field(name + "_cause", cause);
  text.field(name + "_at", stall.at_ms / 1000);
}

void write_loop(InfoText& text, const Sources& s, const Measured& m) {
  int64_t alive_us = s.loop.clock().monotonic_us() - m.start_monotonic_us;
  uint64_t command_ticks = 0;
  for (const Command* command : s.dispatcher.registry().all()) {
    command_ticks += command->stats.ticks;
    for (const Command* sub : command->subcommands) command_ticks += sub->stats.ticks;
  }
  text.field("eventloop_cycles", s.loop.turns());
  text.field("eventloop_duration_sum", std::max<int64_t>(0, alive_us - s.loop.slept_us()));
  text.field("eventloop_duration_cmd_sum", ticks_to_ns(command_ticks) / 1000);
  text.field("instantaneous_eventloop_cycles_per_sec", static_cast<uint64_t>(m.turns.per_second()));
  text.field("instantaneous_eventloop_duration_usec", static_cast<uint64_t>(m.turn_us.mean()));
  write_stall(text, "longest_stall", m.meter->longest());
  write_stall(text, "longest_stall_since_start", m.meter->longest_since_start());
}

void write_traffic(InfoText& text, const Sources& s, const Measured& m, const ConnectionFigures& c) {
  text.field("total_connections_received", c.accepted);
  text.field("total_commands_processed", s.dispatcher.stats().commands);
  text.field("instantaneous_ops_per_sec", static_cast<uint64_t>(m.commands.per_second()));
  text.field("total_net_input_bytes", c.bytes_read);
  text.field("total_net_output_bytes", c.bytes_written);
  text.idle("total_net_repl_input_bytes");
  text.idle("total_net_repl_output_bytes");
  text.real("instantaneous_input_kbps", m.bytes_in.per_second() / 1024);
  text.real("instantaneous_output_kbps", m.bytes_out.per_second() / 1024);
  text.real("instantaneous_input_repl_kbps", 0);
  text.real("instantaneous_output_repl_kbps", 0);
  text.field("rejected_connections", c.rejected);
  text.field("denied_by_protected_mode", c.denied_by_protected_mode);
  for (const char* name : {"sync_full", "sync_partial_ok", "sync_partial_err"}) text.idle(name);
}

void write_stats(InfoText& text, const Sources& s, const Measured& m) {
  ConnectionFigures c = s.connections();
  const Dispatcher::Stats& d = s.dispatcher.stats();
  write_traffic(text, s, m, c);
  write_eviction_and_expiry(text, s, m);
  text.field("pubsub_channels", s.dispatcher.pubsub().count(TopicKind::channel));
  text.field("pubsub_patterns", s.dispatcher.pubsub().count(TopicKind::pattern));
  text.field("pubsubshard_channels", s.dispatcher.pubsub().count(TopicKind::shard));
  ForkFigures forks = s.forks();
  text.field("latest_fork_usec", forks.last_us);
  text.field("total_forks", forks.forks);
  text.field("migrate_cached_sockets", c.migrating);
  for (const char* name :
       {"slave_expires_tracked_keys", "active_defrag_hits", "active_defrag_misses",
        "active_defrag_key_hits", "active_defrag_key_misses", "total_active_defrag_time",
        "current_active_defrag_time"})
    text.idle(name);
  text.field("tracking_total_keys", s.dispatcher.tracking().keys());
  text.field("tracking_total_items", s.dispatcher.tracking().items());
  text.field("tracking_total_prefixes", s.dispatcher.tracking().prefixes());
  text.idle("unexpected_error_replies");
  text.field("total_error_replies", d.total_errors);
  text.idle("dump_payload_sanitizations");
  text.field("total_reads_processed", c.reads);
  text.field("total_writes_processed", c.writes);
  text.idle("io_threaded_reads_processed");
  text.idle("io_threaded_writes_processed");
  text.field("client_query_buffer_limit_disconnections", c.query_buffer_disconnections);
  text.field("client_output_buffer_limit_disconnections", c.output_buffer_disconnections);
  text.field("client_idle_disconnections", c.idle_disconnections);
  text.field("protocol_errors", c.protocol_errors);
  text.idle("reply_buffer_shrinks");
  text.idle("reply_buffer_expands");
  write_loop(text, s, m);
  const Acl::Stats& acl = s.dispatcher.acl().stats;
  text.field("acl_access_denied_auth", acl.denied_auth);
  text.field("acl_access_denied_cmd", acl.denied_command);
  text.field("acl_access_denied_key", acl.denied_key);
  text.field("acl_access_denied_channel", acl.denied_channel);
  text.field("acl_access_denied_tls_cert", acl.denied_tls_cert);
  text.field("acl_access_denied_db", acl.denied_database);
}

template <class Visit>
void for_each_used(const Sources& s, Visit visit) {
  auto look = [&](const Command& command) {
    const Command::Stats& st = command.stats;
    if (st.calls || st.rejected || st.failed) visit(command);
  };
  for (const Command* command : s.dispatcher.registry().all()) {
    look(*command);
    for (const Command* sub : command->subcommands) look(*sub);
  }
}

void write_commands(InfoText& text, const Sources& s) {
  for_each_used(s, [&](const Command& command) {
    const Command::Stats& st = command.stats;
    uint64_t us = ticks_to_ns(st.ticks) / 1000;
    double each = st.calls ? static_cast<double>(ticks_to_ns(st.ticks)) / 1000 / static_cast<double>(st.calls) : 0;
    char line[192];
    std::snprintf(line, sizeof line, "calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,failed_calls=%llu",
                  static_cast<unsigned long long>(st.calls), static_cast<unsigned long long>(us), each,
                  static_cast<unsigned long long>(st.rejected), static_cast<unsigned long long>(st.failed));
    text.field("cmdstat_" + command.full_name, Bytes(line));
  });
}

// Scripts may name an error as they like; readers split the line at what is replaced here.
std::string as_field_name(std::string code) {
  for (char& c : code)
    if (Bytes("#:\r\n").find(c) != Bytes::npos) c = '_';
  return code;
}

void write_errors(InfoText& text, const Sources& s) {
  for (const auto& [code, count] : s.dispatcher.stats().errors)
    text.field("errorstat_" + as_field_name(code), "count=" + std::to_string(count));
}

void write_latencies(InfoText& text, const Sources& s) {
  if (!s.observe.latency_tracking) return;
  for_each_used(s, [&](const Command& command) {
    const auto& histogram = command.stats.histogram;
    if (!histogram || histogram->count() == 0) return;
    std::string line;
    for (double percent : s.observe.latency_percentiles) {
      char part[96];
      std::snprintf(part, sizeof part, "%sp%.15g=%.3f", line.empty() ? "" : ",", percent,
                    static_cast<double>(histogram->percentile(percent)) / 1000);
      line += part;
    }
    text.field("latency_percentiles_usec_" + command.full_name, line);
  });
}

// The mean time to live of a few keys of the database that have one.
int64_t sampled_ttl(Keyspace& keyspace, int db) {
  constexpr size_t kBuckets = 16;
  const Database& database = keyspace.database(db);
  if (database.expiring() == 0) return 0;
  int64_t sum = 0, seen = 0;
  database.table().sample(keyspace.random(), kBuckets, [&](Word w) {
    const Entry* entry = Database::Policy::entry(w);
    if (!entry->has_expiry()) return;
    sum += std::max<int64_t>(0, entry->expire_at_ms() - keyspace.now_ms());
    seen++;
  });
  return seen ? sum / seen : 0;
}

void write_keyspace(InfoText& text, const Sources& s) {
  for (int db = 0; db < s.keyspace.databases(); db++) {
    const Database& database = s.keyspace.database(db);
    if (database.size() == 0) continue;
    text.field("db" + std::to_string(db),
               "keys=" + std::to_string(database.size()) + ",expires=" + std::to_string(database.expiring()) +
                   ",avg_ttl=" + std::to_string(sampled_ttl(s.keyspace, db)) +
                   ",subexpiry=" + std::to_string(database.field_expiring()));
  }
}

// "0", "512", "1K": the least size of a bin.
std::string bin_label(size_t bin) {
  if (bin == 0) return "0";
  constexpr char kUnits[] = {'\0', 'K', 'M', 'G'};
  size_t power = bin - 1, unit = power / 10;
  std::string label = std::to_string(1u << power % 10);
  return unit ? label + kUnits[unit] : label;
}

void write_sizes(InfoText& text, const Sources& s) {
  struct Row {
    Type type;
    const char* name;
  };
  constexpr Row kRows[] = {{Type::string, "strings_sizes"}, {Type::list, "lists_items"}, {Type::set, "sets_items"},
                           {Type::zset, "zsets_items"}, {Type::hash, "hashes_items"}};
  for (int db = 0; db < s.keyspace.databases(); db++) {
    for (const Row& row : kRows) {
      std::string bins;
      for (size_t bin = 0; bin < SizeCensus::kBins; bin++) {
        uint64_t count = s.keyspace.sizes(db).in_bin(row.type, bin);
        if (count) bins += (bins.empty() ? "" : ",") + bin_label(bin) + "=" + std::to_string(count);
      }
      if (!bins.empty()) text.field("db" + std::to_string(db) + "_distrib_" + row.name, bins);
    }
  }
}

}  // namespace

void add_stats_sections(Info& info, const Sources& s, const Measured& m) {
  using enum Info::Shown;
  info.set_section("Stats", by_default, [&](InfoText& text) { write_stats(text, s, m); });
  info.set_section("Commandstats", with_all, [&](InfoText& text) { write_commands(text, s); });
  info.set_section("Errorstats", by_default, [&](InfoText& text) { write_errors(text, s); });
  info.set_section("Latencystats", with_all, [&](InfoText& text) { write_latencies(text, s); });
  info.set_section("Keyspace", by_default, [&](InfoText& text) { write_keyspace(text, s); });
  info.set_section("Keysizes", with_all, [&](InfoText& text) { write_sizes(text, s); });
}

}  // namespace vitrine
