#include "io/child.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

namespace vitrine {

namespace {

// The pipe becomes descriptor 3; everything else is closed, so that clients' connections end when the parent ends them.
int keep_only(int pipe) {
  constexpr int kPipe = 3;
  if (pipe != kPipe) {
    dup2(pipe, kPipe);
    ::close(pipe);
  }
  close_range(kPipe + 1, ~0u, 0);
  return kPipe;
}

// Where it shares a core with those who have work to do, they come first: a quarter of the core is left for it.
constexpr int kNiceness = 5;

[[noreturn]] void be_the_child(const Child::Job& job, int pipe, pid_t parent) {
  for (int s : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) std::signal(s, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  [[maybe_unused]] int niceness = ::nice(kNiceness);
  // Nobody would collect what it makes.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  int fd = keep_only(pipe);
  int status = job([fd](const ChildReport& report) {
    [[maybe_unused]] ssize_t ignored = ::write(fd, &report, sizeof report);
  });
  _exit(status);
}

}  // namespace

std::expected<std::unique_ptr<Child>, std::string> Child::start(EventLoop& loop, const Job& job,
                                                                std::function<void(const ChildReport&)> on_report,
                                                                std::function<void(Ending)> on_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(std::string("pipe: ") + std::strerror(errno));
  Fd in(ends[0]), out(ends[1]);
  pid_t parent = getpid();
  int64_t start_us = loop.clock().monotonic_us();
  pid_t pid = fork();
  if (pid < 0) return std::unexpected(std::string("fork: ") + std::strerror(errno));
  if (pid == 0) be_the_child(job, out.get(), parent);
  int64_t fork_us = loop.clock().monotonic_us() - start_us;
  fcntl(in.get(), F_SETFL, O_NONBLOCK);
  std::unique_ptr<Child> child(new Child(loop, pid, std::move(in)));
  child->fork_us_ = fork_us;
  child->on_report_ = std::move(on_report);
  child->on_end_ = std::move(on_end);
  if (!loop.watch(child->pipe_.get(), EPOLLIN, child.get())) return std::unexpected("no descriptor can be watched");
  return child;
}

std::expected<std::unique_ptr<Child>, std::string> Child::start_here(EventLoop& loop, const Job& job,
                                                                     std::function<void(const ChildReport&)> on_report,
                                                                     std::function<void(Ending)> on_end) {
  std::unique_ptr<Child> child(new Child(loop, getpid(), Fd()));
  child->on_end_ = std::move(on_end);
  child->here_ = std::make_shared<bool>(true);
  loop.post([self = child.get(), alive = child->here_, status = job(on_report)] {
    if (*alive) self->end({.status = status});
  });
  return child;
}

Child::~Child() {
  if (here_) *here_ = false;
  if (pid_ == 0 || here_) return;
  ::kill(pid_, SIGKILL);
  wait();
}

void Child::kill() {
  if (pid_ != 0 && !here_) ::kill(pid_, SIGKILL);
}

Child::Ending Child::wait() {
  loop_.forget(pipe_.get());
  int status = 0;
  pid_t pid;
  do pid = waitpid(pid_, &status, 0);
  while (pid < 0 && errno == EINTR);
  pid_ = 0;
  if (pid < 0) return {.status = 1};
  return WIFSIGNALED(status) ? Ending{0, WTERMSIG(status)} : Ending{WEXITSTATUS(status), 0};
}

void Child::on_ready(uint32_t) {
  ChildReport report;
  ssize_t n;
  // Messages are shorter than what a pipe writes at once, so they come whole.
  while ((n = ::read(pipe_.get(), &report, sizeof report)) == sizeof report) on_report_(report);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  end(wait());
}

void Child::end(Ending ending) {
  auto tell = std::move(on_end_);
  tell(ending);
}

uint64_t private_dirty_bytes() {
  std::FILE* file = std::fopen("/proc/self/smaps_rollup", "re");
  if (!file) return 0;
  char line[256];
  uint64_t kilobytes = 0;
  while (std::fgets(line, sizeof line, file))
    if (std::strncmp(line, "Private_Dirty:", 14) == 0) kilobytes += std::strtoull(line + 14, nullptr, 10);
  std::fclose(file);
  return kilobytes << 10;
}

}  // namespace vitrine
