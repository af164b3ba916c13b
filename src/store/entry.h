// Entry: a key and its value in one allocation.
//
//   +-------------+-------+-----------+-------+------------+--------+----------------------------------+
//   | type | enc. | flags | access: 3 | klen  | expiry: 8  | key    | value                            |
//   +-------------+-------+-----------+-------+------------+--------+----------------------------------+
//     one byte      1                   1 or 5  if flagged            word: 8, or inline text: 1 or 5 + n
//
// A string that fits stands inside (16-byte key and 8-byte value: 31 bytes, one 32-byte allocation); an integer and
// every other type is one word. An entry never grows in place: what changes its size makes a new entry (Database does
// that). Only Database creates, replaces and destroys entries that live in a keyspace.
#pragma once

#include <cstring>

#include "base/bytes.h"
#include "base/prefetch.h"
#include "store/object.h"

namespace vitrine {

constexpr int64_t kNoExpiry = -1;

// Encodings of strings. `text` is inside the entry, `blob` is an allocation of its own (see store/string.h).
enum StringEncoding : uint8_t { kStringInt, kStringText, kStringBlob };

class Entry {
 public:
  // Longest value kept inside the entry.
  static constexpr size_t kMaxInline = 1024;

  static Entry* create(Bytes key, const Object& object, int64_t expire_at_ms = kNoExpiry);
  // REQUIRES: value.size() <= kMaxInline.
  static Entry* create_text(Bytes key, Bytes value, int64_t expire_at_ms = kNoExpiry);
  // Frees the entry, not what its word points to.
  static void destroy(Entry* entry);

  Type type() const { return static_cast<Type>(type_encoding_ & 15); }
  uint8_t encoding() const { return type_encoding_ >> 4; }
  Bytes key() const {
    const uint8_t* p = bytes() + kHeader;
    if (__builtin_expect(!(flags_ & (kWideKey | kHasExpiry)), 1))
      return {reinterpret_cast<const char*>(p), key_length_};
    return key_slow();
  }

  // The value as an Object. For inline text the word is 0: ask text().
  Object object() const {
    Object o;
    o.type = type();
    o.encoding = encoding();
    if (!inline_text()) std::memcpy(&o.word, value(), 8);
    return o;
  }
  // REQUIRES: neither old nor new value is inline text.
  void set_object(const Object& o) {
    type_encoding_ = static_cast<uint8_t>(static_cast<unsigned>(o.type) | static_cast<unsigned>(o.encoding) << 4);
    std::memcpy(value(), &o.word, 8);
  }

  bool inline_text() const { return type_encoding_ == (static_cast<unsigned>(Type::string) | kStringText << 4); }
  // REQUIRES: inline_text(). Valid until the entry is replaced.
  Bytes text() const;
  // Overwrites the text in place when it has the same length. REQUIRES: inline_text().
  bool overwrite_text(Bytes value);

  // Fetches the front of a value that lies in a block of its own.
  void prefetch_value() const {
    if (type() == Type::string) return;
    const char* block = object().as<const char>();
    prefetch(block);
    prefetch(block + 64);
  }

  bool has_expiry() const { return flags_ & kHasExpiry; }
  int64_t expire_at_ms() const {
    if (!has_expiry()) return kNoExpiry;
    int64_t at;
    std::memcpy(&at, bytes() + kHeader + (flags_ & kWideKey ? 4 : 0), 8);
    return at;
  }
  bool expired(int64_t now_ms) const { return has_expiry() && expire_at_ms() <= now_ms; }
  // REQUIRES: has_expiry().
  void overwrite_expiry(int64_t at_ms) {
    std::memcpy(bytes() + kHeader + (flags_ & kWideKey ? 4 : 0), &at_ms, 8);
  }

  // The 24 access bits (store/access.h): LRU clock, or LFU counter if access_is_lfu().
  uint32_t access() const { return access_[0] | access_[1] << 8 | access_[2] << 16; }
  bool access_is_lfu() const { return flags_ & kLfuAccess; }
  void set_access(uint32_t bits, bool lfu) {
    access_[0] = static_cast<uint8_t>(bits);
    access_[1] = static_cast<uint8_t>(bits >> 8);
    access_[2] = static_cast<uint8_t>(bits >> 16);
    flags_ = static_cast<uint8_t>((flags_ & ~kLfuAccess) | (lfu ? kLfuAccess : 0));
  }
  void copy_access(const Entry& other) { set_access(other.access(), other.access_is_lfu()); }

  // True when the expiry index holds an item for this entry that is due no later than its expiry.
  bool indexed() const { return flags_ & kIndexed; }
  void set_indexed(bool on) { on ? flags_ |= kIndexed : flags_ &= static_cast<uint8_t>(~kIndexed); }
  // True when a string was last changed in place (APPEND, SETRANGE): OBJECT ENCODING then says raw.
  bool edited() const { return flags_ & kEdited; }
  void set_edited(bool on) { on ? flags_ |= kEdited : flags_ &= static_cast<uint8_t>(~kEdited); }
  // True when the value may hold hash fields that expire, known to the field-expiry index.
  bool has_field_expiry() const { return flags_ & kFieldExpiry; }
  void set_field_expiry(bool on) { on ? flags_ |= kFieldExpiry : flags_ &= static_cast<uint8_t>(~kFieldExpiry); }

  // Bytes asked from the allocator for the entry itself.
  size_t size() const;
  // Carries access bits and the edited flag over from the entry it replaces.
  void inherit(const Entry& old) {
    copy_access(old);
    flags_ |= old.flags_ & (kEdited | kFieldExpiry);
  }

 private:
  static constexpr size_t kHeader = 6;
  static constexpr uint8_t kHasExpiry = 1, kWideKey = 2, kIndexed = 4, kEdited = 8, kFieldExpiry = 16,
                           kLfuAccess = 32;

  static Entry* allocate(Bytes key, size_t value_bytes, unsigned type_encoding, int64_t expire_at_ms);
  Bytes key_slow() const;
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this); }
  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this); }
  uint8_t* value() {
    Bytes k = key();
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(k.data())) + k.size();
  }
  const uint8_t* value() const { return const_cast<Entry*>(this)->value(); }

  uint8_t type_encoding_;
  uint8_t flags_;
  uint8_t access_[3];
  uint8_t key_length_;
};
static_assert(sizeof(Entry) == 6);

}  // namespace vitrine
