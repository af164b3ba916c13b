// DEBUG: how data is held.
#include <cstdio>

#include "base/memory.h"
#include "console/debug.h"
#include "console/digest.h"
#include "console/value_memory.h"
#include "engine/call.h"
#include "store/access.h"
#include "store/list.h"
#include "store/string.h"

namespace vitrine {

namespace {

// The key's entry, or null after an error.
const Entry* take_entry(Call& c) {
  const Entry* entry = c.peek(c.args.bytes());
  if (!entry) c.reply.error("ERR no such key");
  return entry;
}

Bytes encoding_of(const Entry& entry) {
  if (entry.type() == Type::string) return string_encoding_name(entry);
  return type_ops(entry.type()).encoding_name(entry.object());
}

// The setting list-max-listpack-size that these limits come of.
int64_t fill_of(const PackedList::Limits& limits) {
  if (limits.node_items != SIZE_MAX) return static_cast<int64_t>(limits.node_items);
  int64_t fill = -1;
  while (fill > -5 && PackedList::Limits::of(fill).node_bytes < limits.node_bytes) fill--;
  return fill;
}

// How a list lies in nodes; nothing for what is no such list.
std::string describe_nodes(const Entry& entry) {
  if (entry.type() != Type::list || entry.encoding() != List::kNodes) return {};
  const PackedList& list = *entry.object().as<PackedList>();
  size_t bytes = 0;
  constexpr size_t kFrame = Packed::kHeader + 1;   // of a listpack
  list.for_each_node([&](Bytes run, size_t, bool plain) { bytes += run.size() + (plain ? 0 : kFrame); });
  char text[160];
  std::snprintf(text, sizeof text,
                " ql_nodes:%zu ql_avg_node:%.2f ql_listpack_max:%lld ql_compressed:%d ql_uncompressed_size:%zu",
                list.node_count(), static_cast<double>(list.size()) / static_cast<double>(list.node_count()),
                static_cast<long long>(fill_of(list.limits())), list.limits().compress_depth > 0, bytes);
  return text;
}

void wrong_call(Call& c) {
  c.reply.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(c.args[1]) +
                "'. Try DEBUG HELP.");
}

// serializedlength: the bytes of the value's strings and one for each; what a dump would hold without compression.
void object(Call& c) {
  // Valkey's `fast` asks for nothing that would take long: nothing here does.
  if (c.args.left() > 1 && !equals_ignoring_case(c.args[3], "fast")) return wrong_call(c);
  const Entry* entry = take_entry(c);
  if (!entry) return;
  size_t serialized = 0;
  for_each_part(*entry, [&](std::initializer_list<Bytes> parts) {
    for (Bytes part : parts) serialized += part.size() + 1;
  });
  bool lfu = c.keyspace.options().lfu;
  uint32_t access = c.keyspace.access_of(*entry);
  int64_t idle_ms = lfu ? 0 : access::lru_idle_ms(access, c.now_ms);
  // Redis counts the seconds of its clock.
  uint32_t shown_access = lfu ? access : static_cast<uint32_t>((c.now_ms - idle_ms) / 1000) & access::kMask;
  char text[512];
  std::snprintf(text, sizeof text,
                "Value at:%p refcount:%d encoding:%s serializedlength:%zu lru:%u lru_seconds_idle:%lld%s memory:%zu",
                static_cast<const void*>(entry), shown_refcount(*entry), std::string(encoding_of(*entry)).c_str(),
                serialized, shown_access, static_cast<long long>(idle_ms / 1000), describe_nodes(*entry).c_str(),
                key_memory(c.keyspace.database(c.db), *entry, 0));
  c.reply.simple(text);
}

void digest_value(Call& c) {
  auto keys = c.args.rest();
  c.reply.array(static_cast<int64_t>(keys.size()));
  for (Bytes key : keys) {
    const Entry* entry = c.peek(key);
    c.reply.simple(entry ? digest_of_value(*entry).hex() : Digest().hex());
  }
}

void append_line(std::string& out, const char* name, double value, int digits = 0) {
  char line[96];
  std::snprintf(line, sizeof line, " %s: %.*f\n", name, digits, value);
  out += line;
}

void append_table(std::string& out, const Database::Table& table, bool full) {
  if (table.empty()) {
    out += "No stats available for empty dictionaries\n";
    return;
  }
  auto histogram = table.load_histogram();
  size_t used = table.bucket_count() - histogram[0];
  out += "Hash table 0 stats (main hash table):\n";
  append_line(out, "table size", static_cast<double>(table.bucket_count()));
  append_line(out, "number of elements", static_cast<double>(table.size()));
  append_line(out, "different slots", static_cast<double>(used));
  append_line(out, "max chain length", static_cast<double>(histogram.size() - 1));
  append_line(out, "avg chain length", static_cast<double>(table.size()) / static_cast<double>(used), 2);
  append_line(out, "bytes", static_cast<double>(table.memory_bytes()));
  if (!full) return;
  out += " Chain length distribution (words in a bucket):\n";
  for (size_t n = 0; n < histogram.size(); n++) {
    if (!histogram[n]) continue;
    char line[96];
    std::snprintf(line, sizeof line, "   %zu: %zu (%.2f%%)\n", n, histogram[n],
                  100.0 * static_cast<double>(histogram[n]) / static_cast<double>(table.bucket_count()));
    out += line;
  }
}

void table_stats(Call& c) {
  int64_t db = c.args.integer();
  if (c.args.more() && !c.args.accept("full")) c.args.fail();
  if (!c.args.done()) return;
  if (db < 0 || db >= c.keyspace.databases()) return c.reply.error("ERR Out of range database");
  const Database& database = c.keyspace.database(static_cast<int>(db));
  std::string out = "[Dictionary HT]\n";
  append_table(out, database.table(), true);
  out += "[Expires HT]\n";
  append_line(out, "number of elements", static_cast<double>(database.expiring()));
  append_line(out, "bytes", static_cast<double>(database.index_bytes()));
  c.reply.verbatim(out);
}

void value_table_stats(Call& c) {
  const Entry* entry = take_entry(c);
  if (!entry) return;
  Bytes encoding = encoding_of(*entry);
  if (encoding != "hashtable" && encoding != "skiplist")
    return c.reply.error("ERR The value stored at the specified key is not represented using an hash table");
  const TypeOps& ops = type_ops(entry->type());
  std::string out;
  append_line(out, "number of elements", static_cast<double>(ops.length(entry->object())));
  append_line(out, "bytes", static_cast<double>(ops.memory(entry->object(), 0)));
  c.reply.verbatim(out);
}

void string_lengths(Call& c) {
  const Entry* entry = take_entry(c);
  if (!entry) return;
  if (entry->type() != Type::string || entry->encoding() == kStringInt)
    return c.reply.error("ERR Not an sds encoded string.");
  size_t value = string_length(*entry);
  size_t held = entry->inline_text() ? value : type_ops(Type::string).memory(entry->object(), 0);
  size_t slack = held > value + sizeof(Blob) ? held - value - sizeof(Blob) : 0;
  char text[192];
  std::snprintf(text, sizeof text,
                "key_sds_len:%zu, key_sds_avail:0, key_zmalloc: %zu, val_sds_len:%zu, val_sds_avail:%zu, "
                "val_zmalloc: %zu",
                entry->key().size(), memory::usable_size(entry), value, slack, held);
  c.reply.simple(text);
}

// Prints the elements on standard output, as developers expect of these two.
void print_elements(Call& c, Bytes encoding, const char* done, const char* refusal) {
  const Entry* entry = take_entry(c);
  if (!entry) return;
  if (encoding_of(*entry) != encoding) return c.reply.error(refusal);
  int i = 0;
  for_each_part(*entry, [&](std::initializer_list<Bytes> parts) {
    std::printf("{%d}", i++);
    for (Bytes part : parts) std::printf(" %.*s", static_cast<int>(part.size()), part.data());
    std::printf("\n");
  });
  std::fflush(stdout);
  c.reply.simple(done);
}

}  // namespace

void add_debug_views(DebugCommands& debug) {
  debug.add("OBJECT <key> [fast]", "How the value of the key is held.", 1, 2, object);
  debug.add("DIGEST", "A signature of all data: equal data, equal signature.", 0, 0,
            [](Call& c) { c.reply.simple(digest_of_all(c.keyspace).hex()); });
  debug.add("DIGEST-VALUE <key> [<key> ...]", "The signature of each key's value.", 0, SIZE_MAX, digest_value);
  debug.add("HTSTATS <dbid> [full]", "How full the buckets of a database's table are.", 1, 2, table_stats);
  debug.add("HTSTATS-KEY <key> [full]", "Size of the table inside a value.", 1, 2, value_table_stats);
  debug.add("SDSLEN <key>", "Lengths of key and string value, and the memory behind them.", 1, 1, string_lengths);
  debug.add("LISTPACK <key>", "Prints the elements of a packed value on standard output.", 1, 1, [](Call& c) {
    print_elements(c, "listpack", "Listpack structure printed on stdout", "ERR Not a listpack encoded object.");
  });
  debug.add("QUICKLIST <key> [<0|1>]", "Prints the elements of a large list on standard output.", 1, 2, [](Call& c) {
    print_elements(c, "quicklist", "Quicklist structure printed on stdout", "ERR Not a quicklist encoded object.");
  });
  debug.add("STRUCTSIZE", "Sizes of the structures that data is made of.", 0, 0, [](Call& c) {
    c.reply.bulk("bits:64 entry:" + std::to_string(sizeof(Entry)) + " object:" + std::to_string(sizeof(Object)) +
                 " blob:" + std::to_string(sizeof(Blob)) + " session:" + std::to_string(sizeof(Session)) +
                 " database:" + std::to_string(sizeof(Database)));
  });
}

}  // namespace vitrine
