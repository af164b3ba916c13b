#include "commands/expiry_args.h"

#include "base/numbers.h"
#include "engine/command.h"

namespace vitrine {

int64_t to_moment(Call& c, int64_t number, bool seconds, bool absolute, bool allow_negative) {
  auto invalid = [&] {
    c.args.fail_formatted("ERR invalid expire time in '" + c.command->full_name + "' command");
    return int64_t{0};
  };
  if (!allow_negative && number <= 0) return invalid();
  if (seconds && (number > INT64_MAX / 1000 || number < INT64_MIN / 1000)) return invalid();
  int64_t ms = seconds ? number * 1000 : number;
  if (!absolute && ms > INT64_MAX - c.now_ms) return invalid();
  return absolute ? ms : ms + c.now_ms;
}

bool ExpiryChoice::accept(Call& c, Kind extra) {
  static constexpr Bytes kWords[] = {"", "EX", "PX", "EXAT", "PXAT", "KEEPTTL", "PERSIST"};
  for (Kind each : {ex, px, exat, pxat, extra}) {
    if (each == none || (kind_ != none && kind_ != each)) continue;
    bool has_number = each <= pxat;
    if (!c.args.accept(kWords[each], has_number ? 1 : 0)) continue;
    kind_ = each;
    if (has_number) number_ = c.args.bytes();
    return true;
  }
  return false;
}

int64_t ExpiryChoice::resolve(Call& c) const {
  if (kind_ == keepttl) return Keyspace::kKeepTtl;
  if (kind_ == none || kind_ == persist) return kNoExpiry;
  auto number = parse_int64(number_);
  if (!number) return c.args.fail(Args::kNotInteger), kNoExpiry;
  return to_moment(c, *number, kind_ == ex || kind_ == exat, kind_ == exat || kind_ == pxat);
}

void replay_set(Call& c, Bytes key, Bytes value, int64_t expire_at_ms) {
  if (!c.effects.wanted()) return;
  if (expire_at_ms == kNoExpiry) return c.effects.replace({"SET", key, value});
  if (expire_at_ms == Keyspace::kKeepTtl) return c.effects.replace({"SET", key, value, "KEEPTTL"});
  if (c.keyspace.past(expire_at_ms)) return c.effects.replace({"DEL", key});
  c.effects.replace({"SET", key, value, "PXAT", std::to_string(expire_at_ms)});
}

}  // namespace vitrine
