// What a forked child does that writes the data to a file: the writing itself, and telling the parent how far it is and
// what it costs.
#pragma once

#include <expected>
#include <functional>
#include <string>

#include "io/child.h"
#include "persist/snapshot_writer.h"

namespace vitrine {

using WriteOutcome = std::expected<void, std::string>;   // an error is a sentence
using WriteWork = std::function<WriteOutcome(const SnapshotStep& step, size_t keys_in_step)>;

struct ChildWork {
  const char* name;          // in the log: "RDB", "AOF rewrite"
  const char* done;          // its line when all went well
  Bytes cpus = {};           // where the child may run (process::set_cpu_affinity); empty: anywhere
  int key_delay_us = 0;      // for tests
};

// The exit status of the child.
int run_in_child(const ChildWork& what, const Child::Tell& tell, const WriteWork& write);
// The same work in the executor.
WriteOutcome run_in_foreground(const ChildWork& what, const WriteWork& write);

}  // namespace vitrine
