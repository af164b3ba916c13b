// SAVE, BGSAVE, LASTSAVE, FLUSHALL, DEBUG RELOAD.
#include "base/log.h"
#include "engine/call.h"
#include "engine/command.h"
#include "persist/commands.h"
#include "persist/snapshots.h"

namespace vitrine {

namespace {

void save(Call& c, Snapshots& snapshots) {
  auto saved = snapshots.save();
  saved ? c.reply.ok() : c.reply.error("ERR " + saved.error());
}

void bgsave(Call& c, Snapshots& snapshots) {
  bool schedules = false;
  if (c.args.more()) {
    if (c.args.accept("CANCEL")) {
      if (!c.args.done()) return;
      if (!snapshots.cancel_background())
        return c.reply.error("ERR Background saving is currently not in progress or scheduled");
      return c.reply.simple("Background saving cancelled");
    }
    if (!c.args.accept("SCHEDULE")) c.args.fail();
    schedules = true;
  }
  if (!c.args.done()) return;
  if (snapshots.background_running()) return c.reply.error("ERR Background save already in progress");
  if (snapshots.another_child()) {
    if (!schedules)
      return c.reply.error("ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in "
                           "order to schedule a BGSAVE whenever possible.");
    snapshots.schedule_background();
    return c.reply.simple("Background saving scheduled");
  }
  auto started = snapshots.start_background();
  started ? c.reply.simple("Background saving started") : c.reply.error("ERR " + started.error());
}

// Here and not with FLUSHDB, because the snapshot goes with the data.
void flushall(Call& c, Snapshots& snapshots) {
  bool background = true;  // large databases are freed aside, whichever word is given
  if (c.args.more() && !c.args.accept("SYNC") && !c.args.accept("ASYNC")) c.args.fail();
  if (!c.args.done()) return;
  c.keyspace.flush(-1, background);
  snapshots.follow_flush();
  c.reply.ok();
}

}  // namespace

void debug_reload(Call& c, Snapshots& snapshots) {
  bool saves = true, flushes = true, merges = false;
  while (c.args.more()) {
    if (c.args.accept("NOSAVE")) saves = false;
    else if (c.args.accept("NOFLUSH")) flushes = false;
    else if (c.args.accept("MERGE")) merges = true;
    else c.args.fail("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
  }
  if (!c.args.done()) return;
  if (snapshots.loading().active()) return c.reply.error(kLoadingRefusal);
  if (saves) snapshots.end_child("a snapshot of now takes its place");
  if (saves)
    if (auto saved = snapshots.save(false); !saved) return c.reply.error("ERR " + saved.error());
  uint64_t changes = c.keyspace.stats().changes;
  if (flushes) c.keyspace.flush(-1, false);
  auto loaded = snapshots.load(merges, false);
  c.keyspace.stats().changes = changes;
  c.effects.nothing();
  if (!loaded) return c.reply.error("ERR Error trying to load the RDB dump: " + loaded.error());
  log(LogLevel::warning, "DB reloaded by DEBUG RELOAD");
  c.reply.ok();
}

void add_snapshot_commands(CommandRegistry& registry, Snapshots& snapshots) {
  registry.add("save", [&](Call& c) { save(c, snapshots); });
  registry.add("bgsave", [&](Call& c) { bgsave(c, snapshots); });
  registry.add("flushall", [&](Call& c) { flushall(c, snapshots); });
  registry.add("lastsave", [&](Call& c) { c.reply.integer(snapshots.stats().last_save_s); });
}

}  // namespace vitrine
