// AclLog: what was denied to whom, the latest first. The same refusal within a minute is one entry that counts.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "engine/acl_selector.h"

namespace vitrine {

enum class AclContext : uint8_t { toplevel, multi, lua };

struct AclLogEntry {
  uint64_t id, count;
  AclReason reason;
  AclContext context;
  std::string object, user, client;      // the client as CLIENT LIST shows it
  int64_t created_ms, updated_ms;        // Unix time
};

Bytes acl_reason_name(AclReason reason);
Bytes acl_context_name(AclContext context);

class AclLog {
 public:
  // Long names and keys are cut.
  void add(AclReason reason, AclContext context, Bytes object, Bytes user, std::string client, int64_t now_ms,
           size_t max_len);
  void clear() { entries_.clear(); }
  const std::deque<AclLogEntry>& entries() const { return entries_; }

 private:
  std::deque<AclLogEntry> entries_;
  uint64_t next_id_ = 0;
};

}  // namespace vitrine
