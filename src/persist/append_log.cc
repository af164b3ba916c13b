#include "persist/append_log.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/log.h"
#include "wire/command_text.h"

namespace vitrine {

namespace {

constexpr int64_t kSyncEveryMs = 1000;
constexpr int64_t kPatienceMs = 2000;     // with a slow sync
constexpr int64_t kRetryEveryMs = 1000;
constexpr size_t kKeptRoom = 1 << 20;

}  // namespace

AppendLog::~AppendLog() { aside_->alive = false; }

void AppendLog::on_stream(Bytes unit) {
  if (options_.timestamps) annotate();
  buffer_ += unit;
}

void AppendLog::annotate() {
  int64_t now_s = loop_.wall_ms() / 1000;
  if (std::exchange(annotated_s_, now_s) != now_s) append_time_note(buffer_, now_s);
}

bool AppendLog::write_turn() {
  if (!file_) return true;
  if (!buffer_.empty() && may_write() && !write() && is(AppendOptions::Sync::always)) return false;
  // What was written before is synced, also while nothing more can be written.
  if (!unsynced_ || sync_is_suspended()) return true;
  if (is(AppendOptions::Sync::always)) return sync_here();
  if (is(AppendOptions::Sync::no)) return true;
  if (!syncing_ && loop_.now_ms() - last_sync_ms_ >= kSyncEveryMs) sync_aside(file_, files_);
  return true;
}

bool AppendLog::may_write() {
  int64_t now_ms = loop_.now_ms();
  if (retry_ms_ > now_ms && !is(AppendOptions::Sync::always)) return false;
  if (!syncing_ || !is(AppendOptions::Sync::everysec)) return true;
  if (!postponed_ms_) postponed_ms_ = now_ms;
  if (now_ms - postponed_ms_ < kPatienceMs) return false;
  stats_.delayed_syncs++;
  log(LogLevel::notice, "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without "
                        "waiting for fsync to complete, this may slow down Redis.");
  return true;
}

bool AppendLog::write() {
  postponed_ms_ = 0;
  if (options_.write_delay_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(options_.write_delay_us));
  uint64_t before = file_->size();
  std::string why;
  auto taken = file_->append(buffer_);
  if (taken && *taken < buffer_.size()) {
    auto rest = file_->append(Bytes(buffer_).substr(*taken));
    if (rest) *taken += *rest;
    why = rest ? "the disk took a part only" : rest.error().text;
  } else if (!taken) {
    why = taken.error().text;
  }
  size_t done = file_->size() - before;
  if (done == buffer_.size()) {
    stats_.written_bytes += done;
    unsynced_ = true;
    if (buffer_.capacity() > kKeptRoom) std::string().swap(buffer_);
    else buffer_.clear();
    retry_ms_ = 0;
    settle_problem();
    return true;
  }
  if (done > 0 && !file_->truncate(before)) buffer_.erase(0, done), unsynced_ = true;
  retry_ms_ = loop_.now_ms() + kRetryEveryMs;
  return fail(why);
}

bool AppendLog::sync_here() {
  auto synced = file_->sync();
  if (!synced) return fail_sync(synced.error().text, files_);
  stats_.syncs++;
  unsynced_ = false;
  last_sync_ms_ = loop_.now_ms();
  return true;
}

// A sync covers what was appended before it began: what comes meanwhile is unsynced again.
void AppendLog::sync_aside(std::shared_ptr<AppendFile> file, uint64_t number) {
  syncing_ = true;
  unsynced_ = false;
  last_sync_ms_ = loop_.now_ms();
  auto work = [this, file = std::move(file), number, aside = aside_, current = files_, &loop = loop_] {
    auto synced = file->sync();
    if (!synced) aside->failed = true;
    loop.post([this, aside, number, current, error = synced ? std::string() : synced.error().text] {
      if (aside->alive) on_synced(error, number, current);
    });
  };
  workers_.submit(Workers::Kind::fsync, std::move(work));
}

// `current`: the file when it was asked for.
void AppendLog::on_synced(const std::string& error, uint64_t number, uint64_t current) {
  if (current == files_) syncing_ = false;
  if (!error.empty()) {
    aside_->failed = false;
    if (number == files_) unsynced_ = true;
    if (file_) fail_sync(error, number);
  } else if (current == files_) {
    stats_.syncs++;
  }
}

bool AppendLog::fail_sync(std::string why, uint64_t number) {
  if (number < counts_from_) return false;
  bool known = needs_rewrite();
  damaged_ = std::max(damaged_, number);
  fail(std::move(why));
  if (!known)
    log(LogLevel::warning, "A sync of the append-only log has failed, so what was written lately may be missing in it: "
                           "it is rewritten at once, and writes are refused until that is done.");
  return false;
}

void AppendLog::base_is_there() {
  counts_from_ = std::max(counts_from_, files_);
  settle_problem();
}

bool AppendLog::fail(std::string why) {
  if (is(AppendOptions::Sync::always) && on_fatal) {
    on_fatal("The append-only log cannot be written: " + why + ". With appendfsync always nothing can be answered "
             "that is not on the disk.");
    return false;
  }
  if (problem_.empty()) log(LogLevel::warning, "Error writing to the AOF file: %s", why.c_str());
  set_problem(std::move(why));
  return false;
}

void AppendLog::set_problem(std::string problem) {
  if (problem == problem_) return;
  problem_ = std::move(problem);
  if (on_change) on_change();
}

// Writing and syncing fail, and recover, each for itself.
void AppendLog::settle_problem() {
  if (problem_.empty() || needs_rewrite() || retry_ms_) return;
  log(LogLevel::warning, "AOF write error looks solved. The server can write again.");
  set_problem({});
}

bool AppendLog::flush() {
  if (!file_) return true;
  if (!write_out()) return false;
  // The worker's answer has not come through the loop yet, but what it found counts.
  if (syncing_) workers_.drain(Workers::Kind::fsync);
  if (aside_->failed) return false;
  return (!unsynced_ || sync_here()) && !needs_rewrite();
}

bool AppendLog::switch_to(std::unique_ptr<AppendFile> file) {
  if (!write_out()) return false;
  if (file_ && unsynced_ && is(AppendOptions::Sync::always) && !sync_here()) return false;
  std::shared_ptr<AppendFile> old = std::exchange(file_, std::move(file));
  files_++;
  syncing_ = unsynced_ = false;
  postponed_ms_ = retry_ms_ = annotated_s_ = 0;
  last_sync_ms_ = loop_.now_ms();
  // While the old one is synced nothing is written to the new one: what the disk holds shall be a prefix.
  if (old) sync_aside(std::move(old), files_ - 1);
  return true;
}

bool AppendLog::close() {
  if (!file_) return true;
  bool whole = flush();
  if (syncing_) workers_.drain(Workers::Kind::fsync);   // flush() may have ended before
  if (auto closed = file_->close(); !closed) {
    log(LogLevel::warning, "%s", closed.error().text.c_str());
    whole = false;
  }
  file_.reset();
  counts_from_ = ++files_;
  buffer_.clear();
  syncing_ = unsynced_ = false;
  retry_ms_ = 0;
  set_problem({});
  return whole;
}

}  // namespace vitrine
