#include "engine/call.h"

#include <cmath>

#include "base/numbers.h"
#include "engine/command.h"
#include "engine/waiters.h"
#include "store/database.h"
#include "store/string.h"

namespace vitrine {

Call::Call(Session& s, Command* cmd, std::span<const Bytes> argv, Keyspace& ks, Effects& fx, Waiters& w,
           uint64_t first_key_hash, Bytes first_key)
    : args(argv, s.reply, cmd->parent ? 2 : 1), reply(s.reply), session(s), command(cmd), keyspace(ks), effects(fx),
      waiters(w), db(s.db), now_ms(ks.now_ms()), hash_(first_key_hash), hashed_key_(first_key),
      changes_at_start_(ks.stats().changes) {}

void Call::prefetch(std::span<const Bytes> keys, size_t step) {
  // In rounds, so that what is fetched is still in the cache when it is read.
  constexpr size_t kRound = 16;
  const auto& table = keyspace.database(db).table();
  uint64_t hashes[kRound];
  size_t n = 0;
  for (size_t i = 0; i < keys.size() && n < kRound; i += step) {
    hashes[n] = hash_of(keys[i]);
    table.prefetch_bucket(hashes[n++]);
  }
  for (size_t i = 0; i < n; i++) table.prefetch_words(hashes[i]);
}

Entry* Call::find(Bytes key) {
  return keyspace.find(db, key, hash_of(key), session.no_touch ? Keyspace::Touch::look : Keyspace::Touch::read);
}

Entry* Call::find_string(Bytes key, bool& is_wrong_type, bool for_write) {
  Entry* entry = for_write ? find_for_write(key) : find(key);
  is_wrong_type = entry && entry->type() != Type::string;
  if (!is_wrong_type) return entry;
  wrong_type();
  return nullptr;
}

Entry* Call::put(Bytes key, Value value, Bytes event, EventClass kind, int64_t expire_at_ms) {
  Type type = value->type;
  keyspace.tell_overwritten(db, key, hash_of(key), type);
  Entry* entry = keyspace.put(db, key, hash_of(key), std::move(value), expire_at_ms);
  announce(key, event, kind, type, !entry);
  return entry;
}

Entry* Call::put_string(Bytes key, Bytes content, Bytes event, int64_t expire_at_ms, bool as_int) {
  keyspace.tell_overwritten(db, key, hash_of(key), Type::string);
  Entry* entry = keyspace.put_string(db, key, hash_of(key), content, expire_at_ms, as_int);
  announce(key, event, EventClass::string, Type::string, !entry);
  return entry;
}

bool Call::remove(Bytes key, Bytes event) {
  uint64_t hash = hash_of(key);
  Entry* entry = keyspace.find(db, key, hash, Keyspace::Touch::peek);
  if (!entry) return false;
  Type type = entry->type();
  keyspace.remove(db, entry, hash);
  announce(key, event, EventClass::generic, type, true);
  return true;
}

void Call::park(const ParkRequest& request) {
  if (may_block) return waiters.park(session, command, args.argv(), request);
  switch (request.timeout_reply) {
    case TimeoutReply::null_array: return reply.null_array();
    case TimeoutReply::null: return reply.null();
    case TimeoutReply::zero: return reply.integer(0);
  }
}

int64_t Call::take_deadline() {
  Bytes text = args.bytes();
  if (args.failed()) return 0;
  auto seconds = parse_long_double(text);
  if (!seconds || std::isnan(*seconds)) return args.fail("ERR timeout is not a float or out of range"), 0;
  long double ms = std::ceil(*seconds * 1000);
  if (ms < 0) return args.fail("ERR timeout is negative"), 0;
  if (!(ms < static_cast<long double>(INT64_MAX - now_ms))) return args.fail("ERR timeout is out of range"), 0;
  return ms == 0 ? 0 : now_ms + static_cast<int64_t>(ms);
}

}  // namespace vitrine
