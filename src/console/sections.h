// The sections of INFO that today's rooms can fill.
#pragma once

#include <string>

#include "base/ticks.h"
#include "console/info.h"
#include "console/rates.h"
#include "console/sources.h"
#include "console/turn_meter.h"

namespace vitrine {

// What the console has measured or fixed itself.
struct Measured {
  std::string run_id, replication_id;
  int64_t start_wall_us = 0;         // when the node was built
  int64_t start_monotonic_us = 0;
  size_t startup_bytes = 0;          // used memory then
  // Parts of startup_bytes: of empty databases, and of interpreters that have run nothing.
  size_t startup_tables = 0, startup_indexes = 0, startup_interpreters = 0;
  size_t peak_bytes = 0;
  int64_t peak_at_s = 0;             // Unix time
  Rate commands, bytes_in, bytes_out, turns;
  Quotient turn_us;
  TurnMeter* meter = nullptr;
};

void add_server_sections(Info& info, const Sources& sources, const Measured& measured);
void add_memory_section(Info& info, const Sources& sources, const Measured& measured);
void add_stats_sections(Info& info, const Sources& sources, const Measured& measured);
// Sections of rooms that are not built: what a server that does none of that would say.
void add_idle_sections(Info& info, const Sources& sources, const Measured& measured);

// All sections, in INFO's order.
void add_sections(Info& info, const Sources& sources, const Measured& measured);

// Where the memory is, for INFO and MEMORY STATS. All in bytes.
struct MemoryAccount {
  size_t used = 0, resident = 0, clients = 0, tables = 0, expiry_indexes = 0;
  size_t scripts = 0, interpreters = 0;   // texts of scripts and libraries, and what they hold beyond the start
  size_t append_log = 0;
  size_t overhead = 0;               // all that is not keys and values
  size_t dataset = 0;
  size_t keys = 0;
};
MemoryAccount account_memory(const Sources& sources, const Measured& measured);
// Percent of what was used beyond the start that is data.
double dataset_percent(const MemoryAccount& account, const Measured& measured);

}  // namespace vitrine
