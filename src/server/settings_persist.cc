// Settings of snapshots and of the append-only log.
#include <climits>

#include "persist/options.h"
#include "server/settings_codecs.h"
#include "server/settings_table.h"
#include "wire/rdb_format.h"

namespace vitrine {

namespace {

constexpr EnumName kSync[] = {{"everysec", 0}, {"always", 1}, {"no", 2}};
constexpr EnumName kVersionCheck[] = {{"strict", 0}, {"relaxed", 1}};
constexpr EnumName kCheckPayloads[] = {{"no", 0}, {"yes", 1}, {"clients", 2}};

Refusal check_version(int version) {
  bool known = version == 0 || (version >= rdb::kBaseVersion && version <= rdb::kNewestVersion) ||
               version == rdb::kValkeyVersion;
  return known ? "" : "rdb-version is 0 (the oldest that can hold the data), 10, 11, 12 or 80";
}

// A name in a folder, not a path.
Setting& plain_name(Settings& settings, const std::string& name, std::string* target, const std::string& kind) {
  return settings.text(name, target).immutable().validate([=]() -> Refusal {
    if (target->find('/') != std::string::npos) return name + " can't be a path, just a " + kind;
    return target->empty() ? name + " can't be empty" : Refusal();
  });
}

void register_append_settings(Settings& settings, AppendOptions& o) {
  settings.boolean("appendonly", &o.enabled).after_loading();
  plain_name(settings, "appendfilename", &o.prefix, "filename");
  plain_name(settings, "appenddirname", &o.folder, "dirname");
  settings.enumeration("appendfsync", &o.sync, kSync);
  settings.boolean("no-appendfsync-on-rewrite", &o.no_sync_on_rewrite);
  settings.integer("auto-aof-rewrite-percentage", &o.auto_rewrite_percentage, 0, INT_MAX);
  settings.memory("auto-aof-rewrite-min-size", &o.auto_rewrite_min_bytes, 0, INT64_MAX);
  settings.boolean("aof-load-truncated", &o.load_truncated);
  settings.boolean("aof-use-rdb-preamble", &o.snapshot_base);
  settings.boolean("aof-timestamp-enabled", &o.timestamps);
  settings.boolean("aof-rewrite-incremental-fsync", &o.incremental_fsync);
  settings.text("aof-rewrite-cpulist", &o.cpus).alias("aof_rewrite_cpulist").immutable();
  settings.boolean("aof-disable-auto-gc", &o.keep_history).hidden();
}

}  // namespace

void register_persist_settings(Settings& settings, PersistOptions& o) {
  settings.custom("save", save_points_codec(&o.save_points)).multi();
  settings.text("dbfilename", &o.dbfilename).guarded().validate([&o]() -> Refusal {
    return o.dbfilename.find('/') == std::string::npos ? "" : "dbfilename can't be a path, just a filename";
  });
  settings.text("bgsave-cpulist", &o.cpus).alias("bgsave_cpulist").immutable();
  settings.boolean("rdbcompression", &o.compress);
  settings.boolean("rdbchecksum", &o.checksum).immutable();
  settings.boolean("rdb-save-incremental-fsync", &o.incremental_fsync);
  settings.boolean("stop-writes-on-bgsave-error", &o.stop_writes_on_error);
  settings.enumeration("rdb-version-check", &o.version_check, kVersionCheck);
  settings.enumeration("sanitize-dump-payload", &o.check_payloads, kCheckPayloads);
  settings.integer("rdb-version", &o.version, 0, INT_MAX).validate([&o] { return check_version(o.version); });
  settings.integer("rdb-key-save-delay", &o.key_save_delay_us, INT_MIN, INT_MAX).hidden();
  settings.integer("key-load-delay", &o.key_load_delay_us, INT_MIN, INT_MAX).hidden();
  register_append_settings(settings, o.append);
  settings.integer("loading-process-events-interval-bytes", &o.loading_events_bytes, 1024, INT_MAX).hidden();
}

}  // namespace vitrine
