#include "commands/expiry_args.h"

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

bool accept_expiry(Call& c, int64_t& at_ms) {
  struct Option {
    Bytes word;
    bool seconds, absolute;
  };
  static constexpr Option kOptions[] = {
      {"EX", true, false}, {"PX", false, false}, {"EXAT", true, true}, {"PXAT", false, true}};
  for (const Option& option : kOptions) {
    if (!c.args.accept(option.word, 1)) continue;
    int64_t number = c.args.integer();
    if (!c.args.failed()) at_ms = to_moment(c, number, option.seconds, option.absolute);
    return true;
  }
  return false;
}

}  // namespace vitrine
