// What the process as a whole reads: how it starts, presents itself and ends.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/settings.h"

namespace vitrine {

enum class Supervision { none, automatic, systemd, upstart };
enum class OomScoreAdjust { no, relative, absolute };
// How a signal ends the server, or-ed; 0: save if save points are configured.
enum ShutdownWay { kShutdownDefault = 0, kShutdownSave = 1, kShutdownNoSave = 2, kShutdownNow = 4, kShutdownForce = 8 };

struct ProcessOptions {
  bool daemonize = false;
  std::string pidfile;                       // empty: none, but /var/run/redis.pid when daemonized
  Supervision supervised = Supervision::none;
  bool always_show_logo = false;
  bool set_proc_title = true;
  std::string proc_title_template = "{title} {listen-addr} {server-mode}";
  int hz = 10;                               // 1..500 turns of the housekeeping per second
  bool dynamic_hz = true;
  bool crash_memcheck_enabled = true;
  Allowance debug_command = Allowance::no;
  Allowance module_command = Allowance::no;
  Allowance protected_configs = Allowance::no;
  OomScoreAdjust oom_score_adjust = OomScoreAdjust::no;
  std::array<int, 3> oom_score_values = {0, 200, 800};  // main process, replica, forked child
  int shutdown_timeout_s = 10;
  int shutdown_on_sigint = kShutdownDefault;
  int shutdown_on_sigterm = kShutdownDefault;
  bool disable_transparent_huge_pages = true;
  std::string ignore_warnings;
  std::string locale_collate;
  std::string server_cpus, background_cpus;  // "0-3,7:2"
  std::string hash_seed;                     // empty: random
  std::string availability_zone;
  bool extended_redis_compatibility = false;
  // rename-command: old name, new name ("" removes the command), as read.
  std::vector<std::pair<std::string, std::string>> renamed_commands;
};

}  // namespace vitrine
