// Reading a snapshot (wire/rdb_format.h) of any version into a keyspace: files at start, DEBUG RELOAD.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "store/keyspace.h"
#include "wire/rdb_input.h"

namespace vitrine {

struct SnapshotRules {
  bool any_version = false;            // newer than we know: try
  bool checksum = true;                // verify it
  bool replace = false;                // keys that are there already: else an error
  std::function<void()> on_key;        // before each key; for tests that slow it down
};

struct SnapshotContent {
  int version = 0;
  bool valkey = false;
  std::string written_by;              // the version of the server, "" if it does not say
  int64_t written_at_s = 0, used_memory = 0;   // 0: not said
  bool aof_base = false;
  std::vector<std::string> functions;  // code of function libraries
  uint64_t keys = 0, expired = 0, empty = 0;   // loaded; left out
};

// Reads up to and including the end mark and its checksum. On an error some keys may have been loaded; the text says
// what is wrong and at which byte.
std::expected<SnapshotContent, std::string> read_snapshot(RdbInput& in, Keyspace& keyspace, const SnapshotRules& rules);

// Whether a reader of ours takes values of that version.
bool is_known_version(int version);

}  // namespace vitrine
