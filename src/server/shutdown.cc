// SHUTDOWN, and the signals that mean the same.
#include "base/log.h"
#include "server/node.h"
#include "server/server_commands.h"

namespace vitrine {

namespace {

void shutdown(Call& c, Node& node) {
  bool save = false, nosave = false, abort = false;
  while (c.args.more()) {
    if (!nosave && c.args.accept("SAVE")) save = true;
    else if (!save && c.args.accept("NOSAVE")) nosave = true;
    else if (c.args.accept("ABORT")) abort = true;
    else if (!c.args.accept("NOW") && !c.args.accept("FORCE")) c.args.fail();
  }
  if (!c.args.failed() && abort && c.args.size() > 2) c.args.fail();
  if (!c.args.done()) return;
  if (abort) return c.reply.error("ERR No shutdown in progress.");
  log(LogLevel::warning, "User requested shutdown...");
  node.stop();
}

}  // namespace

void add_shutdown_command(CommandRegistry& registry, Node& node) {
  registry.add("shutdown", [&](Call& c) { shutdown(c, node); });
}

}  // namespace vitrine
