// What a command says when it parks: which keys it waits for, for how long, and what it replies when time is up.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "store/object.h"

namespace vitrine {

enum class TimeoutReply : uint8_t { null_array, null, zero };

struct ParkRequest {
  std::vector<Bytes> keys;
  Type type = Type::list;
  int64_t deadline_ms = 0;                 // 0: waits for ever
  TimeoutReply timeout_reply = TimeoutReply::null_array;
  bool also_when_gone = false;             // run again as well when a key goes or becomes of another type
  int64_t retry_ms = 0;                    // run again at that moment, fed or not; 0: never
};

}  // namespace vitrine
