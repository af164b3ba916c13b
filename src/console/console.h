// Console: the server's account of itself: INFO, slow log, latency, MEMORY, MONITOR, DEBUG, LOLWUT.
//
// It reads what each class counts for itself and renders it. What it measures of its own: the turns of the loop
// (TurnMeter), rates, the peak of memory.
#pragma once

#include <memory>

#include "console/command_log.h"
#include "console/crash_report.h"
#include "console/debug.h"
#include "console/info.h"
#include "console/latency.h"
#include "console/monitor.h"
#include "console/sections.h"
#include "console/sources.h"

namespace vitrine {

class CommandRegistry;

class Console {
 public:
  explicit Console(Sources sources);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void add_commands(CommandRegistry& registry);
  // The HELP of every container; after all other commands.
  void add_help(CommandRegistry& registry);
  // The node is built: what memory holds now is what an empty server needs.
  void started();
  // About ten times a second.
  void tend();
  // latency-monitor-threshold or slowlog-log-slower-than has changed.
  void apply_thresholds();
  // CONFIG RESETSTAT.
  void reset_stats();

  Info& info() { return info_; }
  TurnMeter& meter() { return meter_; }
  LatencyMonitor& latency() { return latency_; }
  DebugCommands& debug() { return debug_; }
  CrashReport& crash_report() { return crash_report_; }
  // DEBUG PAUSE-CRON.
  bool paused() const { return debug_.cron_paused; }

 private:
  void note_peak();

  const Sources sources_;
  TurnMeter meter_;
  Measured measured_;
  Info info_;
  CommandLog command_log_;
  LatencyMonitor latency_;
  Monitors monitors_;
  DebugCommands debug_;
  CrashReport crash_report_;
};

}  // namespace vitrine
