#include "check/aof_check.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <expected>
#include <map>
#include <vector>

#include "check/census.h"
#include "engine/command_table.h"
#include "persist/aof_manifest.h"
#include "persist/aof_reader.h"
#include "persist/snapshot_reader.h"

namespace vitrine {

namespace {

// The commands of a file, counted by name.
class CommandCensus {
 public:
  void add(std::span<const Bytes> argv, uint64_t offset) {
    uint64_t bytes = 0;
    for (Bytes arg : argv) bytes += arg.size();
    Tally& tally = names_[to_lower(argv[0])];
    tally.count++, tally.bytes += bytes;
    commands_++, bytes_ += bytes;
    if (bytes < tally.largest_bytes) return;
    tally.largest_bytes = bytes, tally.largest_offset = offset;
    tally.largest_key = argv.size() > 1 ? printable(argv[1]) : "";
  }
  uint64_t commands() const { return commands_; }

  std::string text() const {
    std::vector<std::pair<std::string, Tally>> rows(names_.begin(), names_.end());
    std::ranges::stable_sort(rows, [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
    std::string out;
    if (!rows.empty())
      out = fmt::format("  {:<16} {:>12} {:>14} {:>6}  largest\n", "command", "times", "bytes", "share");
    for (const auto& [name, t] : rows)
      out += fmt::format("  {:<16} {:>12} {:>14} {:>5.1f}%  '{}': {} bytes, at byte {}\n", name, t.count, t.bytes,
                         percent_of(t.bytes, bytes_), t.largest_key, t.largest_bytes, t.largest_offset);
    return out;
  }

 private:
  struct Tally {
    uint64_t count = 0, bytes = 0, largest_bytes = 0, largest_offset = 0;
    std::string largest_key;
  };
  std::map<std::string, Tally> names_;
  uint64_t commands_ = 0, bytes_ = 0;
};

// Why no server of this version would take it from a log; empty if one would.
std::string problem_of(std::span<const Bytes> argv) {
  std::string name = to_lower(argv[0]);
  const CommandInfo* info = find_command_info(name);
  if (info && !info->subcommands.empty() && argv.size() > 1) info = find_command_info(name + '|' + to_lower(argv[1]));
  switch (place_in_log(info, argv.size())) {
    case LogPlace::unknown: return "there is no command '" + printable(argv[0]) + "'";
    case LogPlace::misplaced:
      return "the command '" + name + "' has no place in a log, or the wrong number of arguments";
    default: return {};
  }
}

struct FileFindings {
  std::string path, text;
  uint64_t bytes = 0, sound_bytes = 0;
  std::string problem;          // empty: it is sound
  std::string refused;          // the first record that is whole, but that no server of this version takes
  bool is_newer = false;        // it is a snapshot of a version that is not known here
  bool unreadable = false, can_be_cut = false;
  int64_t snapshot_s = 0;       // when it was written, if it begins with one
  bool has_times = false;       // annotations
  bool has_early_times = false; // ... of until `until_s`
  bool ends_later = false;      // what follows the sound bytes was written later than `until_s`

  FileFindings& broken(std::string why) {
    problem = std::move(why);
    return *this;
  }
};

constexpr int64_t kEver = INT64_MAX;

std::string moment(int64_t s) { return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(s)); }

std::string span_of(int64_t first_s, int64_t last_s) {
  return last_s ? fmt::format(", written from {} to {} UTC", moment(first_s), moment(last_s)) : "";
}

// As far as it was written until then.
void examine_commands(FileFindings& found, AofReader& reader, int64_t until_s) {
  CommandCensus census;
  CommandBatch batch;
  int64_t first_s = 0, last_s = 0;
  uint64_t unit = reader.offset();
  // One unit at a time: each may be where the file has to be cut.
  while (reader.read(batch, 1)) {
    found.has_times = found.has_times || reader.timestamp_s();
    found.ends_later = reader.timestamp_s() > until_s;
    if (found.ends_later) break;
    found.has_early_times = found.has_early_times || reader.timestamp_s();
    for (size_t i = 0; i < batch.size() && found.refused.empty(); i++)
      if (std::string problem = problem_of(batch[i]); !problem.empty())
        found.refused = fmt::format("{}, byte {}: {}", found.path, reader.offset_of(batch, i), problem);
    for (size_t i = 0; i < batch.size(); i++) census.add(batch[i], reader.offset_of(batch, i));
    if (!first_s) first_s = reader.timestamp_s();
    last_s = reader.timestamp_s();
    unit = reader.offset();
  }
  found.sound_bytes = found.ends_later ? unit : reader.offset();
  found.can_be_cut = true;
  if (reader.ending() == AofReader::Ending::unreadable) found.unreadable = true;
  if (!found.ends_later && reader.ending() != AofReader::Ending::whole)
    found.problem = reader.sentence();
  found.text += fmt::format("{}: {} bytes, {} commands, {} transactions{}\n", found.path, found.bytes,
                            census.commands(), reader.transactions(), span_of(first_s, last_s));
  found.text += census.text();
  if (!found.refused.empty()) found.text += "  WARNING: a server of this version will refuse " + found.refused + "\n";
}

FileFindings examine_file(Files& files, const std::string& path, int64_t until_s = kEver) {
  FileFindings found{path};
  auto file = files.open_read(path);
  auto snapshot = file ? begins_as_snapshot(**file) : std::unexpected(file.error());
  if (snapshot) file = files.open_read(path);
  if (!snapshot || !file) {
    found.unreadable = true;
    return found.broken((snapshot ? file.error() : snapshot.error()).text);
  }
  found.bytes = (*file)->size();
  if (found.bytes == 0 && must_be_snapshot(path)) return found.broken(std::string(kEmptySnapshot));
  SnapshotFindings base;
  if (*snapshot) {
    base = examine_snapshot(**file, path);
    found.text = base.text;
    found.is_newer = base.is_newer;
    if (!base.problem.empty()) return found.broken(base.problem + " (a snapshot, which cannot be cut)");
    found.sound_bytes = base.end;
    found.snapshot_s = base.written_at_s;
    if (base.end == found.bytes) return found;
  }
  AofReader reader(**file, base.end, base.at_hand);
  examine_commands(found, reader, until_s);
  return found;
}

std::string cut(Files& files, const FileFindings& found) {
  auto lock = files.lock_folder(folder_of(found.path));
  if (!lock) return lock.error().text + ": nothing was changed.";
  auto file = files.open_append(found.path);
  if (!file) return file.error().text;
  if (auto done = (*file)->truncate(found.sound_bytes); !done) return done.error().text;
  if (auto done = (*file)->sync(); !done) return done.error().text;
  return {};
}

// `text` tells of all files so far; this one is damaged.
CheckReport settle(Files& files, std::string text, const FileFindings& found, bool last, const Confirm& confirm) {
  if (found.unreadable) return {Verdict::unreadable, text + "CANNOT BE READ: " + found.problem + "\n"};
  if (found.is_newer)
    return {Verdict::refused, text + "REFUSED: " + found.path + ", " + found.problem +
                                  ". It may be sound; a newer vitrine-check would say.\n"};
  uint64_t lost = found.bytes - found.sound_bytes;
  std::string damage = fmt::format("DAMAGED: {}, {}. Before it {} bytes are sound; {} are behind them.", found.path,
                                   found.problem, found.sound_bytes, lost);
  if (!found.can_be_cut) return {Verdict::damaged, text + damage + "\n"};
  if (!last)
    return {Verdict::damaged, text + damage + " It is not the last file, so that cutting it would leave a gap.\n"};
  if (!confirm) return {Verdict::damaged, text + damage + " --fix cuts the file there.\n"};
  std::string question = text + damage + fmt::format("\nCut the file to {} bytes, and lose {}? ", found.sound_bytes,
                                                     lost);
  if (!confirm(question)) return {Verdict::damaged, "Nothing was changed.\n"};
  if (std::string problem = cut(files, found); !problem.empty()) return {Verdict::unreadable, problem + "\n"};
  return {Verdict::sound, fmt::format("FIXED: {} was cut to {} bytes.\n", found.path, found.sound_bytes)};
}

std::string named(const AofManifest& manifest, const std::string& path) {
  return fmt::format("{}: {} base, {} increments, {} files no longer needed\n", path, manifest.base() ? 1 : 0,
                     manifest.increments().size(), manifest.history().size());
}

// What a path names: one file, or those of a manifest.
struct Log {
  std::vector<std::string> paths;
  bool has_base = false;        // the first of them is one
  size_t last = 0;              // behind it nothing stands in the files
  std::string text;
};

std::expected<Log, CheckReport> find_log(Files& files, const std::string& path) {
  if (!path.ends_with(".manifest")) return Log{{path}};
  if (auto file = files.open_read(path); !file && file.error().code != ENOENT)
    return std::unexpected(CheckReport{Verdict::unreadable, "CANNOT BE READ: " + file.error().text + "\n"});
  auto manifest = read_aof_manifest(files, path);
  if (!manifest) return std::unexpected(CheckReport{Verdict::damaged, "DAMAGED: " + manifest.error() + "\n"});
  if (!*manifest)
    return std::unexpected(CheckReport{Verdict::unreadable, "CANNOT BE READ: there is no " + path + "\n"});
  Log log;
  log.text = named(**manifest, path);
  log.has_base = (*manifest)->base().has_value();
  for (const AofFile& file : (*manifest)->files()) {
    log.paths.push_back(folder_of(path) + '/' + file.name);
    if (files.size(log.paths.back()).value_or(1) > 0) log.last = log.paths.size() - 1;
  }
  return log;
}

// Why what stands before the cut may be of a later second than is asked for; empty if it is known not to be.
std::string doubt_of_age(const Log& log, size_t at, const FileFindings& found, bool dated, bool anything_before) {
  if (log.has_base && at == 0 && found.sound_bytes == 0) return found.path + " is a base that was written later";
  if (!dated && anything_before)
    return "no annotation says when that was written which stands before the first one of later, in " + found.path +
           " at byte " + std::to_string(found.sound_bytes);
  return {};
}

CheckReport truncate(Files& files, const std::string& text, const FileFindings& found, int64_t second) {
  if (std::string problem = cut(files, found); !problem.empty()) return {Verdict::unreadable, problem + "\n"};
  return {Verdict::sound, text + fmt::format("TRUNCATED: {} was cut from {} to {} bytes: what is left was written "
                                             "until {} UTC.\n",
                                             found.path, found.bytes, found.sound_bytes, moment(second))};
}

}  // namespace

CheckReport check_aof(const std::string& path, const Confirm& confirm) {
  SystemFiles files;
  auto log = find_log(files, path);
  if (!log) return log.error();
  std::string text = log->text, refused;
  for (size_t i = 0; i < log->paths.size(); i++) {
    FileFindings found = examine_file(files, log->paths[i]);
    text += found.text;
    if (!found.problem.empty()) return settle(files, std::move(text), found, i >= log->last, confirm);
    if (refused.empty()) refused = found.refused;
  }
  if (!refused.empty())
    return {Verdict::refused, text + "REFUSED: all is whole, but a server of this version will not load it: " +
                                  refused + ". Nothing was changed.\n"};
  bool one = log->text.empty();
  return {Verdict::sound, text + (one ? "OK: read to the end.\n" : "OK: all files were read to the end.\n")};
}

CheckReport truncate_aof(const std::string& path, int64_t second) {
  SystemFiles files;
  auto log = find_log(files, path);
  if (!log) return log.error();
  std::string text = log->text;
  bool has_times = false, dated = false, anything_before = false;
  for (size_t i = 0; i < log->paths.size(); i++) {
    FileFindings found = examine_file(files, log->paths[i], second);
    text += found.text;
    has_times = has_times || found.has_times;
    if (!found.problem.empty()) return settle(files, text + "Nothing was changed. ", found, i >= log->last, {});
    if (found.snapshot_s > second)
      return {Verdict::damaged, text + fmt::format("Nothing was changed: {} is a snapshot of {} UTC, of later.\n",
                                                   found.path, moment(found.snapshot_s))};
    dated = dated || found.has_early_times || found.snapshot_s;
    anything_before = anything_before || found.sound_bytes > 0;
    if (!found.ends_later) continue;
    if (std::string doubt = doubt_of_age(*log, i, found, dated, anything_before); !doubt.empty())
      return {Verdict::damaged, text + "Nothing was changed: " + doubt + ".\n"};
    if (i >= log->last) return truncate(files, text, found, second);
    return {Verdict::damaged, text + fmt::format("Nothing was changed: what was written later begins in {}, at byte "
                                                 "{}, and that is not the last file.\n",
                                                 found.path, found.sound_bytes)};
  }
  if (!has_times)
    return {Verdict::unreadable, text + "Nothing was changed: no annotation says when something was written "
                                        "(aof-timestamp-enabled).\n"};
  return {Verdict::sound, text + "OK: nothing was written later, and nothing was changed.\n"};
}

}  // namespace vitrine
