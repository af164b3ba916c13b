#include "commands/string_edit.h"

namespace vitrine {

bool string_size_allowed(Call& c, size_t offset, size_t length) {
  size_t most = c.keyspace.options().max_string_bytes;
  if (offset <= most && length <= most && offset + length <= most) return true;
  c.reply.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  return false;
}

char* open_blob(Call& c, Bytes key, Entry* entry, size_t size) {
  if (entry && entry->encoding() == kStringBlob) {
    return c.keyspace.resize_blob(c.db, entry, size)->data();
  }
  char scratch[24];
  Bytes old = entry ? string_bytes(*entry, scratch) : Bytes("");  // not null, which memcpy does not take
  Blob* blob = Blob::create(size);
  std::memcpy(blob->data(), old.data(), old.size());
  std::memset(blob->data() + old.size(), 0, size - old.size());
  c.keyspace.put(c.db, key, c.hash_of(key), Value(Object::of(Type::string, kStringBlob, blob)), Keyspace::kKeepTtl);
  return blob->data();
}

}  // namespace vitrine
