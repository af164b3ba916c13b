// LatencyMonitor: the latest moments at which something kept everybody waiting, by kind of event: LATENCY LATEST,
// HISTORY, GRAPH, DOCTOR. Events last at least latency-monitor-threshold milliseconds.
//
// Of several in one second only the longest is kept, so that kSamples seconds at least are remembered.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "engine/dispatcher.h"

namespace vitrine {

class EventLoop;

class LatencyMonitor final : public CallObserver {
 public:
  static constexpr size_t kSamples = 160;
  struct Sample {
    int64_t at_s;      // Unix time
    int64_t ms;
  };
  struct Event {
    std::deque<Sample> samples;   // the oldest first
    int64_t longest_ms = 0;
  };

  LatencyMonitor(const ObserveOptions& options, const EventLoop& loop) : options_(options), loop_(loop) {}

  void on_notable(const Session& session, const Command& command, std::span<const Bytes> argv, uint64_t duration_ns,
                  size_t request_bytes, size_t reply_bytes) override;
  // Counts when the monitor is on and it lasted long enough.
  void note(Bytes event, uint64_t duration_ns);
  void add(Bytes event, int64_t at_s, int64_t ms);

  const std::map<std::string, Event, std::less<>>& events() const { return events_; }
  // False when there is no such event.
  bool reset(Bytes event);
  size_t reset_all();

  // An ASCII chart of the samples, the oldest to the left.
  static std::string graph(Bytes name, const Event& event, int64_t now_s);
  // What is known about where the time goes, in words.
  std::string report() const;

 private:
  const ObserveOptions& options_;
  const EventLoop& loop_;
  std::map<std::string, Event, std::less<>> events_;
};

}  // namespace vitrine
