// Writing the data as commands that make it again: the base of an append-only log whose owner wants no snapshot in it
// (aof-use-rdb-preamble no), readable for every Redis and for people.
//
//   SELECT 0   SET k v   PEXPIREAT k 1700000000000   RPUSH l a b c ...
//
// With aof-timestamp-enabled #TS:<seconds> stands first: the moment of all of it.
// Strings, lists, sets, sorted sets and hashes by their own commands, other types as a payload for RESTORE.
#pragma once

#include <expected>
#include <string>

#include "io/file.h"
#include "persist/options.h"
#include "persist/snapshot_writer.h"
#include "store/keyspace.h"

namespace vitrine {

// Everything but keys whose time has come, and the libraries of functions, into a new file of that name, synced. An
// error is a sentence.
std::expected<void, std::string> write_commands_file(Files& files, const std::string& path, const Keyspace& keyspace,
                                                     std::span<const std::string> functions,
                                                     const PersistOptions& options, const SnapshotStep& step,
                                                     size_t keys_in_step);

}  // namespace vitrine
