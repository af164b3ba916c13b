#include "io/crash.h"

#include <csignal>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <thread>

#include "base/check.h"
#include "base/log.h"
#include "io/testing.h"

namespace vitrine {
namespace {

using namespace testing_words;

void touch_forbidden_page() {
  void* page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *static_cast<volatile char*>(page) = 1;
}

volatile bool endless = true;

int overflow_stack(volatile char* above) {
  volatile char here[4096];
  if (!endless) return 0;
  here[0] = above ? above[0] : 1;
  return overflow_stack(here) + here[0];
}

size_t command_in_hand(void* context, char* out, size_t room) {
  const char* text = static_cast<const char*>(context);
  size_t n = std::min(room, std::strlen(text));
  std::memcpy(out, text, n);
  return n;
}

size_t crashes_itself(void*, char*, size_t) {
  touch_forbidden_page();
  return 0;
}

struct Report {
  int status;
  std::string text;
  bool has(const std::string& part) const { return text.find(part) != std::string::npos; }
};

// A child that installs the handlers and then does `deed`.
template <typename Deed>
Report report_of(Deed deed, bool crashing_section = false) {
  Folder folder;
  std::string log = folder.path + "/log";
  int status = status_of_child([&] {
    rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    the_log().options.file = log;
    char command[] = "argv[0]: 'debug'\nargv[1]: 'segfault'";
    crash::Section sections[] = {{"CURRENT CLIENT INFO", command_in_hand, command},
                                 {"INFO OUTPUT", crashing_section ? crashes_itself : command_in_hand, command}};
    crash::install("vitrine 1.2.3", sections);
    deed();
    return 0;
  });
  std::ifstream in(log);
  return {status, std::string(std::istreambuf_iterator<char>(in), {})};
}

void expect_whole(const Report& r) {
  for (const char* part :
       {"=== VITRINE BUG REPORT START ===", "vitrine 1.2.3 crashed by signal: ",
        "Crashed running the instruction at: 0x",
        "------ STACK TRACE ------", "Backtrace:\n", "------ REGISTERS ------", "------ CURRENT CLIENT INFO ------",
        "argv[1]: 'segfault'\n", "------ INFO OUTPUT ------", "=== VITRINE BUG REPORT END ==="})
    EXPECT_TRUE(r.has(part)) << "missing: " << part << "\n" << r.text;
}

TEST(Crash, ReportsASegmentationFaultAndDiesOfIt) {
  Report r = report_of([] { touch_forbidden_page(); });
  EXPECT_TRUE(died_of(r.status, SIGSEGV)) << r.status;
  expect_whole(r);
  EXPECT_TRUE(r.has("crashed by signal: 11 (SIGSEGV), si_code: 2"));
  EXPECT_TRUE(r.has("Accessing address: 0x"));
  EXPECT_TRUE(r.has("io_test(")) << r.text;
  EXPECT_TRUE(r.has("libc.so"));
}

TEST(Crash, ReportsAFailedCheck) {
  Report r = report_of([] {
    freopen("/dev/null", "w", stderr);
    CHECK(1 == 2);
  });
  EXPECT_TRUE(died_of(r.status, SIGABRT)) << r.status;
  expect_whole(r);
  EXPECT_TRUE(r.has("(SIGABRT), si_code: -6"));
  EXPECT_TRUE(r.has("Sent by process: "));
}

TEST(Crash, ReportsAStackOverflow) {
  Report r = report_of([] {
    rlimit small{256 << 10, 256 << 10};
    setrlimit(RLIMIT_STACK, &small);
    overflow_stack(nullptr);
  });
  EXPECT_TRUE(died_of(r.status, SIGSEGV)) << r.status;
  expect_whole(r);
}

TEST(Crash, ReportsCrashesOfOtherThreads) {
  Report r = report_of([] { std::thread(touch_forbidden_page).join(); });
  EXPECT_TRUE(died_of(r.status, SIGSEGV)) << r.status;
  expect_whole(r);
}

TEST(Crash, ACrashWithinTheReportEndsIt) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer blocks every signal within a handler";
#endif
  Report r = report_of([] { touch_forbidden_page(); }, true);
  EXPECT_TRUE(died_of(r.status, SIGSEGV)) << r.status;
  EXPECT_TRUE(r.has("argv[1]: 'segfault'"));
  EXPECT_TRUE(r.has("crashed again while reporting"));
  EXPECT_TRUE(r.has("=== VITRINE BUG REPORT END ==="));
}

TEST(Crash, UninstalledItIsSilent) {
  Report r = report_of([] {
    crash::uninstall();
    touch_forbidden_page();
  });
  EXPECT_TRUE(died_of(r.status, SIGSEGV)) << r.status;
  EXPECT_EQ(r.text, "");
}

}  // namespace
}  // namespace vitrine
