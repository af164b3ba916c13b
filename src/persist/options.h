// What the persist room reads of the configuration.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vitrine {

struct AppendOptions {
  enum class Sync { everysec, always, no };

  bool enabled = false;
  std::string folder = "appendonlydir", prefix = "appendonly.aof";
  Sync sync = Sync::everysec;
  bool no_sync_on_rewrite = false;
  int auto_rewrite_percentage = 100;          // of growth; 0: never
  int64_t auto_rewrite_min_bytes = 64 << 20;
  bool load_truncated = true;                 // a unit that is cut off at the end is no error
  bool snapshot_base = true;                  // a rewrite writes a snapshot, not commands
  bool timestamps = false;
  bool incremental_fsync = true;
  bool keep_history = false;                  // files that are no longer needed stay
  std::string cpus;                           // where a rewrite's child may run: "0-3,7:2"; empty: anywhere
  int write_delay_us = 0;                     // for tests: before each write
};

struct PersistOptions {
  using SavePoints = std::vector<std::pair<int64_t, int>>;
  enum class VersionCheck { strict, relaxed };   // relaxed: files newer than we know are tried
  enum class CheckPayloads { no, yes, clients };

  SavePoints save_points = {{3600, 1}, {300, 100}, {60, 10000}};  // seconds, changes
  std::string dbfilename = "dump.rdb";
  bool compress = true, checksum = true, incremental_fsync = true;
  bool stop_writes_on_error = true;
  std::string cpus;                 // as AppendOptions::cpus, of BGSAVE's child
  VersionCheck version_check = VersionCheck::strict;
  CheckPayloads check_payloads = CheckPayloads::no;   // shown only: they are always checked, to the last item
  int version = 0;                  // of what is written; 0: the oldest that can hold the data
  int64_t loading_events_bytes = 2 << 20;
  int key_save_delay_us = 0, key_load_delay_us = 0;   // for tests
  bool skip_checksums = false;                        // for tests: of files and of RESTORE's payloads
  AppendOptions append;
};

}  // namespace vitrine
