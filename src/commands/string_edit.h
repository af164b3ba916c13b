// Changing a string in place: for APPEND, SETRANGE and the bit commands.
#pragma once

#include <cstring>

#include "base/memory.h"
#include "engine/call.h"
#include "store/string.h"

namespace vitrine {

// False (with the error replied) when `offset + length` would exceed proto-max-bulk-len.
bool string_size_allowed(Call& c, size_t offset, size_t length);

// The blob of a string value, changed to `size` bytes; `entry` may be null (the key is made), any encoding. Returns the
// data; the old content is there, new bytes are zero. The entry may have been replaced: look it up again.
char* open_blob(Call& c, Bytes key, Entry* entry, size_t size);

// Gives the string `size` bytes, lets `write` change them, marks it as edited (raw) and announces `event`,
// unless that is empty: nothing changed but the encoding.
// REQUIRES: `entry` is a string or null.
template <class Write>
void edit_string(Call& c, Bytes key, Entry* entry, size_t size, Bytes event, Write write) {
  if (entry && entry->inline_text() && size == entry->text().size()) {
    write(const_cast<char*>(entry->text().data()));
    entry->set_edited(true);
  } else if (size <= Entry::kMaxInline) {
    char buffer[Entry::kMaxInline], scratch[24];
    Bytes old = entry ? string_bytes(*entry, scratch) : Bytes("");  // not null, which memcpy does not take
    std::memcpy(buffer, old.data(), old.size());
    std::memset(buffer + old.size(), 0, size - old.size());
    write(buffer);
    Entry* fresh = c.keyspace.put_string(c.db, key, c.hash_of(key), {buffer, size}, Keyspace::kKeepTtl, false);
    fresh->set_edited(true);
  } else {
    write(open_blob(c, key, entry, size));
  }
  if (!event.empty()) c.announce(key, event, EventClass::string, Type::string);
}

}  // namespace vitrine
