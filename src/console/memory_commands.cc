// MEMORY.
#ifndef VITRINE_SANITIZED
#include <jemalloc/jemalloc.h>
#endif

#include <algorithm>

#include "base/memory.h"
#include "console/commands.h"
#include "console/sections.h"
#include "console/value_memory.h"
#include "store/database.h"
#include "engine/dispatcher.h"
#include "store/memory_options.h"

namespace vitrine {

namespace {

void usage(Call& c) {
  constexpr int64_t kSamples = 5;
  Bytes key = c.args.bytes();
  int64_t samples = kSamples;
  while (c.args.more()) {
    if (c.args.accept("SAMPLES", 1)) {
      samples = c.args.integer();
      if (samples < 0) c.args.fail();
    } else {
      c.args.fail();
    }
  }
  if (!c.args.done()) return;
  const Entry* entry = c.peek(key);
  if (!entry) return c.reply.null();
  c.reply.integer(
      static_cast<int64_t>(key_memory(c.keyspace.database(c.db), *entry, static_cast<size_t>(samples))));
}

// A map whose number of pairs is counted as it is written.
class Pairs {
 public:
  explicit Pairs(ReplyBuilder& reply) : reply_(reply), mark_(reply.later()) {}
  void integer(Bytes name, uint64_t value) { signed_integer(name, static_cast<int64_t>(value)); }
  void signed_integer(Bytes name, int64_t value) {
    key(name);
    reply_.integer(value);
  }
  void ratio(Bytes name, size_t above, size_t below) {
    real(name, below ? static_cast<double>(above) / static_cast<double>(below) : 0);
  }
  void real(Bytes name, double value) {
    key(name);
    reply_.real(value);
  }
  void difference(Bytes name, size_t a, size_t b) {
    signed_integer(name, static_cast<int64_t>(a) - static_cast<int64_t>(b));
  }
  // The value follows.
  void key(Bytes name) {
    reply_.bulk(name);
    pairs_++;
  }
  void end() { reply_.map_at(mark_, pairs_); }

 private:
  ReplyBuilder& reply_;
  OutputBuffer::Mark mark_;
  int64_t pairs_ = 0;
};

void stats_of_databases(Pairs& pairs, Call& c) {
  for (int db = 0; db < c.keyspace.databases(); db++) {
    const Database& database = c.keyspace.database(db);
    if (database.size() == 0) continue;
    pairs.key("db." + std::to_string(db));
    c.reply.map(2);
    c.reply.bulk("overhead.hashtable.main");
    c.reply.integer(static_cast<int64_t>(database.table_bytes()));
    c.reply.bulk("overhead.hashtable.expires");
    c.reply.integer(static_cast<int64_t>(database.index_bytes()));
  }
}

void stats_of_allocator(Pairs& pairs, size_t used) {
  memory::Figures f = memory::figures();
  pairs.integer("allocator.allocated", f.allocated);
  pairs.integer("allocator.active", f.active);
  pairs.integer("allocator.resident", f.resident);
  pairs.integer("allocator.muzzy", f.muzzy);
  pairs.ratio("allocator-fragmentation.ratio", f.active, f.allocated);
  pairs.difference("allocator-fragmentation.bytes", f.active, f.allocated);
  pairs.ratio("allocator-rss.ratio", f.resident, f.active);
  pairs.difference("allocator-rss.bytes", f.resident, f.active);
  pairs.ratio("rss-overhead.ratio", f.process_resident, f.resident);
  pairs.difference("rss-overhead.bytes", f.process_resident, f.resident);
  pairs.ratio("fragmentation", f.process_resident, used);
  pairs.difference("fragmentation.bytes", f.process_resident, used);
}

void stats(Call& c, const Sources& s, const Measured& m) {
  MemoryAccount a = account_memory(s, m);
  size_t peak = std::max(m.peak_bytes, a.used);
  size_t net = a.used > m.startup_bytes ? a.used - m.startup_bytes : 0;
  Pairs pairs(c.reply);
  pairs.integer("peak.allocated", peak);
  pairs.integer("total.allocated", a.used);
  pairs.integer("startup.allocated", m.startup_bytes);
  pairs.integer("replication.backlog", 0);
  pairs.integer("clients.slaves", 0);
  pairs.integer("clients.normal", a.clients);
  pairs.integer("cluster.links", 0);
  pairs.integer("aof.buffer", a.append_log);
  ScriptFigures scripts = s.scripts();
  pairs.integer("lua.caches", scripts.scripts_bytes);
  pairs.integer("functions.caches", scripts.functions_bytes);
  pairs.integer("script.VMs", scripts.scripts_heap_bytes + scripts.functions_heap_bytes);
  stats_of_databases(pairs, c);
  pairs.integer("overhead.db.hashtable.lut", a.tables);
  pairs.integer("overhead.db.hashtable.rehashing", 0);
  pairs.integer("db.dict.rehashing.count", 0);
  pairs.integer("overhead.total", a.overhead);
  pairs.integer("keys.count", a.keys);
  pairs.integer("keys.bytes-per-key", a.keys ? net / a.keys : 0);
  pairs.integer("dataset.bytes", a.dataset);
  pairs.real("dataset.percentage", dataset_percent(a, m));
  pairs.real("peak.percentage", 100 * static_cast<double>(a.used) / static_cast<double>(peak));
  stats_of_allocator(pairs, a.used);
  pairs.end();
}

// Says what looks wrong; thresholds are those at which somebody should look.
void doctor(Call& c, const Sources& s, const Measured& m) {
  MemoryAccount a = account_memory(s, m);
  memory::Figures f = memory::figures();
  constexpr size_t kLittle = 5 << 20, kMegabyte = 1 << 20;
  std::string out;
  auto found = [&](const std::string& text) { out += "- " + text + "\n"; };
  auto mb = [](size_t bytes) { return std::to_string(bytes / kMegabyte) + " MB"; };
  if (a.used < kLittle) return c.reply.verbatim("Too little memory is in use for a judgement (less than 5 MB).\n");
  if (m.peak_bytes > a.used + a.used / 2)
    found("The peak was " + mb(m.peak_bytes) + ", half as much again as the " + mb(a.used) +
          " in use now: pages may be fragmented or kept for later. MEMORY PURGE gives unused ones back.");
  if (f.process_resident > a.used + a.used * 2 / 5 && f.process_resident > a.used + 10 * kMegabyte)
    found("The kernel counts " + mb(f.process_resident) + " for " + mb(a.used) + " of data: fragmentation.");
  size_t sessions = s.dispatcher.sessions().size();
  if (sessions && a.clients / sessions > 200 * 1024)
    found("A client holds " + mb(a.clients / sessions) + " on average: some read their replies too slowly, or send "
          "large commands. CLIENT LIST shows omem and qbuf; maxmemory-clients sets a limit.");
  if (s.memory.maxmemory && a.used > s.memory.maxmemory / 100 * 95)
    found("95% of maxmemory are in use.");
  c.reply.verbatim(out.empty() ? "Nothing looks wrong with memory.\n" : "What looks wrong with memory:\n\n" + out);
}

void malloc_stats(Call& c) {
#ifdef VITRINE_SANITIZED
  c.reply.verbatim("The sanitizers' allocator has no statistics.\n");
#else
  std::string text;
  malloc_stats_print([](void* to, const char* part) { *static_cast<std::string*>(to) += part; }, &text, nullptr);
  c.reply.verbatim(text);
#endif
}

}  // namespace

void add_memory_commands(CommandRegistry& registry, const Sources& s, const Measured& m) {
  static constexpr CommandRow kRows[] = {{"memory|usage", usage}, {"memory|malloc-stats", malloc_stats}};
  registry.add(kRows);
  registry.add("memory|stats", [&](Call& c) { stats(c, s, m); });
  registry.add("memory|doctor", [&](Call& c) { doctor(c, s, m); });
  registry.add("memory|purge", [](Call& c) {
    memory::purge();
    c.reply.ok();
  });
}

}  // namespace vitrine
