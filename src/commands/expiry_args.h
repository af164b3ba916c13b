// The expiry options that commands share, and what they mean in milliseconds.
#pragma once

#include "engine/call.h"

namespace vitrine {

// One choice among EX PX EXAT PXAT, KEEPTTL and PERSIST: repeating the same is allowed, another is a syntax error. The
// number is read by resolve(), so that a command can look at its key first, as Redis does.
class ExpiryChoice {
 public:
  enum Kind : uint8_t { none, ex, px, exat, pxat, keepttl, persist };
  // Consumes the next argument (and its number) if it is one of the four moments, or `extra`, and allowed.
  bool accept(Call& c, Kind extra = none);
  // The moment meant; kNoExpiry for none and persist, Keyspace::kKeepTtl for keepttl. Latches Redis' errors.
  int64_t resolve(Call& c) const;
  Kind kind() const { return kind_; }

 private:
  Kind kind_ = none;
  Bytes number_;
};

// seconds or milliseconds, relative to now or absolute -> a moment in milliseconds; latches "invalid expire time in
// 'name' command". `allow_negative`: past moments are meaningful (EXPIRE), zero and negative numbers allowed.
int64_t to_moment(Call& c, int64_t number, bool seconds, bool absolute, bool allow_negative = false);

// What a log or follower replays instead of a command that gave the key this string: a SET with this expiry (a moment,
// kNoExpiry or Keyspace::kKeepTtl); a DEL if the moment is past.
void replay_set(Call& c, Bytes key, Bytes value, int64_t expire_at_ms);

}  // namespace vitrine
