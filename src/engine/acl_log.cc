#include "engine/acl_log.h"

#include <algorithm>

namespace vitrine {

Bytes acl_reason_name(AclReason reason) {
  constexpr Bytes kNames[] = {"none", "command", "database", "key", "channel", "auth", "tls-cert"};
  return kNames[static_cast<size_t>(reason)];
}

Bytes acl_context_name(AclContext context) {
  constexpr Bytes kNames[] = {"toplevel", "multi", "lua"};
  return kNames[static_cast<size_t>(context)];
}

void AclLog::add(AclReason reason, AclContext context, Bytes object, Bytes user, std::string client, int64_t now_ms,
                 size_t max_len) {
  constexpr size_t kLongest = 1024, kLookBack = 10;
  constexpr int64_t kSameWithinMs = 60'000;
  object = object.substr(0, kLongest), user = user.substr(0, kLongest);
  size_t looked = std::min(entries_.size(), kLookBack);
  auto end = entries_.begin() + static_cast<ptrdiff_t>(looked);
  auto same = std::find_if(entries_.begin(), end, [&](const AclLogEntry& e) {
    return e.reason == reason && e.context == context && e.object == object && e.user == user &&
           now_ms - e.updated_ms <= kSameWithinMs;
  });
  if (same != end) {
    AclLogEntry entry = std::move(*same);
    entries_.erase(same);
    entry.count++;
    entry.client = std::move(client);
    entry.updated_ms = now_ms;
    entries_.push_front(std::move(entry));
  } else {
    entries_.push_front({next_id_++, 1, reason, context, std::string(object), std::string(user), std::move(client),
                         now_ms, now_ms});
  }
  while (entries_.size() > max_len) entries_.pop_back();
}

}  // namespace vitrine
