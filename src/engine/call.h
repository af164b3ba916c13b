// Call: all that one command may touch, for one run: its arguments, its reply, its database, its session, the frozen
// moment, and what must be replayed. It lives on the stack; a data command gets it and nothing else.
//
// Reading and editing a value of a type T (Hash, List, Set, SortedSet):
//
//   auto h = c.read<Hash>(key);
//   if (!h) return h.missing() ? c.reply.null() : void();     // of another type: WRONGTYPE is already the reply
//   c.reply.bulk(*h->get(field));
//
//   auto e = c.edit<Hash>(key, "hset");                       // creates the key if it is missing
//   if (!e) return;                                           // WRONGTYPE is already the reply
//   e->set(field, value);                                     // when e goes out of scope: memory, "del" if empty, Change
#pragma once

#include <span>

#include "base/hash.h"
#include "engine/args.h"
#include "engine/effects.h"
#include "engine/session.h"
#include "engine/park.h"
#include "store/keyspace.h"
#include "wire/reply_builder.h"

namespace vitrine {

class Waiters;
template <class T>
class Read;
template <class T>
class Edit;
enum class Missing : uint8_t { create, skip };

constexpr Bytes kLoadingRefusal = "LOADING Redis is loading the dataset in memory";
constexpr Bytes kWrongType = "WRONGTYPE Operation against a key holding the wrong kind of value";

class Call {
 public:
  Call(Session& session, Command* command, std::span<const Bytes> argv, Keyspace& keyspace, Effects& effects,
       Waiters& waiters, uint64_t first_key_hash, Bytes first_key);

  Args args;
  ReplyBuilder& reply;
  Session& session;
  Command* command;
  Keyspace& keyspace;
  Effects& effects;
  Waiters& waiters;
  const int db;
  const int64_t now_ms;
  bool may_block = true;         // false inside MULTI and scripts: a command that would park replies its timeout
  bool retried = false;          // runs again because one of its keys was fed:
  Bytes fed_key;                 // this one, the only one to look at
  bool shown = false;            // the observers of calls have been told
  bool slow_path = false;        // not counted in SLOWLOG (a command may ask for that)
  bool refused = false;          // its error says that it did not begin: counted as rejected, not as a call

  uint64_t hash_of(Bytes key) const { return key.data() == hashed_key_.data() ? hash_ : hash_bytes(key); }
  // Fetches the entries of several keys before any is read: hides the memory latency of all but the first.
  void prefetch(std::span<const Bytes> keys, size_t step = 1);

  // The live entry of a key of any type, or null; counts hit or miss and touches it (unless CLIENT NO-TOUCH).
  Entry* find(Bytes key);
  // Likewise without touching (TTL, TYPE, OBJECT ...).
  Entry* look(Bytes key) { return keyspace.find(db, key, hash_of(key), Keyspace::Touch::look); }
  // Likewise without counting or touching.
  Entry* peek(Bytes key) { return keyspace.find(db, key, hash_of(key), Keyspace::Touch::peek); }
  // For a key about to be overwritten or edited: touches, counts nothing.
  Entry* find_for_write(Bytes key) { return keyspace.find(db, key, hash_of(key), Keyspace::Touch::write); }
  // As find(); replies WRONGTYPE and sets `wrong_type` when the entry is of another type.
  Entry* find_string(Bytes key, bool& wrong_type, bool for_write = false);

  template <class T>
  Read<T> read(Bytes key) { return Read<T>(*this, key, find(key)); }
  // For what changes only what lies beside the content (see Change::aside): counts neither hit nor miss.
  template <class T>
  Read<T> read_to_write(Bytes key) { return Read<T>(*this, key, find_for_write(key)); }
  template <class T>
  Edit<T> edit(Bytes key, Bytes event, Missing missing = Missing::create) {
    return Edit<T>(*this, key, event, missing);
  }

  // Gives the key this value, whatever it held (see Keyspace::put), and announces `event`.
  Entry* put(Bytes key, Value value, Bytes event, EventClass kind, int64_t expire_at_ms = kNoExpiry);
  Entry* put_string(Bytes key, Bytes content, Bytes event, int64_t expire_at_ms, bool as_int = true);
  // Removes the key if it is there and announces `event`; false when there was none.
  bool remove(Bytes key, Bytes event = "del");
  void announce(Bytes key, Bytes event, EventClass kind, Type type, bool gone = false) {
    keyspace.announce(db, key, event, kind, type, gone);
  }
  // True when this call has changed any key.
  bool changed() const { return keyspace.stats().changes != changes_at_start_; }
  // However many edits it took, it counts as one change (a move from one key to another).
  void count_as_one_change() {
    if (changed()) keyspace.stats().changes = changes_at_start_ + 1;
  }

  // Waits for keys (see Waiters); inside MULTI replies as if the time were up. The handler returns right after.
  void park(const ParkRequest& request);
  // Reads a timeout in seconds (double, >= 0) and gives the deadline in ms, 0 for none; latches Redis' errors.
  int64_t take_deadline();

  void wrong_type() { reply.error(kWrongType); }

 private:
  uint64_t hash_;
  Bytes hashed_key_;
  uint64_t changes_at_start_;
};

}  // namespace vitrine

#include "engine/edit.h"
