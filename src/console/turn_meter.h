// TurnMeter: what the turns of the loop cost, phase by phase, and which one was the longest and why: the answer to
// "what held everybody up?". One reading of the time stamp counter per phase.
//
//   meter.begin(ticks());             // after the sleep
//   ... meter.lap(TurnPhase::clients); ... meter.lap(TurnPhase::timers); ...
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/ticks.h"

namespace vitrine {

enum class TurnPhase : uint8_t { clients, timers, posted, waiters, expiry, eviction, tend, flush };
constexpr int kTurnPhases = 8;
Bytes turn_phase_name(TurnPhase phase);

class TurnMeter {
 public:
  struct Stall {
    uint64_t ticks = 0;
    TurnPhase phase = TurnPhase::clients;
    std::string command;        // the longest one of that phase, if clients' commands made it long
    int64_t at_ms = 0;          // Unix time
  };

  // `stamp`: the end of the sleep.
  void begin(uint64_t stamp) { last_ = stamp; }
  // The phase that began with the last lap ends here.
  void lap(TurnPhase phase) {
    uint64_t now = ticks(), spent = now - last_;
    last_ = now;
    totals_[static_cast<size_t>(phase)] += spent;
    if (__builtin_expect(spent > notable_ticks_, 0)) note(phase, spent);
  }

  uint64_t total_ticks(TurnPhase phase) const { return totals_[static_cast<size_t>(phase)]; }
  const Stall& longest() const { return since_reset_; }
  const Stall& longest_since_start() const { return since_start_; }
  // CONFIG RESETSTAT.
  void reset();

  // Phases that last at least this long are told to `on_long`. UINT64_MAX: none.
  void report_from(uint64_t ticks) {
    report_ticks_ = ticks;
    settle();
  }
  std::function<void(TurnPhase, uint64_t ticks)> on_long;
  // The name of the longest command since the last call, and the moment: asked only for a new longest phase.
  std::function<std::string()> command_in_question;
  std::function<int64_t()> wall_ms;

  uint64_t expiry_slices_cut = 0;   // turns whose share for expiry did not suffice

 private:
  void note(TurnPhase phase, uint64_t spent);
  void settle() { notable_ticks_ = since_reset_.ticks < report_ticks_ ? since_reset_.ticks : report_ticks_ - 1; }

  uint64_t last_ = 0;
  uint64_t notable_ticks_ = 0;
  uint64_t report_ticks_ = UINT64_MAX;
  std::array<uint64_t, kTurnPhases> totals_{};
  Stall since_reset_, since_start_;
};

}  // namespace vitrine
