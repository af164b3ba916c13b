// INFO persistence.
#include "console/info.h"
#include "server/node.h"

namespace vitrine {

namespace {

void write_loading(InfoText& text, const Loading& l, int64_t now_ms) {
  text.field("loading_start_time", l.start_ms() / 1000);
  text.field("loading_total_bytes", l.total_bytes());
  text.field("loading_rdb_used_mem", l.used_memory);
  text.field("loading_loaded_bytes", l.loaded_bytes());
  double done = static_cast<double>(l.loaded_bytes()) / static_cast<double>(std::max<uint64_t>(1, l.total_bytes()));
  text.real("loading_loaded_perc", done * 100);
  double seconds = static_cast<double>(now_ms - l.start_ms()) / 1000;
  text.field("loading_eta_seconds", done > 0 ? static_cast<int64_t>(seconds / done - seconds) : int64_t{1});
}

// The child at work, which is a snapshot's or a rewrite's; never both.
void write_child(InfoText& text, const FileWriter::Stats& w, int64_t now_ms) {
  text.field("current_cow_peak", w.cow_peak_bytes);
  text.field("current_cow_size", w.cow_bytes);
  text.field("current_cow_size_age", w.cow_bytes ? (now_ms - w.cow_measured_ms) / 1000 : 0);
  text.real("current_fork_perc",
            w.keys_to_write ? 100.0 * static_cast<double>(w.written_keys) / static_cast<double>(w.keys_to_write) : 0);
  text.field("current_save_keys_processed", w.written_keys);
  text.field("current_save_keys_total", w.keys_to_write);
}

void write_append_only(InfoText& text, const AppendOnly& log, int64_t now_ms) {
  const AppendOnly::Stats& s = log.stats();
  const FileWriter::Stats& w = log.writer().stats();
  bool on = log.state() != AppendOnly::State::off;
  text.field("aof_enabled", on ? 1 : 0);
  text.field("aof_rewrite_in_progress", log.rewriting() ? 1 : 0);
  text.field("aof_rewrite_scheduled", log.rewrite_scheduled() ? 1 : 0);
  text.field("aof_last_rewrite_time_sec", w.last_duration_s);
  text.field("aof_current_rewrite_time_sec", log.rewriting() ? (now_ms - w.start_ms) / 1000 : int64_t{-1});
  text.field("aof_last_bgrewrite_status", s.last_rewrite_ok ? "ok" : "err");
  text.field("aof_rewrites", s.rewrites);
  text.field("aof_rewrites_consecutive_failures", s.failures);
  text.field("aof_last_write_status", log.append_log().problem().empty() ? "ok" : "err");
  text.field("aof_last_cow_size", w.last_cow_bytes);
}

// Behind all else, while it is on.
void write_growth(InfoText& text, const AppendOnly& log) {
  if (log.state() == AppendOnly::State::off) return;
  text.field("aof_current_size", log.bytes());
  text.field("aof_base_size", log.stats().base_bytes);
  text.field("aof_pending_rewrite", log.rewrite_scheduled() ? 1 : 0);
  text.field("aof_buffer_length", log.append_log().buffered_bytes());
  text.field("aof_pending_bio_fsync", log.append_log().sync_under_way() ? 1 : 0);
  text.field("aof_delayed_fsync", log.append_log().stats().delayed_syncs);
}

}  // namespace

void write_persistence_section(InfoText& text, const Snapshots& snapshots, const AppendOnly& log, int64_t now_ms) {
  const Snapshots::Stats& s = snapshots.stats();
  const FileWriter::Stats& w = snapshots.writer().stats();
  bool running = snapshots.background_running();
  text.field("loading", snapshots.loading().active() ? 1 : 0);
  text.idle("async_loading");
  write_child(text, log.rewriting() ? log.writer().stats() : w, now_ms);
  text.field("rdb_changes_since_last_save", snapshots.changes());
  text.field("rdb_bgsave_in_progress", running ? 1 : 0);
  text.field("rdb_last_save_time", s.last_save_s);
  text.field("rdb_last_bgsave_status", s.last_background_ok ? "ok" : "err");
  text.field("rdb_last_bgsave_time_sec", w.last_duration_s);
  text.field("rdb_current_bgsave_time_sec", running ? (now_ms - w.start_ms) / 1000 : int64_t{-1});
  text.field("rdb_saves", s.saves);
  text.field("rdb_last_cow_size", w.last_cow_bytes);
  text.field("rdb_last_load_keys_expired", s.expired_keys);
  text.field("rdb_last_load_keys_loaded", s.loaded_keys);
  write_append_only(text, log, now_ms);
  text.idle("module_fork_in_progress");
  text.idle("module_fork_last_cow_size");
  write_growth(text, log);
  if (snapshots.loading().active()) write_loading(text, snapshots.loading(), now_ms);
}

}  // namespace vitrine
