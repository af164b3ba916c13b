// CHECK: our own mistakes. Always on, in every build; prints the condition and aborts (the crash report follows).
// Never used for what a client or the world can cause.
#pragma once

namespace vitrine {

[[noreturn, gnu::cold]] void check_failed(const char* condition, const char* file, int line);

}  // namespace vitrine

#define CHECK(condition) \
  (__builtin_expect(!!(condition), 1) ? (void)0 : ::vitrine::check_failed(#condition, __FILE__, __LINE__))
