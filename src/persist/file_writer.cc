#include "persist/file_writer.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <thread>

#include "base/log.h"
#include "base/numbers.h"
#include "io/process.h"
#include "persist/snapshot_reader.h"

namespace vitrine {

namespace {

using std::chrono::milliseconds, std::chrono::steady_clock;
constexpr milliseconds kReportEvery(1000);

void sleep_for_keys(int delay_us, size_t keys) {
  if (delay_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(delay_us * static_cast<int64_t>(keys)));
}

size_t keys_in_step(int delay_us) { return delay_us > 0 ? 1 : kKeysInStep; }

bool may_be_snapshot(Files& files, const std::string& path) {
  auto file = files.open_read(path);
  return file && ((*file)->size() == 0 || begins_as_snapshot(**file).value_or(false));
}

}  // namespace

void remove_leftovers(Files& files, const std::string& folder, Bytes beginning, Bytes ending, Bytes keep,
                      bool snapshots_only) {
  auto names = files.list(folder);
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    if (!name.starts_with(beginning) || !name.ends_with(ending) || name == keep) continue;
    auto pid = parse_uint64(Bytes(name).substr(beginning.size(), name.size() - beginning.size() - ending.size()));
    if (!pid || *pid > INT_MAX || (static_cast<pid_t>(*pid) != getpid() && process::is_alive(static_cast<pid_t>(*pid))))
      continue;
    if (snapshots_only && !may_be_snapshot(files, folder + '/' + name)) continue;
    if (auto removed = files.remove(folder + '/' + name); removed)
      log(LogLevel::notice, "Removed %s, left behind by a process that is gone", name.c_str());
  }
}

void FileWriter::remove_leftovers(Bytes keep) {
  vitrine::remove_leftovers(files_, ".", kind_.beginning, kind_.ending, keep, kind_.is_snapshot);
}

WriteOutcome FileWriter::run(const Job& job) {
  SnapshotStep step;
  if (job.key_delay_us > 0) step = [&](size_t keys) { return sleep_for_keys(job.key_delay_us, keys), true; };
  std::string path = path_of(getpid());
  process::Signals::HalfWritten half_written(path);
  return finish(job.write(path, step, keys_in_step(job.key_delay_us)), path, job);
}

WriteOutcome FileWriter::finish(WriteOutcome written, const std::string& path, const Job& job) {
  if (written) written = job.publish(path);
  if (!written) (void)files_.remove(path);
  return written;
}

WriteOutcome FileWriter::start(Job job, std::function<void(const WriteOutcome&)> on_end) {
  job_ = std::move(job);
  tell_end_ = std::move(on_end);
  auto child = start_child_by(
      loop_, [this](const Child::Tell& tell) { return run_in_child(job_, tell); },
      [this](const ChildReport& report) { on_report(report); }, [this](Child::Ending ending) { this->on_end(ending); });
  if (!child) return std::unexpected(child.error());
  child_ = std::move(*child);
  pid_ = child_->pid();
  path_ = path_of(pid_);
  stats_.forks++;
  stats_.last_fork_us = child_->fork_us();
  stats_.start_ms = stats_.last_fork_ms = loop_.wall_ms();
  stats_.written_keys = stats_.cow_bytes = stats_.cow_peak_bytes = 0;
  stats_.keys_to_write = job_.keys;
  return {};
}

int FileWriter::run_in_child(const Job& job, const Child::Tell& tell) const {
  the_log().role = 'C';
  if (auto pinned = process::set_cpu_affinity(job.cpus); !pinned)
    log(LogLevel::warning, "%s: %s", kind_.name, pinned.error().c_str());
  ChildReport report;
  auto next_report = steady_clock::now() + kReportEvery;
  SnapshotStep step = [&](size_t keys) {
    report.done += keys;
    sleep_for_keys(job.key_delay_us, keys);
    auto now = steady_clock::now();
    if (now < next_report) return true;
    report.cow_bytes = private_dirty_bytes();
    tell(report);
    // Measuring takes the longer the larger the process is: at most a hundredth of the time.
    auto taken = steady_clock::now() - now;
    next_report = now + std::max<std::chrono::nanoseconds>(kReportEvery, taken * 100);
    return true;
  };
  auto written = job.write(path_of(getpid()), step, keys_in_step(job.key_delay_us));
  report.cow_bytes = private_dirty_bytes();
  tell(report);
  if (!written) {
    log(LogLevel::warning, "%s failed in the background: %s", kind_.name, written.error().c_str());
    return 1;
  }
  log(LogLevel::notice, "Fork CoW for %s: current %llu MB", kind_.name,
      static_cast<unsigned long long>(report.cow_bytes >> 20));
  return 0;
}

void FileWriter::on_report(const ChildReport& report) {
  stats_.written_keys = report.done;
  stats_.cow_bytes = report.cow_bytes;
  stats_.cow_peak_bytes = std::max(stats_.cow_peak_bytes, report.cow_bytes);
  stats_.cow_measured_ms = loop_.wall_ms();
}

void FileWriter::on_end(Child::Ending ending) {
  std::unique_ptr<Child> ended = std::move(child_);
  WriteOutcome written;
  if (ending.signal)
    written = std::unexpected(std::string(kind_.title) + " terminated by signal " + std::to_string(ending.signal));
  else if (ending.status) written = std::unexpected(kind_.failed);
  bool is_whole = written.has_value();
  written = finish(std::move(written), path_, job_);
  if (is_whole && !written) {
    log(LogLevel::warning, "%s failed in the background: %s", kind_.name, written.error().c_str());
    written = std::unexpected(kind_.failed);
  }
  if (written) log(LogLevel::notice, "%s", kind_.done);
  stats_.last_duration_s = (loop_.wall_ms() - stats_.start_ms) / 1000;
  stats_.last_cow_bytes = stats_.cow_bytes;
  forget_child();
  auto tell = std::move(tell_end_);
  tell(written);
}

bool FileWriter::end() {
  if (!child_) return false;
  child_.reset();
  (void)files_.remove(path_);
  forget_child();
  return true;
}

void FileWriter::forget_child() {
  stats_.start_ms = -1;
  stats_.cow_bytes = stats_.cow_peak_bytes = stats_.written_keys = stats_.keys_to_write = 0;
}

}  // namespace vitrine
