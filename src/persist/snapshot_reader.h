// Reading a snapshot (wire/rdb_format.h) of any version into a keyspace: files at start, DEBUG RELOAD.
#pragma once

#include <algorithm>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "io/file.h"
#include "store/keyspace.h"
#include "wire/rdb_input.h"

namespace vitrine {

struct SnapshotContent;

struct SnapshotRules {
  bool any_version = false;            // newer than we know: try
  Bytes version_advice;                // what an error of a newer version says behind it
  bool checksum = true;                // verify it
  bool replace = false;                // keys that are there already: else an error
  // Once, when all is known that the file says of itself.
  std::function<void(const SnapshotContent&)> on_head;
  // Before a key, when so many bytes were read since the last time; what fails the input meanwhile ends the reading.
  std::function<void(const SnapshotContent&)> on_progress;
  uint64_t progress_bytes = 0;
  // Sees each key, and how many bytes of the file it takes, and says false when it was there already; then none is
  // kept, and `databases` is no limit.
  std::function<bool(uint64_t db, const Entry& entry, uint64_t file_bytes)> examine;
};

struct SnapshotContent {
  int version = 0;
  bool valkey = false;
  std::string written_by;              // the version of the server, "" if it does not say
  int64_t written_at_s = 0, used_memory = 0;   // 0: not said
  bool aof_base = false;
  bool has_checksum = false;
  std::vector<std::string> functions;  // code of function libraries
  uint64_t keys = 0, expired = 0, empty = 0;   // loaded; left out
};

// Reads up to and including the end mark and its checksum. On an error some keys may have been loaded; the text says
// what is wrong and at which byte.
std::expected<SnapshotContent, std::string> read_snapshot(RdbInput& in, Keyspace& keyspace, const SnapshotRules& rules);

// A file as the source of such bytes.
class FileSource final : public RdbInput::Source {
 public:
  // `on_bytes` hears of each piece; false ends the reading, with `stopped` as the error.
  FileSource(ReadFile& file, std::function<bool(uint64_t bytes)> on_bytes, Bytes stopped)
      : file_(file), left_(file.size()), on_bytes_(std::move(on_bytes)), stopped_(stopped) {}

  size_t read(char* to, size_t n) override {
    auto got = file_.read(to, n);
    if (!got) return error = got.error().text, left_ = 0, 0;
    left_ = *got == 0 ? 0 : left_ - std::min<uint64_t>(left_, *got);
    if (!on_bytes_(*got)) return error = stopped_, left_ = 0, 0;
    return *got;
  }
  uint64_t left() const override { return left_; }

  std::string error;                   // of the file; empty: none

 private:
  ReadFile& file_;
  uint64_t left_;
  std::function<bool(uint64_t)> on_bytes_;
  std::string stopped_;
};

// How the error about a version begins that we do not know.
inline constexpr Bytes kUnknownVersion = "can't handle RDB format version ";

// Whether a snapshot begins there, of whatever version: what `file` gives next is read.
FileResult<bool> begins_as_snapshot(ReadFile& file);

// Whether a reader of ours takes values of that version.
bool is_known_version(int version);

}  // namespace vitrine
