// What `vitrine-check rdb FILE` does: reads a snapshot as the server would, keeps nothing, and tells whether it is
// whole and what is in it. Memory: that of the largest value, and up to 32 bytes a key.
#pragma once

#include <cstdint>
#include <string>

#include "io/file.h"

namespace vitrine {

// Also the exit status. refused: whole, but a server of this version does not take it.
enum class Verdict { sound = 0, damaged = 1, unreadable = 2, refused = 3 };

struct CheckReport {
  Verdict verdict;
  std::string text;     // lines for the reader; the last is the verdict in words
};

CheckReport check_rdb(const std::string& path);

// A snapshot, perhaps with something behind it.
struct SnapshotFindings {
  std::string text;          // lines: what it is, and what it holds
  std::string problem;       // empty: it is sound
  bool is_newer = false;     // the problem is that it is of a version which is not known here
  bool has_checksum = false;
  uint64_t keys = 0, bytes = 0;   // that could be read
  uint64_t end = 0;          // behind it, in the file
  int64_t written_at_s = 0;  // Unix time; 0: it does not say
  std::string at_hand;       // what of the rest was read already
};
// `file` was opened as `path` and not read from yet.
SnapshotFindings examine_snapshot(ReadFile& file, const std::string& path);

}  // namespace vitrine
