#include "server/settings_table.h"

#include <climits>
#include <syslog.h>

#include "base/log.h"
#include "engine/client_options.h"
#include "engine/command_table.h"
#include "engine/observe_options.h"
#include "io/network_options.h"
#include "server/process_options.h"
#include "server/settings_codecs.h"
#include "store/memory_options.h"
#include "store/stream_producers.h"

namespace vitrine {

namespace {

constexpr int number_of(auto e) { return static_cast<int>(e); }

constexpr EnumName kPolicies[] = {
    {"volatile-lru", number_of(EvictionPolicy::volatile_lru)},
    {"volatile-lfu", number_of(EvictionPolicy::volatile_lfu)},
    {"volatile-lrm", number_of(EvictionPolicy::volatile_lrm)},
    {"volatile-random", number_of(EvictionPolicy::volatile_random)},
    {"volatile-ttl", number_of(EvictionPolicy::volatile_ttl)},
    {"allkeys-lru", number_of(EvictionPolicy::allkeys_lru)},
    {"allkeys-lfu", number_of(EvictionPolicy::allkeys_lfu)},
    {"allkeys-lrm", number_of(EvictionPolicy::allkeys_lrm)},
    {"allkeys-random", number_of(EvictionPolicy::allkeys_random)},
    {"noeviction", number_of(EvictionPolicy::noeviction)},
};
constexpr EnumName kLogLevels[] = {
    {"debug", number_of(LogLevel::debug)},     {"verbose", number_of(LogLevel::verbose)},
    {"notice", number_of(LogLevel::notice)},   {"warning", number_of(LogLevel::warning)},
    {"nothing", number_of(LogLevel::nothing)},
};
constexpr EnumName kLogFormats[] = {{"legacy", number_of(LogFormat::legacy)}, {"logfmt", number_of(LogFormat::logfmt)}};
constexpr EnumName kLogTimestamps[] = {
    {"legacy", number_of(LogTimestamp::legacy)},
    {"iso8601", number_of(LogTimestamp::iso8601)},
    {"milliseconds", number_of(LogTimestamp::milliseconds)},
};
constexpr EnumName kSyslogFacilities[] = {
    {"user", LOG_USER},     {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},
    {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7},
};
constexpr EnumName kSupervision[] = {
    {"upstart", number_of(Supervision::upstart)},
    {"systemd", number_of(Supervision::systemd)},
    {"auto", number_of(Supervision::automatic)},
    {"no", number_of(Supervision::none)},
};
constexpr EnumName kAllowances[] = {
    {"no", number_of(Allowance::no)}, {"yes", number_of(Allowance::yes)}, {"local", number_of(Allowance::local)}};
constexpr EnumName kOomScoreAdjust[] = {
    {"no", number_of(OomScoreAdjust::no)},
    {"yes", number_of(OomScoreAdjust::relative)},
    {"relative", number_of(OomScoreAdjust::relative)},
    {"absolute", number_of(OomScoreAdjust::absolute)},
};
constexpr EnumName kShutdownWays[] = {
    {"default", kShutdownDefault}, {"save", kShutdownSave},   {"nosave", kShutdownNoSave},
    {"now", kShutdownNow},         {"force", kShutdownForce},
};

Refusal check_shutdown_ways(int ways) {
  bool both = (ways & kShutdownSave) && (ways & kShutdownNoSave);
  return both ? "shutdown options SAVE and NOSAVE can't be used simultaneously" : "";
}

// Whether a command is called so behind the lines read so far.
bool is_command(const ProcessOptions& o, const std::string& name) {
  bool is = find_command_info(to_lower(name)) && name.find('|') == std::string::npos;
  for (const auto& [from, to] : o.renamed_commands) {
    if (equals_ignoring_case(from, name)) is = false;
    if (equals_ignoring_case(to, name)) is = true;
  }
  return is;
}

}  // namespace

void register_network_settings(Settings& settings, NetworkOptions& o) {
  settings.words("bind", &o.bind).validate([&o] {
    return Refusal(o.bind.size() > NetworkOptions::kMostAddresses ? "Too many bind addresses specified." : "");
  });
  settings.integer("port", &o.port, 0, 65535);
  settings.integer("tcp-backlog", &o.tcp_backlog, 0, INT_MAX).immutable();
  settings.integer("tcp-keepalive", &o.tcp_keepalive_s, 0, INT_MAX);
  settings.text("unixsocket", &o.unix_socket).immutable();
  settings.octal("unixsocketperm", &o.unix_socket_permissions, 0, 0777).immutable();
  settings.text("unixsocketgroup", &o.unix_socket_group).immutable();
  settings.integer("timeout", &o.idle_timeout_s, 0, INT_MAX);
  settings.integer("maxclients", &o.max_clients, 1, UINT_MAX);
  settings.boolean("protected-mode", &o.protected_mode);
  settings.integer("socket-mark-id", &o.socket_mark, 0, UINT_MAX).immutable();
  settings.text("bind-source-addr", &o.bind_source_address).not_acting();
  settings.integer("max-new-connections-per-cycle", &o.new_connections_per_turn, 1, 1000);
  settings.boolean("mptcp", &o.multipath_tcp).immutable();
}

void register_client_settings(Settings& settings, ClientOptions& o) {
  constexpr int64_t kLeast = 1 << 20;
  settings.custom("client-output-buffer-limit", output_limits_codec(&o)).multi();
  settings.memory("client-query-buffer-limit", &o.query_buffer_limit_bytes, kLeast, INT64_MAX);
  settings.memory("proto-max-bulk-len", &o.max_bulk_bytes, kLeast, INT64_MAX);
  settings.integer("tracking-table-max-keys", &o.tracking_table_max_keys, 0, INT64_MAX);
  settings.memory_or_percent("maxmemory-clients", &o.max_clients_memory, -100, INT64_MAX);
  settings.text("requirepass", &o.password).sensitive();
}

void register_memory_settings(Settings& settings, MemoryOptions& o, Keyspace::Options& keyspace) {
  settings.integer("databases", &keyspace.databases, 1, INT_MAX).immutable();
  settings.memory("maxmemory", &o.maxmemory, 0, UINT64_MAX);
  auto follow_policy = [&o, &keyspace] {
    keyspace.lfu = is_lfu(o.policy);
    keyspace.lrm = is_lrm(o.policy);
    return Refusal();
  };
  follow_policy();
  settings.enumeration("maxmemory-policy", &o.policy, kPolicies).validate(follow_policy);
  settings.integer("maxmemory-samples", &o.samples, 1, INT_MAX);
  settings.integer("maxmemory-eviction-tenacity", &o.eviction_tenacity, 0, 100);
  settings.integer("lfu-log-factor", &keyspace.lfu_log_factor, 0, INT_MAX);
  settings.integer("lfu-decay-time", &keyspace.lfu_decay_time, 0, INT_MAX);
  settings.integer("active-expire-effort", &o.expire_effort, 1, 10);
  settings.boolean("activerehashing", &o.active_rehashing);
  settings.boolean("lazyfree-lazy-eviction", &o.lazy_eviction);
  settings.boolean("lazyfree-lazy-expire", &o.lazy_expire);
  settings.boolean("lazyfree-lazy-server-del", &o.lazy_server_del);
  settings.boolean("lazyfree-lazy-user-del", &o.lazy_user_del);
  settings.boolean("lazyfree-lazy-user-flush", &o.lazy_user_flush);
  settings.boolean("jemalloc-bg-thread", &o.jemalloc_background_thread);
}

void register_encoding_settings(Settings& settings, EncodingLimits& o) {
  constexpr size_t kMost = INT64_MAX;
  settings.integer("list-max-listpack-size", &o.list_max_listpack_size, INT_MIN, INT_MAX)
      .alias("list-max-ziplist-size");
  settings.integer("list-compress-depth", &o.list_compress_depth, 0, INT_MAX);
  settings.integer("hash-max-listpack-entries", &o.hash_max_listpack_entries, 0, kMost)
      .alias("hash-max-ziplist-entries");
  settings.memory("hash-max-listpack-value", &o.hash_max_listpack_value, 0, kMost).alias("hash-max-ziplist-value");
  settings.integer("set-max-intset-entries", &o.set_max_intset_entries, 0, kMost);
  settings.integer("set-max-listpack-entries", &o.set_max_listpack_entries, 0, kMost);
  settings.memory("set-max-listpack-value", &o.set_max_listpack_value, 0, kMost);
  settings.integer("zset-max-listpack-entries", &o.zset_max_listpack_entries, 0, kMost)
      .alias("zset-max-ziplist-entries");
  settings.memory("zset-max-listpack-value", &o.zset_max_listpack_value, 0, kMost).alias("zset-max-ziplist-value");
  settings.memory("hll-sparse-max-bytes", &o.hll_sparse_max_bytes, 0, kMost);
  settings.memory("stream-node-max-bytes", &o.stream_node_max_bytes, 0, kMost);
  settings.integer("stream-node-max-entries", &o.stream_node_max_entries, 0, INT64_MAX);
  settings.integer("stream-idmp-duration", &o.stream_idmp_duration_s, 1, StreamProducers::kMostSeconds);
  settings.integer("stream-idmp-maxsize", &o.stream_idmp_maxsize, 1, StreamProducers::kMostRecords);
  // Of former days: the list encodings of Redis 3.
  settings.obsolete("list-max-ziplist-entries");
  settings.obsolete("list-max-ziplist-value");
}

void register_observe_settings(Settings& settings, ObserveOptions& o) {
  settings.integer("slowlog-log-slower-than", &o.slower_than_us, -1, INT64_MAX)
      .alias("commandlog-execution-slower-than");
  settings.integer("slowlog-max-len", &o.slow_max_len, 0, INT64_MAX).alias("commandlog-slow-execution-max-len");
  settings.integer("commandlog-request-larger-than", &o.request_larger_than_bytes, -1, INT64_MAX);
  settings.integer("commandlog-large-request-max-len", &o.request_max_len, 0, INT64_MAX);
  settings.integer("commandlog-reply-larger-than", &o.reply_larger_than_bytes, -1, INT64_MAX);
  settings.integer("commandlog-large-reply-max-len", &o.reply_max_len, 0, INT64_MAX);
  settings.integer("latency-monitor-threshold", &o.latency_monitor_threshold_ms, 0, INT64_MAX);
  settings.boolean("latency-tracking", &o.latency_tracking);
  settings.custom("latency-tracking-info-percentiles", percentiles_codec(&o.latency_percentiles)).multi();
  settings.custom("notify-keyspace-events", notify_events_codec(&o.notify_events));
}

void register_log_settings(Settings& settings, LogOptions& o) {
  settings.enumeration("loglevel", &o.level, kLogLevels);
  settings.text("logfile", &o.file).immutable();
  settings.enumeration("log-format", &o.format, kLogFormats);
  settings.enumeration("log-timestamp-format", &o.timestamp, kLogTimestamps);
  settings.boolean("syslog-enabled", &o.syslog_enabled).immutable();
  settings.text("syslog-ident", &o.syslog_ident).immutable();
  settings.enumeration("syslog-facility", &o.syslog_facility, kSyslogFacilities).immutable();
  settings.boolean("crash-log-enabled", &o.crash_log_enabled);
  settings.boolean("hide-user-data-from-log", &o.hide_user_data);
}

void register_process_settings(Settings& settings, ProcessOptions& o) {
  settings.custom("dir", working_directory_codec()).guarded().always_rewritten().after_loading();
  settings.boolean("daemonize", &o.daemonize).immutable();
  settings.text("pidfile", &o.pidfile).immutable();
  settings.enumeration("supervised", &o.supervised, kSupervision).immutable();
  settings.boolean("always-show-logo", &o.always_show_logo).immutable();
  settings.boolean("set-proc-title", &o.set_proc_title).immutable();
  settings.text("proc-title-template", &o.proc_title_template).validate([&o] {
    return check_title_template(o.proc_title_template);
  });
  settings.integer("hz", &o.hz, 0, INT_MAX).validate([&o] {
    o.hz = o.hz < 1 ? 1 : o.hz > 500 ? 500 : o.hz;
    return Refusal();
  });
  settings.boolean("dynamic-hz", &o.dynamic_hz);
  settings.boolean("crash-memcheck-enabled", &o.crash_memcheck_enabled);
  settings.enumeration("enable-debug-command", &o.debug_command, kAllowances).immutable();
  settings.enumeration("enable-module-command", &o.module_command, kAllowances).immutable();
  settings.enumeration("enable-protected-configs", &o.protected_configs, kAllowances).immutable();
  settings.guard_with(&o.protected_configs);
  settings.enumeration("oom-score-adj", &o.oom_score_adjust, kOomScoreAdjust);
  settings.custom("oom-score-adj-values", oom_values_codec(&o.oom_score_values)).multi();
  settings.integer("shutdown-timeout", &o.shutdown_timeout_s, 0, INT_MAX).not_acting();
  settings.enumeration_flags("shutdown-on-sigint", &o.shutdown_on_sigint, kShutdownWays).validate([&o] {
    return check_shutdown_ways(o.shutdown_on_sigint);
  });
  settings.enumeration_flags("shutdown-on-sigterm", &o.shutdown_on_sigterm, kShutdownWays).validate([&o] {
    return check_shutdown_ways(o.shutdown_on_sigterm);
  });
  settings.boolean("disable-thp", &o.disable_transparent_huge_pages).immutable();
  settings.text("ignore-warnings", &o.ignore_warnings);
  settings.text("locale-collate", &o.locale_collate);
  settings.text("server-cpulist", &o.server_cpus).alias("server_cpulist").immutable();
  settings.text("bio-cpulist", &o.background_cpus).alias("bio_cpulist").immutable();
  settings.text("hash-seed", &o.hash_seed).immutable();
  settings.text("availability-zone", &o.availability_zone);
  settings.boolean("extended-redis-compatibility", &o.extended_redis_compatibility);
  settings.directive("rename-command", [&o](std::span<const std::string> words) -> Refusal {
    if (words.size() != 2) return "Bad directive or wrong number of arguments";
    if (!is_command(o, words[0])) return "No such command in rename-command";
    if (equals_ignoring_case(words[0], words[1])) return {};
    if (!words[1].empty() && is_command(o, words[1])) return "Target command name already exists";
    o.renamed_commands.emplace_back(words[0], words[1]);
    return {};
  });
}

}  // namespace vitrine
