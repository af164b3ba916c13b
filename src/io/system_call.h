// A system call without a way through the C library: for the three calls of every command. glibc's own are places where
// a thread may be cancelled, and say so in four locked instructions a call once there are threads; its syscall() costs
// another function whose code has left the cache by the time the kernel returns.
//
// x86-64 only: arguments and result as the System V ABI (AMD64 supplement, A.2.1) has them.
#pragma once

#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>

namespace vitrine {

// Up to six words or pointers. As in the C library: -1 and errno when the kernel refuses.
template <class... Args>
inline long system_call(long number, Args... args) {
  static_assert(sizeof...(Args) <= 6);
  long words[6] = {(long)args...};
  register long r10 asm("r10") = words[3];
  register long r8 asm("r8") = words[4];
  register long r9 asm("r9") = words[5];
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(words[0]), "S"(words[1]), "d"(words[2]), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  constexpr long kLeastError = -4095;
  if (__builtin_expect(result >= kLeastError && result < 0, 0)) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}

}  // namespace vitrine
