// Signals of process.h: from the handler to the loop.
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "io/process.h"

namespace vitrine::process {

namespace {

// All that a signal handler can reach. The first end signal is kept until it is forgotten.
std::atomic<int> requested_signal{0};
std::atomic<int> signal_event{-1};
char half_written[PATH_MAX];
std::atomic<bool> anything_half_written{false};

void on_end_signal(int signal) {
  int saved_errno = errno;
  int before = 0;
  if (!requested_signal.compare_exchange_strong(before, signal) && signal == SIGINT) {
    the_log().write_from_signal("Received SIGINT again: exiting at once");
    if (anything_half_written) unlink(half_written);
    _exit(1);
  }
  uint64_t one = 1;
  [[maybe_unused]] ssize_t n = write(signal_event.load(), &one, sizeof one);
  errno = saved_errno;
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  CHECK(sigaction(signal, &action, nullptr) == 0);
}

}  // namespace

Signals::HalfWritten::HalfWritten(const std::string& path) {
  if (path.size() >= sizeof half_written) return;
  std::memcpy(half_written, path.c_str(), path.size() + 1);
  anything_half_written = true;
}
Signals::HalfWritten::~HalfWritten() { anything_half_written = false; }

Signals::Signals(EventLoop& loop, std::function<void(int)> on_end)
    : loop_(loop), on_end_(std::move(on_end)), event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(event_ && signal_event.load() == -1);
  CHECK(loop_.watch(event_.get(), EPOLLIN, this));
  requested_signal = 0;
  signal_event = event_.get();
  set_handler(SIGTERM, on_end_signal);
  set_handler(SIGINT, on_end_signal);
  set_handler(SIGHUP, SIG_IGN);
  set_handler(SIGPIPE, SIG_IGN);
  set_handler(SIGXFSZ, SIG_IGN);   // a file that may not grow is an error of its write
}

Signals::~Signals() {
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXFSZ}) set_handler(signal, SIG_DFL);
  signal_event = -1;
  loop_.forget(event_.get());
}

void Signals::forget_request() { requested_signal = 0; }
int Signals::requested() const { return requested_signal; }

void Signals::on_ready(uint32_t) {
  uint64_t count;
  [[maybe_unused]] ssize_t n = read(event_.get(), &count, sizeof count);
  int signal = requested_signal;
  if (signal) on_end_(signal);
}

}  // namespace vitrine::process
