// The console's commands, bound at registration to what they show.
#pragma once

#include <string>

namespace vitrine {

class CommandLog;
class CommandRegistry;
class DebugCommands;
class HotKeys;
class LatencyMonitor;
class Monitors;
struct Measured;
struct Sources;

void add_command_log_commands(CommandRegistry& registry, CommandLog& log);
void add_hot_keys_commands(CommandRegistry& registry, HotKeys& hot_keys);
void add_latency_commands(CommandRegistry& registry, LatencyMonitor& monitor);
void add_memory_commands(CommandRegistry& registry, const Sources& sources, const Measured& measured);
void add_module_commands(CommandRegistry& registry);
// TIME, ROLE, LOLWUT.
void add_small_commands(CommandRegistry& registry, const Sources& sources);
// The HELP of every container.
void add_help_commands(CommandRegistry& registry);

}  // namespace vitrine
