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

// Reads from the cursor on: the key of the *SCAN forms has been read (or stands at argv[1] unread). False when an error
// has been replied.
bool read_scan_args(Call& c, ScanKind kind, ScanArgs& args);

// The head of a reply: an array of two whose first element is the cursor.
void reply_scan_cursor(Call& c, uint64_t cursor);

}  // namespace vitrine
