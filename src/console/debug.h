// DebugCommands: DEBUG's subcommands by name. Rooms add their own (RELOAD, LOADAOF, ...) when the node is built.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/bytes.h"

namespace vitrine {

class Call;
struct Measured;
struct Sources;

class DebugCommands {
 public:
  // `usage` begins with the name: "SLEEP <seconds>"; `help` may have several lines. The handler finds `c.args` behind
  // the name, with `least` to `most` arguments left.
  void add(Bytes usage, Bytes help, size_t least, size_t most, std::function<void(Call&)> handler);
  void run(Call& c) const;

  // DEBUG PAUSE-CRON 1: the housekeeping rests.
  bool cron_paused = false;

 private:
  struct Row {
    std::string usage, help;
    size_t least, most;
    std::function<void(Call&)> handler;
  };
  void reply_help(Call& c) const;

  std::map<std::string, Row, std::less<>> rows_;  // by name in lower case
};

// What looks at data: OBJECT, DIGEST, HTSTATS, LISTPACK, ...
void add_debug_views(DebugCommands& debug);
// What makes or changes something: POPULATE, SLEEP, SET-ACTIVE-EXPIRE, PROTOCOL, SEGFAULT, ...
void add_debug_actions(DebugCommands& debug, const Sources& sources, Measured& measured);

}  // namespace vitrine
