// INFO persistence.
#include "console/info.h"
#include "server/node.h"

namespace vitrine {

namespace {

void write_loading(InfoText& text, const Snapshots::Loading& l, int64_t now_ms) {
  text.field("loading_start_time", l.start_ms / 1000);
  text.field("loading_total_bytes", l.total_bytes);
  text.field("loading_rdb_used_mem", 0);
  text.field("loading_loaded_bytes", l.loaded_bytes);
  double done = static_cast<double>(l.loaded_bytes) / static_cast<double>(std::max<uint64_t>(1, l.total_bytes));
  text.real("loading_loaded_perc", done * 100);
  double seconds = static_cast<double>(now_ms - l.start_ms) / 1000;
  text.field("loading_eta_seconds", done > 0 ? static_cast<int64_t>(seconds / done - seconds) : int64_t{1});
}

void write_log_file(InfoText& text) {
  for (const char* name : {"aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"}) text.idle(name);
  text.field("aof_last_rewrite_time_sec", -1);
  text.field("aof_current_rewrite_time_sec", -1);
  text.field("aof_last_bgrewrite_status", "ok");
  text.idle("aof_rewrites");
  text.idle("aof_rewrites_consecutive_failures");
  text.field("aof_last_write_status", "ok");
  text.idle("aof_last_cow_size");
}

}  // namespace

void write_persistence_section(InfoText& text, const Snapshots& snapshots, int64_t now_ms) {
  const Snapshots::Stats& s = snapshots.stats();
  bool running = snapshots.background_running();
  text.field("loading", snapshots.loading().active ? 1 : 0);
  text.idle("async_loading");
  text.field("current_cow_peak", running ? s.cow_peak_bytes : 0);
  text.field("current_cow_size", s.cow_bytes);
  text.field("current_cow_size_age", s.cow_bytes ? (now_ms - s.cow_measured_ms) / 1000 : 0);
  text.real("current_fork_perc",
            s.keys_to_save ? 100.0 * static_cast<double>(s.saved_keys) / static_cast<double>(s.keys_to_save) : 0);
  text.field("current_save_keys_processed", s.saved_keys);
  text.field("current_save_keys_total", s.keys_to_save);
  text.field("rdb_changes_since_last_save", snapshots.changes());
  text.field("rdb_bgsave_in_progress", running ? 1 : 0);
  text.field("rdb_last_save_time", s.last_save_s);
  text.field("rdb_last_bgsave_status", s.last_background_ok ? "ok" : "err");
  text.field("rdb_last_bgsave_time_sec", s.last_background_duration_s);
  text.field("rdb_current_bgsave_time_sec", running ? (now_ms - s.background_start_ms) / 1000 : int64_t{-1});
  text.field("rdb_saves", s.saves);
  text.field("rdb_last_cow_size", s.last_cow_bytes);
  text.field("rdb_last_load_keys_expired", s.expired_keys);
  text.field("rdb_last_load_keys_loaded", s.loaded_keys);
  write_log_file(text);
  text.idle("module_fork_in_progress");
  text.idle("module_fork_last_cow_size");
  if (snapshots.loading().active) write_loading(text, snapshots.loading(), now_ms);
}

}  // namespace vitrine
