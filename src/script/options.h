// What scripts and functions read of the settings.
#pragma once

#include <cstdint>

namespace vitrine {

struct ScriptOptions {
  int64_t busy_threshold_ms = 5000;      // busy-reply-threshold: from here on others hear BUSY; 0: they wait
  int64_t memory_limit_bytes = 1 << 30;  // script-memory-limit, of one run; 0: none
  bool kill_rollback = false;            // script-kill-rollback
};

}  // namespace vitrine
