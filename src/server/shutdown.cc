// SHUTDOWN, and what DEBUG has for starting anew.
#include <algorithm>

#include "base/log.h"
#include "console/debug.h"
#include "server/node.h"
#include "server/server_commands.h"

namespace vitrine {

namespace {

void shutdown(Call& c, Node& node) {
  bool save = false, nosave = false, abort = false, force = false, now = false;
  while (c.args.more()) {
    if (!nosave && c.args.accept("SAVE")) save = true;
    else if (!save && c.args.accept("NOSAVE")) nosave = true;
    else if (c.args.accept("ABORT")) abort = true;
    else if (c.args.accept("FORCE")) force = true;
    else if (c.args.accept("NOW")) now = true;
    else c.args.fail();
  }
  if (!c.args.failed() && abort && (save || nosave || force || now)) c.args.fail();
  if (!c.args.done()) return;
  if (abort) return node.take_back_end() ? c.reply.ok() : c.reply.error("ERR No shutdown in progress.");
  if (!nosave && !node.dispatcher().data_gate.busy_refusal.empty())
    return c.reply.error(node.dispatcher().data_gate.busy_refusal);   // its data is half changed
  if (!node.shut_down({save, nosave, force})) return c.reply.error("ERR Errors trying to SHUTDOWN. Check logs.");
  // No reply: the end of the connection is the answer.
  c.session.close_after_reply = true;
}

int64_t delay_ms(Call& c) { return c.args.more() ? std::max<int64_t>(c.args.integer(), 0) : 0; }

void restart(Call& c, Node& node, const Settings& settings, const std::string& file) {
  int64_t delay = delay_ms(c);
  if (!c.args.done()) return;
  std::string problem = file.empty() ? "" : settings.rewrite(file, false);
  if (!problem.empty()) log(LogLevel::warning, "Rewriting the configuration before a restart: %s", problem.c_str());
  if (!problem.empty() || !node.restart(delay))
    return c.reply.error("ERR failed to restart the server. Check server logs.");
  c.session.close_after_reply = true;
}

void crash_and_recover(Call& c, Node& node) {
  int64_t delay = delay_ms(c);
  if (c.args.done()) node.start_anew(delay);
}

}  // namespace

void add_restart_commands(DebugCommands& debug, Node& node, const Settings& settings, const std::string& file) {
  debug.add("RESTART [<milliseconds>]", "Saves the configuration and the data as SHUTDOWN does, then starts anew.",
            0, 1, [&](Call& c) { restart(c, node, settings, file); });
  debug.add("CRASH-AND-RECOVER [<milliseconds>]", "Ends without saving anything, and starts anew.", 0, 1,
            [&](Call& c) { crash_and_recover(c, node); });
}

void add_shutdown_command(CommandRegistry& registry, Node& node) {
  registry.add("shutdown", [&](Call& c) { shutdown(c, node); });
}

}  // namespace vitrine
