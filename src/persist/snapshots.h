// Snapshots: when and where the keyspace becomes a snapshot file, and how one comes back.
//
// A file appears under its name only when it is whole and on the disk: it is written as temp-PID.rdb beside it, synced,
// renamed, and the folder is synced. In the foreground (save), or by a forked child (start_background) whose end comes
// through the loop. tend() starts what the save points ask for.
//
// What other rooms ask: whether writes must be refused (write_refusal), and the figures of INFO persistence.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/file.h"
#include "persist/file_writer.h"
#include "persist/loading.h"
#include "persist/options.h"
#include "persist/snapshot_reader.h"
#include "persist/snapshot_writer.h"

namespace vitrine {

class Snapshots {
 public:
  using Outcome = std::expected<void, std::string>;   // an error is a sentence
  struct Stats {
    uint64_t saves = 0;                  // that were begun, as Redis counts them
    int64_t last_save_s = 0;             // Unix time of the last that succeeded, or of the start
    bool last_background_ok = true;
    uint64_t loaded_keys = 0, expired_keys = 0;      // by the last load, or so far
  };

  Snapshots(EventLoop& loop, Files& files, Keyspace& keyspace, const PersistOptions& options);

  const PersistOptions& options() const { return options_; }
  const Keyspace& keyspace() const { return keyspace_; }
  const Stats& stats() const { return stats_; }
  const FileWriter& writer() const { return writer_; }
  const Loading& loading() const { return loading_; }
  Loading& loading() { return loading_; }
  uint64_t changes() const { return keyspace_.stats().changes - saved_changes_; }

  void reset_stats() { stats_.saves = 0; }
  // What kills have left of snapshots that were being written. At the server's start.
  void remove_leftovers() { writer_.remove_leftovers(options_.dbfilename); }
  // In the foreground. An error, as from start_background(), while data is loaded. `counts`: as one of stats().saves,
  // as Redis counts SAVE, but not DEBUG RELOAD.
  Outcome save(bool counts = true);
  Outcome start_background();
  bool background_running() const { return writer_.running(); }
  // With the next tend().
  void schedule_background() { scheduled_ = true; }
  bool background_scheduled() const { return scheduled_; }
  // Ends the one under way or scheduled without a result; false if there is none.
  bool cancel_background();
  // FLUSHALL has emptied the databases: what went must not come back by a snapshot of before. A child's is given up;
  // where save points are set the file is written anew.
  void follow_flush();
  // BGSAVE's child, if there is one, has no result.
  void end_child(const char* why);
  // About ten times a second.
  void tend();
  bool has_save_points() const { return !options_.save_points.empty(); }
  // The error reply to writes while snapshots fail; empty: none.
  Bytes write_refusal() const;

  // Reads the file into the keyspace. `replace`: keys that are there already make place, else they are an error.
  // `serve`: on_events is called now and then, and says whether to go on; not from within a command.
  std::expected<SnapshotContent, std::string> load(bool replace, bool serve);
  // The data as a snapshot file of that name, synced. `aof_base`: it begins an append-only log.
  Outcome write_file(const std::string& path, const SnapshotStep& step, size_t keys_in_step, bool aof_base);
  // As part of a load() of another's, who tells Loading of it. `rest`: what follows the snapshot in the file: at which
  // byte, and what of it was read already.
  struct Rest {
    uint64_t offset = 0;
    std::string at_hand;
  };
  std::expected<SnapshotContent, std::string> load_from(ReadFile& file, bool replace, Rest* rest = nullptr);
  // What is in memory now is what the disk holds.
  void forget_changes() { saved_changes_ = keyspace_.stats().changes; }
  bool file_exists() { return files_.exists(options_.dbfilename); }
  std::function<bool()> on_events;
  // What is said of each key's use, as the eviction policy needs it.
  std::function<SnapshotFacts::Access()> access_facts;
  // Whether a child of another kind is at work: there is one at a time.
  std::function<bool()> other_child;
  bool another_child() const { return other_child && other_child(); }
  // A child was started or has ended, its result changes write_refusal(), or a load begins or ends.
  std::function<void()> on_change;
  void changed() {
    if (on_change) on_change();
  }

  // Code of function libraries, as they come and go with the files.
  std::vector<std::string> functions;
  // Makes libraries of those that a file held; an error's text, or nothing.
  std::function<std::string(std::span<const std::string>)> on_functions;

 private:
  class FileSink;
  SnapshotFacts facts() const;
  Outcome may_save() const;
  Outcome write_now();
  Outcome publish(const std::string& temporary, const std::string& path);
  void tell_head(const SnapshotContent& head);
  FileWriter::Job job();
  void on_end(const Outcome& result, uint64_t changes);

  EventLoop& loop_;
  Files& files_;
  Keyspace& keyspace_;
  const PersistOptions& options_;
  Stats stats_;
  Loading loading_;
  uint64_t saved_changes_ = 0;           // of the keyspace, that the last snapshot holds
  int64_t last_try_ms_ = 0;
  FileWriter writer_;
  bool scheduled_ = false;
};

}  // namespace vitrine
