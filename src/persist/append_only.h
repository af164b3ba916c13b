// AppendOnly: the append-only log as a whole: the files, when a new one begins, and rewriting.
//
//   appendonlydir/appendonly.aof.manifest          names the files (aof_manifest.h)
//   appendonlydir/appendonly.aof.N.base.rdb        the data at some moment; .base.aof when it holds commands
//   appendonlydir/appendonly.aof.M.incr.aof        what was written since; the last one grows (append_log.h)
//
// A rewrite begins a new increment, then a forked child writes the data as it is at that moment as the next base. Once
// that is whole and on the disk, the manifest names it with the new increment, and the files before become history,
// which a worker removes. When it fails nothing is lost: the increments stay.
//
// Turned on while the server runs (CONFIG SET appendonly yes), the log counts only when the first rewrite is done:
// until then the manifest on the disk is left as it was, and the state is `waiting`. Where there is none, one that
// names no files says that there is no log yet: a start then reads the snapshot, and begins the log with it.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "persist/aof_manifest.h"
#include "persist/append_log.h"
#include "persist/file_writer.h"
#include "persist/options.h"

namespace vitrine {

class Snapshots;

class AppendOnly {
 public:
  using Outcome = std::expected<void, std::string>;   // an error is a sentence
  enum class State : uint8_t { off, waiting, on };
  struct Stats {
    uint64_t rewrites = 0;                            // that were begun, as Redis counts them
    uint64_t failures = 0;                            // since the last success
    bool last_rewrite_ok = true;
    uint64_t base_bytes = 0;                          // the log's size after the last rewrite
  };

  AppendOnly(EventLoop& loop, Workers& workers, Files& files, Effects& effects, Snapshots& snapshots,
             const AppendOptions& options);
  ~AppendOnly();
  AppendOnly(const AppendOnly&) = delete;
  AppendOnly& operator=(const AppendOnly&) = delete;

  State state() const { return state_; }
  const Stats& stats() const { return stats_; }
  const FileWriter& writer() const { return writer_; }
  FileWriter& writer() { return writer_; }
  const AppendLog& append_log() const { return log_; }
  AppendLog& append_log() { return log_; }
  // Of all files that are read at a start.
  uint64_t bytes() const { return state_ == State::on ? bytes_before_ + log_.size() : 0; }

  // Before the log is read: keeps its folder, if it is there yet, to this server until turn_off() or the end. An error:
  // another process has it.
  Outcome claim();
  // At the server's start, when appendonly is yes and the data was read: goes on where the log ends, or begins one.
  Outcome begin(const std::optional<AofManifest>& manifest);
  // CONFIG SET appendonly. Turning on may have to wait for another child, and is an error while data is loaded.
  Outcome turn_on();
  void turn_off();
  // CONFIG SET dir: a log that is on goes on in the working folder of now, where a rewrite begins it. An error where
  // that one holds a log already. Asked again with the folder there was before, it goes back.
  Outcome follow_folder();
  // The server ends. An error: something is not on the disk, and `force` was not given; then it goes on.
  Outcome shut_down(bool force);
  // Before the data is read anew from the log: everything is in its files. The manifest of those.
  std::expected<AofManifest, std::string> settle();

  void reset_stats() {
    stats_.rewrites = 0;
    log_.reset_stats();
  }

  // Before replies leave; false: none may.
  bool end_turn() { return log_.end_turn(); }
  // About ten times a second.
  void tend();

  Outcome start_rewrite();
  // As soon as there is no other child.
  void schedule_rewrite() { scheduled_ = true; }
  bool rewriting() const { return writer_.running(); }
  bool rewrite_scheduled() const { return scheduled_ || (log_.needs_rewrite() && !rewriting()); }
  // The error reply to writes while the log cannot be written; empty: none.
  Bytes write_refusal() const { return refusal_; }

  // A child was started or has ended, or write_refusal() has changed.
  std::function<void()> on_change;

 private:
  std::string path(const std::string& name) const { return folder_ + '/' + name; }
  std::string manifest_path() const { return aof_manifest_path(folder_, options_.prefix); }
  Outcome may_write() const;
  Outcome make_folder();
  Outcome read_manifest();
  Outcome refuse_log_in(const std::string& folder);
  bool is_log_file(const std::string& folder, const std::string& name);
  Outcome begin_waiting();
  void stop();
  Outcome write_manifest(const AofManifest& manifest);
  Outcome write_first_manifest();
  void give_up(const AofFile& file, bool is_base);
  void give_up_increment();
  void remove_leftovers();
  FileWriter::Job job();
  Outcome open_increment();
  AofFile next_increment();
  Outcome begin_increment();
  Outcome start_child();
  void on_end(const Outcome& result);
  Outcome publish(const std::string& temporary, bool is_snapshot);
  void give_up_waiting();
  void end_child();
  void remove_history();
  bool retry_is_due() const;
  bool has_grown_enough() const;
  uint64_t measure(const AofManifest& manifest);
  void update_refusal();
  void changed() {
    if (on_change) on_change();
  }

  EventLoop& loop_;
  Workers& workers_;
  Files& files_;
  Effects& effects_;
  Snapshots& snapshots_;
  const AppendOptions& options_;
  AppendLog log_;
  State state_ = State::off;
  std::string folder_;                   // absolute: the same when the working folder changes
  std::unique_ptr<FolderLock> lock_;     // of folder_
  // The folder that was left last, kept from others until the log of the new one counts: to go back to.
  struct Left {
    std::string folder;
    std::unique_ptr<FolderLock> lock;
  } left_;
  AofManifest manifest_;
  std::optional<AofFile> waiting_;       // the increment that the manifest does not name yet
  uint64_t bytes_before_ = 0;            // of the files before the last increment
  FileWriter writer_;
  bool scheduled_ = false;
  int64_t last_try_ms_ = 0;
  std::string refusal_;
  Stats stats_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace vitrine
