// Strings: int (the word is the number), text (inside the entry, see store/entry.h), blob (an allocation of its own).
//
//   blob:  | size: 8 | bytes ... | slack up to the allocation's usable size |
//
// A detached string value (COPY, RENAME, SORT STORE) is always int or blob; Database makes it text when it fits.
#pragma once

#include "store/entry.h"
#include "store/object.h"

namespace vitrine {

struct Blob {
  size_t size;

  char* data() { return reinterpret_cast<char*>(this + 1); }
  Bytes view() const { return {reinterpret_cast<const char*>(this + 1), size}; }

  static Blob* create(size_t size);  // contents undefined
  static Blob* create(Bytes content);
  static void destroy(Blob* blob);
  // The same content with room for `size` bytes, bytes beyond the old size zeroed; `blob` is gone. Grows with slack.
  static Blob* resized(Blob* blob, size_t size);
};

constexpr size_t kMaxIntText = 20;  // "-9223372036854775808"

// The bytes of a string entry; a number is printed into `scratch`. Valid until the entry changes.
Bytes string_bytes(const Entry& entry, char (&scratch)[24]);
size_t string_length(const Entry& entry);

// A detached string value: int when `content` is a canonical integer and `as_int`, else a blob.
Value make_string(Bytes content, bool as_int = true);
Bytes string_bytes(const Object& o, char (&scratch)[24]);  // REQUIRES: int or blob

// int, embstr or raw, as OBJECT ENCODING says.
Bytes string_encoding_name(const Entry& entry);
// Of a value of any type, as OBJECT REFCOUNT says: Redis shares its small integers among all keys, and says so by the
// largest count there is.
int32_t shown_refcount(const Entry& entry);

extern const TypeOps kStringOps;

}  // namespace vitrine
