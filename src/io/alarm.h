// Alarm: interrupts the thread that made it after a while, in a signal handler (SIGALRM): for work that cannot be asked
// whether it is late. The handler does only what a signal handler may.
#pragma once

#include <cstdint>
#include <ctime>

namespace vitrine {

class Alarm {
 public:
  using Handler = void (*)(void*);
  Alarm(Handler handler, void* argument);
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // Once, `ms` from now, instead of what was set before. 0: never. A signal handler may call it.
  void set(int64_t ms);

 private:
  Handler handler_;
  void* argument_;
  timer_t timer_ = nullptr;
  bool made_ = false;
  friend void on_alarm_signal(int, void*);
};

}  // namespace vitrine
