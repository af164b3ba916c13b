// What the process is to its machine: background running, its title, its limits, its supervisor, its signals, facts.
//
// Warnings and errors come back as texts ready for the log; nothing here writes the log or ends the process, except
// daemonize() (the parent leaves) and the second SIGINT of Signals.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "io/event_loop.h"

namespace vitrine::process {

// errors are texts
using Outcome = std::expected<void, std::string>;

// Leaves the terminal: the caller goes on in a child with its own session, standard streams on /dev/null; the parent
// exits with 0. REQUIRES: no other thread runs yet.
Outcome daemonize();
// Whether somebody sits before the standard output.
bool output_is_terminal();
// A line of a terminal that the next call writes over; empty: the line is cleared.
void show_on_terminal(Bytes text);
// Writes "PID\n". The owner removes the file at the end.
Outcome write_pidfile(const std::string& path);

// The title that ps shows, written over the memory of argv and environ (which is moved away first).
class Title {
 public:
  // REQUIRES: argv as main() got it; the caller has copied the arguments it still needs. One per process.
  Title(int argc, char** argv);
  // Cut to the room there is. The name that ps and top show for the thread is set as well (first word, 15 bytes).
  void set(Bytes title);
  size_t capacity() const { return capacity_; }

 private:
  char* area_ = nullptr;
  size_t capacity_ = 0;
};

// How the process was started, so that it can be started anew.
class Launch {
 public:
  // Before the title is written over the arguments and the folder is left.
  Launch(int argc, char** argv);
  // Closes everything but the standard streams, waits, and becomes the same program with the same process id, arguments
  // and folder; nothing is saved of what is in memory. When that fails the process ends with status 1.
  [[noreturn]] void repeat(int64_t delay_ms) const;

 private:
  std::string program_, folder_;
  std::vector<std::string> arguments_;
};

struct LogLine {
  bool is_warning;
  std::string text;
};

// Makes room for `maxclients` descriptors and kReservedFiles of our own, raising the limit where the system lets us.
// Otherwise `maxclients` comes back smaller; 0 when not one client would fit (the caller gives up).
constexpr int kReservedFiles = 32;
struct OpenFiles {
  int maxclients;
  std::vector<LogLine> lines;
};
OpenFiles adjust_open_files(int maxclients);

// ---- supervisors ----

enum class Supervised : uint8_t { no, automatic, systemd, upstart };
// Resolves `automatic` by the environment, checks that the supervisor named is really there ("" or why not), and
// tells upstart that we run (by stopping ourselves once, as its `expect stop` wants).
struct Supervisor {
  Supervised by = Supervised::no;
  std::string problem;
};
Supervisor join_supervisor(Supervised wanted);
// "READY=1\n", "STATUS=...\n", "STOPPING=1\n", "RELOADING=1\nMONOTONIC_USEC=...\n": to the socket that NOTIFY_SOCKET
// names. False when there is none or it does not answer.
bool notify_systemd(Bytes state);

// ---- the kernel's opinion of us ----

// What disable-thp asks for: the kernel gives huge pages of its own accord no more. False when it does not know how.
bool disable_transparent_huge_pages();
// Ends the restartable sequences (rseq(2)) that the C library has registered for the calling thread: the kernel writes
// to them each time the thread has slept, and nobody here uses them. sched_getcpu() then asks the kernel.
void end_restartable_sequences();
// From -1000 to 1000. Lowering it needs a privilege.
Outcome set_oom_score_adj(int value);
std::expected<int, std::string> oom_score_adj();
// One that has ended and waits to be collected is none.
bool is_alive(pid_t pid);
// Of the calling thread: "0,2,4-7", "0-7:2" (every second one). Empty: nothing to do.
Outcome set_cpu_affinity(Bytes list);
// Whether the list is well formed.
bool is_cpu_list(Bytes list);
// Lines for the log about settings of the machine that hurt: memory overcommit, transparent huge pages.
std::vector<std::string> machine_warnings();

// ---- signals ----

// SIGTERM and SIGINT become one call on the loop; SIGHUP and SIGPIPE are ignored. A SIGINT after a first SIGINT or
// SIGTERM that was not yet followed by the end exits at once with status 1, even when the executor is stuck.
// One per process; restores the default handlers when destroyed. `loop` must outlive it.
class Signals final : private Watcher {
 public:
  // Within its life that exit at once also removes this file, which is half written. One at a time.
  class HalfWritten {
   public:
    explicit HalfWritten(const std::string& path);
    ~HalfWritten();
    HalfWritten(const HalfWritten&) = delete;
    HalfWritten& operator=(const HalfWritten&) = delete;
  };

  Signals(EventLoop& loop, std::function<void(int signal)> on_end);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  // The shutdown was called off: the next SIGINT counts as a first one again.
  void forget_request();
  // The signal waiting or handled (0: none): for long-running work that wants to stop early.
  int requested() const;

 private:
  void on_ready(uint32_t events) override;

  EventLoop& loop_;
  std::function<void(int)> on_end_;
  Fd event_;
};

// ---- facts ----

struct Facts {
  std::string os;           // "Linux 6.1.0 x86_64"
  std::string host_name;
  std::string executable;   // absolute path
  std::string gcc_version;  // of the compiler that built us
  int pid = 0;
  int arch_bits = 64;
  int cpus = 1;
  uint64_t total_memory = 0;  // bytes of the machine (or what its container may use, when that is less)
};
Facts facts();

}  // namespace vitrine::process
