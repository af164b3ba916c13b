// The settings of scripts and functions.
#include "script/options.h"
#include "server/settings_table.h"

namespace vitrine {

void register_script_settings(Settings& settings, ScriptOptions& o) {
  settings.integer("busy-reply-threshold", &o.busy_threshold_ms, 0, INT64_MAX).alias("lua-time-limit");
  settings.memory("script-memory-limit", &o.memory_limit_bytes, 0, INT64_MAX);
  settings.boolean("script-kill-rollback", &o.kill_rollback);
}

}  // namespace vitrine
