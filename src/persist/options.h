// What the persist room reads of the configuration.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vitrine {

struct PersistOptions {
  using SavePoints = std::vector<std::pair<int64_t, int>>;
  enum class VersionCheck { strict, relaxed };   // relaxed: files newer than we know are tried

  SavePoints save_points = {{3600, 1}, {300, 100}, {60, 10000}};  // seconds, changes
  std::string dbfilename = "dump.rdb";
  bool compress = true, checksum = true, incremental_fsync = true;
  bool delete_sync_files = false;
  bool stop_writes_on_error = true;
  VersionCheck version_check = VersionCheck::strict;
  int version = 0;                  // of what is written; 0: the oldest that can hold the data
  int64_t loading_events_bytes = 2 << 20;
  int key_save_delay_us = 0, key_load_delay_us = 0;   // for tests
};

}  // namespace vitrine
