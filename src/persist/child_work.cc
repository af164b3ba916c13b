#include "persist/child_work.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <thread>

#include "base/log.h"
#include "base/numbers.h"
#include "io/process.h"

namespace vitrine {

namespace {

using std::chrono::milliseconds, std::chrono::steady_clock;
constexpr milliseconds kReportEvery(1000);

void sleep_for_keys(const ChildWork& what, size_t keys) {
  if (what.key_delay_us > 0)
    std::this_thread::sleep_for(std::chrono::microseconds(what.key_delay_us * static_cast<int64_t>(keys)));
}

size_t keys_in_step(const ChildWork& what) { return what.key_delay_us > 0 ? 1 : kKeysInStep; }

}  // namespace

void remove_leftovers(Files& files, const std::string& folder, Bytes beginning, Bytes ending, Bytes keep) {
  auto names = files.list(folder);
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    if (!name.starts_with(beginning) || !name.ends_with(ending) || name == keep) continue;
    auto pid = parse_uint64(Bytes(name).substr(beginning.size(), name.size() - beginning.size() - ending.size()));
    if (!pid || *pid > INT_MAX || (static_cast<pid_t>(*pid) != getpid() && process::is_alive(static_cast<pid_t>(*pid))))
      continue;
    if (auto removed = files.remove(folder + '/' + name); removed)
      log(LogLevel::notice, "Removed %s, left behind by a process that is gone", name.c_str());
  }
}

int run_in_child(const ChildWork& what, const Child::Tell& tell, const WriteWork& write) {
  the_log().role = 'C';
  if (auto pinned = process::set_cpu_affinity(what.cpus); !pinned)
    log(LogLevel::warning, "%s: %s", what.name, pinned.error().c_str());
  ChildReport report;
  auto next_report = steady_clock::now() + kReportEvery;
  SnapshotStep step = [&](size_t keys) {
    report.done += keys;
    sleep_for_keys(what, keys);
    auto now = steady_clock::now();
    if (now < next_report) return true;
    report.cow_bytes = private_dirty_bytes();
    tell(report);
    // Measuring takes the longer the larger the process is: at most a hundredth of the time.
    auto taken = steady_clock::now() - now;
    next_report = now + std::max<std::chrono::nanoseconds>(kReportEvery, taken * 100);
    return true;
  };
  auto written = write(step, keys_in_step(what));
  report.cow_bytes = private_dirty_bytes();
  tell(report);
  if (!written) {
    log(LogLevel::warning, "%s failed in the background: %s", what.name, written.error().c_str());
    return 1;
  }
  log(LogLevel::notice, "%s", what.done);
  log(LogLevel::notice, "Fork CoW for %s: current %llu MB", what.name,
      static_cast<unsigned long long>(report.cow_bytes >> 20));
  return 0;
}

WriteOutcome run_in_foreground(const ChildWork& what, const WriteWork& write) {
  SnapshotStep step;
  if (what.key_delay_us > 0) step = [&](size_t keys) { return sleep_for_keys(what, keys), true; };
  return write(step, keys_in_step(what));
}

}  // namespace vitrine
