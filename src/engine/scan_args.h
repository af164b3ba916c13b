// The arguments that SCAN, HSCAN, SSCAN and ZSCAN share.
#pragma once

#include "engine/call.h"

namespace vitrine {

enum class ScanKind : uint8_t { keys, hash, set, zset };

struct ScanArgs {
  uint64_t cursor = 0;
  size_t count = 10;
  bool has_pattern = false;
  Bytes pattern;
  bool has_type = false;       // SCAN ... TYPE
  std::string type;            // lower case
  bool values = true;          // HSCAN ... NOVALUES, ZSCAN ... NOSCORES
};

// Both read where `c.args` stands and return false when an error has been replied.
// Between the two the *SCAN forms look at their key: a missing one or one of another type goes before wrong options.
bool read_scan_cursor(Call& c, ScanArgs& args);
bool read_scan_options(Call& c, ScanKind kind, ScanArgs& args);
bool read_scan_args(Call& c, ScanKind kind, ScanArgs& args);

// The head of a reply: an array of two whose first element is the cursor.
void reply_scan_cursor(Call& c, uint64_t cursor);

}  // namespace vitrine
