// SHUTDOWN.
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

}  // namespace

void add_shutdown_command(CommandRegistry& registry, Node& node) {
  registry.add("shutdown", [&](Call& c) { shutdown(c, node); });
}

}  // namespace vitrine
