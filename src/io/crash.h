// The crash report: what the log says when the process dies of SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT (a failed
// CHECK). The process then dies of that same signal, so that core dumps and supervisors see it.
//
//   === VITRINE BUG REPORT START ===
//   20101:signal-handler (1795407708) vitrine 0.1.0 crashed by signal: 11 (SIGSEGV), si_code: 1
//   20101:signal-handler (1795407708) Accessing address: 0x10
//   20101:signal-handler (1795407708) Crashed running the instruction at: 0x55b5fa1d375f
//   ------ STACK TRACE ------      innermost first: object(symbol+offset)[address]; c++filt reads the symbols
//   ------ REGISTERS ------
//   ------ the caller's sections, in order ------
//   === VITRINE BUG REPORT END ===
//
// It goes where the log goes, by async-signal-safe calls on a stack of its own. A section that crashes in turn ends
// the report, so the safest come first. One report per process: other threads that crash meanwhile wait for the end.
#pragma once

#include <cstddef>
#include <span>

namespace vitrine::crash {

// Copies at most `room` bytes of text to `out` and returns how many. Runs inside the handler: it must not wait for
// locks that the executor may hold, and should not allocate.
struct Section {
  const char* title;  // "CURRENT CLIENT INFO"; lives as long as the handlers
  size_t (*write)(void* context, char* out, size_t room);
  void* context;
};
constexpr size_t kMostSections = 8;
constexpr size_t kSectionRoom = 64 << 10;

// Installs the handlers, or replaces what they report. `program` (such as "vitrine 0.1.0") and everything the
// sections reach must live until uninstall(). REQUIRES: at most kMostSections.
void install(const char* program, std::span<const Section> sections);
// Back to dying without a report (crash-log-enabled no).
void uninstall();

}  // namespace vitrine::crash
