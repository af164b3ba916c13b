// Commands on keys of any type: existence, names, databases, scanning.
#include <optional>

#include "base/glob.h"
#include "commands/families.h"
#include "store/database.h"
#include "engine/call.h"
#include "engine/command.h"
#include "engine/scan_args.h"
#include "store/string.h"

namespace vitrine {

namespace {

// DEL and UNLINK alike: what is large is freed in the background anyway.
void del(Call& c) {
  int64_t removed = 0;
  auto keys = c.args.rest();
  for (size_t i = 0; i < keys.size(); i++) {
    if (i % 16 == 0 && keys.size() > 1) c.prefetch(keys.subspan(i));
    removed += c.remove(keys[i]);
  }
  c.reply.integer(removed);
}

void exists(Call& c) {
  int64_t there = 0;
  for (Bytes key : c.args.rest()) there += c.look(key) != nullptr;
  c.reply.integer(there);
}

void touch(Call& c) {
  int64_t there = 0;
  for (Bytes key : c.args.rest()) there += c.keyspace.find(c.db, key, c.hash_of(key), Keyspace::Touch::read) != nullptr;
  c.reply.integer(there);
}

void type(Call& c) {
  Entry* entry = c.look(c.args[1]);
  c.reply.simple(entry ? type_ops(entry->type()).name : Bytes("none"));
}

void dbsize(Call& c) { c.reply.integer(static_cast<int64_t>(c.keyspace.database(c.db).size())); }

void keys(Call& c) {
  Bytes pattern = c.args[1];
  bool all = pattern == "*";
  auto at = c.reply.later();
  int64_t n = 0;
  c.keyspace.database(c.db).table().for_each([&](Word w) {
    const Entry* e = Database::Policy::entry(w);
    if (c.keyspace.is_due(*e) || (!all && !glob_match(pattern, e->key()))) return;
    c.reply.bulk(e->key());
    n++;
  });
  c.reply.array_at(at, n);
}

void randomkey(Call& c) {
  Database& database = c.keyspace.database(c.db);
  constexpr int kMostHeld = 100;   // tries, when those that have expired may not be removed
  for (int held = 0; database.size() > 0 && held < kMostHeld;) {
    Entry* e = Database::Policy::entry(database.table().random(c.keyspace.random()));
    if (!c.keyspace.is_due(*e)) return c.reply.bulk(e->key());
    if (c.keyspace.holds_removals()) held++;
    else c.keyspace.find(c.db, e->key(), hash_bytes(e->key()), Keyspace::Touch::peek);   // and is removed
  }
  c.reply.null();
}

// Keys that SCAN has met and whose time has come go now, as with every other look at them.
void remove_due(Call& c, std::span<const std::string> due) {
  for (const std::string& key : due) c.keyspace.find(c.db, key, hash_bytes(key), Keyspace::Touch::peek);
}

void scan(Call& c) {
  ScanArgs args;
  if (!read_scan_args(c, ScanKind::keys, args)) return;
  const auto& table = c.keyspace.database(c.db).table();
  std::vector<Bytes> found;
  std::vector<std::string> due;   // the table must stay as it is while it is walked
  uint64_t cursor = args.cursor;
  size_t seen = 0, rounds = args.count < SIZE_MAX / 10 ? args.count * 10 : SIZE_MAX;
  do {
    cursor = table.scan(cursor, [&](Word w) {
      const Entry* e = Database::Policy::entry(w);
      seen++;
      bool is_due = c.keyspace.is_due(*e);
      // In this order a key that has expired goes if the pattern wants it, whatever its type.
      if (!is_due && args.has_type && type_ops(e->type()).name != Bytes(args.type)) return;
      if (args.has_pattern && !glob_match(args.pattern, e->key())) return;
      is_due ? void(due.emplace_back(e->key())) : found.push_back(e->key());
    });
  } while (cursor && seen < args.count && --rounds);
  remove_due(c, due);
  reply_scan_cursor(c, cursor);
  c.reply.array(static_cast<int64_t>(found.size()));
  for (Bytes key : found) c.reply.bulk(key);
}

// ---- moving values between keys and databases ----

// Removes what is at the key, unannounced; its type, if there was something.
std::optional<Type> make_room(Keyspace& keyspace, int db, Bytes key, uint64_t hash) {
  Entry* old = keyspace.find(db, key, hash, Keyspace::Touch::write);
  if (!old) return std::nullopt;
  Type type = old->type();
  keyspace.remove(db, old, hash);
  return type;
}

void rename_key(Call& c, bool only_if_absent) {
  Bytes from = c.args[1], to = c.args[2];
  uint64_t from_hash = c.hash_of(from);
  Entry* entry = c.find_for_write(from);
  if (!entry) return c.reply.error("ERR no such key");
  if (from == to) return only_if_absent ? c.reply.integer(0) : c.reply.ok();
  if (only_if_absent && c.find_for_write(to)) return c.reply.integer(0);
  int64_t expire_at = entry->expire_at_ms();
  Type its_type = entry->type();
  uint64_t to_hash = c.hash_of(to);
  uint32_t access = c.keyspace.access_of(*entry);
  std::optional<Type> old_type = make_room(c.keyspace, c.db, to, to_hash);
  Value value = c.keyspace.take(c.db, entry, from_hash);
  c.keyspace.put(c.db, to, to_hash, std::move(value), expire_at)->set_access(access, c.keyspace.options().lfu);
  c.keyspace.announce_also({c.db, from, "rename_from", EventClass::generic, its_type, true});
  c.announce(to, "rename_to", EventClass::generic, its_type);
  if (old_type) c.keyspace.tell_overwritten(c.db, to, *old_type, its_type);
  only_if_absent ? c.reply.integer(1) : c.reply.ok();
}
void rename(Call& c) { rename_key(c, false); }
void renamenx(Call& c) { rename_key(c, true); }

// A database number, or -1 with the error latched.
int take_database(Call& c) {
  int64_t db = c.args.integer(INT32_MIN, INT32_MAX, Args::kNotInt32);
  if (c.args.failed()) return -1;
  if (db < 0 || db >= c.keyspace.databases()) return c.args.fail("ERR DB index is out of range"), -1;
  return static_cast<int>(db);
}

void move(Call& c) {
  Bytes key = c.args.bytes();
  int to = take_database(c);
  if (!c.args.done()) return;
  if (to == c.db) return c.reply.error("ERR source and destination objects are the same");
  uint64_t hash = c.hash_of(key);
  Entry* entry = c.find_for_write(key);
  if (!entry || c.keyspace.find(to, key, hash, Keyspace::Touch::peek)) return c.reply.integer(0);
  int64_t expire_at = entry->expire_at_ms();
  Type its_type = entry->type();
  uint32_t access = c.keyspace.access_of(*entry);
  Value value = c.keyspace.take(c.db, entry, hash);
  c.keyspace.put(to, key, hash, std::move(value), expire_at)->set_access(access, c.keyspace.options().lfu);
  c.keyspace.announce_also({c.db, key, "move_from", EventClass::generic, its_type, true});
  c.keyspace.announce(to, key, "move_to", EventClass::generic, its_type);
  c.reply.integer(1);
}

Value copy_of(const Entry& entry) {
  Value copy = entry.inline_text() ? make_string(entry.text(), false)
                                   : Value(type_ops(entry.type()).clone(entry.object()));
  copy->edited = entry.edited();
  return copy;
}

void copy(Call& c) {
  Bytes from = c.args.bytes(), to = c.args.bytes();
  int db = c.db;
  bool replace = false;
  while (c.args.more()) {
    if (c.args.accept("REPLACE")) replace = true;
    else if (c.args.accept("DB", 1)) db = take_database(c);
    else c.args.fail();
  }
  if (!c.args.done()) return;
  if (db == c.db && from == to) return c.reply.error("ERR source and destination objects are the same");
  Entry* entry = c.find(from);
  uint64_t to_hash = c.hash_of(to);
  if (!entry) return c.reply.integer(0);
  if (!replace && c.keyspace.find(db, to, to_hash, Keyspace::Touch::write)) return c.reply.integer(0);
  std::optional<Type> old_type = make_room(c.keyspace, db, to, to_hash);
  Type its_type = entry->type();
  c.keyspace.put(db, to, to_hash, copy_of(*entry), entry->expire_at_ms());
  c.keyspace.announce(db, to, "copy_to", EventClass::generic, its_type);
  if (old_type) c.keyspace.tell_overwritten(db, to, *old_type, its_type);
  c.reply.integer(1);
}

void swapdb(Call& c) {
  auto take_number = [&](Bytes error) { return c.args.integer(INT32_MIN, INT32_MAX, error, error); };
  int64_t first = take_number("ERR invalid first DB index"), second = take_number("ERR invalid second DB index");
  if (!c.args.done()) return;
  auto exists = [&](int64_t db) { return db >= 0 && db < c.keyspace.databases(); };
  if (!exists(first) || !exists(second)) return c.reply.error("ERR DB index is out of range");
  int a = static_cast<int>(first), b = static_cast<int>(second);
  if (a != b) c.keyspace.swap(a, b);
  c.reply.ok();
}

void flushdb(Call& c) {
  bool background = true;  // large databases are freed aside, whichever word is given
  if (c.args.more() && !c.args.accept("SYNC") && !c.args.accept("ASYNC")) c.args.fail();
  if (!c.args.done()) return;
  c.keyspace.flush(c.db, background);
  c.reply.ok();
}

constexpr CommandRow kRows[] = {
    {"del", del},       {"unlink", del},        {"exists", exists},       {"touch", touch},   {"type", type},
    {"dbsize", dbsize}, {"keys", keys},         {"randomkey", randomkey}, {"scan", scan},     {"rename", rename},
    {"copy", copy},     {"renamenx", renamenx}, {"move", move},           {"swapdb", swapdb}, {"flushdb", flushdb},
};

}  // namespace

void add_generic_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
