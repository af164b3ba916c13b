// AofManifest: which files make up the append-only log, in a text file beside them.
//
//   # a comment
//   file appendonly.aof.2.base.rdb seq 2 type b       the data at some moment: a snapshot (.rdb) or commands (.aof)
//   file appendonly.aof.3.incr.aof seq 3 type i       what was written since, oldest first
//   file appendonly.aof.1.base.rdb seq 1 type h       no longer needed, to be removed
//
// Lines are pairs of a name and a word, in any order, words quoted as in redis.conf where they must be (a blank in the
// name). Names that we do not know are left out, as Redis does (Redis 8 writes startoffset and endoffset). Every line
// ends with \n: one that does not was cut off.
//
// Invariants: at most one base; increments' numbers ascend; no name stands there twice; names are of files in the
// manifest's own folder, and say the same of number and kind as their lines. The newest increment is not history, save
// with a base: a rewrite while the log is off leaves nothing but its own base. The manifest changes only as a whole
// (Files::write_atomic). A file is there before it is named, an increment is named before its first byte is written
// (but the first one of a log that was turned on: append_only.h), and a file stays until it is no longer named.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "io/file.h"

namespace vitrine {

struct AofFile {
  std::string name;    // without folder
  uint64_t seq = 0;    // from 1

  bool operator==(const AofFile&) const = default;
};

class AofManifest {
 public:
  // An error is a sentence that begins with the line's number.
  static std::expected<AofManifest, std::string> parse(Bytes text);
  std::string text() const;

  bool empty() const { return !base_ && increments_.empty() && history_.empty(); }
  const std::optional<AofFile>& base() const { return base_; }
  std::span<const AofFile> increments() const { return increments_; }
  std::span<const AofFile> history() const { return history_; }
  // Base and increments, in the order in which they are read.
  std::vector<AofFile> files() const;

  // What the next base would be called: appendonly.aof.2.base.rdb, or .base.aof when it holds commands.
  AofFile next_base(Bytes prefix, bool snapshot) const;
  // What the next increment would be called: appendonly.aof.2.incr.aof.
  AofFile next_increment(Bytes prefix) const;
  // Its number is never given: a file of that name is somebody's.
  void skip_increment() { increment_seq_++; }
  // REQUIRES: seq is larger than that of every increment there is.
  void add_increment(AofFile increment);
  // Forgets the last increment, that add_increment has just added.
  void take_back_increment() { increments_.pop_back(); }
  // The base there was, and all increments but the last `kept` ones, become history.
  void replace_base(AofFile base, size_t kept);
  // A base, or an increment, that no longer counts but may be named on the disk: its number is not given again.
  void abandon_base(const AofFile& base);
  void abandon_increment(const AofFile& increment);
  // The files of history are gone.
  void forget_history() { history_.clear(); }

  bool operator==(const AofManifest&) const = default;

 private:
  std::string newest_in_history() const;

  std::optional<AofFile> base_;
  std::vector<AofFile> increments_, history_;
  uint64_t base_seq_ = 0, increment_seq_ = 0;   // the highest there were
};

// Whether it is a base that can only be a snapshot, by its name, and why it is damaged when it holds nothing.
inline bool must_be_snapshot(Bytes name) { return name.ends_with(".base.rdb"); }
inline constexpr Bytes kEmptySnapshot = "it is empty, where a snapshot has a head and an end at least";

// Where it is: FOLDER/PREFIX.manifest, by the settings appenddirname and appendfilename.
std::string aof_manifest_path(const std::string& folder, const std::string& prefix);
// Nothing when there is no such file; an error is a sentence with the path.
std::expected<std::optional<AofManifest>, std::string> read_aof_manifest(Files& files, const std::string& path);
FileResult<void> write_aof_manifest(Files& files, const std::string& path, const AofManifest& manifest);

}  // namespace vitrine
