// TIME, ROLE, LOLWUT.
#include "base/numbers.h"
#include "console/commands.h"
#include "console/lolwut.h"
#include "console/sections.h"
#include "engine/call.h"
#include "engine/command.h"
#include "engine/session_words.h"
#include "io/event_loop.h"

namespace vitrine {

namespace {

void time(Call& c, const EventLoop& loop) {
  int64_t us = loop.clock().wall_us();
  c.reply.array(2);
  c.reply.bulk_integer(us / 1000000);
  c.reply.bulk_integer(us % 1000000);
}

void role(Call& c) {
  c.reply.array(3);
  c.reply.bulk("master");
  c.reply.integer(0);
  c.reply.array(0);
}

// LOLWUT [VERSION n] [columns rows]
void lolwut(Call& c) {
  int64_t columns = 66, rows = 20;
  if (c.args.accept("VERSION", 1)) c.args.integer();
  if (c.args.more()) columns = parse_int64(c.args.bytes()).value_or(columns);
  if (c.args.more()) rows = parse_int64(c.args.bytes()).value_or(rows);
  if (c.args.failed()) return;
  std::string picture = draw_cabinet(c.keyspace.random().next(), columns, rows);
  c.reply.verbatim(picture + "\nA cabinet of glass, drawn anew each time.\nRedis ver. " + std::string(kRedisVersion) +
                   ", Vitrine ver. " + std::string(kVitrineVersion) + "\n");
}

}  // namespace

void add_small_commands(CommandRegistry& registry, const Sources& s) {
  static constexpr CommandRow kRows[] = {{"role", role}, {"lolwut", lolwut}};
  registry.add(kRows);
  registry.add("time", [&](Call& c) { time(c, s.loop); });
}

}  // namespace vitrine
