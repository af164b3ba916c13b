#include "console/console.h"

#include <algorithm>

#include "base/log.h"
#include "base/memory.h"
#include "console/commands.h"
#include "engine/call.h"
#include "engine/dispatcher.h"
#include "io/event_loop.h"
#include "io/random.h"

namespace vitrine {

Console::Console(Sources sources)
    : sources_(std::move(sources)), command_log_(sources_.observe, sources_.settings, sources_.loop),
      latency_(sources_.observe, sources_.loop),
      monitors_(sources_.dispatcher, sources_.settings, sources_.loop),
      crash_report_(sources_, measured_, the_log().options.hide_user_data) {
  measured_.run_id = random_hex(40);
  measured_.replication_id = random_hex(40);
  measured_.start_wall_us = sources_.loop.clock().wall_us();
  measured_.start_monotonic_us = sources_.loop.clock().monotonic_us();
  measured_.meter = &meter_;
  add_sections(info_, sources_, measured_);
  meter_.wall_ms = [this] { return sources_.loop.clock().wall_ms(); };
  meter_.command_in_question = [this] {
    const Command* command = sources_.dispatcher.longest_of_turn();
    return command ? command->full_name : std::string();
  };
  meter_.on_long = [this](TurnPhase phase, uint64_t spent) {
    if (phase == TurnPhase::expiry) latency_.note("expire-cycle", ticks_to_ns(spent));
    if (phase == TurnPhase::eviction) latency_.note("eviction-cycle", ticks_to_ns(spent));
  };
  sources_.dispatcher.observe_notable(&command_log_);
  sources_.dispatcher.observe_notable(&latency_);
  sources_.dispatcher.on_stop_monitoring = [this](Session& session) { monitors_.detach(session); };
}

Console::~Console() = default;

void Console::started() {
  MemoryAccount empty = account_memory(sources_, measured_);
  measured_.startup_bytes = empty.used;
  measured_.startup_tables = empty.tables;
  measured_.startup_indexes = empty.expiry_indexes;
  note_peak();
}

void Console::note_peak() {
  size_t used = memory::used_bytes();
  if (used <= measured_.peak_bytes) return;
  measured_.peak_bytes = used;
  measured_.peak_at_s = sources_.loop.clock().wall_ms() / 1000;
}

void Console::apply_thresholds() {
  const ObserveOptions& o = sources_.observe;
  int64_t latency_us = o.latency_monitor_threshold_ms * 1000;
  auto in_ticks = [](int64_t us) { return ns_to_ticks(static_cast<uint64_t>(us) * 1000); };
  uint64_t slow = o.slower_than_us < 0 ? UINT64_MAX : in_ticks(o.slower_than_us);
  uint64_t long_ticks = latency_us <= 0 ? UINT64_MAX : in_ticks(latency_us);
  sources_.dispatcher.thresholds.slow_ticks = std::min(slow, long_ticks);
  meter_.report_from(long_ticks);
}

void Console::tend() {
  note_peak();
  monitors_.sweep();
  int64_t now_us = sources_.loop.clock().monotonic_us();
  ConnectionFigures c = sources_.connections();
  measured_.commands.sample(now_us, sources_.dispatcher.stats().commands);
  measured_.bytes_in.sample(now_us, c.bytes_read);
  measured_.bytes_out.sample(now_us, c.bytes_written);
  measured_.turns.sample(now_us, sources_.loop.turns());
  measured_.turn_us.sample(static_cast<uint64_t>(now_us - measured_.start_monotonic_us - sources_.loop.slept_us()),
                           sources_.loop.turns());
}

void Console::reset_stats() {
  meter_.reset();
  measured_.commands.reset();
  measured_.bytes_in.reset();
  measured_.bytes_out.reset();
  measured_.turns.reset();
}

void Console::add_commands(CommandRegistry& registry) {
  registry.add("info", [this](Call& c) {
    note_peak();
    c.reply.verbatim(info_.render(c.args.rest()));
  });
  registry.add("monitor", [this](Call& c) {
    monitors_.attach(c.session);
    c.reply.ok();
  });
  add_debug_views(debug_);
  add_debug_actions(debug_, sources_, measured_);
  registry.add("debug", [this](Call& c) { debug_.run(c); });
  add_command_log_commands(registry, command_log_);
  add_latency_commands(registry, latency_);
  add_memory_commands(registry, sources_, measured_);
  add_small_commands(registry, sources_, measured_);
}

void Console::add_help(CommandRegistry& registry) { add_help_commands(registry); }

}  // namespace vitrine
