// What commands that store a result do when it is empty.
#pragma once

#include "engine/call.h"
#include "store/database.h"

namespace vitrine {

// Removes the key and announces "del". Whether its time had come does not matter: the command would have replaced it.
inline void remove_target(Call& c, Bytes key) {
  uint64_t hash = c.hash_of(key);
  Entry* entry = c.keyspace.database(c.db).find(key, hash);
  if (!entry) return;
  Type type = entry->type();
  c.keyspace.remove(c.db, entry, hash);
  c.announce(key, "del", EventClass::generic, type, true);
}

}  // namespace vitrine
