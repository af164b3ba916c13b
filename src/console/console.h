// Console: the server's account of itself: INFO, slow log, latency, MEMORY, MONITOR, DEBUG, LOLWUT.
//
// It reads what each class counts for itself and renders it. What it measures of its own: the turns of the loop
// (TurnMeter), rates, the peak of memory.
#pragma once

#include <memory>

#include "console/sources.h"
#include "console/turn_meter.h"

namespace vitrine {

class CommandRegistry;
class DebugCommands;
class Info;

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
  // crash-log-enabled: whether dying of a fault writes a report.
  void report_crashes(bool on);
  // CONFIG RESETSTAT.
  void reset_stats();
  // DEBUG PAUSE-CRON.
  bool paused() const;

  TurnMeter& meter() { return meter_; }
  Info& info();             // for rooms that replace a section
  DebugCommands& debug();   // for rooms that add subcommands

 private:
  struct Parts;
  void note_peak();

  const Sources sources_;
  TurnMeter meter_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace vitrine
