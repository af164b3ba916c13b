// What `vitrine-check aof [--fix] FILE|MANIFEST` does: reads one file of an append-only log, or all that a manifest
// names, as the server would, runs nothing, and tells what is in it and where it is damaged. A repair cuts a file
// behind the last unit that is whole; only the last file with something in it can be repaired so: what follows a gap in
// an earlier one would not fit. A record that is whole, but of a command that is not known here, is told of and never
// cut: a newer server, or another one, may have written it.
#pragma once

#include <functional>
#include <string>

#include "check/rdb_check.h"

namespace vitrine {

// Shows what would be lost, and says whether to go on. Empty: nothing is repaired.
using Confirm = std::function<bool(const std::string& question)>;

CheckReport check_aof(const std::string& path, const Confirm& confirm);

// `vitrine-check aof --truncate-to-timestamp SECONDS FILE|MANIFEST`: brings the log back to what it was at the end of
// that second (Unix time), by cutting it before the first unit that was written later, as annotations of time tell
// (aof-timestamp-enabled). Nothing is cut when that is not in the last file, when no annotation is there, or when
// something before is damaged.
CheckReport truncate_aof(const std::string& path, int64_t second);

}  // namespace vitrine
