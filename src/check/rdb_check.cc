#include "check/rdb_check.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "check/census.h"
#include "check/key_hashes.h"
#include "check/library_check.h"
#include "io/clock.h"
#include "persist/snapshot_reader.h"

namespace vitrine {

namespace {

std::string head_of(const SnapshotContent& content, uint64_t size) {
  std::string out = fmt::format("format version {}, {} bytes", content.version, size);
  if (!content.written_by.empty())
    out += fmt::format(", written by {} {}", content.valkey ? "Valkey" : "version", content.written_by);
  if (content.written_at_s) out += fmt::format(" at {:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(content.written_at_s));
  if (content.aof_base) out += ", the base of an append-only file";
  return out;
}

}  // namespace

SnapshotFindings examine_snapshot(ReadFile& file, const std::string& path) {
  FileSource source(file, [](uint64_t) { return true; }, {});
  RdbInput in(source, true);
  Keyspace::Options options;
  Keyspace nothing(options, 0, 0);     // the moment 0: nothing has expired
  Census census;
  SnapshotRules rules;
  KeyHashes keys;
  const int64_t now_ms = SystemClock().wall_us() / 1000;   // a server leaves out what has expired
  rules.examine = [&](uint64_t db, const Entry& entry, uint64_t bytes) {
    if (!entry.expired(now_ms) && !keys.add(db, entry.key())) return false;
    census.add(db, entry, bytes);
    return true;
  };
  auto content = read_snapshot(in, nothing, rules);
  SnapshotFindings found;
  found.keys = census.keys(), found.bytes = census.bytes();
  if (!content) {
    found.problem = source.error.empty() ? content.error() : source.error;
    found.is_newer = found.problem.starts_with(kUnknownVersion);
    found.text = found.is_newer ? path + ":\n" : path + ":\n" + census.text();
    return found;
  }
  found.text = fmt::format("{}: {}\n", path, head_of(*content, file.size()));
  if (!content->functions.empty()) found.text += fmt::format("  {} function libraries\n", content->functions.size());
  if (content->empty) found.text += fmt::format("  {} empty keys, which a server leaves out\n", content->empty);
  found.text += census.text();
  found.problem = problem_of_libraries(content->functions);
  found.has_checksum = content->has_checksum;
  found.end = in.offset();
  found.written_at_s = content->written_at_s;
  found.at_hand = in.rest();
  return found;
}

CheckReport check_rdb(const std::string& path) {
  SystemFiles files;
  auto file = files.open_read(path);
  if (!file) return {Verdict::unreadable, "CANNOT BE READ: " + file.error().text + "\n"};
  SnapshotFindings found = examine_snapshot(**file, path);
  if (found.is_newer)
    return {Verdict::refused, fmt::format("{}REFUSED: {}. It may be sound; a newer vitrine-check would say.\n",
                                          found.text, found.problem)};
  if (!found.problem.empty())
    return {Verdict::damaged, fmt::format("{}DAMAGED: {}. Before it: {} keys in {} bytes.\n", found.text, found.problem,
                                          found.keys, found.bytes)};
  std::string text = found.text;
  if (found.end < (*file)->size())
    text += fmt::format("  {} bytes behind the end, at byte {}\n", (*file)->size() - found.end, found.end);
  text += found.has_checksum ? "OK: read to the end, and the checksum is right.\n"
                             : "OK: read to the end; it has no checksum.\n";
  return {Verdict::sound, text};
}

}  // namespace vitrine
