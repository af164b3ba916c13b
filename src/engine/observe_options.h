// What those who watch commands and keys read: slow log and command log, latency, keyspace notifications.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

struct ObserveOptions {
  // Command log. A limit of -1: never; 0: every command.
  int64_t slower_than_us = 10000;                  // slowlog-log-slower-than
  int64_t slow_max_len = 128;                      // slowlog-max-len
  int64_t request_larger_than_bytes = 1 << 20;
  int64_t request_max_len = 128;
  int64_t reply_larger_than_bytes = 1 << 20;
  int64_t reply_max_len = 128;

  int64_t latency_monitor_threshold_ms = 0;        // 0: off
  bool latency_tracking = true;
  std::vector<double> latency_percentiles = {50, 99, 99.9};

  uint32_t notify_events = 0;                      // notify-keyspace-events: see below
};

// notify_events: bit i stands for EventClass(i); and these.
constexpr uint32_t kNotifyKeyspace = 1u << 16;     // K: publish to __keyspace@…
constexpr uint32_t kNotifyKeyevent = 1u << 17;     // E: publish to __keyevent@…
constexpr uint32_t kNotifyMiss = 1u << 18;         // m: keys that were looked for in vain
constexpr uint32_t kNotifySubkeyspace = 1u << 19;       // S: publish to __subkeyspace@…
constexpr uint32_t kNotifySubkeyevent = 1u << 20;       // T: publish to __subkeyevent@…
constexpr uint32_t kNotifySubkeyspaceitem = 1u << 21;   // I: publish to __subkeyspaceitem@…
constexpr uint32_t kNotifySubkeyspaceevent = 1u << 22;  // V: publish to __subkeyspaceevent@…

// "KEA" and so on; nullopt for an unknown letter. Formatting gives the canonical order.
std::optional<uint32_t> parse_notify_events(Bytes letters);
std::string format_notify_events(uint32_t events);

}  // namespace vitrine
