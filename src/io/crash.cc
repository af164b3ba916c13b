#include "io/crash.h"

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <execinfo.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"

namespace vitrine::crash {

namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr size_t kStackBytes = 128 << 10;
constexpr int kMostFrames = 100;

// What the handler may use: fixed at installation, for nothing can be asked for once it runs.
struct State {
  const char* program = "";
  Section sections[kMostSections];
  size_t section_count = 0;
  alignas(16) char stack[kStackBytes];
  char text[kSectionRoom];
  std::atomic<pid_t> reporter{0};  // the thread that reports
};
State state;

// Text put together without allocating.
class Line {
 public:
  Line& operator<<(Bytes s) {
    size_t n = std::min(s.size(), sizeof text_ - size_);
    std::memcpy(text_ + size_, s.data(), n);
    size_ += n;
    return *this;
  }
  Line& number(uint64_t value, unsigned base, int width = 1) {
    char digits[20];
    int n = 0;
    for (; value || n < width; value /= base) digits[n++] = "0123456789abcdef"[value % base];
    std::reverse(digits, digits + n);
    return *this << Bytes(digits, n);
  }
  Line& address(uint64_t value) { return (*this << "0x").number(value, 16); }
  Bytes text() const { return {text_, size_}; }

 private:
  char text_[1024];
  size_t size_ = 0;
};

void raw(Bytes text) { the_log().write_raw(text); }
void say(const Line& line) { the_log().write_from_signal(line.text()); }

void heading(const char* title) { raw((Line() << "\n------ " << title << " ------\n").text()); }

const char* name_of(int signal) {
  switch (signal) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGILL: return "SIGILL";
    default: return "SIGABRT";
  }
}

uint64_t instruction_of(const ucontext_t* context) {
#if defined(__x86_64__)
  return context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
  return context->uc_mcontext.pc;
#else
  return 0;
#endif
}

void print_frame(uint64_t address) {
  Line line;
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(address), &info) && info.dli_fname) {
    line << info.dli_fname << "(";
    // Without a symbol: the offset within the object, as addr2line wants it.
    uint64_t base = reinterpret_cast<uint64_t>(info.dli_sname ? info.dli_saddr : info.dli_fbase);
    if (info.dli_sname) line << info.dli_sname;
    line << "+";
    line.address(address - base) << ")";
  }
  line << "[";
  line.address(address) << "]\n";
  raw(line.text());
}

void print_stack(const ucontext_t* context) {
  heading("STACK TRACE");
  uint64_t instruction = instruction_of(context);
  if (instruction) {
    raw("EIP:\n");
    print_frame(instruction);
  }
  raw("\nBacktrace:\n");
  void* frames[kMostFrames];
  int count = backtrace(frames, kMostFrames);
  // The handler's own frames come before the interrupted instruction: of no interest when that one is found.
  int first = 0;
  for (int i = 0; i < count; i++)
    if (reinterpret_cast<uint64_t>(frames[i]) == instruction) first = i;
  for (int i = first; i < count; i++) print_frame(reinterpret_cast<uint64_t>(frames[i]));
}

void print_registers(const ucontext_t* context) {
  heading("REGISTERS");
#if defined(__x86_64__)
  static constexpr struct {
    const char* name;
    int index;
  } kRows[] = {{"RAX", REG_RAX}, {"RBX", REG_RBX}, {"RCX", REG_RCX}, {"RDX", REG_RDX}, {"RDI", REG_RDI},
               {"RSI", REG_RSI}, {"RBP", REG_RBP}, {"RSP", REG_RSP}, {"R8 ", REG_R8},  {"R9 ", REG_R9},
               {"R10", REG_R10}, {"R11", REG_R11}, {"R12", REG_R12}, {"R13", REG_R13}, {"R14", REG_R14},
               {"R15", REG_R15}, {"RIP", REG_RIP}, {"EFL", REG_EFL}};
  for (size_t i = 0; i < std::size(kRows); i++) {
    Line line;
    line << kRows[i].name << ":";
    line.number(context->uc_mcontext.gregs[kRows[i].index], 16, 16) << (i % 2 ? "\n" : " ");
    raw(line.text());
  }
#elif defined(__aarch64__)
  for (int i = 0; i < 31; i++) {
    Line line;
    (line << "X").number(i, 10, 2) << ":";
    line.number(context->uc_mcontext.regs[i], 16, 16) << (i % 2 ? "\n" : " ");
    raw(line.text());
  }
  Line line;
  (line << "SP :").number(context->uc_mcontext.sp, 16, 16) << "\n";
  raw(line.text());
#else
  (void)context;
#endif
}

void print_sections() {
  for (size_t i = 0; i < state.section_count; i++) {
    const Section& section = state.sections[i];
    heading(section.title);
    size_t n = std::min(section.write(section.context, state.text, kSectionRoom), kSectionRoom);
    raw(Bytes(state.text, n));
    if (n == 0 || state.text[n - 1] != '\n') raw("\n");
  }
}

void print_end() {
  raw("\n=== VITRINE BUG REPORT END ===\n\n"
      "       Please report the crash with everything from START to END.\n\n");
}

void report(int signal, const siginfo_t* info, const ucontext_t* context) {
  raw("\n\n=== VITRINE BUG REPORT START ===\n");
  Line what;
  what << state.program << " crashed by signal: ";
  what.number(signal, 10) << " (" << name_of(signal) << "), si_code: ";
  if (info->si_code < 0) what << "-";
  what.number(info->si_code < 0 ? -int64_t{info->si_code} : info->si_code, 10);
  say(what);
  // Positive codes are the kernel's own: a fault. Else somebody sent it, perhaps we ourselves (abort).
  if (info->si_code > 0) {
    say((Line() << "Accessing address: ").address(reinterpret_cast<uint64_t>(info->si_addr)));
  } else {
    say((Line() << "Sent by process: ").number(static_cast<uint64_t>(info->si_pid), 10));
  }
  say((Line() << "Crashed running the instruction at: ").address(instruction_of(context)));
  print_stack(context);
  print_registers(context);
  print_sections();
  print_end();
}

void set_default(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
}

void on_crash(int signal, siginfo_t* info, void* context) {
  pid_t self = static_cast<pid_t>(syscall(SYS_gettid)), nobody = 0;
  if (state.reporter.compare_exchange_strong(nobody, self)) {
    report(signal, info, static_cast<const ucontext_t*>(context));
  } else if (nobody == self) {
    raw("\n(crashed again while reporting)\n");
    print_end();
  } else {
    // Another thread reports; the process ends with it.
    for (;;) pause();
  }
  set_default(signal);
  raise(signal);
}

}  // namespace

void install(const char* program, std::span<const Section> sections) {
  CHECK(sections.size() <= kMostSections);
  state.program = program;
  std::copy(sections.begin(), sections.end(), state.sections);
  state.section_count = sections.size();
  // The first backtrace loads the unwinder's library, which allocates: now rather than in the handler.
  void* frame[1];
  backtrace(frame, 1);
  the_log();
  stack_t stack{};
  stack.ss_sp = state.stack;
  stack.ss_size = kStackBytes;
  CHECK(sigaltstack(&stack, nullptr) == 0);
  for (int signal : kSignals) {
    struct sigaction action {};
    action.sa_sigaction = on_crash;
    // NODEFER: a crash of the report itself must arrive as well.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(signal, &action, nullptr) == 0);
  }
}

void uninstall() {
  for (int signal : kSignals) set_default(signal);
  state.section_count = 0;
}

}  // namespace vitrine::crash
