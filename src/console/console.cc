#include "console/console.h"

#include "base/memory.h"
#include "engine/call.h"
#include "engine/dispatcher.h"
#include "io/event_loop.h"
#include "io/random.h"

namespace vitrine {

Console::Console(Sources sources) : sources_(std::move(sources)) {
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

void Console::tend() {
  note_peak();
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
}

}  // namespace vitrine
