// SLOWLOG and COMMANDLOG.
#include <algorithm>

#include "console/command_log.h"
#include "console/commands.h"
#include "engine/call.h"

namespace vitrine {

namespace {

using Kind = CommandLog::Kind;

void reply_entries(Call& c, const CommandLog& log, Kind kind, int64_t count) {
  const auto& entries = log.entries(kind);
  size_t n = count < 0 ? entries.size() : std::min(entries.size(), static_cast<size_t>(count));
  c.reply.array(static_cast<int64_t>(n));
  for (size_t i = 0; i < n; i++) {
    const CommandLog::Entry& e = entries[i];
    c.reply.array(6);
    c.reply.integer(static_cast<int64_t>(e.id));
    c.reply.integer(e.at_s);
    c.reply.integer(static_cast<int64_t>(e.value));
    c.reply.array(static_cast<int64_t>(e.argv.size()));
    for (const std::string& arg : e.argv) c.reply.bulk(arg);
    c.reply.bulk(e.address);
    c.reply.bulk(e.client_name);
  }
}

int64_t take_count(Call& c) {
  constexpr Bytes kRange = "ERR count should be greater than or equal to -1";
  return c.args.integer(-1, INT64_MAX, kRange, kRange);
}

Kind take_kind(Call& c) {
  if (c.args.accept("slow")) return Kind::slow;
  if (c.args.accept("large-request")) return Kind::large_request;
  if (c.args.accept("large-reply")) return Kind::large_reply;
  c.args.fail("ERR type should be one of the following: slow, large-request, large-reply");
  return Kind::slow;
}

void slow_get(Call& c, CommandLog& log) {
  if (c.args.left() > 1)
    return c.reply.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(c.args[1]) +
                         "'. Try SLOWLOG HELP.");
  int64_t count = c.args.more() ? take_count(c) : 10;
  if (c.args.done()) reply_entries(c, log, Kind::slow, count);
}

void log_get(Call& c, CommandLog& log) {
  int64_t count = take_count(c);
  Kind kind = take_kind(c);
  if (c.args.done()) reply_entries(c, log, kind, count);
}

void log_len(Call& c, CommandLog& log) {
  Kind kind = take_kind(c);
  if (c.args.done()) c.reply.integer(static_cast<int64_t>(log.entries(kind).size()));
}

void log_reset(Call& c, CommandLog& log) {
  Kind kind = take_kind(c);
  if (!c.args.done()) return;
  log.reset(kind);
  c.reply.ok();
}

}  // namespace

void add_command_log_commands(CommandRegistry& registry, CommandLog& log) {
  registry.add("slowlog|get", [&](Call& c) { slow_get(c, log); });
  registry.add("slowlog|len",
               [&](Call& c) { c.reply.integer(static_cast<int64_t>(log.entries(Kind::slow).size())); });
  registry.add("slowlog|reset", [&](Call& c) {
    log.reset(Kind::slow);
    c.reply.ok();
  });
  registry.add("commandlog|get", [&](Call& c) { log_get(c, log); });
  registry.add("commandlog|len", [&](Call& c) { log_len(c, log); });
  registry.add("commandlog|reset", [&](Call& c) { log_reset(c, log); });
}

}  // namespace vitrine
