// One value as DUMP gives it and RESTORE takes it: its type, its bytes as in a snapshot, version and checksum.
#pragma once

#include <functional>
#include <optional>

#include "base/bytes.h"
#include "persist/options.h"
#include "store/entry.h"

namespace vitrine {

// Calls `use` with the payload of the entry's value, which lives no longer than that call.
void with_payload(const Entry& entry, const PersistOptions& options, const std::function<void(Bytes payload)>& use);

// A payload without its end; nothing if version or checksum are wrong.
struct PayloadBody {
  Bytes bytes;
  int version;
};
std::optional<PayloadBody> checked_payload(Bytes payload, const PersistOptions& options);

}  // namespace vitrine
