// AppendLog: the end of the append-only log, where units arrive and become durable.
//
// A unit that arrives waits in memory until the turn ends; then the turn's units are written at once, and synced as the
// policy says:
//   always      at once: one sync for all clients of the turn. end_turn() is called before their replies leave. When
//               that fails, on_fatal is called, and nothing may be answered any more
//   everysec    by a worker, once a second. While one is under way nothing is written, because that would wait for the
//               disk; after two seconds it is written all the same (Stats::delayed_syncs)
//   no          when the kernel likes
//
// When writing fails under the last two, what could not be written stays in memory, problem() says why, and it is tried
// again at the end of the turns, once a second. A unit stands in the file as a whole or not at all: what was written of
// it is cut off again; if even that fails, writing goes on where it ended.
//
// When a sync fails, the kernel may have dropped what it could not bring to the disk, and another sync that succeeds
// says nothing of it. So that is a problem(), and needs_rewrite(), until a base is there that holds what came before
// the next file (base_is_there).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/effects.h"
#include "io/event_loop.h"
#include "io/file.h"
#include "io/workers.h"
#include "persist/options.h"

namespace vitrine {

class AppendLog final : public StreamFollower {
 public:
  struct Stats {
    uint64_t delayed_syncs = 0;     // writes that went on beside a sync of more than two seconds
    uint64_t syncs = 0, written_bytes = 0;
  };

  AppendLog(EventLoop& loop, Workers& workers, const AppendOptions& options)
      : loop_(loop), workers_(workers), options_(options) {}
  ~AppendLog() override;
  AppendLog(const AppendLog&) = delete;
  AppendLog& operator=(const AppendLog&) = delete;

  bool open() const { return file_ != nullptr; }
  // A sync has failed, of this file or of one before it that still counts: something may be missing there.
  bool needs_rewrite() const { return damaged_ >= counts_from_; }
  // All that came before this file is in a base, which is on the disk: the files before count no more.
  void base_is_there();
  // What arrives from now on goes to the end of `file`. The one there was is written to its end first, then synced
  // (under `always` at once, else by a worker) and closed. False: that failed, and it stays.
  bool switch_to(std::unique_ptr<AppendFile> file);
  // Writes, syncs and closes, whatever the policy. False: something is not on the disk.
  bool close();

  void on_stream(Bytes unit) override;
  // False: on_fatal was called, no reply of this turn may leave.
  bool end_turn() {
    if (__builtin_expect(buffer_.empty() && !unsynced_, 1)) return true;
    return write_turn();
  }
  // Writes and syncs what there is, now, before the process ends or a copy of it is made; false: something failed.
  bool flush();
  // Writes what there is, now; false: it could not, and stays in memory.
  bool write_out() { return !file_ || buffer_.empty() || write(); }

  // Why writes must be refused; empty: no reason.
  const std::string& problem() const { return problem_; }
  uint64_t size() const { return file_ ? file_->size() : 0; }
  size_t buffered_bytes() const { return buffer_.size(); }
  size_t buffer_memory() const { return buffer_.capacity(); }
  bool sync_under_way() const { return syncing_; }
  const Stats& stats() const { return stats_; }
  void reset_stats() { stats_.delayed_syncs = 0; }

  // Under `always`: the disk failed. It says why, in a sentence.
  std::function<void(const std::string&)> on_fatal;
  // problem() has changed.
  std::function<void()> on_change;
  // A child is at work (no-appendfsync-on-rewrite).
  std::function<bool()> child_at_work;

 private:
  bool write_turn();
  bool may_write();
  bool write();
  bool sync_here();
  void sync_aside(std::shared_ptr<AppendFile> file, uint64_t number);
  void on_synced(const std::string& error, uint64_t number, uint64_t current);
  bool fail_sync(std::string why, uint64_t number);
  bool fail(std::string why);
  void settle_problem();
  void set_problem(std::string problem);
  void annotate();
  bool is(AppendOptions::Sync sync) const { return options_.sync == sync; }
  bool sync_is_suspended() const { return options_.no_sync_on_rewrite && child_at_work && child_at_work(); }

  EventLoop& loop_;
  Workers& workers_;
  const AppendOptions& options_;
  std::shared_ptr<AppendFile> file_;     // shared with the worker that syncs it
  std::string buffer_;                   // whole units, not yet written
  bool unsynced_ = false;                // something was written and not synced
  bool syncing_ = false;                 // a worker is at it
  // Files by number, in their order: this one (a late answer about another says nothing about it), the last one of
  // which a sync has failed, and the first one that is read at a start.
  uint64_t files_ = 0, damaged_ = 0, counts_from_ = 1;
  int64_t last_sync_ms_ = 0, postponed_ms_ = 0, retry_ms_ = 0, annotated_s_ = 0;
  std::string problem_;
  Stats stats_;
  // Outlives this in the work that is under way.
  struct Aside {
    bool alive = true;
    std::atomic<bool> failed = false;    // a worker's sync, of which on_synced has not heard yet
  };
  std::shared_ptr<Aside> aside_ = std::make_shared<Aside>();
};

}  // namespace vitrine
