// INFO replication, cluster for a server that follows nobody and stands alone.
#include "base/settings.h"
#include "console/sections.h"
#include "store/keyspace.h"

namespace vitrine {

namespace {

void write_replication(InfoText& text, const Sources& s, const Measured& m) {
  text.field("role", "master");
  text.idle("connected_slaves");
  text.field("master_failover_state", "no-failover");
  text.field("master_replid", m.replication_id);
  text.field("master_replid2", std::string(40, '0'));
  text.idle("master_repl_offset");
  text.field("second_repl_offset", -1);
  text.idle("repl_backlog_active");
  const Setting* size = s.settings.find("repl-backlog-size");
  text.field("repl_backlog_size", size ? size->format() : "0");
  text.idle("repl_backlog_first_byte_offset");
  text.idle("repl_backlog_histlen");
}

}  // namespace

void add_idle_sections(Info& info, const Sources& s, const Measured& m) {
  using enum Info::Shown;
  info.set_section("Persistence", by_default, [](InfoText&) {});   // the persist room's
  info.set_section("Replication", by_default, [&](InfoText& text) { write_replication(text, s, m); });
  info.set_section("Cluster", by_default, [](InfoText& text) { text.field("cluster_enabled", 0); });
}

}  // namespace vitrine
