// What a forked child does that writes the data to a file: the writing itself, and telling the parent how far it is and
// what it costs.
#pragma once

#include <expected>
#include <functional>
#include <string>

#include "io/child.h"
#include "io/file.h"
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

// What kills have left of files that were being written: removes FOLDER/BEGINNING<PID>ENDING where no such process is
// alive, or where it is our own number; but not `keep`.
void remove_leftovers(Files& files, const std::string& folder, Bytes beginning, Bytes ending, Bytes keep = {});

// The exit status of the child.
int run_in_child(const ChildWork& what, const Child::Tell& tell, const WriteWork& write);
// The same work in the executor.
WriteOutcome run_in_foreground(const ChildWork& what, const WriteWork& write);

}  // namespace vitrine
