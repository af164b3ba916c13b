#include "server/start.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/numbers.h"
#include "console/redact.h"
#include "engine/acl.h"
#include "engine/session_words.h"
#include "io/fd.h"
#include "io/memory_exam.h"
#include "io/process.h"
#include "io/random.h"
#include "server/settings_table.h"

namespace vitrine {

Asked asked(int argc, char** argv) {
  if (argc < 2) return Asked::serve;
  Bytes first = argv[1];
  if (first == "-v" || first == "--version") return Asked::version;
  if (first == "-h" || first == "--help") return Asked::help;
  if (first == "--check-system") return Asked::check_system;
  if (first == "--test-memory") return Asked::test_memory;
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
      "       vitrine-server --check-system\n"
      "       vitrine-server --test-memory MEGABYTES [PASSES]\n"
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

int check_system() {
  auto warnings = process::machine_warnings();
  for (const std::string& warning : warnings) std::puts(warning.c_str());
  if (warnings.empty()) std::puts("Nothing of this machine's settings stands in a server's way.");
  return warnings.empty() ? 0 : 1;
}

int test_memory(int argc, char** argv) {
  constexpr size_t kMegabyte = size_t{1} << 20;
  constexpr int64_t kMostMegabytes = int64_t{1} << 30;
  auto megabytes = parse_int64(argc > 2 ? argv[2] : ""), passes = parse_int64(argc > 3 ? argv[3] : "50");
  if (argc > 4 || !megabytes || *megabytes < 1 || *megabytes > kMostMegabytes || !passes || *passes < 1) {
    std::fputs("How many megabytes of memory? And how often (50 times)? "
               "For example: vitrine-server --test-memory 4096\n", stderr);
    return 1;
  }
  size_t bytes = static_cast<size_t>(*megabytes) * kMegabyte;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::fprintf(stderr, "Unable to allocate %lld megabytes: %s\n", static_cast<long long>(*megabytes),
                 std::strerror(errno));
    return 1;
  }
  MemoryExam exam({static_cast<uint64_t*>(memory), bytes / sizeof(uint64_t)});
  for (int64_t i = 1; i <= *passes; i++) {
    if (auto fault = exam.pass(static_cast<uint64_t>(i))) {
      std::printf("*** MEMORY ERROR at byte %zu (%s): written %016llx, read %016llx\n", fault->word * sizeof(uint64_t),
                  fault->pattern, static_cast<unsigned long long>(fault->written),
                  static_cast<unsigned long long>(fault->read));
      return 1;
    }
    std::printf("Pass %lld of %lld: no error\n", static_cast<long long>(i), static_cast<long long>(*passes));
    std::fflush(stdout);
  }
  std::puts("Your memory passed this test. If you still do not trust it, test it with memtest86, which needs the whole "
            "machine.");
  return 0;
}

void register_all_settings(Settings& settings, NodeOptions& options) {
  register_network_settings(settings, options.network);
  register_tls_settings(settings, options.tls);
  register_client_settings(settings, options.clients);
  register_acl_settings(settings, options.clients.acl);
  register_memory_settings(settings, options.memory, options.keyspace);
  register_encoding_settings(settings, options.keyspace.limits);
  register_observe_settings(settings, options.observe);
  register_log_settings(settings, the_log().options);
  register_persist_settings(settings, options.persist);
  register_script_settings(settings, options.scripts);
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
  // A file that cannot be read is told in the log, a line that is wrong on standard error.
  auto fail = [&](ConfigError error) {
    error.text = shown_config_line(error.text, settings);
    if (error.number > 0) return std::unexpected(fatal_config_text(error, kRedisVersion));
    log(LogLevel::warning, "%s", error.reason.c_str());
    return std::unexpected(std::string());
  };
  auto words = std::span<const char* const>(argv + 1, static_cast<size_t>(std::max(argc, 1) - 1));
  if (!words.empty() && words.front()[0] != '-') {
    file = words.front();
    auto content = read_whole_file(file);
    if (!content)
      return fail({file, 0, "", "Fatal error, can't open config file '" + absolute_path(words.front()) +
                                    "': " + content.error()});
    text = std::move(*content);
    options.config_file = absolute_path(words.front());
    words = words.subspan(1);
  }
  bool dash_first = !words.empty() && Bytes(words.front()) == "-";
  bool dash_last = words.size() > 1 && Bytes(words.back()) == "-";
  if (dash_first) words = words.subspan(1);
  if (dash_last) words = words.first(words.size() - 1);
  if (dash_first || dash_last) {
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    text += read_standard_input();
  }
  text += config_from_arguments(words);
  auto lines = parse_config_with_includes(text, file);
  if (!lines) return fail(lines.error());
  auto loaded = settings.load(*lines);
  if (!loaded) return fail(loaded.error());
  return {};
}

namespace {

void prepare_process(NodeOptions& options) {
  const ProcessOptions& p = options.process;
  uint64_t seed = random_seed();
  hash_seed = p.hash_seed.empty() ? seed : hash_bytes(p.hash_seed);
  process::end_restartable_sequences();
  if (p.disable_transparent_huge_pages) process::disable_transparent_huge_pages();
  if (auto pinned = process::set_cpu_affinity(p.server_cpus); !pinned)
    log(LogLevel::warning, "server-cpulist: %s", pinned.error().c_str());
  auto files = process::adjust_open_files(static_cast<int>(options.network.max_clients));
  for (const auto& line : files.lines)
    log(line.is_warning ? LogLevel::warning : LogLevel::notice, "%s", line.text.c_str());
  if (files.maxclients > 0) options.network.max_clients = static_cast<uint32_t>(files.maxclients);
}

// Behind the opening of the port: a second server that finds it taken must leave the first one's file alone.
void leave_pidfile(ProcessOptions& p, bool supervised) {
  if (p.pidfile.empty() && p.daemonize && !supervised) p.pidfile = "/var/run/redis.pid";
  if (p.pidfile.empty()) return;
  if (auto written = process::write_pidfile(p.pidfile); !written)
    log(LogLevel::warning, "Failed to write PID file: %s", written.error().c_str());
}

void announce_start(bool configured) {
  log(LogLevel::notice, "oO0OoO0OoO0Oo Vitrine is starting oO0OoO0OoO0Oo");
  log(LogLevel::notice, "Vitrine version=%s, redis dialect=%s, bits=64, pid=%d, just started",
      std::string(kVitrineVersion).c_str(), std::string(kRedisVersion).c_str(), getpid());
  if (configured) log(LogLevel::notice, "Configuration loaded");
  else log(LogLevel::notice, "Warning: no config file specified, using the default config.");
}

// A look at the server for people, where a log goes to one's screen or was asked to have it.
void show_logo(const NodeOptions& options) {
  const LogOptions& o = the_log().options;
  bool on_screen = o.file.empty() && !o.syslog_enabled && isatty(STDOUT_FILENO);
  if (!options.process.always_show_logo && !on_screen) {
    log(LogLevel::notice, "Running mode=standalone, port=%d.", options.network.port);
    return;
  }
  char text[512];
  int n = std::snprintf(text, sizeof text,
                        "\n   ._________.\n   |\\       /|     Vitrine %s\n   | \\_____/ |     Port: %d\n"
                        "   | |#:::#| |     PID: %d\n   |_|_____|_|\n\n",
                        kVitrineVersion.data(), options.network.port, getpid());
  the_log().write_raw(Bytes(text, static_cast<size_t>(n)));
}

// What the configuration asks of rooms that are not built yet, so that nobody relies on it. Empty asks for nothing.
void warn_of_idle_settings(const Settings& settings) {
  for (const auto& row : settings.rows())
    if (!row->is_acting() && !row->is_default() && !row->format().empty())
      log(LogLevel::warning, "The setting '%s' does not act yet in this version.", row->name().c_str());
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

// oom-score-adj: how willingly the kernel ends this process when memory is short.
Refusal adjust_oom_score(const ProcessOptions& p, int score_at_start) {
  bool none = p.oom_score_adjust == OomScoreAdjust::no;
  if (none && process::oom_score_adj().value_or(score_at_start) == score_at_start) return {};
  int base = p.oom_score_adjust == OomScoreAdjust::absolute ? 0 : score_at_start;
  auto adjusted = process::set_oom_score_adj(none ? score_at_start : base + p.oom_score_values[0]);
  if (adjusted) return {};
  log(LogLevel::warning, "Unable to write oom_score_adj: %s", adjusted.error().c_str());
  return "Failed to set current oom_score_adj. Check server logs.";
}

Refusal set_collation(const std::string& name) {
  return std::setlocale(LC_COLLATE, name.c_str()) ? "" : "Invalid locale name";
}

// Everything named outlives the last CONFIG SET.
void follow_process_settings(Settings& settings, NodeOptions& options, process::Title& title, Node& node,
                             int score_at_start) {
  settings.find("proc-title-template")->apply([&] {
    set_title(title, options, node);
    return Refusal();
  });
  node.clients().on_moved = [&] { set_title(title, options, node); };
  settings.find("locale-collate")->apply([&options] { return set_collation(options.process.locale_collate); });
  for (const char* name : {"oom-score-adj", "oom-score-adj-values"})
    settings.find(name)->apply([&options, score_at_start] {
      return adjust_oom_score(options.process, score_at_start);
    });
}

process::Supervised wanted_supervision(Supervision s) {
  switch (s) {
    case Supervision::automatic: return process::Supervised::automatic;
    case Supervision::systemd: return process::Supervised::systemd;
    case Supervision::upstart: return process::Supervised::upstart;
    default: return process::Supervised::no;
  }
}

// Says on standard error why not.
bool can_log() {
  const std::string& file = the_log().options.file;
  if (file.empty()) return true;
  Fd opened(open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (opened) return true;
  ConfigError error{"", 0, "", std::string("Can't open the log file: ") + std::strerror(errno)};
  std::fputs(fatal_config_text(error, kRedisVersion).c_str(), stderr);
  return false;
}

}  // namespace

int serve(int argc, char** argv, const process::Launch& launch, Settings& settings, NodeOptions& options) {
  if (!can_log()) return 1;
  auto supervision = process::join_supervisor(wanted_supervision(options.process.supervised));
  bool supervised = supervision.by != process::Supervised::no;
  if (!supervision.problem.empty()) log(LogLevel::warning, "%s", supervision.problem.c_str());
  if (options.process.daemonize && !supervised)
    if (auto left = process::daemonize(); !left) log(LogLevel::warning, "daemonize: %s", left.error().c_str());
  process::Title title(argc, argv);
  the_log().open_syslog();
  announce_start(argc > 1);
  warn_of_idle_settings(settings);
  prepare_process(options);
  int oom_score = process::oom_score_adj().value_or(0);
  adjust_oom_score(options.process, oom_score);
  if (Refusal refusal = set_collation(options.process.locale_collate); !refusal.empty()) {
    log(LogLevel::warning, "locale-collate: %s", refusal.c_str());
    return 1;
  }
  SystemClock clock;
  std::optional<int64_t> restart_after_ms;
  {
    Node node(options, settings, clock);
    the_log().role = 'M';
    node.console().report_crashes(the_log().options.crash_log_enabled);
    show_logo(options);
    log(LogLevel::notice, "Server initialized");
    if (std::string problem = node.dispatcher().acl().load_at_start(); !problem.empty()) {
      log(LogLevel::warning, "%s", problem.c_str());
      log(LogLevel::warning, "Critical error while loading ACLs. Exiting.");
      return 1;
    }
    if (auto listening = node.clients().listen(); !listening) {
      log(LogLevel::warning, "%s", listening.error().c_str());
      return 1;
    }
    leave_pidfile(options.process, supervised);
    set_title(title, options, node);
    follow_process_settings(settings, options, title, node, oom_score);
    for (const std::string& warning : process::machine_warnings()) log(LogLevel::warning, "%s", warning.c_str());
    process::Signals signals(node.loop(), [&](int signal) {
      log(LogLevel::warning, "Received %s scheduling shutdown...", signal == SIGINT ? "SIGINT" : "SIGTERM");
      node.ask_to_end(signal);
    });
    node.on_end_failed = [&] { signals.forget_request(); };
    node.start_anew = [&launch](int64_t delay_ms) { launch.repeat(delay_ms); };
    if (!node.load_data()) return 1;
    // Told to end while it loaded, it was never ready.
    auto kinds = node.stopping() ? std::vector<std::string>() : node.clients().listening_kinds();
    for (const std::string& kind : kinds) log(LogLevel::notice, "Ready to accept connections %s", kind.c_str());
    bool notifies = supervision.by == process::Supervised::systemd;
    if (notifies && !node.stopping()) process::notify_systemd("STATUS=Ready\nREADY=1\n");
    node.run();
    restart_after_ms = node.restart_after_ms();
    if (notifies) process::notify_systemd("STOPPING=1\n");
  }
  if (!options.process.pidfile.empty()) {
    log(LogLevel::notice, "Removing the pid file.");
    unlink(options.process.pidfile.c_str());
  }
  log(LogLevel::warning, "Vitrine is now ready to exit, bye bye...");
  if (restart_after_ms) launch.repeat(*restart_after_ms);
  return 0;
}

}  // namespace vitrine
