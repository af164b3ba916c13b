// vitrine-check: examines files of data without a server.
#include <cstdio>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "check/aof_check.h"
#include "check/rdb_check.h"

namespace {

using namespace vitrine;

constexpr const char* kHelp =
    "Usage: vitrine-check rdb FILE\n"
    "       vitrine-check aof [--fix | --truncate-to-timestamp SECONDS] FILE|MANIFEST\n"
    "\n"
    "rdb: reads a snapshot of any version as the server would and tells whether it is whole, what is in it (keys,\n"
    "elements and bytes of each type, the largest key), and where it is damaged. Changes nothing.\n"
    "\n"
    "aof: does the same with one file of an append-only log, or with all files that a manifest (NAME.manifest) names:\n"
    "commands and bytes of each kind. With --fix a file that is damaged is cut behind the last command that is whole,\n"
    "after a question that is answered on standard input (y). With --truncate-to-timestamp it is cut, without a\n"
    "question, before the first command that was written after that second (Unix time), as the annotations tell that\n"
    "aof-timestamp-enabled leaves. Both want that no server uses the files. Make a copy first.\n"
    "\n"
    "Exit status: 0 sound (or fixed), 1 damaged, 2 not readable or not asked rightly, 3 whole, but a server of this\n"
    "version will not load it (another version's).\n";

bool ask(const std::string& question) {
  std::printf("%s[y/N] ", question.c_str());
  std::fflush(stdout);
  int answer = std::getchar();
  return answer == 'y' || answer == 'Y';
}

int tell(const CheckReport& report) {
  FILE* to = report.verdict == Verdict::sound ? stdout : stderr;
  bool told = std::fputs(report.text.c_str(), to) >= 0 && std::fflush(to) == 0;
  return static_cast<int>(told ? report.verdict : Verdict::unreadable);
}

}  // namespace

int main(int argc, char** argv) {
  memory::register_thread();
  if (argc == 2 && (Bytes(argv[1]) == "--help" || Bytes(argv[1]) == "-h")) return std::fputs(kHelp, stdout), 0;
  if (argc == 3 && Bytes(argv[1]) == "rdb") return tell(check_rdb(argv[2]));
  if (argc == 3 && Bytes(argv[1]) == "aof" && Bytes(argv[2]) != "--fix") return tell(check_aof(argv[2], {}));
  if (argc == 4 && Bytes(argv[1]) == "aof" && Bytes(argv[2]) == "--fix") return tell(check_aof(argv[3], ask));
  if (argc == 5 && Bytes(argv[1]) == "aof" && Bytes(argv[2]) == "--truncate-to-timestamp")
    if (auto second = parse_int64(argv[3]); second && *second > 0) return tell(truncate_aof(argv[4], *second));
  return std::fputs(kHelp, stderr), 2;
}
