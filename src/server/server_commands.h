// Commands that steer the server as a whole, bound at registration to what they steer.
#pragma once

#include <functional>
#include <string>

namespace vitrine {

class Call;
class CommandRegistry;
class DebugCommands;
class Settings;
class Node;

// `file`: where CONFIG REWRITE writes; empty: nowhere. `loading`: whether data is being loaded.
void add_config_commands(CommandRegistry& registry, Settings& settings, const std::string& file,
                         std::function<void()> reset_stats, std::function<bool()> loading);
// CONFIG REWRITE. `everything`: what stands at its default is written as well.
void rewrite_config(Call& call, const Settings& settings, const std::string& file, bool everything);
void add_shutdown_command(CommandRegistry& registry, Node& node);
// DEBUG RESTART and CRASH-AND-RECOVER.
void add_restart_commands(DebugCommands& debug, Node& node, const Settings& settings, const std::string& file);

}  // namespace vitrine
