#include "persist/loading.h"

#include <algorithm>
#include <cstdio>

#include "base/log.h"

namespace vitrine {

namespace {
constexpr int64_t kLineEveryMs = 2000, kBarEveryMs = 100;
constexpr int kBarChars = 40;
}

void Loading::begin(std::string what, uint64_t total_bytes, uint64_t events_bytes, std::function<bool()> events) {
  active_ = true;
  what_ = std::move(what);
  start_ms_ = clock_.wall_ms();
  next_line_ms_ = start_ms_ + (show ? kBarEveryMs : kLineEveryMs);
  total_bytes_ = total_bytes;
  loaded_bytes_ = next_events_ = used_memory = 0;
  events_bytes_ = events_bytes;
  events_ = std::move(events);
}

bool Loading::advance(uint64_t bytes) {
  loaded_bytes_ += bytes;
  if (loaded_bytes_ < next_events_) return true;
  next_events_ = loaded_bytes_ + events_bytes_;
  return run_events();
}

bool Loading::run_events() {
  int64_t now_ms = clock_.wall_ms();
  if (now_ms >= next_line_ms_) {
    show ? draw(progress(now_ms)) : tell(progress(now_ms));
    next_line_ms_ = now_ms + (show ? kBarEveryMs : kLineEveryMs);
  }
  return !events_ || events_();
}

void Loading::end() {
  active_ = false;
  if (show) show({});
}

Loading::Progress Loading::progress(int64_t now_ms) const {
  double seconds = static_cast<double>(now_ms - start_ms_) / 1000;
  double done = static_cast<double>(loaded_bytes_), total = std::max(1.0, static_cast<double>(total_bytes_));
  double rate = std::max(1.0, done) / std::max(seconds, 0.001);
  return {std::min(1.0, done / total), rate, std::max(0.0, total - done) / rate};
}

void Loading::tell(const Progress& p) const {
  log(LogLevel::notice, "Loading %s: %.0f%% of %.0f MB, %.0f MB/s, %.0f s left", what_.c_str(), 100 * p.part,
      static_cast<double>(total_bytes_) / 1e6, p.bytes_per_s / 1e6, p.seconds_left);
}

void Loading::draw(const Progress& p) const {
  int filled = static_cast<int>(p.part * kBarChars);
  char rest[64];
  std::snprintf(rest, sizeof rest, "] %3.0f%%  %.0f MB/s, %.0f s left", 100 * p.part, p.bytes_per_s / 1e6,
                p.seconds_left);
  show(what_ + " [" + std::string(static_cast<size_t>(filled), '#') +
       std::string(static_cast<size_t>(kBarChars - filled), ' ') + rest);
}

}  // namespace vitrine
