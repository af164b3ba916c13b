// Loading: how far a load from the disk is, and what happens beside it: now and then the owner's events are run, and a
// line is logged of rate and time left, or, before a terminal, a bar grows:
//
//   dump.rdb [##############                          ]  35%  210 MB/s, 4 s left
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "io/clock.h"

namespace vitrine {

class Loading {
 public:
  // Why a load ended when go_on() said no.
  static constexpr const char* kStopped = "the server was told to end";

  explicit Loading(const Clock& clock) : clock_(clock) {}

  // `what`: the file's name. `events` is called after each `events_bytes`, and says whether to go on; may be empty.
  void begin(std::string what, uint64_t total_bytes, uint64_t events_bytes, std::function<bool()> events);
  // Another file of the same load.
  void continue_with(std::string what) { what_ = std::move(what); }
  // So many bytes more were read; false: stop.
  bool advance(uint64_t bytes);
  // A line or the bar if it is time, and the events at once; false: stop.
  bool run_events();
  void end();

  // Shows a line that the next one takes the place of, empty: nothing. Set when somebody watches.
  std::function<void(Bytes line)> show;

  // What the writer of the snapshot that is read says it used, in bytes; 0: not said.
  uint64_t used_memory = 0;

  bool active() const { return active_; }
  // Of the load under way, or the last.
  int64_t start_ms() const { return start_ms_; }
  uint64_t total_bytes() const { return total_bytes_; }
  uint64_t loaded_bytes() const { return loaded_bytes_; }

 private:
  struct Progress {
    double part, bytes_per_s, seconds_left;
  };
  Progress progress(int64_t now_ms) const;
  void tell(const Progress& p) const;
  void draw(const Progress& p) const;

  const Clock& clock_;
  bool active_ = false;
  std::string what_;
  int64_t start_ms_ = 0, next_line_ms_ = 0;
  uint64_t total_bytes_ = 0, loaded_bytes_ = 0, events_bytes_ = 0, next_events_ = 0;
  std::function<bool()> events_;
};

}  // namespace vitrine
