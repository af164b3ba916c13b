// HIMPORT: hashes that share the names of their fields. A session names a set of fields once (PREPARE) and then gives
// the values alone (SET).
#include "commands/families.h"
#include "commands/hash_replies.h"
#include "engine/command.h"

namespace vitrine {

namespace {

constexpr size_t kMaxFieldSets = 1024;   // of one session

// Null if the session has none of that name.
FieldSet* find_set(Call& c, Bytes name) {
  if (!c.session.field_sets) return nullptr;
  auto& sets = c.session.field_sets->by_name;
  auto at = sets.find(name);
  return at == sets.end() ? nullptr : &*at->second;
}

void himport_prepare(Call& c) {
  Bytes name = c.args[2];
  auto fields = c.args.argv().subspan(3);
  if (fields.size() > FieldSet::kMaxNames) return c.reply.error("ERR too many fields");
  FieldSetRef set(FieldSet::make(fields));
  if (!set) return c.reply.error("ERR duplicate field name in fieldset");
  if (!c.session.field_sets) c.session.field_sets = std::make_shared<FieldSets>();
  auto& sets = c.session.field_sets->by_name;
  if (sets.size() == kMaxFieldSets && !sets.contains(name)) return c.reply.error("ERR too many fieldsets");
  sets.insert_or_assign(std::string(name), std::move(set));
  c.reply.ok();
}

// The session's fieldsets are its own: what is replayed names the fields.
void replay(Call& c, Bytes key, const FieldSet& set, std::span<const Bytes> values) {
  if (!c.effects.wanted()) return;
  std::vector<Bytes> argv = {"HSET", key};
  for (size_t i = 0; i < values.size(); i++) {
    argv.push_back(set.name(i));
    argv.push_back(values[i]);
  }
  c.effects.replace({"DEL", key});
  c.effects.replace(argv);
}

void himport_set(Call& c) {
  Bytes key = c.args[2];
  auto values = c.args.argv().subspan(4);
  FieldSet* set = find_set(c, c.args[3]);
  if (!set) return c.reply.error("ERR no such fieldset");
  if (values.size() != set->count()) return c.reply.error("ERR number of values does not match the fieldset");
  Entry* entry = c.find_for_write(key);
  if (entry && entry->type() != Type::hash) return c.wrong_type();
  c.put(key, Value(Hash::make_shared(*set, values, c.keyspace.context())), "hset", EventClass::hash);
  ChangedFields changed(c, key);
  for (size_t i = 0; i < set->count(); i++) changed.add(set->name(i));
  changed.tell("hset");
  replay(c, key, *set, values);
  c.reply.ok();
}

void himport_discard(Call& c) {
  bool there = find_set(c, c.args[2]);
  if (there) c.session.field_sets->by_name.erase(std::string(c.args[2]));
  c.reply.integer(there);
}

void himport_discardall(Call& c) {
  size_t n = c.session.field_sets ? c.session.field_sets->by_name.size() : 0;
  c.session.field_sets.reset();
  c.reply.integer(static_cast<int64_t>(n));
}

constexpr CommandRow kRows[] = {
    {"himport|prepare", himport_prepare}, {"himport|set", himport_set},
    {"himport|discard", himport_discard}, {"himport|discardall", himport_discardall},
};

}  // namespace

void add_hash_import_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
