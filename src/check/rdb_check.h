// What `vitrine-check rdb FILE` does: reads a snapshot as the server would, keeps nothing, and tells whether it is
// whole and what is in it. Memory: that of the largest value.
#pragma once

#include <string>

namespace vitrine {

enum class Verdict { sound = 0, damaged = 1, unreadable = 2 };   // also the exit status

struct CheckReport {
  Verdict verdict;
  std::string text;     // lines for the reader; the last is the verdict in words
};

CheckReport check_rdb(const std::string& path);

}  // namespace vitrine
