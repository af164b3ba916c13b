// INFO memory: from the allocator's exact count, the allocator's pages and the kernel's.
#ifndef VITRINE_SANITIZED
#include <jemalloc/jemalloc.h>
#endif

#include <algorithm>

#include "base/memory.h"
#include "base/settings.h"
#include "console/sections.h"
#include "store/database.h"
#include "engine/dispatcher.h"
#include "io/process.h"
#include "io/workers.h"
#include "store/memory_options.h"

namespace vitrine {

MemoryAccount account_memory(const Sources& s, const Measured& m) {
  MemoryAccount a;
  a.used = memory::used_bytes();
  s.dispatcher.sessions().for_each([&](Session& session) { a.clients += session.memory_bytes(); });
  for (int db = 0; db < s.keyspace.databases(); db++) {
    const Database& database = s.keyspace.database(db);
    a.keys += database.size();
    a.tables += database.table_bytes();
    a.expiry_indexes += database.index_bytes();
  }
  a.tables -= std::min(a.tables, m.startup_tables);
  a.expiry_indexes -= std::min(a.expiry_indexes, m.startup_indexes);
  ScriptFigures scripts = s.scripts();
  a.scripts = scripts.scripts_bytes + scripts.functions_bytes;
  a.interpreters = scripts.scripts_heap_bytes + scripts.functions_heap_bytes;
  a.interpreters -= std::min(a.interpreters, m.startup_interpreters);
  a.append_log = s.append_log_bytes();
  a.overhead = std::min(a.used, m.startup_bytes + a.clients + a.tables + a.expiry_indexes + a.scripts +
                                    a.interpreters + a.append_log);
  a.dataset = a.used - a.overhead;
  return a;
}

double dataset_percent(const MemoryAccount& a, const Measured& m) {
  size_t net = a.used > m.startup_bytes ? a.used - m.startup_bytes : 1;
  return std::min(100.0, 100.0 * static_cast<double>(a.dataset) / static_cast<double>(net));
}

namespace {

double ratio(size_t above, size_t below) {
  return below ? static_cast<double>(above) / static_cast<double>(below) : 0;
}
int64_t difference(size_t a, size_t b) { return static_cast<int64_t>(a) - static_cast<int64_t>(b); }

void write_scripts(InfoText& text, const ScriptFigures& f) {
  text.memory("used_memory_lua", f.scripts_heap_bytes);
  text.field("used_memory_vm_eval", f.scripts_heap_bytes);
  text.field("used_memory_scripts_eval", f.scripts_bytes);
  text.field("number_of_cached_scripts", f.scripts);
  text.field("number_of_functions", f.functions);
  text.field("number_of_libraries", f.libraries);
  text.field("used_memory_vm_functions", f.functions_heap_bytes);
  text.memory("used_memory_vm_total", f.scripts_heap_bytes + f.functions_heap_bytes);
  text.field("used_memory_functions", f.functions_bytes);
  text.memory("used_memory_scripts", f.scripts_bytes + f.functions_bytes);
}

void write_allocator(InfoText& text, const memory::Figures& f, const MemoryAccount& a) {
  text.real("allocator_frag_ratio", ratio(f.active, f.allocated));
  text.field("allocator_frag_bytes", difference(f.active, f.allocated));
  text.real("allocator_rss_ratio", ratio(f.resident, f.active));
  text.field("allocator_rss_bytes", difference(f.resident, f.active));
  text.real("rss_overhead_ratio", ratio(f.process_resident, f.resident));
  text.field("rss_overhead_bytes", difference(f.process_resident, f.resident));
  text.real("mem_fragmentation_ratio", ratio(f.process_resident, a.used));
  text.field("mem_fragmentation_bytes", difference(f.process_resident, a.used));
}

void write_memory(InfoText& text, const Sources& s, const Measured& m) {
  static const uint64_t total = process::facts().total_memory;
  MemoryAccount a = account_memory(s, m);
  memory::Figures f = memory::figures();
  size_t peak = std::max(m.peak_bytes, a.used);
  text.memory("used_memory", a.used);
  text.memory("used_memory_rss", f.process_resident);
  text.memory("used_memory_peak", peak);
  text.field("used_memory_peak_time", m.peak_at_s);
  text.percent("used_memory_peak_perc", 100 * ratio(a.used, peak));
  text.field("used_memory_overhead", a.overhead);
  text.field("used_memory_startup", m.startup_bytes);
  text.field("used_memory_dataset", a.dataset);
  text.percent("used_memory_dataset_perc", dataset_percent(a, m));
  text.field("allocator_allocated", f.allocated);
  text.field("allocator_active", f.active);
  text.field("allocator_resident", f.resident);
  text.field("allocator_muzzy", f.muzzy);
  text.memory("total_system_memory", total);
  write_scripts(text, s.scripts());
  text.memory("maxmemory", s.memory.maxmemory);
  text.field("maxmemory_policy", s.settings.find("maxmemory-policy")->format());
  write_allocator(text, f, a);
  text.field("mem_not_counted_for_evict", a.append_log);
  for (const char* name : {"mem_replication_backlog", "mem_total_replication_buffers", "mem_replica_full_sync_buffer",
                           "mem_clients_slaves"})
    text.idle(name);
  text.field("mem_clients_normal", a.clients);
  text.idle("mem_cluster_links");
  text.field("mem_aof_buffer", a.append_log);
#ifdef VITRINE_SANITIZED
  text.field("mem_allocator", "libc");
#else
  Bytes version = JEMALLOC_VERSION;
  text.field("mem_allocator", "jemalloc-" + std::string(version.substr(0, version.find('-'))));
#endif
  text.idle("mem_overhead_db_hashtable_rehashing");
  text.idle("active_defrag_running");
  text.field("lazyfree_pending_objects", s.workers.pending(Workers::Kind::lazy_free));
  text.field("lazyfreed_objects", s.keyspace.stats().freed_in_background);
}

}  // namespace

void add_memory_section(Info& info, const Sources& s, const Measured& m) {
  info.set_section("Memory", Info::Shown::by_default, [&](InfoText& text) { write_memory(text, s, m); });
}

}  // namespace vitrine
