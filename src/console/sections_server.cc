// INFO server, clients, threads, CPU, modules.
#include <algorithm>

#include "base/settings.h"
#include "console/sections.h"
#include "engine/dispatcher.h"
#include "engine/session_words.h"
#include "io/clock.h"
#include "io/event_loop.h"
#include "io/network_options.h"
#include "io/process.h"
#include "store/access.h"

namespace vitrine {

namespace {

std::string setting(const Sources& s, Bytes name) {
  const Setting* row = s.settings.find(name);
  return row ? row->format() : "";
}

void write_listeners(InfoText& text, const NetworkOptions& network) {
  int n = 0;
  auto next = [&] { return "listener" + std::to_string(n++); };
  if (network.port > 0) {
    std::string line = "name=tcp";
    for (const std::string& address : network.bind) line += ",bind=" + address;
    text.field(next(), line + ",port=" + std::to_string(network.port));
  }
  if (!network.unix_socket.empty()) text.field(next(), "name=unix,bind=" + network.unix_socket);
}

void write_server(InfoText& text, const Sources& s, const Measured& m) {
  static const process::Facts facts = process::facts();  // none of them changes
  int64_t up_s = (s.loop.clock().monotonic_us() - m.start_monotonic_us) / 1000000;
  text.field("redis_version", kRedisVersion);
  text.field("server_name", "vitrine");
  text.field("vitrine_version", kVitrineVersion);
  text.field("redis_git_sha1", "00000000");
  text.field("redis_git_dirty", 0);
  text.field("redis_build_id", "0");
  text.field("redis_mode", "standalone");
  text.field("os", facts.os);
  text.field("arch_bits", facts.arch_bits);
  text.field("monotonic_clock", "POSIX clock_gettime");
  text.field("multiplexing_api", "epoll");
  text.field("atomicvar_api", "c11-builtin");
  text.field("gcc_version", facts.gcc_version);
  text.field("process_id", facts.pid);
  text.field("process_supervised", setting(s, "supervised"));
  text.field("run_id", m.run_id);
  text.field("tcp_port", s.network.port);
  text.field("server_time_usec", s.loop.clock().wall_us());
  text.field("uptime_in_seconds", up_s);
  text.field("uptime_in_days", up_s / 86400);
  text.field("hz", setting(s, "hz"));
  text.field("configured_hz", setting(s, "hz"));
  text.field("lru_clock", access::lru_clock(s.keyspace.now_ms()));
  text.field("executable", facts.executable);
  text.field("config_file", s.config_file);
  text.field("io_threads_active", 0);
  text.field("availability_zone", setting(s, "availability-zone"));
  write_listeners(text, s.network);
}

void write_clients(InfoText& text, const Sources& s) {
  Dispatcher& d = s.dispatcher;
  size_t connected = 0, watching = 0, largest_input = 0, largest_output = 0;
  d.sessions().for_each([&](Session& session) {
    if (!session.peer) return;
    connected++;
    watching += !session.transaction.watched.empty();
    largest_input = std::max(largest_input, session.peer->input_capacity());
    largest_output = std::max(largest_output, session.out.capacity());
  });
  int64_t now = s.keyspace.now_ms();
  bool paused = d.paused(now);
  text.field("connected_clients", connected);
  text.idle("cluster_connections");
  text.field("maxclients", s.network.max_clients);
  text.field("client_recent_max_input_buffer", largest_input);
  text.field("client_recent_max_output_buffer", largest_output);
  text.field("blocked_clients", d.waiters().parked() + d.held());
  text.field("tracking_clients", d.tracking().sessions());
  text.field("pubsub_clients", d.pubsub().sessions());
  text.field("watching_clients", watching);
  text.field("clients_in_timeout_table", d.waiters().with_deadline());
  text.field("total_watched_keys", d.watches().watched_keys());
  text.field("total_blocking_keys", d.waiters().keys_waited_for());
  text.idle("total_blocking_keys_on_nokey");
  text.field("paused_reason", paused ? "client_pause" : "none");
  text.field("paused_actions", !paused ? "none" : d.pause_writes_only() ? "write" : "all");
  text.field("paused_timeout_milliseconds", paused ? d.pause_until_ms() - now : 0);
}

void write_cpu(InfoText& text) {
  auto seconds = [](int64_t us) { return static_cast<double>(us) / 1e6; };
  CpuTimes all = cpu_times(CpuOf::process), children = cpu_times(CpuOf::children), main = cpu_times(CpuOf::thread);
  text.real("used_cpu_sys", seconds(all.system_us), 6);
  text.real("used_cpu_user", seconds(all.user_us), 6);
  text.real("used_cpu_sys_children", seconds(children.system_us), 6);
  text.real("used_cpu_user_children", seconds(children.user_us), 6);
  text.real("used_cpu_sys_main_thread", seconds(main.system_us), 6);
  text.real("used_cpu_user_main_thread", seconds(main.user_us), 6);
}

void write_threads(InfoText& text, const Sources& s) {
  ConnectionFigures c = s.connections();
  size_t clients = 0;
  s.dispatcher.sessions().for_each([&](Session& session) { clients += session.peer != nullptr; });
  text.field("io_thread_0", "clients=" + std::to_string(clients) + ",reads=" + std::to_string(c.reads) +
                                ",writes=" + std::to_string(c.writes));
}

}  // namespace

void add_server_sections(Info& info, const Sources& s, const Measured& m) {
  using enum Info::Shown;
  info.set_section("Server", by_default, [&](InfoText& text) { write_server(text, s, m); });
  info.set_section("Clients", by_default, [&](InfoText& text) { write_clients(text, s); });
  info.set_section("Threads", by_default, [&](InfoText& text) { write_threads(text, s); });
  info.set_section("CPU", by_default, [](InfoText& text) { write_cpu(text); });
  info.set_section("Modules", by_default, [](InfoText&) {});
}

void add_sections(Info& info, const Sources& s, const Measured& m) {
  // The order in which INFO shows them; the writers follow below.
  using enum Info::Shown;
  for (const char* title : {"Server", "Clients", "Memory", "Persistence", "Threads", "Stats", "Replication", "CPU",
                            "Modules", "Commandstats", "Errorstats", "Latencystats", "Cluster", "Keyspace"})
    info.set_section(title, by_default, [](InfoText&) {});
  add_server_sections(info, s, m);
  add_memory_section(info, s, m);
  add_stats_sections(info, s, m);
  add_idle_sections(info, s, m);
}

}  // namespace vitrine
