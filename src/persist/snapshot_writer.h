// Writing a keyspace as a snapshot (wire/rdb_format.h): in the executor (SAVE) or in a forked copy of it (BGSAVE).
#pragma once

#include <expected>
#include <functional>
#include <span>
#include <string>

#include "store/keyspace.h"
#include "wire/rdb_output.h"

namespace vitrine {

struct SnapshotFacts {
  int version = 0;                         // 0: the oldest that can hold the data
  bool compress = true, checksum = true;
  bool aof_base = false;                   // it begins an append-only log
  size_t used_memory = 0;
  enum class Access { none, idle, frequency } access = Access::none;   // what is said of each key's use
  std::span<const std::string> functions;  // code of function libraries
};

// Called now and then with how many keys were written since the last call; false: stop.
using SnapshotStep = std::function<bool(size_t keys)>;
constexpr size_t kKeysInStep = 1024;

// Why a snapshot or a payload of that version (rdb-version; 0: any will do) cannot hold the entry; empty: it can.
std::string problem_of_version(const Entry& entry, int version);

// The oldest version that can hold the data.
int least_snapshot_version(const Keyspace& keyspace);

// Everything but keys whose time has come, to the end with its checksum. The result is nothing, or why it failed: ""
// for an error of the sink, which is the sink's to tell.
std::expected<void, std::string> write_snapshot(const Keyspace& keyspace, const SnapshotFacts& facts,
                                                RdbOutput::Sink& sink, const SnapshotStep& step = {},
                                                size_t keys_in_step = kKeysInStep);

}  // namespace vitrine
