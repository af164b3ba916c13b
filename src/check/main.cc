// vitrine-check: examines files of data without a server.
#include <cstdio>

#include "base/bytes.h"
#include "base/memory.h"
#include "check/rdb_check.h"

namespace {

constexpr const char* kHelp =
    "Usage: vitrine-check rdb FILE\n"
    "\n"
    "Reads a snapshot of any version as the server would and tells whether it is whole, what is in it (keys, elements\n"
    "and bytes of each type, the largest key), and where it is damaged. Changes nothing.\n"
    "\n"
    "Exit status: 0 sound, 1 damaged, 2 not readable or not asked rightly.\n";

}  // namespace

int main(int argc, char** argv) {
  using namespace vitrine;
  memory::register_thread();
  if (argc == 2 && (Bytes(argv[1]) == "--help" || Bytes(argv[1]) == "-h")) return std::fputs(kHelp, stdout), 0;
  if (argc != 3 || Bytes(argv[1]) != "rdb") return std::fputs(kHelp, stderr), 2;
  CheckReport report = check_rdb(argv[2]);
  std::fputs(report.text.c_str(), report.verdict == Verdict::sound ? stdout : stderr);
  return static_cast<int>(report.verdict);
}
