#include "console/console.h"

#include <algorithm>

#include "base/log.h"
#include "base/memory.h"
#include "console/command_log.h"
#include "console/commands.h"
#include "console/crash_report.h"
#include "console/debug.h"
#include "console/hot_keys.h"
#include "console/info.h"
#include "console/latency.h"
#include "console/monitor.h"
#include "console/sections.h"
#include "engine/call.h"
#include "engine/dispatcher.h"
#include "io/event_loop.h"
#include "io/random.h"

namespace vitrine {

struct Console::Parts {
  Parts(const Sources& s, std::function<void()> on_hot_keys)
      : command_log(s.observe, s.settings, s.loop), latency(s.observe, s.loop),
        hot_keys(s.loop, [&s] { auto c = s.connections(); return c.bytes_read + c.bytes_written; },
                 std::move(on_hot_keys)),
        monitors(s.dispatcher, s.settings, s.loop), crash_report(s, measured, the_log().options.hide_user_data) {}

  Measured measured;
  Info info;
  CommandLog command_log;
  LatencyMonitor latency;
  HotKeys hot_keys;
  Monitors monitors;
  DebugCommands debug;
  CrashReport crash_report;
};

Console::Console(Sources sources)
    : sources_(std::move(sources)), parts_(std::make_unique<Parts>(sources_, [this] { apply_thresholds(); })) {
  Measured& m = parts_->measured;
  m.run_id = random_hex(40);
  m.replication_id = random_hex(40);
  m.start_wall_us = sources_.loop.clock().wall_us();
  m.start_monotonic_us = sources_.loop.clock().monotonic_us();
  m.meter = &meter_;
  add_sections(parts_->info, sources_, m);
  meter_.wall_ms = [this] { return sources_.loop.clock().wall_ms(); };
  meter_.command_in_question = [this] {
    const Command* command = sources_.dispatcher.longest_of_turn();
    return command ? command->full_name : std::string();
  };
  meter_.on_long = [this](TurnPhase phase, uint64_t spent) {
    if (phase == TurnPhase::expiry) parts_->latency.note("expire-cycle", ticks_to_ns(spent));
    if (phase == TurnPhase::eviction) parts_->latency.note("eviction-cycle", ticks_to_ns(spent));
  };
  sources_.dispatcher.observe_notable(&parts_->command_log);
  sources_.dispatcher.observe_notable(&parts_->latency);
  sources_.dispatcher.observe_notable(&parts_->hot_keys);
  sources_.dispatcher.on_stop_monitoring = [this](Session& session) { parts_->monitors.detach(session); };
}

Console::~Console() { sources_.dispatcher.on_stop_monitoring = nullptr; }

void Console::started() {
  MemoryAccount empty = account_memory(sources_, parts_->measured);
  parts_->measured.startup_bytes = empty.used;
  parts_->measured.startup_tables = empty.tables;
  parts_->measured.startup_indexes = empty.expiry_indexes;
  parts_->measured.startup_interpreters = empty.interpreters;
  note_peak();
}

void Console::note_peak() {
  size_t used = memory::used_bytes();
  if (used <= parts_->measured.peak_bytes) return;
  parts_->measured.peak_bytes = used;
  parts_->measured.peak_at_s = sources_.loop.clock().wall_ms() / 1000;
}

void Console::apply_thresholds() {
  parts_->command_log.trim();
  const ObserveOptions& o = sources_.observe;
  int64_t latency_us = o.latency_monitor_threshold_ms * 1000;
  auto in_ticks = [](int64_t us) { return ns_to_ticks(static_cast<uint64_t>(us) * 1000); };
  uint64_t slow = o.slower_than_us < 0 ? UINT64_MAX : in_ticks(o.slower_than_us);
  uint64_t long_ticks = latency_us <= 0 ? UINT64_MAX : in_ticks(latency_us);
  sources_.dispatcher.thresholds.slow_ticks = parts_->hot_keys.active() ? 0 : std::min(slow, long_ticks);
  meter_.report_from(long_ticks);
}

void Console::tend() {
  note_peak();
  parts_->monitors.sweep();
  parts_->hot_keys.tend();
  int64_t now_us = sources_.loop.clock().monotonic_us();
  ConnectionFigures c = sources_.connections();
  parts_->measured.commands.sample(now_us, sources_.dispatcher.stats().commands);
  parts_->measured.bytes_in.sample(now_us, c.bytes_read);
  parts_->measured.bytes_out.sample(now_us, c.bytes_written);
  parts_->measured.turns.sample(now_us, sources_.loop.turns());
  int64_t awake_us = now_us - parts_->measured.start_monotonic_us - sources_.loop.slept_us();
  parts_->measured.turn_us.sample(static_cast<uint64_t>(std::max<int64_t>(0, awake_us)), sources_.loop.turns());
}

void Console::reset_stats() {
  meter_.reset();
  parts_->measured.commands.reset();
  parts_->measured.bytes_in.reset();
  parts_->measured.bytes_out.reset();
  parts_->measured.turns.reset();
}

void Console::add_commands(CommandRegistry& registry) {
  registry.add("info", [this](Call& c) {
    note_peak();
    c.reply.verbatim(parts_->info.render(c.args.rest()));
  });
  registry.add("monitor", [this](Call& c) {
    if (!c.may_block) return c.reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
    parts_->monitors.attach(c.session);
    c.reply.ok();
  });
  add_debug_views(parts_->debug);
  add_debug_actions(parts_->debug, sources_, parts_->measured);
  registry.add("debug", [this](Call& c) { parts_->debug.run(c); });
  add_command_log_commands(registry, parts_->command_log);
  add_hot_keys_commands(registry, parts_->hot_keys);
  add_latency_commands(registry, parts_->latency);
  add_memory_commands(registry, sources_, parts_->measured);
  add_module_commands(registry);
  add_small_commands(registry, sources_);
}

Info& Console::info() { return parts_->info; }
DebugCommands& Console::debug() { return parts_->debug; }
bool Console::paused() const { return parts_->debug.cron_paused; }
void Console::report_crashes(bool on) { parts_->crash_report.enable(on); }

void Console::add_help(CommandRegistry& registry) { add_help_commands(registry); }

}  // namespace vitrine
