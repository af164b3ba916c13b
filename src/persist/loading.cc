#include "persist/loading.h"

#include <algorithm>

#include "base/log.h"

namespace vitrine {

namespace {
constexpr int64_t kProgressEveryMs = 2000;
}

void Loading::begin(std::string what, uint64_t total_bytes, uint64_t events_bytes, std::function<bool()> events) {
  active_ = true;
  what_ = std::move(what);
  start_ms_ = clock_.wall_ms();
  next_line_ms_ = start_ms_ + kProgressEveryMs;
  total_bytes_ = total_bytes;
  loaded_bytes_ = next_events_ = 0;
  events_bytes_ = events_bytes;
  events_ = std::move(events);
}

bool Loading::advance(uint64_t bytes) {
  loaded_bytes_ += bytes;
  if (loaded_bytes_ < next_events_) return true;
  next_events_ = loaded_bytes_ + events_bytes_;
  int64_t now_ms = clock_.wall_ms();
  if (now_ms >= next_line_ms_) tell_progress(now_ms), next_line_ms_ = now_ms + kProgressEveryMs;
  return run_events();
}

bool Loading::run_events() { return !events_ || events_(); }

void Loading::tell_progress(int64_t now_ms) {
  double seconds = static_cast<double>(now_ms - start_ms_) / 1000;
  double rate = std::max(1.0, static_cast<double>(loaded_bytes_)) / std::max(seconds, 0.001);
  double done = static_cast<double>(loaded_bytes_), total = static_cast<double>(total_bytes_);
  log(LogLevel::notice, "Loading %s: %.0f%% of %.0f MB, %.0f MB/s, %.0f s left", what_.c_str(),
      100 * done / std::max(total, 1.0), total / 1e6, rate / 1e6, std::max(0.0, total - done) / rate);
}

}  // namespace vitrine
