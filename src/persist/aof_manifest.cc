#include "persist/aof_manifest.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "base/check.h"
#include "base/config_file.h"
#include "base/numbers.h"

namespace vitrine {

namespace {

constexpr uint64_t kLongestManifest = 16 << 20;
constexpr const char* kIncrementEnding = ".incr.aof";

struct Line {
  std::string name;
  uint64_t seq = 0;
  char type = 0;
};

using ParsedLine = std::expected<Line, std::string>;

std::string problem_of_name(const std::string& name) {
  if (name.empty()) return "it names no file";
  if (name.find('/') != std::string::npos || name == "." || name == "..")
    return "'" + name + "' is a path, where a file in the manifest's own folder must be named";
  return {};
}

// NAME is PREFIX.<seq>KIND, KIND being one of ours: then number and type must be so, too. Other names say nothing.
std::string problem_of_line(const Line& line) {
  for (Bytes kind : {Bytes(".base.rdb"), Bytes(".base.aof"), Bytes(kIncrementEnding)}) {
    if (!Bytes(line.name).ends_with(kind)) continue;
    Bytes stem = Bytes(line.name).substr(0, line.name.size() - kind.size());
    size_t dot = stem.rfind('.');
    auto seq = dot == Bytes::npos ? std::nullopt : parse_uint64(stem.substr(dot + 1));
    if (!seq) continue;
    if (*seq != line.seq) return "the name '" + line.name + "' and the seq " + std::to_string(line.seq) + " differ";
    if (line.type == 'h' || (line.type == 'i') == (kind == kIncrementEnding)) continue;
    return "the name '" + line.name + "' and the type " + line.type + " contradict each other";
  }
  return {};
}

ParsedLine parse_line(Bytes text) {
  auto words = split_words(text);
  if (!words) return std::unexpected("its quotes do not match");
  if (words->size() % 2) return std::unexpected("it is not made of pairs 'file NAME seq NUMBER type LETTER'");
  Line line;
  for (size_t i = 0; i < words->size(); i += 2) {
    std::string key = to_lower((*words)[i]);
    const std::string& value = (*words)[i + 1];
    if (key == "file") {
      if (std::string problem = problem_of_name(value); !problem.empty()) return std::unexpected(problem);
      line.name = value;
    } else if (key == "seq") {
      line.seq = parse_uint64(value).value_or(0);
      if (line.seq == 0) return std::unexpected("'" + value + "' is no sequence number");
    } else if (key == "type") {
      if (value != "b" && value != "h" && value != "i")
        return std::unexpected("'" + value + "' is no type of a file: b, i and h are");
      line.type = value[0];
    }
  }
  if (line.name.empty() || line.seq == 0 || line.type == 0)
    return std::unexpected("it must say file, seq and type");
  if (std::string problem = problem_of_line(line); !problem.empty()) return std::unexpected(problem);
  return line;
}

std::string numbered(size_t number, const std::string& what) {
  return "line " + std::to_string(number) + ": " + what;
}

void write_line(std::string& out, const AofFile& file, char type) {
  out += "file " + quote_word_if_needed(file.name) + " seq " + std::to_string(file.seq) + " type " + type + '\n';
}

}  // namespace

std::expected<AofManifest, std::string> AofManifest::parse(Bytes text) {
  if (text.empty()) return std::unexpected("it is empty");
  AofManifest manifest;
  std::set<std::string> names;
  for (size_t number = 1; !text.empty(); number++) {
    size_t end = text.find('\n');
    if (end == Bytes::npos) return std::unexpected(numbered(number, "it does not end: the manifest was cut off here"));
    Bytes bytes = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (bytes.starts_with('#')) continue;
    auto line = parse_line(bytes);
    if (!line) return std::unexpected(numbered(number, line.error()));
    if (!names.insert(line->name).second)
      return std::unexpected(numbered(number, "the file '" + line->name + "' stands there twice"));
    AofFile file{line->name, line->seq};
    if (line->type == 'h') {
      manifest.history_.push_back(std::move(file));
    } else if (line->type == 'b') {
      if (manifest.base_) return std::unexpected(numbered(number, "a second base file"));
      manifest.base_seq_ = file.seq;
      manifest.base_ = std::move(file);
    } else {
      if (file.seq <= manifest.increment_seq_)
        return std::unexpected(numbered(number, "the sequence numbers of increments do not ascend"));
      manifest.increment_seq_ = file.seq;
      manifest.increments_.push_back(std::move(file));
    }
  }
  if (std::string lost = manifest.newest_in_history(); !lost.empty())
    return std::unexpected("the increment '" + lost + "' is called history (type h), although no newer one is there");
  // Numbers of what is about to be removed are not given again either.
  for (const AofFile& file : manifest.history_) {
    uint64_t& seq = file.name.ends_with(kIncrementEnding) ? manifest.increment_seq_ : manifest.base_seq_;
    seq = std::max(seq, file.seq);
  }
  return manifest;
}

// An increment of history that no living one follows, where no base went with it: nothing of ours leaves it so.
std::string AofManifest::newest_in_history() const {
  std::string newest;
  uint64_t seq = increment_seq_;
  for (const AofFile& file : history_) {
    if (!file.name.ends_with(kIncrementEnding)) return {};
    if (file.seq > seq) newest = file.name, seq = file.seq;
  }
  return newest;
}

std::string AofManifest::text() const {
  std::string out;
  if (empty()) return "# no files\n";
  if (base_) write_line(out, *base_, 'b');
  for (const AofFile& file : history_) write_line(out, file, 'h');
  for (const AofFile& file : increments_) write_line(out, file, 'i');
  return out;
}

std::vector<AofFile> AofManifest::files() const {
  std::vector<AofFile> all;
  if (base_) all.push_back(*base_);
  all.insert(all.end(), increments_.begin(), increments_.end());
  return all;
}

AofFile AofManifest::next_base(Bytes prefix, bool snapshot) const {
  uint64_t seq = base_seq_ + 1;
  return {std::string(prefix) + '.' + std::to_string(seq) + (snapshot ? ".base.rdb" : ".base.aof"), seq};
}

AofFile AofManifest::next_increment(Bytes prefix) const {
  uint64_t seq = increment_seq_ + 1;
  return {std::string(prefix) + '.' + std::to_string(seq) + kIncrementEnding, seq};
}

void AofManifest::add_increment(AofFile increment) {
  CHECK(increment.seq > increment_seq_);
  increment_seq_ = increment.seq;
  increments_.push_back(std::move(increment));
}

void AofManifest::replace_base(AofFile base, size_t kept) {
  CHECK(kept <= increments_.size());
  if (base_) history_.push_back(std::move(*base_));
  auto old_end = increments_.end() - static_cast<ptrdiff_t>(kept);
  std::move(increments_.begin(), old_end, std::back_inserter(history_));
  increments_.erase(increments_.begin(), old_end);
  base_seq_ = base.seq;
  base_ = std::move(base);
}

void AofManifest::abandon_base(const AofFile& base) {
  base_seq_ = std::max(base_seq_, base.seq);
  history_.push_back(base);
}

void AofManifest::abandon_increment(const AofFile& increment) {
  increment_seq_ = std::max(increment_seq_, increment.seq);
  history_.push_back(increment);
}

std::string aof_manifest_path(const std::string& folder, const std::string& prefix) {
  return folder + '/' + prefix + ".manifest";
}

std::expected<std::optional<AofManifest>, std::string> read_aof_manifest(Files& files, const std::string& path) {
  auto text = files.read_all(path, kLongestManifest);
  if (!text && text.error().code == ENOENT) return std::nullopt;
  if (!text) return std::unexpected(text.error().text);
  if (text->empty()) return std::unexpected("The manifest " + path + " is empty");
  auto manifest = AofManifest::parse(*text);
  if (!manifest) return std::unexpected("The manifest " + path + ", " + manifest.error());
  return *manifest;
}

FileResult<void> write_aof_manifest(Files& files, const std::string& path, const AofManifest& manifest) {
  return files.write_atomic(path, manifest.text());
}

}  // namespace vitrine
