#include "script/undo.h"

#include <vector>

#include "base/hash.h"
#include "engine/command_table.h"
#include "engine/key_finder.h"
#include "store/database.h"
#include "store/string.h"

namespace vitrine {

namespace {

Value copy_of(const Entry& entry) {
  Value copy = entry.inline_text() ? make_string(entry.text(), false)
                                   : Value(type_ops(entry.type()).clone(entry.object()));
  copy->edited = entry.edited();
  return copy;
}

}  // namespace

void UndoLog::record_key(int db, Bytes key) {
  auto [at, fresh] = before_.try_emplace({db, std::string(key)});
  if (!fresh) return;
  const Entry* entry = keyspace_.find(db, key, hash_bytes(key), Keyspace::Touch::peek);
  if (!entry) return;
  at->second.existed = true;
  at->second.value = copy_of(*entry);
  at->second.expire_at_ms = entry->expire_at_ms();
}

void UndoLog::record(int db, const CommandInfo& info, std::span<const Bytes> argv) {
  if (!may_have_keys(info)) {
    if (info.flags & command_flag::kWrite) complete_ = false;   // else it is PUBLISH, which changes no key
    return;
  }
  std::vector<KeyAt> keys;
  if (!find_keys(info, argv, keys)) return;   // it will refuse them as well
  // MOVE and COPY name another database: which one is theirs to read, so all are looked at.
  bool elsewhere = info.full_name == "move" || info.full_name == "copy";
  for (const KeyAt& key : keys) {
    if (elsewhere)
      for (int other = 0; other < keyspace_.databases(); other++) record_key(other, argv[key.index]);
    else
      record_key(db, argv[key.index]);
  }
}

void UndoLog::roll_back() {
  for (auto& [at, before] : before_) {
    const auto& [db, key] = at;
    uint64_t hash = hash_bytes(key);
    Entry* entry = keyspace_.find(db, key, hash, Keyspace::Touch::peek);
    if (before.existed) {
      Type type = before.value->type;
      keyspace_.put(db, key, hash, std::move(before.value), before.expire_at_ms);
      keyspace_.announce(db, key, "restore", EventClass::generic, type);
    } else if (entry) {
      Type type = entry->type();
      keyspace_.remove(db, entry, hash);
      keyspace_.announce(db, key, "del", EventClass::generic, type, true);
    }
  }
  before_.clear();
}

}  // namespace vitrine
