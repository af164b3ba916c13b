#include "persist/append_only.h"

#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "persist/command_writer.h"
#include "persist/snapshots.h"

namespace vitrine {

namespace {

constexpr FileWriter::Kind kWriter{"AOF rewrite", "AOF rewritten", "Background AOF rewrite",
                                   "Background AOF rewrite terminated with error", "temp-rewriteaof-bg-", ".aof",
                                   false};
constexpr uint64_t kFailuresBeforeWaiting = 3;
constexpr int64_t kLongestWaitMs = 3600 * 1000, kLongestWaitRefusingMs = 60 * 1000;

// An empty file of that name; what stands there from a crash was never named by the manifest.
FileResult<std::unique_ptr<AppendFile>> open_empty(Files& files, const std::string& path) {
  auto file = files.open_append(path);
  if (!file || (*file)->size() == 0) return file;
  if (auto cut = (*file)->truncate(0); !cut) return std::unexpected(cut.error());
  return file;
}

template <class T>
AppendOnly::Outcome outcome(const FileResult<T>& result) {
  if (result) return {};
  return std::unexpected(result.error().text);
}

}  // namespace

AppendOnly::AppendOnly(EventLoop& loop, Workers& workers, Files& files, Effects& effects, Snapshots& snapshots,
                       const AppendOptions& options)
    : loop_(loop), workers_(workers), files_(files), effects_(effects), snapshots_(snapshots), options_(options),
      log_(loop, workers, options), writer_(loop, files, kWriter) {
  log_.on_change = [this] { update_refusal(); };
  log_.child_at_work = [this] { return rewriting() || snapshots_.background_running(); };
}

AppendOnly::~AppendOnly() {
  *alive_ = false;
  end_child();
  if (log_.open()) effects_.leave(&log_);
}

void AppendOnly::update_refusal() {
  // Clients hear what is wrong, the log also with which file.
  Bytes what = log_.problem();
  if (size_t at = what.rfind(": "); at != Bytes::npos) what.remove_prefix(at + 2);
  refusal_ = what.empty() ? "" : "MISCONF Errors writing to the AOF file: " + std::string(what);
  changed();
}

// A base of what is half loaded would take the place of the log that is being read.
AppendOnly::Outcome AppendOnly::may_write() const {
  if (!snapshots_.loading().active()) return {};
  return std::unexpected("The data is being loaded: there is no whole to write yet");
}

AppendOnly::Outcome AppendOnly::claim() {
  if (lock_) return {};
  folder_ = files_.absolute(options_.folder);
  if (left_.folder == folder_ && (lock_ = std::move(left_.lock))) return {};
  auto lock = files_.lock_folder(folder_);
  if (lock) lock_ = std::move(*lock);
  else if (lock.error().code == EWOULDBLOCK)
    return std::unexpected("The append-only log is another's: " + lock.error().text + ". End that one first, or give "
                           "this server another dir or appenddirname.");
  return {};
}

AppendOnly::Outcome AppendOnly::make_folder() {
  if (!lock_) folder_ = files_.absolute(options_.folder);
  if (auto made = outcome(files_.make_folder(folder_)); !made) return made;
  if (auto claimed = claim(); !claimed) return claimed;
  return outcome(files_.sync_folder(folder_of(folder_)));
}

// What the folder holds already.
AppendOnly::Outcome AppendOnly::read_manifest() {
  if (auto made = make_folder(); !made) return made;
  auto manifest = read_aof_manifest(files_, manifest_path());
  if (!manifest) return std::unexpected(manifest.error());
  manifest_ = manifest->value_or(AofManifest());
  return {};
}

// After a manifest could not be written: the one on the disk may be the new one all the same, and name the file. Then
// it stays as it is until another manifest has taken that one's place.
void AppendOnly::give_up(const AofFile& file, bool is_base) {
  auto manifest = read_aof_manifest(files_, manifest_path());
  bool named = !manifest;
  if (manifest)
    for (const AofFile& each : manifest->value_or(AofManifest()).files()) named = named || each == file;
  if (!named) (void)files_.remove(path(file.name));
  else if (is_base) manifest_.abandon_base(file);
  else manifest_.abandon_increment(file);
}

void AppendOnly::give_up_increment() {
  if (waiting_) give_up(*waiting_, false);
  waiting_.reset();
}

AppendOnly::Outcome AppendOnly::write_manifest(const AofManifest& manifest) {
  if (auto made = outcome(files_.sync_folder(folder_)); !made) return made;
  return outcome(write_aof_manifest(files_, manifest_path(), manifest));
}

// Before any other file, so that it is known what files mean that are found without being named.
AppendOnly::Outcome AppendOnly::write_first_manifest() {
  return files_.exists(manifest_path()) ? Outcome() : write_manifest(manifest_);
}

uint64_t AppendOnly::measure(const AofManifest& manifest) {
  uint64_t bytes = 0;
  for (const AofFile& file : manifest.files())
    if (manifest.increments().empty() || file.name != manifest.increments().back().name)
      bytes += files_.size(path(file.name)).value_or(0);
  return bytes;
}

// ---- beginning and ending ----

// What kills have left of manifests and bases that were being written.
void AppendOnly::remove_leftovers() {
  vitrine::remove_leftovers(files_, folder_, options_.prefix + ".manifest.tmp-", "");
  writer_.remove_leftovers();
}

AppendOnly::Outcome AppendOnly::begin(const std::optional<AofManifest>& manifest) {
  manifest_ = manifest.value_or(AofManifest());
  if (auto made = make_folder(); !made) return made;
  if (auto written = write_first_manifest(); !written) return written;
  remove_leftovers();
  // The first base: of a server that begins with nothing, or with a snapshot.
  if (!manifest_.base() && manifest_.increments().empty())
    if (auto made = writer_.run(job()); !made) return made;
  auto opened = manifest_.increments().empty() ? begin_increment() : open_increment();
  if (!opened) return opened;
  bytes_before_ = measure(manifest_);
  stats_.base_bytes = manifest_.base() ? files_.size(path(manifest_.base()->name)).value_or(0) : 0;
  effects_.follow(&log_);
  state_ = State::on;
  if (!manifest_.history().empty()) remove_history();
  return {};
}

AppendOnly::Outcome AppendOnly::open_increment() {
  auto file = files_.open_append(path(manifest_.increments().back().name));
  if (!file) return outcome(file);
  if (!log_.switch_to(std::move(*file))) return std::unexpected(log_.problem());
  effects_.forget_database();
  return {};
}

// What the manifest does not name but holds something is nobody's to write over: a line of the manifest may be lost.
AofFile AppendOnly::next_increment() {
  AofFile next = manifest_.next_increment(options_.prefix);
  for (; files_.size(path(next.name)).value_or(0) > 0; next = manifest_.next_increment(options_.prefix)) {
    log(LogLevel::warning, "%s is not named by the manifest of the append-only log, and is left alone.",
        path(next.name).c_str());
    manifest_.skip_increment();
  }
  return next;
}

// The file is there before the manifest names it, and named before its first byte is written; but while the log is
// `waiting` the manifest is left alone.
AppendOnly::Outcome AppendOnly::begin_increment() {
  // Only the last file that the manifest names may end in the middle: nothing comes to the one before any more.
  if (!log_.write_out()) return std::unexpected(log_.problem());
  AofFile increment = next_increment();
  auto file = open_empty(files_, path(increment.name));
  if (!file) return outcome(file);
  if (state_ == State::waiting) {
    waiting_ = increment;
  } else {
    AofManifest next = manifest_;
    next.add_increment(increment);
    if (auto written = write_manifest(next); !written) {
      give_up(increment, false);
      return written;
    }
    manifest_ = std::move(next);
  }
  if (!log_.switch_to(std::move(*file))) return std::unexpected(log_.problem());
  bytes_before_ = measure(manifest_);
  effects_.forget_database();
  return {};
}

AppendOnly::Outcome AppendOnly::turn_on() {
  if (state_ != State::off) return {};
  if (auto may = may_write(); !may) return may;
  // A rewrite that was asked for while there was no log: what is written since then is nowhere.
  if (rewriting()) end_child(), lock_ = nullptr;
  auto begun = begin_waiting();
  if (!begun) state_ = State::off, scheduled_ = false, lock_ = nullptr;
  return begun;
}

AppendOnly::Outcome AppendOnly::begin_waiting() {
  if (auto read = read_manifest(); !read) return read;
  if (auto written = write_first_manifest(); !written) return written;
  state_ = State::waiting;
  if (snapshots_.background_running()) {
    scheduled_ = true;
    log(LogLevel::warning, "AOF was enabled but there is another background operation. An AOF background was scheduled "
                           "to start when possible.");
    return {};
  }
  return start_rewrite();
}

void AppendOnly::turn_off() {
  stop();
  left_ = {};
}

void AppendOnly::stop() {
  if (state_ == State::off) return;
  end_child();
  scheduled_ = false;
  if (log_.open()) effects_.leave(&log_);
  if (!log_.close()) log(LogLevel::warning, "The end of the append-only log is not on the disk.");
  give_up_increment();
  lock_ = nullptr;
  state_ = State::off;
  changed();
}

bool AppendOnly::is_log_file(const std::string& folder, const std::string& name) {
  if (!name.starts_with(options_.prefix) || files_.size(folder + '/' + name).value_or(1) == 0) return false;
  if (name != options_.prefix + ".manifest") return true;
  auto manifest = read_aof_manifest(files_, aof_manifest_path(folder, options_.prefix));
  return !manifest || !*manifest || !(*manifest)->empty();   // one that names no file: somebody has tried before
}

// Asked while the log is still on: what can be known before must not cost it a rewrite.
AppendOnly::Outcome AppendOnly::refuse_log_in(const std::string& folder) {
  if (folder == left_.folder && left_.lock) return {};
  if (auto made = outcome(files_.make_folder(folder)); !made) return made;
  if (auto lock = files_.lock_folder(folder); !lock && lock.error().code == EWOULDBLOCK)
    return std::unexpected("The append-only log there is another's: " + lock.error().text + ".");
  std::string single = folder_of(folder) + '/' + options_.prefix;
  std::string found = files_.exists(single) ? single : "";
  for (const std::string& name : files_.list(folder).value_or(std::vector<std::string>()))
    if (is_log_file(folder, name)) found = folder + '/' + name;
  if (found.empty()) return {};
  return std::unexpected("There is an append-only log already, " + found + ", which would be overwritten: move it "
                         "away, or choose another folder.");
}

AppendOnly::Outcome AppendOnly::follow_folder() {
  if (!options_.enabled) return {};
  if (state_ == State::off) return turn_on();
  std::string to = files_.absolute(options_.folder);
  if (to == folder_) return {};
  if (auto is_free = refuse_log_in(to); !is_free) return is_free;
  Left leaving{folder_, std::move(lock_)};
  stop();
  auto claimed = claim();
  left_ = std::move(leaving);
  return claimed ? turn_on() : claimed;
}

AppendOnly::Outcome AppendOnly::shut_down(bool force) {
  // When it fails the server goes on, and the child may be the one that makes the log whole.
  if (state_ == State::waiting && !force) return std::unexpected("Writing initial AOF, can't exit.");
  if (state_ == State::on && !log_.flush() && !force)
    return std::unexpected("The end of the append-only log could not be written, can't exit.");
  end_child();
  if (state_ == State::waiting) {
    log(LogLevel::warning, "Writing initial AOF. Exit anyway.");
    turn_off();
  }
  return {};
}

std::expected<AofManifest, std::string> AppendOnly::settle() {
  if (state_ != State::on) return std::unexpected("appendonly is no, or the first rewrite is not done");
  if (!log_.flush()) return std::unexpected(log_.problem());
  return manifest_;
}

// ---- rewriting ----

FileWriter::Job AppendOnly::job() {
  bool snapshot = options_.snapshot_base;
  auto write = [this, snapshot](const std::string& path, const SnapshotStep& step, size_t keys_in_step) {
    if (snapshot) return snapshots_.write_file(path, step, keys_in_step, true);
    return write_commands_file(files_, path, snapshots_.keyspace(), snapshots_.functions, snapshots_.options(), step,
                               keys_in_step);
  };
  return {options_.cpus, snapshots_.options().key_save_delay_us, snapshots_.keyspace().total_keys(), write,
          [this, snapshot](const std::string& path) { return publish(path, snapshot); }};
}

AppendOnly::Outcome AppendOnly::start_rewrite() {
  if (auto may = may_write(); !may) return may;
  if (rewriting()) return std::unexpected("Background append only file rewriting already in progress");
  last_try_ms_ = loop_.wall_ms();
  scheduled_ = false;
  if (state_ == State::off) {
    if (auto read = read_manifest(); !read) return lock_ = nullptr, read;
  } else {
    bool first = !log_.open();
    // Somebody has removed the folder, with the log: the rewrite is what brings the data back to the disk.
    if (!lock_ || !lock_->is_of(folder_)) {
      lock_ = nullptr;
      if (auto made = make_folder(); !made) return made;
    }
    if (auto begun = begin_increment(); !begun) {
      log(LogLevel::warning, "Can't begin a new file of the append-only log: %s", begun.error().c_str());
      stats_.last_rewrite_ok = false, stats_.failures++;
      return begun;
    }
    if (first) effects_.follow(&log_);
  }
  stats_.rewrites++;
  auto started = start_child();
  if (!started) {
    stats_.last_rewrite_ok = false, stats_.failures++;
    give_up_waiting();
    if (state_ == State::off) lock_ = nullptr;
  }
  return started;
}

AppendOnly::Outcome AppendOnly::start_child() {
  auto started = writer_.start(job(), [this](const Outcome& result) { on_end(result); });
  if (!started) {
    log(LogLevel::warning, "Can't rewrite append only file in background: %s", started.error().c_str());
    return std::unexpected("Can't rewrite append only file in background: " + started.error());
  }
  log(LogLevel::notice, "Background append only file rewriting started by pid %d", static_cast<int>(writer_.pid()));
  changed();
  return {};
}

void AppendOnly::on_end(const Outcome& result) {
  stats_.last_rewrite_ok = result.has_value();
  if (result) {
    stats_.failures = 0;
    if (state_ == State::waiting) state_ = State::on;
    left_ = {};
    bytes_before_ = measure(manifest_);
    stats_.base_bytes = bytes_before_ + log_.size();
    log(LogLevel::notice, "Background AOF rewrite finished successfully");
    remove_history();
  } else {
    log(LogLevel::warning, "%s", result.error().c_str());
    stats_.failures++;
    give_up_waiting();
  }
  if (state_ == State::off) lock_ = nullptr;
  changed();
}

// The new base gets its name, then the manifest names it.
AppendOnly::Outcome AppendOnly::publish(const std::string& temporary, bool is_snapshot) {
  AofFile base = manifest_.next_base(options_.prefix, is_snapshot);
  if (auto renamed = outcome(files_.rename(temporary, path(base.name))); !renamed) return renamed;
  AofManifest next = manifest_;
  if (waiting_) next.add_increment(*waiting_);
  next.replace_base(base, log_.open() ? 1 : 0);
  if (auto written = write_manifest(next); !written) {
    give_up(base, true);
    return written;
  }
  manifest_ = std::move(next);
  waiting_.reset();
  log_.base_is_there();
  return {};
}

// The first rewrite of a log that was turned on has failed: what was written since is worth nothing. It is tried again.
void AppendOnly::give_up_waiting() {
  if (state_ != State::waiting) return;
  if (log_.open()) effects_.leave(&log_);
  (void)log_.close();
  give_up_increment();
  scheduled_ = true;
}

// Without a result.
void AppendOnly::end_child() {
  if (writer_.end()) log(LogLevel::notice, "Background AOF rewrite was ended");
}

// What the manifest has as history; then the manifest forgets it.
void AppendOnly::remove_history() {
  if (options_.keep_history) return;
  std::vector<std::string> paths;
  for (const AofFile& file : manifest_.history()) paths.push_back(path(file.name));
  if (paths.empty()) return;
  workers_.submit(Workers::Kind::close_file, [this, paths, &files = files_, &loop = loop_, alive = alive_] {
    bool gone = true;
    for (const std::string& p : paths)
      if (auto removed = files.remove(p); !removed)
        log(LogLevel::warning, "%s", removed.error().text.c_str()), gone = false;
    if (!gone) return;
    loop.post([this, alive, count = paths.size()] {
      if (!*alive || manifest_.history().size() != count) return;   // it has grown meanwhile: the next time
      AofManifest next = manifest_;
      next.forget_history();
      if (auto written = write_manifest(next); written) manifest_ = std::move(next);
      else log(LogLevel::warning, "%s", written.error().c_str());
    });
  });
}

// After some failures in a row it waits for a minute, then for two, up to an hour. While writes are refused until it
// succeeds: for one second, then for two, up to a minute.
bool AppendOnly::retry_is_due() const {
  if (log_.needs_rewrite()) {
    int64_t wait_ms = std::min(kLongestWaitRefusingMs, int64_t{1000} << std::min<uint64_t>(stats_.failures, 6));
    return stats_.failures == 0 || loop_.wall_ms() - last_try_ms_ >= wait_ms;
  }
  if (stats_.failures < kFailuresBeforeWaiting) return true;
  uint64_t doublings = std::min<uint64_t>(stats_.failures - kFailuresBeforeWaiting, 6);
  return loop_.wall_ms() - last_try_ms_ >= std::min(kLongestWaitMs, int64_t{60000} << doublings);
}

bool AppendOnly::has_grown_enough() const {
  if (state_ != State::on || options_.auto_rewrite_percentage <= 0) return false;
  uint64_t now = bytes();
  if (now <= static_cast<uint64_t>(options_.auto_rewrite_min_bytes)) return false;
  uint64_t base = std::max<uint64_t>(stats_.base_bytes, 1);
  return now >= base && (now - base) / static_cast<double>(base) * 100 >= options_.auto_rewrite_percentage;
}

void AppendOnly::tend() {
  if (rewriting() || snapshots_.background_running() || snapshots_.loading().active()) return;
  bool grown = !rewrite_scheduled() && has_grown_enough();
  if ((!rewrite_scheduled() && !grown) || !retry_is_due()) return;
  if (grown)
    log(LogLevel::notice, "Starting automatic rewriting of AOF on %.0f%% growth",
        (static_cast<double>(bytes()) / static_cast<double>(std::max<uint64_t>(stats_.base_bytes, 1)) - 1) * 100);
  if (auto started = start_rewrite(); !started && state_ == State::waiting) scheduled_ = true;
}

}  // namespace vitrine
