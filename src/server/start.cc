#include "server/start.h"

#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "engine/session_words.h"
#include "io/process.h"
#include "io/random.h"
#include "server/settings_table.h"

namespace vitrine {

Asked asked(int argc, char** argv) {
  if (argc < 2) return Asked::serve;
  Bytes first = argv[1];
  if (first == "-v" || first == "--version") return Asked::version;
  if (first == "-h" || first == "--help") return Asked::help;
  return Asked::serve;
}

void print_version() {
  std::printf("Vitrine server v=%s redis=%s malloc=jemalloc bits=64\n", std::string(kVitrineVersion).c_str(),
              std::string(kRedisVersion).c_str());
}

void print_help() {
  std::puts(
      "Usage: vitrine-server [CONFIG_FILE | -] [--setting value ...]\n"
      "       vitrine-server --version\n"
      "       vitrine-server --help\n"
      "\n"
      "CONFIG_FILE has redis.conf's grammar; '-' reads it from standard input. Every setting can be given on the\n"
      "command line as well, where it wins over the file.\n"
      "\n"
      "Examples:\n"
      "  vitrine-server                                  defaults, port 6379\n"
      "  vitrine-server /etc/redis/redis.conf            an existing configuration\n"
      "  vitrine-server --port 7777 --maxmemory 1gb --maxmemory-policy allkeys-lru\n"
      "  vitrine-server vitrine.conf --loglevel verbose\n"
      "  echo 'maxmemory 128mb' | vitrine-server -");
}

void register_all_settings(Settings& settings, NodeOptions& options) {
  register_network_settings(settings, options.network);
  register_client_settings(settings, options.clients);
  register_memory_settings(settings, options.memory, options.keyspace);
  register_encoding_settings(settings, options.keyspace.limits);
  register_observe_settings(settings, options.observe);
  register_log_settings(settings, the_log().options);
  register_persist_settings(settings, options.persist);
  register_process_settings(settings, options.process);
  register_later_settings(settings, options.later);
}

namespace {

std::string read_standard_input() {
  std::string text;
  char buffer[4096];
  while (size_t n = std::fread(buffer, 1, sizeof buffer, stdin)) text.append(buffer, n);
  return text;
}

std::string absolute_path(const char* path) {
  char resolved[PATH_MAX];
  return realpath(path, resolved) ? resolved : path;
}

}  // namespace

std::expected<void, std::string> read_configuration(int argc, char** argv, Settings& settings, NodeOptions& options) {
  std::string text, file;
  int next = 1;
  auto fail = [](const ConfigError& error) {
    return std::unexpected(fatal_config_text(error, kRedisVersion));
  };
  if (argc > 1 && Bytes(argv[1]) == "-") {
    text = read_standard_input();
    next = 2;
  } else if (argc > 1 && std::strncmp(argv[1], "--", 2) != 0) {
    file = argv[1];
    auto content = read_whole_file(file);
    if (!content)
      return std::unexpected("Fatal error, can't open config file '" + absolute_path(argv[1]) +
                             "': " + content.error() + "\n");
    text = std::move(*content);
    options.config_file = absolute_path(argv[1]);
    next = 2;
  }
  text += config_from_arguments(std::span<const char* const>(argv + next, static_cast<size_t>(argc - next)));
  auto lines = parse_config_with_includes(text, file);
  if (!lines) return fail(lines.error());
  auto loaded = settings.load(*lines);
  if (!loaded) return fail(loaded.error());
  return {};
}

namespace {

void prepare_process(NodeOptions& options, bool supervised) {
  const ProcessOptions& p = options.process;
  uint64_t seed = random_seed();
  hash_seed = p.hash_seed.empty() ? seed : hash_bytes(p.hash_seed);
  if (p.disable_transparent_huge_pages) process::disable_transparent_huge_pages();
  if (auto pinned = process::set_cpu_affinity(p.server_cpus); !pinned)
    log(LogLevel::warning, "server-cpulist: %s", pinned.error().c_str());
  if (p.oom_score_adjust != OomScoreAdjust::no) {
    int base = p.oom_score_adjust == OomScoreAdjust::relative ? process::oom_score_adj().value_or(0) : 0;
    auto adjusted = process::set_oom_score_adj(base + p.oom_score_values[0]);
    if (!adjusted) log(LogLevel::warning, "oom-score-adj: %s", adjusted.error().c_str());
  }
  auto files = process::adjust_open_files(static_cast<int>(options.network.max_clients));
  for (const auto& line : files.lines)
    log(line.is_warning ? LogLevel::warning : LogLevel::notice, "%s", line.text.c_str());
  if (files.maxclients > 0) options.network.max_clients = static_cast<uint32_t>(files.maxclients);
  std::string pidfile = p.pidfile.empty() && p.daemonize && !supervised ? "/var/run/redis.pid" : p.pidfile;
  options.process.pidfile = pidfile;
  if (pidfile.empty()) return;
  if (auto written = process::write_pidfile(pidfile); !written)
    log(LogLevel::warning, "Failed to write PID file: %s", written.error().c_str());
}

void announce_start(const NodeOptions& options, bool configured) {
  log(LogLevel::notice, "oO0OoO0OoO0Oo Vitrine is starting oO0OoO0OoO0Oo");
  log(LogLevel::notice, "Vitrine version=%s, redis dialect=%s, bits=64, pid=%d, just started",
      std::string(kVitrineVersion).c_str(), std::string(kRedisVersion).c_str(), getpid());
  if (configured) log(LogLevel::notice, "Configuration loaded");
  else log(LogLevel::notice, "Warning: no config file specified, using the default config.");
  log(LogLevel::notice, "Running mode=standalone, port=%d.", options.network.port);
  log(LogLevel::notice, " PID: %d", getpid());
  log(LogLevel::notice, "Server initialized");
}

void set_title(process::Title& title, const NodeOptions& options, Node& node) {
  if (!options.process.set_proc_title) return;
  std::string text = options.process.proc_title_template;
  auto replace = [&](Bytes word, const std::string& with) {
    for (size_t at; (at = text.find(word)) != std::string::npos;) text.replace(at, word.size(), with);
  };
  replace("{title}", "vitrine-server");
  replace("{listen-addr}", node.clients().listening_at());
  replace("{server-mode}", "");
  replace("{port}", std::to_string(options.network.port));
  replace("{tls-port}", "0");
  replace("{unixsocket}", options.network.unix_socket);
  replace("{config-file}", options.config_file);
  while (text.ends_with(' ')) text.pop_back();
  title.set(text);
}

process::Supervised wanted_supervision(Supervision s) {
  switch (s) {
    case Supervision::automatic: return process::Supervised::automatic;
    case Supervision::systemd: return process::Supervised::systemd;
    case Supervision::upstart: return process::Supervised::upstart;
    default: return process::Supervised::no;
  }
}

}  // namespace

int serve(int argc, char** argv, Settings& settings, NodeOptions& options) {
  auto supervision = process::join_supervisor(wanted_supervision(options.process.supervised));
  bool supervised = supervision.by != process::Supervised::no;
  if (!supervision.problem.empty()) log(LogLevel::warning, "%s", supervision.problem.c_str());
  if (options.process.daemonize && !supervised)
    if (auto left = process::daemonize(); !left) log(LogLevel::warning, "daemonize: %s", left.error().c_str());
  process::Title title(argc, argv);
  the_log().open_syslog();
  prepare_process(options, supervised);
  SystemClock clock;
  int status = 0;
  {
    Node node(options, settings, clock);
    the_log().role = 'M';
    node.console().report_crashes(the_log().options.crash_log_enabled);
    announce_start(options, !options.config_file.empty() || argc > 1);
    if (auto listening = node.clients().listen(); !listening) {
      log(LogLevel::warning, "%s", listening.error().c_str());
      return 1;
    }
    set_title(title, options, node);
    for (const std::string& warning : process::machine_warnings()) log(LogLevel::warning, "%s", warning.c_str());
    process::Signals signals(node.loop(), [&](int signal) {
      log(LogLevel::warning, "Received %s scheduling shutdown...", signal == SIGINT ? "SIGINT" : "SIGTERM");
      if (!node.shut_down_by(signal)) signals.forget_request();
    });
    if (!node.load_data()) return 1;
    log(LogLevel::notice, "Ready to accept connections tcp");
    if (supervision.by == process::Supervised::systemd) process::notify_systemd("STATUS=Ready\nREADY=1\n");
    node.run();
    if (supervision.by == process::Supervised::systemd) process::notify_systemd("STOPPING=1\n");
  }
  if (!options.process.pidfile.empty()) {
    log(LogLevel::notice, "Removing the pid file.");
    unlink(options.process.pidfile.c_str());
  }
  log(LogLevel::warning, "Vitrine is now ready to exit, bye bye...");
  return status;
}

}  // namespace vitrine
