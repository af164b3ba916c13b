#include <algorithm>
#include <climits>

#include "server/later_options.h"
#include "server/settings_codecs.h"
#include "server/settings_table.h"

namespace vitrine {

namespace {

constexpr EnumName kDisklessLoad[] = {{"disabled", 0}, {"on-empty-db", 1}, {"swapdb", 2}, {"flush-before-load", 3}};
constexpr EnumName kPropagationErrors[] = {{"ignore", 0}, {"panic", 1}, {"panic-on-replicas", 2}};
constexpr EnumName kEndpoints[] = {{"ip", 0}, {"hostname", 1}, {"unknown-endpoint", 2}};
constexpr EnumName kConfigSaving[] = {{"sync", 0}, {"best-effort", 1}};

// Adds rows that do not act yet.
struct Later {
  Settings& settings;

  Setting& flag(Bytes name, bool* target) const { return settings.boolean(name, target).not_acting(); }
  Setting& number(Bytes name, int* target, int low, int high = INT_MAX) const {
    return settings.integer(name, target, low, high).not_acting();
  }
  Setting& number(Bytes name, int64_t* target, int64_t low, int64_t high = INT64_MAX) const {
    return settings.integer(name, target, low, high).not_acting();
  }
  Setting& amount(Bytes name, int64_t* target, int64_t low) const {
    return settings.memory(name, target, low, INT64_MAX).not_acting();
  }
  Setting& text(Bytes name, std::string* target) const { return settings.text(name, target).not_acting(); }
  Setting& choice(Bytes name, int* target, std::span<const EnumName> names) const {
    return settings.enumeration(name, target, names).not_acting();
  }
};

void register_replication(const Later& later, ReplicationOptions& o) {
  later.settings.custom("replicaof", leader_codec(&o.replicaof)).alias("slaveof").multi().immutable().not_acting();
  later.text("masterauth", &o.masterauth).alias("primaryauth").sensitive();
  later.text("masteruser", &o.masteruser).alias("primaryuser").sensitive();
  later.flag("replica-serve-stale-data", &o.serve_stale_data).alias("slave-serve-stale-data");
  later.flag("replica-read-only", &o.read_only).alias("slave-read-only");
  later.flag("replica-lazy-flush", &o.lazy_flush).alias("slave-lazy-flush");
  later.flag("replica-announced", &o.announced);
  later.flag("replica-ignore-maxmemory", &o.ignore_maxmemory).alias("slave-ignore-maxmemory");
  later.flag("replica-ignore-disk-write-errors", &o.ignore_disk_write_errors);
  later.number("replica-priority", &o.priority, 0).alias("slave-priority");
  later.text("replica-announce-ip", &o.announce_ip).alias("slave-announce-ip");
  later.number("replica-announce-port", &o.announce_port, 0, 65535).alias("slave-announce-port");
  later.amount("replica-full-sync-buffer-limit", &o.full_sync_buffer_limit, 0);
  later.amount("repl-backlog-size", &o.backlog_size, 1).validate([&o] {
    o.backlog_size = std::max<int64_t>(o.backlog_size, 16384);
    return Refusal();
  });
  later.number("repl-backlog-ttl", &o.backlog_ttl_s, 0);
  later.flag("repl-disable-tcp-nodelay", &o.disable_tcp_nodelay);
  later.flag("repl-diskless-sync", &o.diskless_sync);
  later.number("repl-diskless-sync-delay", &o.diskless_sync_delay_s, 0);
  later.number("repl-diskless-sync-max-replicas", &o.diskless_sync_max_replicas, 0);
  later.choice("repl-diskless-load", &o.diskless_load, kDisklessLoad);
  later.flag("dual-channel-replication-enabled", &o.dual_channel);
  later.flag("repl-mptcp", &o.mptcp);
  later.number("repl-ping-replica-period", &o.ping_period_s, 1).alias("repl-ping-slave-period");
  later.number("repl-timeout", &o.timeout_s, 1);
  later.number("min-replicas-max-lag", &o.min_replicas_max_lag_s, 0).alias("min-slaves-max-lag");
  later.number("min-replicas-to-write", &o.min_replicas_to_write, 0).alias("min-slaves-to-write");
  later.choice("propagation-error-behavior", &o.propagation_error_behavior, kPropagationErrors);
}

Refusal check_hostname(const std::string& name) {
  if (name.size() >= 256) return "Hostnames must be less than 256 characters";
  for (char c : name) {
    char lower = c | 0x20;
    bool good = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    if (!good) return "Hostnames may only contain alphanumeric characters, hyphens or dots";
  }
  return {};
}

Refusal check_nodename(const std::string& name) {
  if (name.size() >= 256) return "Human nodename must be less than 256 characters";
  for (char c : name)
    if (c < '!' || c > '~' || c == '"' || c == '\\' || c == '#' || c == ',')
      return "Announced human node name contained invalid character";
  return {};
}

void register_cluster(const Later& later, ClusterOptions& o) {
  constexpr int kPort = 65535;
  later.flag("cluster-enabled", &o.enabled).immutable();
  later.flag("cluster-allow-pubsubshard-when-down", &o.allow_pubsubshard_when_down);
  later.flag("cluster-allow-reads-when-down", &o.allow_reads_when_down);
  later.flag("cluster-allow-replica-migration", &o.allow_replica_migration);
  later.flag("cluster-replica-no-failover", &o.replica_no_failover).alias("cluster-slave-no-failover");
  later.flag("cluster-require-full-coverage", &o.require_full_coverage);
  later.flag("cluster-slot-stats-enabled", &o.slot_stats_enabled);
  later.number("cluster-announce-bus-port", &o.announce_bus_port, 0, kPort);
  later.number("cluster-announce-port", &o.announce_port, 0, kPort);
  later.number("cluster-announce-tls-port", &o.announce_tls_port, 0, kPort);
  later.number("cluster-announce-client-port", &o.announce_client_port, 0, kPort);
  later.number("cluster-announce-client-tls-port", &o.announce_client_tls_port, 0, kPort);
  later.text("cluster-announce-ip", &o.announce_ip);
  later.text("cluster-announce-client-ipv4", &o.announce_client_ipv4);
  later.text("cluster-announce-client-ipv6", &o.announce_client_ipv6);
  later.text("cluster-announce-hostname", &o.announce_hostname).validate([&o] {
    return check_hostname(o.announce_hostname);
  });
  later.text("cluster-announce-human-nodename", &o.announce_human_nodename).validate([&o] {
    return check_nodename(o.announce_human_nodename);
  });
  later.text("cluster-config-file", &o.config_file).immutable();
  later.choice("cluster-config-save-behavior", &o.config_save_behavior, kConfigSaving);
  later.choice("cluster-preferred-endpoint-type", &o.preferred_endpoint_type, kEndpoints);
  later.settings.memory("cluster-link-sendbuf-limit", &o.link_sendbuf_limit, 0, UINT64_MAX).not_acting();
  later.number("cluster-migration-barrier", &o.migration_barrier, 0);
  later.number("cluster-port", &o.port, 0, kPort).immutable();
  later.number("cluster-replica-validity-factor", &o.replica_validity_factor, 0)
      .alias("cluster-slave-validity-factor");
  later.number("cluster-compatibility-sample-ratio", &o.compatibility_sample_ratio, 0, 100);
  later.number("cluster-databases", &o.databases, 1).immutable();
  later.number("cluster-blacklist-ttl", &o.blacklist_ttl_s, 0);
  later.number("cluster-node-timeout", &o.node_timeout_ms, 0);
  later.number("cluster-manual-failover-timeout", &o.manual_failover_timeout_ms, 1);
  later.number("cluster-slot-migration-log-max-len", &o.slot_migration_log_max_len, 0);
  later.amount("slot-migration-max-failover-repl-bytes", &o.slot_migration_max_failover_repl_bytes, 0);
}

void register_tls(const Later& later, TlsPeerOptions& o) {
  later.flag("tls-cluster", &o.cluster);
  later.flag("tls-replication", &o.replication);
  later.text("tls-client-cert-file", &o.client_cert_file);
  later.text("tls-client-key-file", &o.client_key_file);
  later.text("tls-client-key-file-pass", &o.client_key_file_pass).sensitive();
}

void register_defragmentation(const Later& later, LaterOptions& o) {
  later.flag("activedefrag", &o.activedefrag);
  later.number("active-defrag-cycle-min", &o.defrag_cycle_min, 1, 99);
  later.number("active-defrag-cycle-max", &o.defrag_cycle_max, 1, 99);
  later.number("active-defrag-cycle-us", &o.defrag_cycle_us, 0, 100000);
  later.number("active-defrag-threshold-lower", &o.defrag_threshold_lower, 0, 1000);
  later.number("active-defrag-threshold-upper", &o.defrag_threshold_upper, 0, 1000);
  later.amount("active-defrag-ignore-bytes", &o.defrag_ignore_bytes, 1);
  later.number("active-defrag-max-scan-fields", &o.defrag_max_scan_fields, 1);
}

// Lines of the file that are kept for a room to come.
void register_directives(const Later& later, LaterOptions& o) {
  auto keep = [&](Bytes name, std::vector<std::string>* lines, size_t least) {
    later.settings.directive(name, [lines, least](std::span<const std::string> words) -> Refusal {
      if (words.size() < least) return "Bad directive or wrong number of arguments";
      std::string line;
      for (const std::string& word : words) (line += line.empty() ? "" : " ") += quote_word_if_needed(word);
      lines->push_back(std::move(line));
      return {};
    });
  };
  keep("loadmodule", &o.modules, 1);
  later.settings.directive("sentinel", [](std::span<const std::string>) -> Refusal {
    return "sentinel directive while not in sentinel mode";
  });
  later.settings.obsolete("lua-replicate-commands");
  later.settings.obsolete("io-threads-do-reads");
}

}  // namespace

void register_later_settings(Settings& settings, LaterOptions& o) {
  Later later{settings};
  later.flag("rdb-del-sync-files", &o.rdb_del_sync_files);
  register_replication(later, o.replication);
  register_cluster(later, o.cluster);
  register_tls(later, o.tls);
  register_defragmentation(later, o);
  register_directives(later, o);
  later.number("io-threads", &o.io_threads, 1, 128).immutable();
  later.number("events-per-io-thread", &o.events_per_io_thread, 0).hidden();
  later.number("prefetch-batch-max-size", &o.prefetch_batch_max_size, 0, 128);
  settings.words("rdma-bind", &o.rdma_bind).not_acting().immutable();
  later.number("rdma-port", &o.rdma_port, 0, 65535).immutable();
  later.number("rdma-rx-size", &o.rdma_rx_size, 64 << 10, 16 << 20).immutable();
  later.number("rdma-completion-vector", &o.rdma_completion_vector, -1, 1024).immutable();
  later.flag("import-mode", &o.import_mode);
  later.flag("lua-enable-deprecated-api", &o.lua_enable_deprecated_api).immutable().hidden();
}

}  // namespace vitrine
