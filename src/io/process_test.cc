#include "io/process.h"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <sched.h>
#include <sstream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "base/log.h"
#include "io/testing.h"

namespace vitrine::process {
namespace {

using namespace testing_words;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// argv as the kernel laid it out, from the process' own status.
std::vector<char*> real_argv() {
  std::istringstream fields(content_of("/proc/self/stat"));
  std::string field;
  unsigned long start = 0, end = 0;
  for (int i = 1; fields >> field; i++) {
    if (i == 48) start = std::stoul(field);
    if (i == 49) end = std::stoul(field);
  }
  std::vector<char*> argv;
  for (char* p = reinterpret_cast<char*>(start); p < reinterpret_cast<char*>(end); p += std::strlen(p) + 1)
    argv.push_back(p);
  return argv;
}

TEST(Process, TitleIsWhatPsShows) {
  int status = status_of_child([] {
    setenv("VITRINE_KEPT", "yes", 1);
    std::vector<char*> argv = real_argv();
    Title title(static_cast<int>(argv.size()), argv.data());
    title.set("a long title first, to be cut down");
    title.set("vitrine-server 127.0.0.1:6379");
    std::string shown = content_of("/proc/self/cmdline");
    if (std::strcmp(shown.c_str(), "vitrine-server 127.0.0.1:6379") != 0) return 1;
    if (shown.find("cut down") != std::string::npos) return 2;
    if (std::string(getenv("VITRINE_KEPT")) != "yes" || !getenv("PATH")) return 3;
    if (content_of("/proc/self/comm") != "vitrine-server\n") return 4;
    title.set(std::string(title.capacity() + 5000, 'x'));
    return content_of("/proc/self/cmdline").find("xxxx") == 0 ? 0 : 5;
  });
  EXPECT_TRUE(exited_with(status, 0)) << status;
}

TEST(Process, DaemonizeLeavesTheTerminal) {
  Folder folder;
  std::string pidfile = folder.path + "/pid", facts = folder.path + "/facts";
  int status = status_of_child([&] {
    pid_t before = getpid();
    if (!daemonize()) return 1;
    if (getpid() == before || getsid(0) != getpid()) return 2;
    std::ofstream(facts) << std::filesystem::read_symlink("/proc/self/fd/1").string();
    return write_pidfile(pidfile) ? 0 : 3;
  });
  EXPECT_TRUE(exited_with(status, 0));
  for (int i = 0; i < 500 && content_of(pidfile).find('\n') == std::string::npos; i++) usleep(10000);
  EXPECT_GT(std::atoi(content_of(pidfile).c_str()), 1);
  EXPECT_EQ(content_of(facts), "/dev/null");
  EXPECT_FALSE(write_pidfile(folder.path + "/none/pid"));
}

TEST(Process, OpenFilesAreRaisedOrClientsReduced) {
  auto with_limit = [](rlim_t soft, rlim_t hard, int clients, auto judge) {
    int status = status_of_child([&] {
      rlimit limit{soft, hard};
      if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 9;
      OpenFiles files = adjust_open_files(clients);
      getrlimit(RLIMIT_NOFILE, &limit);
      return judge(files, limit.rlim_cur);
    });
    EXPECT_TRUE(exited_with(status, 0)) << status;
  };
  with_limit(200, 200, 100, [](const OpenFiles& f, rlim_t now) {
    return f.maxclients == 100 && f.lines.empty() && now == 200 ? 0 : 1;
  });
  with_limit(100, 200, 150, [](const OpenFiles& f, rlim_t now) {
    return f.maxclients == 150 && f.lines.size() == 1 && !f.lines[0].is_warning && now == 182 ? 0 : 1;
  });
  // Whoever may raise hard limits gets all; others what the hard limit leaves.
  with_limit(100, 200, 1000, [](const OpenFiles& f, rlim_t now) {
    if (now == 1032) return f.maxclients == 1000 ? 0 : 1;
    if (f.maxclients != 168 || now != 200 || f.lines.size() != 3) return 2;
    if (f.lines[0].text != "You requested maxclients of 1000 requiring at least 1032 max file descriptors.") return 3;
    return f.lines[2].text.find("maxclients has been reduced to 168") != std::string::npos ? 0 : 4;
  });
  with_limit(20, 20, 1000, [](const OpenFiles& f, rlim_t now) { return now == 1032 || f.maxclients == 0 ? 0 : 1; });
}

TEST(Process, NotifiesSystemd) {
  Folder folder;
  for (bool abstract : {false, true}) {
    Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string name = folder.path + (abstract ? "-abstract" : "/notify");
    if (abstract) name[0] = '@';
    std::memcpy(address.sun_path, name.data(), name.size());
    if (abstract) address.sun_path[0] = 0;
    ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), offsetof(sockaddr_un, sun_path) + name.size()), 0);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    EXPECT_EQ(join_supervisor(Supervised::automatic).by, Supervised::systemd);
    EXPECT_TRUE(notify_systemd("READY=1\n"));
    char got[64];
    ssize_t n = recv(fd.get(), got, sizeof got, 0);
    EXPECT_EQ(std::string(got, n > 0 ? n : 0), "READY=1\n");
  }
  unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(notify_systemd("READY=1\n"));
  EXPECT_EQ(join_supervisor(Supervised::systemd).problem, "systemd supervision error: NOTIFY_SOCKET not found!");
  EXPECT_EQ(join_supervisor(Supervised::automatic).by, Supervised::no);
  EXPECT_EQ(join_supervisor(Supervised::upstart).by, Supervised::no);
}

TEST(Process, CpuListsAreChecked) {
  for (const char* good : {"", "0", "0,2", "0-3", "0-7:2", "1,3-5,8-31:4"}) EXPECT_TRUE(is_cpu_list(good)) << good;
  for (const char* bad : {"x", "-1", "3-1", "0-", "0,", ",0", "0-7:", "0-7:0", "99999999999", "0 1"})
    EXPECT_FALSE(is_cpu_list(bad)) << bad;
  int status = status_of_child([] {
    cpu_set_t allowed, now;
    sched_getaffinity(0, sizeof allowed, &allowed);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &allowed)) cpu++;
    if (!set_cpu_affinity(std::to_string(cpu))) return 1;
    sched_getaffinity(0, sizeof now, &now);
    return CPU_COUNT(&now) == 1 && CPU_ISSET(cpu, &now) && !set_cpu_affinity("zero") ? 0 : 2;
  });
  EXPECT_TRUE(exited_with(status, 0));
}

TEST(Process, OomScoreCanBeRaised) {
  int status = status_of_child([] {
    auto before = oom_score_adj();
    if (!before) return 1;
    int raised = *before < 1000 ? *before + 1 : 1000;
    if (!set_oom_score_adj(raised)) return 2;
    return oom_score_adj().value_or(-9999) == raised ? 0 : 3;
  });
  EXPECT_TRUE(exited_with(status, 0));
}

TEST(Process, KnowsItsMachine) {
  Facts f = facts();
  EXPECT_EQ(f.os.find("Linux "), 0u);
  EXPECT_EQ(f.pid, getpid());
  EXPECT_TRUE(f.executable.starts_with('/'));
  EXPECT_NE(f.executable.find("io_test"), std::string::npos);
  EXPECT_GT(f.total_memory, 64u << 20);
  EXPECT_GE(f.cpus, 1);
  EXPECT_FALSE(f.gcc_version.empty());
  for (const std::string& line : machine_warnings()) EXPECT_EQ(line.find("WARNING"), 0u);
}

TEST(Signals, BecomeCallsOnTheLoop) {
  Folder folder;
  std::string log = folder.path + "/log";
  for (int signal : {SIGTERM, SIGINT}) {
    int status = status_of_child([&] {
      the_log().options.file = log;
      SystemClock clock;
      EventLoop loop(clock);
      int got = 0, calls = 0;
      Signals signals(loop, [&](int s) { got = s, calls++; });
      raise(SIGHUP);
      raise(SIGPIPE);
      if (loop.run_once(0) != 0 || signals.requested() != 0) return 2;
      raise(signal);
      if (got != 0 || signals.requested() != signal) return 3;
      loop.run_once(1000);
      if (got != signal || calls != 1) return 4;
      raise(SIGTERM);
      signals.forget_request();
      loop.run_once(0);
      raise(SIGINT);
      loop.run_once(1000);
      if (got != SIGINT || calls > 3) return 5;
      raise(SIGINT);
      return 6;
    });
    EXPECT_TRUE(exited_with(status, 1)) << "the second SIGINT ends it; status " << status;
    EXPECT_NE(content_of(log).find("Received SIGINT again: exiting at once"), std::string::npos);
  }
}

TEST(Signals, HaveTheirDefaultAgainAfterwards) {
  int status = status_of_child([] {
    SystemClock clock;
    EventLoop loop(clock);
    { Signals signals(loop, [](int) {}); }
    raise(SIGTERM);
    return 0;
  });
  EXPECT_TRUE(died_of(status, SIGTERM));
}

TEST(Process, KnowsItsProcessorWithoutRestartableSequences) {
  std::thread([] {
    end_restartable_sequences();
    EXPECT_GE(sched_getcpu(), 0);
    end_restartable_sequences();   // nothing is left to end
    EXPECT_GE(sched_getcpu(), 0);
  }).join();
}

TEST(Process, IsAliveUntilItHasEnded) {
  EXPECT_TRUE(is_alive(getpid()));
  EXPECT_FALSE(is_alive(0));
  EXPECT_FALSE(is_alive(-1));
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  EXPECT_TRUE(is_alive(child));
  kill(child, SIGKILL);
  siginfo_t ended;
  waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
  EXPECT_FALSE(is_alive(child)) << "not collected yet";
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(is_alive(child));
}

}  // namespace
}  // namespace vitrine::process
