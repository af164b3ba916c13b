// The expiry options that commands share: EX PX EXAT PXAT (and what they mean in milliseconds).
#pragma once

#include "engine/call.h"

namespace vitrine {

// True when the next argument is EX, PX, EXAT or PXAT (with its number, both consumed): `at_ms` is the moment meant.
// Latches Redis' error when the number is not positive or too large.
bool accept_expiry(Call& c, int64_t& at_ms);

// seconds or milliseconds, relative to now or absolute -> a moment in milliseconds; latches "invalid expire time in
// 'name' command". `allow_negative`: past moments are meaningful (EXPIRE), zero and negative numbers allowed.
int64_t to_moment(Call& c, int64_t number, bool seconds, bool absolute, bool allow_negative = false);

}  // namespace vitrine
