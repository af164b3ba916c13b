#include "store/old_encodings.h"

#include <cstring>
#include <optional>

namespace vitrine {

namespace {

constexpr uint8_t kEndByte = 0xff;
constexpr uint8_t kWide = 0xfe;
constexpr uint16_t kUnknownCount = 65535;

// Takes bytes from the front; after an attempt to take too many, everything is empty.
struct Reader {
  Bytes data;
  bool ok = true;

  Bytes take(size_t n) {
    if (n > data.size()) return ok = false, data = {}, Bytes();
    Bytes out = data.substr(0, n);
    data.remove_prefix(n);
    return out;
  }
  template <class T>
  T number() {
    T v{};
    if (Bytes b = take(sizeof v); ok) std::memcpy(&v, b.data(), sizeof v);
    return v;
  }
};

PackedValue text_of(Reader& r, size_t n) { return {false, 0, r.take(n)}; }
PackedValue int_of(int64_t n) { return {true, n, {}}; }

std::optional<PackedValue> ziplist_entry(Reader& r) {
  uint8_t head = r.number<uint8_t>();
  switch (head >> 6) {
    case 0: return text_of(r, head);
    case 1: return text_of(r, size_t{head & 0x3fu} << 8 | r.number<uint8_t>());
    case 2:
      if (head != 0x80) return std::nullopt;
      return text_of(r, __builtin_bswap32(r.number<uint32_t>()));
    default: break;
  }
  switch (head) {
    case 0xc0: return int_of(r.number<int16_t>());
    case 0xd0: return int_of(r.number<int32_t>());
    case 0xe0: return int_of(r.number<int64_t>());
    case 0xfe: return int_of(r.number<int8_t>());
    case 0xf0: {
      Bytes three = r.take(3);
      if (!r.ok) return std::nullopt;
      uint32_t v = 0;
      std::memcpy(&v, three.data(), 3);
      return int_of(static_cast<int32_t>(v << 8) >> 8);
    }
    default: break;
  }
  if (head < 0xf1 || head > 0xfd) return std::nullopt;
  return int_of(head - 0xf1);
}

}  // namespace

bool read_ziplist(Bytes data, const VisitElement& visit) {
  Reader r{data};
  if (r.number<uint32_t>() != data.size()) return false;
  uint32_t last_at = r.number<uint32_t>();
  uint16_t claimed = r.number<uint16_t>();
  size_t count = 0, before = 0, at = 10;
  while (r.ok) {
    size_t start = data.size() - r.data.size();
    uint8_t first = r.number<uint8_t>();
    if (!r.ok) return false;
    if (first == kEndByte) {
      bool counted = claimed == count || claimed == kUnknownCount;
      return r.data.empty() && counted && last_at == at;
    }
    size_t said = first == kWide ? r.number<uint32_t>() : first;
    auto value = ziplist_entry(r);
    if (!r.ok || !value || said != before || !visit(*value)) return false;
    at = start;
    before = data.size() - r.data.size() - start;
    count++;
  }
  return false;
}

bool read_zipmap(Bytes data, const VisitElement& visit) {
  constexpr uint8_t kUnknownFrom = 254;
  Reader r{data};
  uint8_t claimed = r.number<uint8_t>();
  size_t count = 0;
  while (r.ok) {
    uint8_t first = r.number<uint8_t>();
    if (!r.ok) return false;
    if (first == kEndByte) return r.data.empty() && (claimed == count || claimed >= kUnknownFrom);
    PackedValue field = text_of(r, first == kWide ? r.number<uint32_t>() : first);
    uint8_t second = r.number<uint8_t>();
    if (second == kEndByte) return false;
    size_t length = second == kWide ? r.number<uint32_t>() : second;
    uint8_t unused = r.number<uint8_t>();
    PackedValue value = text_of(r, length);
    r.take(unused);
    if (!r.ok || !visit(field) || !visit(value)) return false;
    count++;
  }
  return false;
}

}  // namespace vitrine
