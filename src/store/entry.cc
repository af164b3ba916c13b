#include "store/entry.h"

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

namespace {
constexpr size_t kShortText = 254;  // longer inline texts have a five-byte length: 255 and four bytes
size_t text_bytes(size_t length) { return length + (length <= kShortText ? 1 : 5); }
}  // namespace

Entry* Entry::allocate(Bytes key, size_t value_bytes, unsigned type_encoding, int64_t expire_at_ms) {
  bool wide = key.size() > 255, expires = expire_at_ms != kNoExpiry;
  size_t total = kHeader + (wide ? 4 : 0) + (expires ? 8 : 0) + key.size() + value_bytes;
  Entry* e = static_cast<Entry*>(memory::allocate(total));
  e->type_encoding_ = static_cast<uint8_t>(type_encoding);
  e->flags_ = static_cast<uint8_t>((wide ? kWideKey : 0) | (expires ? kHasExpiry : 0));
  e->set_access(0, false);
  e->key_length_ = static_cast<uint8_t>(wide ? 0 : key.size());
  uint8_t* p = e->bytes() + kHeader;
  if (wide) {
    CHECK(key.size() <= UINT32_MAX);
    uint32_t length = static_cast<uint32_t>(key.size());
    std::memcpy(p, &length, 4);
    p += 4;
  }
  if (expires) {
    std::memcpy(p, &expire_at_ms, 8);
    p += 8;
  }
  std::memcpy(p, key.data(), key.size());
  return e;
}

Entry* Entry::create(Bytes key, const Object& o, int64_t expire_at_ms) {
  unsigned type_encoding = static_cast<unsigned>(o.type) | static_cast<unsigned>(o.encoding) << 4;
  Entry* e = allocate(key, 8, type_encoding, expire_at_ms);
  std::memcpy(e->value(), &o.word, 8);
  return e;
}

Entry* Entry::create_text(Bytes key, Bytes text, int64_t expire_at_ms) {
  CHECK(text.size() <= kMaxInline);
  unsigned type_encoding = static_cast<unsigned>(Type::string) | kStringText << 4;
  Entry* e = allocate(key, text_bytes(text.size()), type_encoding, expire_at_ms);
  uint8_t* p = e->value();
  if (text.size() <= kShortText) {
    *p++ = static_cast<uint8_t>(text.size());
  } else {
    uint32_t length = static_cast<uint32_t>(text.size());
    *p++ = 255;
    std::memcpy(p, &length, 4);
    p += 4;
  }
  std::memcpy(p, text.data(), text.size());
  return e;
}

void Entry::destroy(Entry* entry) { memory::release(entry, entry->size()); }

Bytes Entry::key_slow() const {
  const uint8_t* p = bytes() + kHeader;
  uint32_t length = key_length_;
  if (flags_ & kWideKey) {
    std::memcpy(&length, p, 4);
    p += 4;
  }
  if (flags_ & kHasExpiry) p += 8;
  return {reinterpret_cast<const char*>(p), length};
}

Bytes Entry::text() const {
  const uint8_t* p = value();
  if (*p <= kShortText) return {reinterpret_cast<const char*>(p + 1), *p};
  uint32_t length;
  std::memcpy(&length, p + 1, 4);
  return {reinterpret_cast<const char*>(p + 5), length};
}

bool Entry::overwrite_text(Bytes v) {
  Bytes old = text();
  if (old.size() != v.size()) return false;
  std::memmove(const_cast<char*>(old.data()), v.data(), v.size());
  return true;
}

size_t Entry::size() const {
  size_t value_bytes = inline_text() ? text_bytes(text().size()) : 8;
  return static_cast<size_t>(value() - bytes()) + value_bytes;
}

}  // namespace vitrine
