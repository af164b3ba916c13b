// From a command line to a running node: `vitrine-server [CONFIG_FILE|-] [--setting value ...]`.
#pragma once

#include <expected>

#include "base/settings.h"
#include "io/process.h"
#include "server/node.h"

namespace vitrine {

enum class Asked { serve, version, help, check_system, test_memory };

// What the command line asks for; `serve` unless --version, --help or --check-system stand first.
Asked asked(int argc, char** argv);
void print_version();
void print_help();
// What of the machine's settings stands in a server's way, on standard output; the process' exit status.
int check_system();
// --test-memory MEGABYTES [PASSES].
int test_memory(int argc, char** argv);

// Adds every row of the house to `settings`.
void register_all_settings(Settings& settings, NodeOptions& options);
// Reads the configuration file and the command line. On a mistake the text that Redis prints on standard error.
std::expected<void, std::string> read_configuration(int argc, char** argv, Settings& settings, NodeOptions& options);
// Runs a node until it is told to stop; the process' exit status. `launch`: for who wants it started anew.
int serve(int argc, char** argv, const process::Launch& launch, Settings& settings, NodeOptions& options);

}  // namespace vitrine
