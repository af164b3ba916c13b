#include "check/rdb_check.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <map>

#include "persist/snapshot_reader.h"

namespace vitrine {

namespace {

double percent_of(uint64_t part, uint64_t whole) {
  return 100 * static_cast<double>(part) / static_cast<double>(whole);
}

struct Tally {
  uint64_t keys = 0, elements = 0, bytes = 0;
  std::string largest_key;
  uint64_t largest_bytes = 0, largest_elements = 0;
};

// Everything that was seen, by type and by database.
class Census {
 public:
  void add(uint64_t db, const Entry& entry, uint64_t bytes) {
    uint64_t elements = entry.type() == Type::string ? 1 : type_ops(entry.type()).length(entry.object());
    Tally& tally = types_[entry.type()];
    tally.keys++, tally.elements += elements, tally.bytes += bytes;
    if (bytes > tally.largest_bytes) {
      tally.largest_key = entry.key();
      tally.largest_bytes = bytes, tally.largest_elements = elements;
    }
    auto& [keys, expiring] = databases_[db];
    keys++, expiring += entry.has_expiry();
    keys_++, bytes_ += bytes;
  }

  uint64_t keys() const { return keys_; }
  uint64_t bytes() const { return bytes_; }

  std::string text() const {
    std::string out;
    for (const auto& [db, counts] : databases_)
      out += fmt::format("  database {}: {} keys, {} of them with an expiry\n", db, counts.first, counts.second);
    if (!keys_) return out + "  no keys\n";
    out += fmt::format("  {:<10} {:>12} {:>14} {:>14} {:>6}  largest\n", "type", "keys", "elements", "bytes", "share");
    for (const auto& [type, t] : types_)
      out += fmt::format("  {:<10} {:>12} {:>14} {:>14} {:>5.1f}%  '{}': {} elements, {} bytes\n", type_ops(type).name,
                         t.keys, t.elements, t.bytes, percent_of(t.bytes, bytes_), printable(t.largest_key),
                         t.largest_elements, t.largest_bytes);
    return out;
  }

 private:
  static std::string printable(const std::string& key) {
    constexpr size_t kShown = 40;
    std::string out;
    for (unsigned char c : key.substr(0, kShown))
      out += c >= 32 && c < 127 ? std::string(1, static_cast<char>(c)) : fmt::format("\\x{:02x}", c);
    return key.size() > kShown ? out + "..." : out;
  }

  std::map<Type, Tally> types_;
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> databases_;   // keys, of them with an expiry
  uint64_t keys_ = 0, bytes_ = 0;
};

std::string head_of(const SnapshotContent& content, uint64_t size) {
  std::string out = fmt::format("format version {}, {} bytes", content.version, size);
  if (!content.written_by.empty())
    out += fmt::format(", written by {} {}", content.valkey ? "Valkey" : "version", content.written_by);
  if (content.written_at_s) out += fmt::format(" at {:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(content.written_at_s));
  if (content.aof_base) out += ", the base of an append-only file";
  return out;
}

}  // namespace

CheckReport check_rdb(const std::string& path) {
  SystemFiles files;
  auto file = files.open_read(path);
  if (!file) return {Verdict::unreadable, "CANNOT BE READ: " + file.error().text + "\n"};
  FileSource source(**file, [](uint64_t) { return true; }, {});
  RdbInput in(source, true);
  Keyspace::Options options;
  Keyspace nothing(options, 0, 0);     // the moment 0: nothing has expired
  Census census;
  SnapshotRules rules;
  rules.examine = [&](uint64_t db, const Entry& entry, uint64_t bytes) { census.add(db, entry, bytes); };
  auto content = read_snapshot(in, nothing, rules);
  if (!content) {
    std::string why = source.error.empty() ? content.error() : source.error;
    return {Verdict::damaged, fmt::format("{}:\n{}DAMAGED: {}. Before it: {} keys in {} bytes.\n", path, census.text(),
                                          why, census.keys(), census.bytes())};
  }
  std::string text = fmt::format("{}: {}\n", path, head_of(*content, (*file)->size()));
  if (!content->functions.empty()) text += fmt::format("  {} function libraries\n", content->functions.size());
  if (content->empty) text += fmt::format("  {} empty keys, which a server leaves out\n", content->empty);
  text += census.text();
  if (!in.at_end())
    text += fmt::format("  {} bytes behind the end, at byte {}\n", (*file)->size() - in.offset(), in.offset());
  text += content->has_checksum ? "OK: read to the end, and the checksum is right.\n"
                                : "OK: read to the end; it has no checksum.\n";
  return {Verdict::sound, text};
}

}  // namespace vitrine
