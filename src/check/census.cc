#include "check/census.h"

#include <fmt/format.h>

namespace vitrine {

double percent_of(uint64_t part, uint64_t whole) {
  return whole ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string printable(Bytes key) {
  constexpr size_t kShown = 40;
  std::string out;
  for (unsigned char c : key.substr(0, kShown))
    out += c >= 32 && c < 127 ? std::string(1, static_cast<char>(c)) : fmt::format("\\x{:02x}", c);
  return key.size() > kShown ? out + "..." : out;
}

void Census::add(uint64_t db, const Entry& entry, uint64_t bytes) {
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

std::string Census::text() const {
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

}  // namespace vitrine
