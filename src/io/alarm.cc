#include "io/alarm.h"

#include <csignal>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

namespace vitrine {

namespace {

void on_signal(int signal, siginfo_t* info, void*);

void catch_alarms() {
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  CHECK(sigaction(SIGALRM, &action, nullptr) == 0);
}

}  // namespace

void on_alarm_signal(int, void* alarm) {
  auto* a = static_cast<Alarm*>(alarm);
  if (a) a->handler_(a->argument_);
}

namespace {

void on_signal(int signal, siginfo_t* info, void*) {
  if (info->si_code == SI_TIMER) on_alarm_signal(signal, info->si_value.sival_ptr);
}

}  // namespace

Alarm::Alarm(Handler handler, void* argument) : handler_(handler), argument_(argument) {
  catch_alarms();
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGALRM;
  event.sigev_value.sival_ptr = this;
  event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
  made_ = timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
  CHECK(made_);
}

Alarm::~Alarm() {
  if (made_) timer_delete(timer_);
}

void Alarm::set(int64_t ms) {
  itimerspec when{};
  when.it_value.tv_sec = ms / 1000;
  when.it_value.tv_nsec = ms % 1000 * 1000000;
  timer_settime(timer_, 0, &when, nullptr);
}

}  // namespace vitrine
