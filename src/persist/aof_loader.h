// AofLoader: the append-only log of the disk, back into the keyspace.
//
// find() says what there is: the files that the manifest names, or a single file of Redis before 7, which is read where
// it is. load() reads them in order; when that went well adopt() takes the single file into the folder, as the base.
// A base may be a snapshot, a snapshot with commands behind it, or commands. While it is read nothing expires
// (Keyspace::hold_expiry).
//
// What a crash leaves is repaired: a unit at the end of the last file that is not whole is cut off, when
// aof-load-truncated says so. Everything else that is wrong is an error: a sentence with file and byte, and advice.
// Then some keys may have been loaded; on the disk nothing has changed.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "engine/dispatcher.h"
#include "io/file.h"
#include "persist/aof_manifest.h"
#include "persist/aof_reader.h"
#include "persist/snapshots.h"

namespace vitrine {

// Where the log is: the settings appenddirname and appendfilename.
struct AofPlace {
  std::string folder = "appendonlydir", prefix = "appendonly.aof";

  std::string manifest() const { return aof_manifest_path(folder, prefix); }
  std::string path(const std::string& name) const { return folder + '/' + name; }
};

class AofLoader {
 public:
  struct Stats {
    uint64_t keys = 0;              // of a base that is a snapshot
    uint64_t commands = 0, transactions = 0;
    uint64_t failed = 0;            // commands whose reply was an error
    uint64_t bytes = 0;             // of all files, behind what was cut off
    uint64_t base_bytes = 0;
  };
  template <class T>
  using Result = std::expected<T, std::string>;

  // Its progress is that of snapshots.loading(); a base's function libraries become those of `snapshots`.
  AofLoader(Files& files, Keyspace& keyspace, Dispatcher& dispatcher, Snapshots& snapshots)
      : files_(files), keyspace_(keyspace), dispatcher_(dispatcher), snapshots_(snapshots) {}

  // Nothing: there is no log.
  Result<std::optional<AofManifest>> find(const AofPlace& place);
  // After load(): `manifest`, which find() gave, is on the disk, and the files are where it says.
  Result<void> adopt(const AofPlace& place, const AofManifest& manifest);
  // `cut_tail`: aof-load-truncated. `serve`: as Snapshots::load.
  Result<Stats> load(const AofPlace& place, const AofManifest& manifest, bool cut_tail, bool serve);

 private:
  class Hold;
  struct File {
    std::string name, path;
    uint64_t bytes = 0;
    bool is_base = false, is_last = false;   // last: nothing stands in the files behind it
  };
  Result<std::optional<AofManifest>> find_single_file(const AofPlace& place);
  Result<void> move_single_file(const AofPlace& place);
  Result<void> refuse_lost_files(const AofPlace& place);
  Result<std::vector<File>> files_of(const AofPlace& place, const AofManifest& manifest);
  Result<void> load_files(std::vector<File>& files, bool cut_tail);
  Result<void> load_file(File& file, bool cut_tail);
  Result<void> replay(Session& session, AofReader& reader, const CommandBatch& batch, const File& file);
  Result<void> settle_end(File& file, const AofReader& reader, bool cut_tail);
  Result<void> cut(const File& file, uint64_t bytes);

  Files& files_;
  Keyspace& keyspace_;
  Dispatcher& dispatcher_;
  Snapshots& snapshots_;
  Stats stats_;
  // A log of one file, that is not in the folder yet; and whether no manifest names it yet.
  bool is_outside_ = false, is_unnamed_ = false;
  std::vector<Prepared> prepared_;
};

}  // namespace vitrine
