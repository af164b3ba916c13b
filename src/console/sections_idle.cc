// INFO persistence, replication, cluster for a server that saves nothing, follows nobody and stands alone.
#include "base/settings.h"
#include "console/sections.h"
#include "store/keyspace.h"

namespace vitrine {

namespace {

void write_persistence(InfoText& text, const Sources& s, const Measured& m) {
  for (const char* name : {"loading", "async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"})
    text.idle(name);
  text.real("current_fork_perc", 0);
  text.idle("current_save_keys_processed");
  text.idle("current_save_keys_total");
  text.field("rdb_changes_since_last_save", s.keyspace.stats().changes);
  text.idle("rdb_bgsave_in_progress");
  text.field("rdb_last_save_time", m.start_wall_us / 1000000);
  text.field("rdb_last_bgsave_status", "ok");
  text.field("rdb_last_bgsave_time_sec", -1);
  text.field("rdb_current_bgsave_time_sec", -1);
  for (const char* name : {"rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded",
                           "aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"})
    text.idle(name);
  text.field("aof_last_rewrite_time_sec", -1);
  text.field("aof_current_rewrite_time_sec", -1);
  text.field("aof_last_bgrewrite_status", "ok");
  text.idle("aof_rewrites");
  text.idle("aof_rewrites_consecutive_failures");
  text.field("aof_last_write_status", "ok");
  text.idle("aof_last_cow_size");
  text.idle("module_fork_in_progress");
  text.idle("module_fork_last_cow_size");
}

void write_replication(InfoText& text, const Sources& s, const Measured& m) {
  text.field("role", "master");
  text.idle("connected_slaves");
  text.field("master_failover_state", "no-failover");
  text.field("master_replid", m.replication_id);
  text.field("master_replid2", std::string(40, '0'));
  text.idle("master_repl_offset");
  text.field("second_repl_offset", -1);
  text.idle("repl_backlog_active");
  const Setting* size = s.settings.find("repl-backlog-size");
  text.field("repl_backlog_size", size ? size->format() : "0");
  text.idle("repl_backlog_first_byte_offset");
  text.idle("repl_backlog_histlen");
}

}  // namespace

void add_idle_sections(Info& info, const Sources& s, const Measured& m) {
  using enum Info::Shown;
  info.set_section("Persistence", by_default, [&](InfoText& text) { write_persistence(text, s, m); });
  info.set_section("Replication", by_default, [&](InfoText& text) { write_replication(text, s, m); });
  info.set_section("Cluster", by_default, [](InfoText& text) { text.field("cluster_enabled", 0); });
}

}  // namespace vitrine
