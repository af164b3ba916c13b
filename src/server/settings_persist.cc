// Settings of snapshots; those of the append-only log are still in settings_later.cc.
#include <climits>

#include "persist/options.h"
#include "server/settings_codecs.h"
#include "server/settings_table.h"
#include "wire/rdb_format.h"

namespace vitrine {

namespace {

constexpr EnumName kVersionCheck[] = {{"strict", 0}, {"relaxed", 1}};

Refusal check_version(int version) {
  bool known = version == 0 || (version >= rdb::kBaseVersion && version <= rdb::kNewestVersion) ||
               version == rdb::kValkeyVersion;
  return known ? "" : "rdb-version is 0 (the oldest that can hold the data), 10, 11, 12 or 80";
}

}  // namespace

void register_persist_settings(Settings& settings, PersistOptions& o) {
  settings.custom("save", save_points_codec(&o.save_points)).multi();
  settings.text("dbfilename", &o.dbfilename).guarded().validate([&o]() -> Refusal {
    return o.dbfilename.find('/') == std::string::npos ? "" : "dbfilename can't be a path, just a filename";
  });
  settings.boolean("rdbcompression", &o.compress);
  settings.boolean("rdbchecksum", &o.checksum).immutable();
  settings.boolean("rdb-save-incremental-fsync", &o.incremental_fsync);
  settings.boolean("stop-writes-on-bgsave-error", &o.stop_writes_on_error);
  settings.enumeration("rdb-version-check", &o.version_check, kVersionCheck);
  settings.integer("rdb-version", &o.version, 0, INT_MAX).validate([&o] { return check_version(o.version); });
  settings.integer("rdb-key-save-delay", &o.key_save_delay_us, INT_MIN, INT_MAX).hidden();
  settings.integer("key-load-delay", &o.key_load_delay_us, INT_MIN, INT_MAX).hidden();
  settings.integer("loading-process-events-interval-bytes", &o.loading_events_bytes, 1024, INT_MAX).hidden();
}

}  // namespace vitrine
