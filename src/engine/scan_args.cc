#include "engine/scan_args.h"

#include "base/numbers.h"

namespace vitrine {

bool read_scan_cursor(Call& c, ScanArgs& args) {
  // As strtoull reads it: a sign is allowed and wraps.
  Bytes cursor = c.args.bytes();
  cursor = cursor.substr(0, cursor.find('\0'));
  bool negative = cursor.starts_with('-'), sign = negative || cursor.starts_with('+');
  if (sign) cursor.remove_prefix(1);
  while (cursor.size() > 1 && cursor[0] == '0') cursor.remove_prefix(1);
  auto parsed = cursor.empty() && !sign ? std::optional<uint64_t>(0) : parse_uint64(cursor);
  if (!parsed) return c.args.fail("ERR invalid cursor"), false;
  args.cursor = negative ? 0 - *parsed : *parsed;
  return true;
}

bool read_scan_options(Call& c, ScanKind kind, ScanArgs& args) {
  while (c.args.more()) {
    if (c.args.accept("COUNT", 1)) {
      int64_t count = c.args.integer();
      if (!c.args.failed() && count < 1) c.args.fail();
      args.count = static_cast<size_t>(count);
    } else if (c.args.accept("MATCH", 1)) {
      args.pattern = c.args.bytes();
      args.has_pattern = args.pattern != "*";
    } else if (kind == ScanKind::keys && c.args.accept("TYPE", 1)) {
      args.type = to_lower(c.args.bytes());
      args.has_type = true;
    } else if (c.args.accept("NOVALUES")) {
      args.values = false;
      if (kind != ScanKind::hash) c.args.fail("ERR NOVALUES option can only be used in HSCAN");
    } else if (c.args.accept("NOSCORES")) {
      args.values = false;
      if (kind != ScanKind::zset) c.args.fail("ERR NOSCORES option can only be used in ZSCAN");
    } else {
      c.args.fail();
    }
  }
  return c.args.done();
}

bool read_scan_args(Call& c, ScanKind kind, ScanArgs& args) {
  return read_scan_cursor(c, args) && read_scan_options(c, kind, args);
}

void reply_scan_cursor(Call& c, uint64_t cursor) {
  char text[24];
  c.reply.array(2);
  c.reply.bulk({text, format_uint64(text, cursor)});
}

}  // namespace vitrine
