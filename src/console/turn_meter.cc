#include "console/turn_meter.h"

namespace vitrine {

Bytes turn_phase_name(TurnPhase phase) {
  static constexpr Bytes kNames[kTurnPhases] = {"clients", "timers",   "posted", "waiters",
                                                "expiry",  "eviction", "tend",   "flush"};
  return kNames[static_cast<size_t>(phase)];
}

void TurnMeter::note(TurnPhase phase, uint64_t spent) {
  if (spent > since_reset_.ticks) {
    since_reset_.ticks = spent;
    since_reset_.phase = phase;
    since_reset_.command = phase == TurnPhase::clients && command_in_question ? command_in_question() : "";
    since_reset_.at_ms = wall_ms ? wall_ms() : 0;
    if (spent > since_start_.ticks) since_start_ = since_reset_;
    settle();
  }
  if (spent >= report_ticks_ && on_long) on_long(phase, spent);
}

void TurnMeter::reset() {
  since_reset_ = {};
  totals_ = {};
  expiry_slices_cut = 0;
  settle();
}

}  // namespace vitrine
