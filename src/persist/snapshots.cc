#include "persist/snapshots.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/memory.h"

namespace vitrine {

namespace {

constexpr FileWriter::Kind kWriter{"RDB", "DB saved on disk", "Background saving", "Background saving error",
                                   "temp-", ".rdb", true};
constexpr uint64_t kSyncEveryBytes = 4 << 20;
constexpr int64_t kRetryAfterMs = 5000;

void sleep_us(int64_t us) { std::this_thread::sleep_for(std::chrono::microseconds(us)); }

}  // namespace

// A file under way: what it is told goes to its end.
class Snapshots::FileSink final : public RdbOutput::Sink {
 public:
  FileSink(AppendFile& file, bool sync_early) : file_(file), sync_early_(sync_early) {}

  bool write(Bytes piece) override {
    while (!piece.empty()) {
      auto taken = file_.append(piece);
      if (!taken) return error = taken.error().text, false;
      piece.remove_prefix(*taken);
    }
    if (sync_early_ && file_.size() - set_off_ >= kSyncEveryBytes) {
      file_.start_sync();
      set_off_ = file_.size();
    }
    return true;
  }

  std::string error;

 private:
  AppendFile& file_;
  bool sync_early_;
  uint64_t set_off_ = 0;
};

Snapshots::Snapshots(EventLoop& loop, Files& files, Keyspace& keyspace, const PersistOptions& options)
    : loop_(loop), files_(files), keyspace_(keyspace), options_(options), loading_(loop.clock()),
      writer_(loop, files, kWriter) {
  stats_.last_save_s = loop.wall_ms() / 1000;
}

SnapshotFacts Snapshots::facts() const {
  SnapshotFacts f;
  f.version = options_.version;
  f.compress = options_.compress;
  f.checksum = options_.checksum;
  f.used_memory = memory::used_bytes();
  f.access = access_facts ? access_facts() : SnapshotFacts::Access::none;
  f.functions = functions;
  return f;
}

Snapshots::Outcome Snapshots::write_file(const std::string& path, const SnapshotStep& step, size_t keys_in_step,
                                         bool aof_base) {
  auto file = files_.open_empty(path);
  if (!file) return std::unexpected(file.error().text);
  FileSink sink(**file, aof_base ? options_.append.incremental_fsync : options_.incremental_fsync);
  SnapshotFacts what = facts();
  what.aof_base = aof_base;
  auto written = write_snapshot(keyspace_, what, sink, step, keys_in_step);
  if (!written) return std::unexpected(written.error().empty() ? sink.error : written.error());
  if (auto synced = (*file)->sync(); !synced) return std::unexpected(synced.error().text);
  if (auto closed = (*file)->close(); !closed) return std::unexpected(closed.error().text);
  return {};
}

Snapshots::Outcome Snapshots::publish(const std::string& temporary, const std::string& path) {
  if (auto renamed = files_.rename(temporary, path); !renamed) return std::unexpected(renamed.error().text);
  if (auto synced = files_.sync_folder(folder_of(path)); !synced) return std::unexpected(synced.error().text);
  return {};
}

// What is half loaded must not take the place of the whole, whoever asks.
Snapshots::Outcome Snapshots::may_save() const {
  if (loading_.active()) return std::unexpected("The data is being loaded: there is no whole to save yet");
  if (background_running()) return std::unexpected("Background save already in progress");
  return {};
}

Snapshots::Outcome Snapshots::save(bool counts) {
  if (auto may = may_save(); !may) return may;
  stats_.saves += counts;
  return write_now();
}

Snapshots::Outcome Snapshots::write_now() {
  if (auto written = writer_.run(job()); !written) {
    log(LogLevel::warning, "Failed to save the data set: %s", written.error().c_str());
    return written;
  }
  log(LogLevel::notice, "DB saved on disk");
  stats_.last_save_s = loop_.wall_ms() / 1000;
  stats_.last_background_ok = true;
  saved_changes_ = keyspace_.stats().changes;
  changed();
  return {};
}

FileWriter::Job Snapshots::job() {
  auto write = [this](const std::string& path, const SnapshotStep& step, size_t keys_in_step) {
    return write_file(path, step, keys_in_step, false);
  };
  return {options_.cpus, options_.key_save_delay_us, keyspace_.total_keys(), write,
          [this, path = files_.absolute(options_.dbfilename)](const std::string& temporary) {
            return publish(temporary, path);
          }};
}

Snapshots::Outcome Snapshots::start_background() {
  if (auto may = may_save(); !may) return may;
  if (another_child()) return std::unexpected("Another child process is active (AOF?): can't BGSAVE right now.");
  last_try_ms_ = loop_.wall_ms();
  stats_.saves++;
  uint64_t changes = keyspace_.stats().changes;
  auto started = writer_.start(job(), [this, changes](const Outcome& result) { on_end(result, changes); });
  if (!started) {
    log(LogLevel::warning, "Can't save in background: %s", started.error().c_str());
    stats_.last_background_ok = false;
    changed();
    return std::unexpected("Can't save in background: " + started.error());
  }
  log(LogLevel::notice, "Background saving started by pid %d", static_cast<int>(writer_.pid()));
  changed();
  return {};
}

void Snapshots::on_end(const Outcome& result, uint64_t changes) {
  stats_.last_background_ok = result.has_value();
  if (result) {
    log(LogLevel::notice, "Background saving terminated with success");
    stats_.last_save_s = loop_.wall_ms() / 1000;
    saved_changes_ = changes;
  } else {
    log(LogLevel::warning, "%s", result.error().c_str());
  }
  changed();
}

bool Snapshots::cancel_background() {
  if (!background_running() && !scheduled_) return false;
  scheduled_ = false;
  log(LogLevel::warning, "Background saving cancelled");
  writer_.end();
  changed();
  return true;
}

void Snapshots::follow_flush() {
  if (loading_.active()) return;       // a log that is replayed tells of a moment long past
  end_child("its data was flushed");
  if (has_save_points()) (void)write_now();
}

void Snapshots::end_child(const char* why) {
  if (!writer_.end()) return;
  log(LogLevel::notice, "Background saving was ended: %s", why);
  changed();
}

void Snapshots::tend() {
  if (background_running() || loading_.active() || another_child()) return;
  int64_t now_ms = loop_.wall_ms(), since_s = now_ms / 1000 - stats_.last_save_s;
  if (scheduled_) {
    scheduled_ = false;
    (void)start_background();
    return;
  }
  if (!stats_.last_background_ok && now_ms - last_try_ms_ < kRetryAfterMs) return;
  for (auto [seconds, least] : options_.save_points) {
    if (changes() < static_cast<uint64_t>(least) || since_s <= seconds) continue;
    log(LogLevel::notice, "%d changes in %lld seconds. Saving...", least, static_cast<long long>(seconds));
    (void)start_background();
    return;
  }
}

Bytes Snapshots::write_refusal() const {
  if (!options_.stop_writes_on_error || !has_save_points() || stats_.last_background_ok) return {};
  return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands "
         "that may modify the data set are disabled, because this instance is configured to report errors during "
         "writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for "
         "details about the RDB error.";
}

std::expected<SnapshotContent, std::string> Snapshots::load(bool replace, bool serve) {
  auto file = files_.open_read(options_.dbfilename);
  if (!file) return std::unexpected(file.error().text);
  loading_.begin(options_.dbfilename, (*file)->size(), static_cast<uint64_t>(options_.loading_events_bytes),
                 serve ? on_events : std::function<bool()>());
  changed();
  auto content = load_from(**file, replace);
  loading_.end();
  changed();
  if (!content) return std::unexpected(options_.dbfilename + ": " + content.error());
  return content;
}

void Snapshots::tell_head(const SnapshotContent& head) {
  loading_.used_memory = static_cast<uint64_t>(std::max<int64_t>(0, head.used_memory));
  if (!head.written_by.empty())
    log(LogLevel::notice, "Loading RDB produced by version %s", head.written_by.c_str());
  if (head.written_at_s > 0)
    log(LogLevel::notice, "RDB age %lld seconds",
        static_cast<long long>(std::max<int64_t>(0, loop_.clock().wall_ms() / 1000 - head.written_at_s)));
  if (head.used_memory > 0)
    log(LogLevel::notice, "RDB memory usage when created %.2f Mb", static_cast<double>(head.used_memory) / (1 << 20));
  if (head.aof_base) log(LogLevel::notice, "RDB is base AOF");
}

std::expected<SnapshotContent, std::string> Snapshots::load_from(ReadFile& file, bool replace, Rest* rest) {
  RdbInput* reading = nullptr;
  uint64_t told = 0;
  auto advance = [&] { return loading_.advance(reading->offset() - std::exchange(told, reading->offset())); };
  FileSource source(file, [&](uint64_t) { return advance(); }, Loading::kStopped);
  RdbInput in(source, options_.checksum);
  reading = &in;
  SnapshotRules rules;
  rules.any_version = options_.version_check == PersistOptions::VersionCheck::relaxed;
  rules.version_advice = " (rdb-version-check relaxed tries)";
  rules.checksum = options_.checksum && !options_.skip_checksums;
  rules.replace = replace;
  rules.on_head = [&](const SnapshotContent& content) { tell_head(content); };
  // A load that is slowed down for tests serves clients at every key.
  int delay_us = options_.key_load_delay_us;
  rules.progress_bytes = delay_us > 0 ? 0 : static_cast<uint64_t>(options_.loading_events_bytes);
  rules.on_progress = [&](const SnapshotContent& content) {
    stats_.loaded_keys = content.keys;
    stats_.expired_keys = content.expired;
    if (delay_us > 0) sleep_us(delay_us);
    if (!advance() || (delay_us > 0 && !loading_.run_events())) in.fail(Loading::kStopped);
  };
  auto content = read_snapshot(in, keyspace_, rules);
  if (!content) return std::unexpected(source.error.empty() ? content.error() : source.error);
  stats_.loaded_keys = content->keys;
  stats_.expired_keys = content->expired;
  if (!advance()) return std::unexpected(Loading::kStopped);
  if (on_functions)
    if (std::string error = on_functions(content->functions); !error.empty())
      return std::unexpected("a library of functions: " + error);
  functions = content->functions;
  if (rest) *rest = {in.offset(), std::string(in.rest())};
  return content;
}

}  // namespace vitrine
