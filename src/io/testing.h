// What the tests of this room share: a folder of their own and children that may die.
#pragma once

#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace vitrine::testing_words {

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/vitrine-test-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

// The same, and the current one. Declare it before what has children or threads that write there: they end first.
struct WorkingFolder : Folder {
  std::filesystem::path before = std::filesystem::current_path();
  WorkingFolder() { std::filesystem::current_path(path); }
  ~WorkingFolder() { std::filesystem::current_path(before); }
};

// Runs `body` in a forked child, which ends with what `body` returns; the answer is waitpid's status.
template <typename Body>
int status_of_child(Body body) {
  pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    _exit(body());
  }
  int status = -1;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

inline bool exited_with(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
inline bool died_of(int status, int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }

}  // namespace vitrine::testing_words
