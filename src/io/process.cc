#include "io/process.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <thread>
#include <unistd.h>

#include "io/fd.h"

extern char** environ;

namespace vitrine::process {

namespace {

std::unexpected<std::string> failed(const std::string& step) {
  return std::unexpected(step + ": " + std::strerror(errno));
}

// A short file of /proc or /sys; empty when there is none.
std::string read_small(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[256];
  ssize_t n = fd ? read(fd.get(), text, sizeof text) : 0;
  return std::string(text, n > 0 ? n : 0);
}

Outcome write_small(const char* path, const std::string& text, int flags) {
  Fd fd(open(path, O_WRONLY | O_CLOEXEC | flags, 0644));
  if (!fd) return failed(std::string("open ") + path);
  ssize_t n = write(fd.get(), text.data(), text.size());
  if (n != static_cast<ssize_t>(text.size())) return failed(std::string("write ") + path);
  return {};
}

}  // namespace

Outcome daemonize() {
  pid_t pid = fork();
  if (pid < 0) return failed("fork");
  if (pid > 0) _exit(0);
  if (setsid() < 0) return failed("setsid");
  Fd null(open("/dev/null", O_RDWR));
  if (!null) return failed("open /dev/null");
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null.get(), fd);
  if (null.get() <= STDERR_FILENO) null.release();
  return {};
}

Outcome write_pidfile(const std::string& path) {
  return write_small(path.c_str(), std::to_string(getpid()) + "\n", O_CREAT | O_TRUNC);
}

namespace {

std::string read_link(const char* path) {
  char target[PATH_MAX];
  ssize_t n = readlink(path, target, sizeof target);
  return std::string(target, n > 0 ? n : 0);
}

}  // namespace

Launch::Launch(int argc, char** argv)
    : program_(read_link("/proc/self/exe")), folder_(read_link("/proc/self/cwd")), arguments_(argv, argv + argc) {}

void Launch::repeat(int64_t delay_ms) const {
  close_range(STDERR_FILENO + 1, ~0u, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
  std::vector<char*> words;
  for (const std::string& argument : arguments_) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  if (chdir(folder_.c_str()) == 0) execv(program_.c_str(), words.data());
  std::fprintf(stderr, "Starting %s anew failed: %s\n", program_.c_str(), std::strerror(errno));
  _exit(1);
}

Title::Title(int argc, char** argv) {
  if (argc < 1 || !argv[0]) return;
  // The kernel lays argv and environ out back to back; only the contiguous part may be overwritten.
  char* end = argv[0];
  for (int i = 0; i < argc; i++)
    if (argv[i] == end) end += std::strlen(argv[i]) + 1;
  size_t variables = 0;
  for (char** e = environ; e && *e; e++, variables++)
    if (*e == end) end += std::strlen(*e) + 1;
  char** copy = static_cast<char**>(std::calloc(variables + 1, sizeof(char*)));
  if (!copy) return;
  for (size_t i = 0; i < variables; i++) copy[i] = strdup(environ[i]);
  environ = copy;
  // glibc prints these in messages; they point into the area.
  program_invocation_name = strdup(program_invocation_name);
  const char* slash = std::strrchr(program_invocation_name, '/');
  program_invocation_short_name = slash ? const_cast<char*>(slash) + 1 : program_invocation_name;
  area_ = argv[0];
  capacity_ = end - argv[0] - 1;
}

void Title::set(Bytes title) {
  if (!area_) return;
  size_t size = std::min(title.size(), capacity_);
  std::memcpy(area_, title.data(), size);
  std::memset(area_ + size, 0, capacity_ + 1 - size);
  std::string name(title.substr(0, std::min<size_t>(title.find(' '), 15)));
  prctl(PR_SET_NAME, name.c_str());
}

namespace {

// What the system grants of `wanted`: all, or what the hard limit allows. `error` says why not all.
rlim_t raise_files(rlim_t wanted, const rlimit& limit, int* error) {
  rlimit all{wanted, std::max(limit.rlim_max, wanted)};
  if (setrlimit(RLIMIT_NOFILE, &all) == 0) return wanted;
  *error = errno;
  rlimit most{std::min(limit.rlim_max, wanted), limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &most) == 0 ? most.rlim_cur : limit.rlim_cur;
}

}  // namespace

OpenFiles adjust_open_files(int maxclients) {
  OpenFiles result{maxclients, {}};
  auto say = [&](bool warning, std::string text) { result.lines.push_back({warning, std::move(text)}); };
  rlim_t wanted = static_cast<rlim_t>(maxclients) + kReservedFiles;
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    result.maxclients = 1024 - kReservedFiles;
    say(true, std::string("Unable to obtain the current NOFILE limit (") + std::strerror(errno) +
                  "), assuming 1024 and setting the max clients configuration accordingly.");
    return result;
  }
  if (limit.rlim_cur >= wanted) return result;
  rlim_t before = limit.rlim_cur;
  int error = 0;
  rlim_t now = raise_files(wanted, limit, &error);
  if (now >= wanted) {
    say(false, "Increased maximum number of open files to " + std::to_string(wanted) + " (it was originally set to " +
                   std::to_string(before) + ").");
    return result;
  }
  if (now <= kReservedFiles) {
    result.maxclients = 0;
    say(true, "Your current 'ulimit -n' of " + std::to_string(before) +
                  " is not enough for the server to start. Please increase your open file limit to at least " +
                  std::to_string(wanted) + ". Exiting.");
    return result;
  }
  result.maxclients = static_cast<int>(now - kReservedFiles);
  say(true, "You requested maxclients of " + std::to_string(maxclients) + " requiring at least " +
                std::to_string(wanted) + " max file descriptors.");
  say(true, "Server can't set maximum open files to " + std::to_string(wanted) +
                " because of OS error: " + std::strerror(error) + ".");
  say(true, "Current maximum open files is " + std::to_string(now) + ". maxclients has been reduced to " +
                std::to_string(result.maxclients) +
                " to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.");
  return result;
}

Supervisor join_supervisor(Supervised wanted) {
  bool upstart = std::getenv("UPSTART_JOB"), systemd = std::getenv("NOTIFY_SOCKET");
  if (wanted == Supervised::automatic)
    wanted = upstart ? Supervised::upstart : systemd ? Supervised::systemd : Supervised::no;
  if (wanted == Supervised::upstart) {
    if (!upstart) return {Supervised::no, "upstart supervision requested, but UPSTART_JOB not found!"};
    unsetenv("UPSTART_JOB");
    raise(SIGSTOP);
    return {Supervised::upstart, {}};
  }
  if (wanted == Supervised::systemd) {
    if (!systemd) return {Supervised::no, "systemd supervision error: NOTIFY_SOCKET not found!"};
    return {Supervised::systemd, {}};
  }
  return {};
}

bool notify_systemd(Bytes state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  size_t size = path ? std::strlen(path) : 0;
  if (size < 2 || size >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return false;
  std::memcpy(address.sun_path, path, size);
  // '@' stands for the abstract namespace, whose names begin with a zero byte and end without one.
  if (path[0] == '@') address.sun_path[0] = 0;
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return false;
  socklen_t length = offsetof(sockaddr_un, sun_path) + size;
  return sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), length) ==
         static_cast<ssize_t>(state.size());
}

void end_restartable_sequences() {
  constexpr unsigned kSignature = 0x53053053;   // glibc's, of x86-64
  constexpr unsigned kLeastBytes = 32;          // registered with so many, whatever of them is in use
  if (__rseq_size == 0) return;
  char* area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
  syscall(SYS_rseq, area, std::max(__rseq_size, kLeastBytes), RSEQ_FLAG_UNREGISTER, kSignature);
}

bool disable_transparent_huge_pages() { return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0; }

Outcome set_oom_score_adj(int value) {
  return write_small("/proc/self/oom_score_adj", std::to_string(value), 0);
}

std::expected<int, std::string> oom_score_adj() {
  std::string text = read_small("/proc/self/oom_score_adj");
  if (text.empty()) return failed("read /proc/self/oom_score_adj");
  return std::atoi(text.c_str());
}

bool is_alive(pid_t pid) {
  if (pid <= 0 || (::kill(pid, 0) != 0 && errno == ESRCH)) return false;
  // PID (NAME) STATE; the name may hold anything.
  std::string stat = read_small("/proc/" + std::to_string(pid) + "/stat");
  size_t name_end = stat.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= stat.size() || (stat[name_end + 2] != 'Z');
}

namespace {

// Takes a number off the front of `text`.
std::optional<int> take_cpu(Bytes& text) {
  int value = 0;
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9' && digits < 5)
    value = value * 10 + (text[digits++] - '0');
  if (digits == 0 || value >= CPU_SETSIZE) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take_char(Bytes& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

bool parse_cpu_list(Bytes list, cpu_set_t* set) {
  CPU_ZERO(set);
  if (list.empty()) return true;
  do {
    auto first = take_cpu(list);
    auto last = first;
    std::optional<int> stride = 1;
    if (first && take_char(list, '-')) {
      last = take_cpu(list);
      if (last && take_char(list, ':')) stride = take_cpu(list);
    }
    if (!first || !last || !stride || *stride == 0 || *first > *last) return false;
    for (int cpu = *first; cpu <= *last; cpu += *stride) CPU_SET(cpu, set);
  } while (take_char(list, ','));
  return list.empty();
}

}  // namespace

bool is_cpu_list(Bytes list) {
  cpu_set_t set;
  return parse_cpu_list(list, &set);
}

bool output_is_terminal() { return isatty(STDOUT_FILENO); }

void show_on_terminal(Bytes text) {
  std::string line = "\r" + std::string(text) + "\x1b[K";
  (void)!write(STDOUT_FILENO, line.data(), line.size());
}

Outcome set_cpu_affinity(Bytes list) {
  if (list.empty()) return {};
  cpu_set_t set;
  if (!parse_cpu_list(list, &set)) return std::unexpected("Invalid CPU list: " + std::string(list));
  if (sched_setaffinity(0, sizeof set, &set) != 0) return failed("sched_setaffinity");
  return {};
}

std::vector<std::string> machine_warnings() {
  std::vector<std::string> lines;
  std::string overcommit = read_small("/proc/sys/vm/overcommit_memory");
  if (!overcommit.empty() && std::atoi(overcommit.c_str()) != 1)
    lines.push_back(
        "WARNING Memory overcommit must be enabled! Without it, a background save or replication may fail when memory "
        "is low. Add 'vm.overcommit_memory = 1' to /etc/sysctl.conf, or run 'sysctl vm.overcommit_memory=1' for it to "
        "act at once.");
  std::string thp = read_small("/sys/kernel/mm/transparent_hugepage/enabled");
  if (thp.find("[always]") != std::string::npos && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0)
    lines.push_back(
        "WARNING You have Transparent Huge Pages (THP) support enabled in your kernel, which makes memory usage and "
        "latency worse. Run 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled' as root, or set disable-thp "
        "yes.");
  return lines;
}

Facts facts() {
  Facts f;
  utsname name{};
  uname(&name);
  f.os = std::string(name.sysname) + " " + name.release + " " + name.machine;
  f.host_name = name.nodename;
  f.executable = read_link("/proc/self/exe");
#ifdef __GNUC__
  f.gcc_version =
      std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__) + "." + std::to_string(__GNUC_PATCHLEVEL__);
#endif
  f.pid = getpid();
  f.arch_bits = sizeof(void*) * 8;
  f.cpus = static_cast<int>(std::max(1l, sysconf(_SC_NPROCESSORS_ONLN)));
  f.total_memory = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  // "max" reads as 0: no limit.
  uint64_t allowed = std::strtoull(read_small("/sys/fs/cgroup/memory.max").c_str(), nullptr, 10);
  if (allowed && allowed < f.total_memory) f.total_memory = allowed;
  return f;
}

}  // namespace vitrine::process
