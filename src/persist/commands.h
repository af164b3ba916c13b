// Commands of the persist room, bound to what they steer.
#pragma once

namespace vitrine {

class AppendOnly;
class Call;
class CommandRegistry;
class Snapshots;
struct PersistOptions;

// DUMP and RESTORE.
void add_dump_commands(CommandRegistry& registry, const PersistOptions& options);
// SAVE, BGSAVE, LASTSAVE, FLUSHALL.
void add_snapshot_commands(CommandRegistry& registry, Snapshots& snapshots);
// BGREWRITEAOF.
void add_append_only_commands(CommandRegistry& registry, AppendOnly& append_only, Snapshots& snapshots);
// DEBUG RELOAD, behind the subcommand's name.
void debug_reload(Call& call, Snapshots& snapshots);

}  // namespace vitrine
