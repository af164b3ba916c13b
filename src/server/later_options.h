// Settings of rooms that are not built yet: read, checked, shown, rewritten, and without effect. A room that gets built
// takes its part of this into Options of its own.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vitrine {

struct ReplicationOptions {
  std::vector<std::string> replicaof;  // host and port, or nothing
  std::string masterauth, masteruser;
  bool serve_stale_data = true, read_only = true, lazy_flush = false, announced = true, ignore_maxmemory = true;
  bool ignore_disk_write_errors = false;
  int priority = 100;
  std::string announce_ip;
  int announce_port = 0;
  int64_t full_sync_buffer_limit = 0;
  int64_t backlog_size = 1 << 20, backlog_ttl_s = 3600;
  bool disable_tcp_nodelay = false, diskless_sync = true, dual_channel = false, mptcp = false;
  int diskless_sync_delay_s = 5, diskless_sync_max_replicas = 0, diskless_load = 0;
  int ping_period_s = 10, timeout_s = 60;
  int min_replicas_max_lag_s = 10, min_replicas_to_write = 0;
  int propagation_error_behavior = 0;
};

struct ClusterOptions {
  bool enabled = false, allow_pubsubshard_when_down = true, allow_reads_when_down = false;
  bool allow_replica_migration = true, replica_no_failover = false, require_full_coverage = true;
  bool slot_stats_enabled = false;
  int announce_bus_port = 0, announce_port = 0, announce_tls_port = 0, announce_client_port = 0,
      announce_client_tls_port = 0;
  std::string announce_ip, announce_hostname, announce_human_nodename, announce_client_ipv4, announce_client_ipv6;
  std::string config_file = "nodes.conf";
  int config_save_behavior = 0, preferred_endpoint_type = 0;
  uint64_t link_sendbuf_limit = 0;
  int migration_barrier = 1, port = 0, replica_validity_factor = 10, compatibility_sample_ratio = 0;
  int databases = 1, blacklist_ttl_s = 60;
  int64_t node_timeout_ms = 15000, manual_failover_timeout_ms = 5000;
  int64_t slot_migration_log_max_len = 1000, slot_migration_max_failover_repl_bytes = 0;
};

// TLS towards other servers.
struct TlsPeerOptions {
  bool cluster = false, replication = false;
  std::string client_cert_file, client_key_file, client_key_file_pass;
};

struct LaterOptions {
  bool rdb_del_sync_files = false;
  ReplicationOptions replication;
  ClusterOptions cluster;
  TlsPeerOptions tls;
  std::vector<std::string> modules;  // the `loadmodule` lines
  // Active defragmentation.
  bool activedefrag = false;
  int defrag_cycle_min = 1, defrag_cycle_max = 25, defrag_cycle_us = 500;
  int defrag_threshold_lower = 10, defrag_threshold_upper = 100;
  int64_t defrag_ignore_bytes = 100 << 20, defrag_max_scan_fields = 1000;
  // Threads, prefetching, RDMA, importing.
  int io_threads = 1, prefetch_batch_max_size = 16, events_per_io_thread = 2;
  std::vector<std::string> rdma_bind;
  int rdma_port = 0, rdma_completion_vector = -1, rdma_rx_size = 1 << 20;
  bool import_mode = false;
  // Scripts.
  bool lua_enable_deprecated_api = false;
};

}  // namespace vitrine
