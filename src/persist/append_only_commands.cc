// BGREWRITEAOF.
#include "engine/call.h"
#include "engine/command.h"
#include "persist/append_only.h"
#include "persist/commands.h"
#include "persist/snapshots.h"

namespace vitrine {

namespace {

void bgrewriteaof(Call& c, AppendOnly& log, Snapshots& snapshots) {
  if (!c.args.done()) return;
  if (log.rewriting()) return c.reply.error("ERR Background append only file rewriting already in progress");
  // Within a transaction it waits for the end: what the transaction still writes belongs to the data.
  if (snapshots.background_running() || !c.may_block) {
    log.schedule_rewrite();
    return c.reply.simple("Background append only file rewriting scheduled");
  }
  auto started = log.start_rewrite();
  started ? c.reply.simple("Background append only file rewriting started")
          : c.reply.error("ERR Can't execute an AOF background rewriting. Please check the server logs for more "
                          "information. " + started.error());
}

}  // namespace

void add_append_only_commands(CommandRegistry& registry, AppendOnly& append_only, Snapshots& snapshots) {
  registry.add("bgrewriteaof", [&](Call& c) { bgrewriteaof(c, append_only, snapshots); });
}

}  // namespace vitrine
