#include "console/latency.h"

#include <algorithm>
#include <cstdio>

#include "engine/command_table.h"
#include "io/event_loop.h"

namespace vitrine {

void LatencyMonitor::on_notable(const Session&, const Command& command, std::span<const Bytes>, uint64_t duration_ns,
                                size_t, size_t) {
  note(command.flags & command_flag::kFast ? "fast-command" : "command", duration_ns);
}

void LatencyMonitor::note(Bytes event, uint64_t duration_ns) {
  int64_t ms = static_cast<int64_t>(duration_ns / 1000000);
  if (options_.latency_monitor_threshold_ms <= 0 || ms < options_.latency_monitor_threshold_ms) return;
  add(event, loop_.clock().wall_ms() / 1000, ms);
}

void LatencyMonitor::add(Bytes name, int64_t at_s, int64_t ms) {
  auto it = events_.find(name);
  if (it == events_.end()) it = events_.emplace(std::string(name), Event{}).first;
  Event& event = it->second;
  event.longest_ms = std::max(event.longest_ms, ms);
  if (!event.samples.empty() && event.samples.back().at_s == at_s) {
    event.samples.back().ms = std::max(event.samples.back().ms, ms);
    return;
  }
  event.samples.push_back({at_s, ms});
  if (event.samples.size() > kSamples) event.samples.pop_front();
}

bool LatencyMonitor::reset(Bytes name) {
  auto it = events_.find(name);
  if (it == events_.end()) return false;
  events_.erase(it);
  return true;
}

size_t LatencyMonitor::reset_all() {
  size_t n = events_.size();
  events_.clear();
  return n;
}

namespace {

std::string ago(int64_t seconds) {
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 86400) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

std::pair<int64_t, int64_t> range(const LatencyMonitor::Event& event) {
  int64_t low = INT64_MAX, high = 0;
  for (const auto& s : event.samples) low = std::min(low, s.ms), high = std::max(high, s.ms);
  return {low, high};
}

}  // namespace

std::string LatencyMonitor::graph(Bytes name, const Event& event, int64_t now_s) {
  constexpr int64_t kRows = 4;
  auto [low, high] = range(event);
  std::string out = std::string(name) + " - high " + std::to_string(high) + " ms, low " + std::to_string(low) +
                    " ms (all time high " + std::to_string(event.longest_ms) + " ms)\n" + std::string(80, '-') + "\n";
  // A sample's height: from 1 for the shortest to kRows for the longest.
  auto height = [&, low = low, high = high](const Sample& s) {
    return high == low ? kRows : 1 + (s.ms - low) * (kRows - 1) / (high - low);
  };
  for (int64_t row = kRows; row >= 1; row--) {
    for (const Sample& s : event.samples) {
      if (height(s) == row) out += row == kRows ? '#' : 'o';
      else out += height(s) > row ? '|' : ' ';
    }
    out += '\n';
  }
  out += '\n';
  // How long ago, written downwards under each column.
  size_t deepest = 0;
  std::vector<std::string> ages;
  for (const Sample& s : event.samples) {
    ages.push_back(ago(std::max<int64_t>(0, now_s - s.at_s)));
    deepest = std::max(deepest, ages.back().size());
  }
  for (size_t i = 0; i < deepest; i++) {
    for (const std::string& age : ages) out += i < age.size() ? age[i] : ' ';
    out += '\n';
  }
  return out;
}

std::string LatencyMonitor::report() const {
  if (options_.latency_monitor_threshold_ms <= 0)
    return "The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on; then ask "
           "again after a while.\n";
  if (events_.empty())
    return "Nothing lasted " + std::to_string(options_.latency_monitor_threshold_ms) +
           " ms or longer since the monitor was turned on or reset.\n";
  std::string out = "Events of at least " + std::to_string(options_.latency_monitor_threshold_ms) + " ms:\n\n";
  for (const auto& [name, event] : events_) {
    int64_t sum = 0;
    for (const Sample& s : event.samples) sum += s.ms;
    auto n = static_cast<int64_t>(event.samples.size());
    int64_t span = event.samples.back().at_s - event.samples.front().at_s;
    char line[256];
    std::snprintf(line, sizeof line, "%s: %lld seconds with such an event, %lld ms on average, %lld ms at most",
                  name.c_str(), static_cast<long long>(n), static_cast<long long>(sum / n),
                  static_cast<long long>(event.longest_ms));
    out += line;
    if (n > 1) out += ", one every " + std::to_string(span / (n - 1)) + " s";
    out += ".\n";
  }
  out += "\n";
  if (events_.contains("command"))
    out += "- Commands take long: SLOWLOG GET names them. Prefer SCAN to KEYS, and ranges to whole collections.\n";
  if (events_.contains("fast-command"))
    out += "- Commands that should be quick were not: the machine may be overloaded or swapping.\n";
  if (events_.contains("expire-cycle"))
    out += "- Many keys expire at the same moment: spread their times to live.\n";
  if (events_.contains("eviction-cycle"))
    out += "- Making room for new data takes long: raise maxmemory, or let values be freed lazily.\n";
  out += "- INFO stats: longest_stall_us and longest_stall_cause tell the longest stop of all.\n";
  return out;
}

}  // namespace vitrine
