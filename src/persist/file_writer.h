// FileWriter: writes the data to a file, in a forked child or in the executor; knows how far it is and what it costs.
//
// The file is written under a name that carries the number of the process that writes it (temp-PID.rdb); when it is
// whole and on the disk its owner gives it its own name (Job::publish). When any of this fails the file is removed.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "io/child.h"
#include "io/file.h"
#include "persist/snapshot_writer.h"

namespace vitrine {

using WriteOutcome = std::expected<void, std::string>;   // an error is a sentence

class FileWriter {
 public:
  struct Kind {
    const char* name;          // in the log: "RDB", "AOF rewrite"
    const char* done;          // in the log: the file has its name
    const char* title;         // "Background saving", for what a signal has terminated
    const char* failed;        // the log has said why
    const char* beginning;     // of the file's name, before the process's number
    const char* ending;
    bool is_snapshot;          // always: another's file may have such a name (temp-1.rdb), and is left alone
  };
  struct Job {
    Bytes cpus = {};           // where the child may run (process::set_cpu_affinity); empty: anywhere
    int key_delay_us = 0;      // for tests
    uint64_t keys = 0;         // that will be written
    std::function<WriteOutcome(const std::string& path, const SnapshotStep& step, size_t keys_in_step)> write;
    std::function<WriteOutcome(const std::string& path)> publish;
  };
  struct Stats {
    uint64_t forks = 0;
    int64_t last_fork_us = 0, last_fork_ms = 0;
    int64_t start_ms = -1;                           // of the child at work; -1: none
    int64_t last_duration_s = -1;
    uint64_t written_keys = 0, keys_to_write = 0;    // by the child at work
    // Memory that a child shares no more: of the one at work, and of the last.
    uint64_t cow_bytes = 0, cow_peak_bytes = 0, last_cow_bytes = 0;
    int64_t cow_measured_ms = 0;
  };

  // `kind` outlives this.
  FileWriter(EventLoop& loop, Files& files, const Kind& kind) : loop_(loop), files_(files), kind_(kind) {}
  ~FileWriter() { end(); }
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  // In the executor.
  WriteOutcome run(const Job& job);
  // In a child; `on_end` comes through the loop. An error: there is none. REQUIRES: !running().
  WriteOutcome start(Job job, std::function<void(const WriteOutcome&)> on_end);
  bool running() const { return child_ != nullptr; }
  // Ends the child without a result; false if there is none.
  bool end();
  // Of the last child.
  pid_t pid() const { return pid_; }
  const Stats& stats() const { return stats_; }
  // What kills have left: files in "." with such a name where no such process is alive, or whose number is our own; but
  // not `keep`.
  void remove_leftovers(Bytes keep = {});

  // How a child is started; tests may let it work in their own process.
  std::function<Child::Start> start_child_by = Child::start;

 private:
  int run_in_child(const Job& job, const Child::Tell& tell) const;
  // Absolute: it stays the same when the working folder changes meanwhile.
  std::string path_of(pid_t pid) const {
    return files_.absolute(kind_.beginning + std::to_string(pid) + kind_.ending);
  }
  void on_report(const ChildReport& report);
  void on_end(Child::Ending ending);
  WriteOutcome finish(WriteOutcome written, const std::string& path, const Job& job);
  void forget_child();

  EventLoop& loop_;
  Files& files_;
  const Kind& kind_;
  std::unique_ptr<Child> child_;
  pid_t pid_ = 0;
  std::string path_;           // of the child's file
  Job job_;                    // of the child
  std::function<void(const WriteOutcome&)> tell_end_;
  Stats stats_;
};

// Removes FOLDER/BEGINNING<PID>ENDING as FileWriter::remove_leftovers says; `snapshots_only`: where it is empty or
// begins as a snapshot does.
void remove_leftovers(Files& files, const std::string& folder, Bytes beginning, Bytes ending, Bytes keep = {},
                      bool snapshots_only = false);

}  // namespace vitrine
