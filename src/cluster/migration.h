// Migration: moves keys to another server (MIGRATE). Each goes out as RESTORE; what the other side has taken, and only
// that, is deleted here. The command does not return before: a key is on one side or, after an error in between, on
// both, never on neither.
//
// Connections are kept for kKeptMs after their last use, as keys tend to leave in many steps.
#pragma once

#include <map>
#include <string>

#include "base/bytes.h"
#include "io/blocking_connection.h"
#include "persist/options.h"

namespace vitrine {

class Call;
class CommandRegistry;
struct Entry;

class Migration {
 public:
  static constexpr int64_t kKeptMs = 10'000;
  static constexpr size_t kMostKept = 64;

  explicit Migration(const PersistOptions& options) : options_(options) {}
  void add_commands(CommandRegistry& registry);

  // Closes connections that nobody used for a while.
  void tend(int64_t now_ms);
  size_t connections() const { return lines_.size(); }

 private:
  struct Line {
    net::BlockingConnection connection;
    int64_t db = kNoDb;         // selected on the other side
    int64_t used_ms = 0;
  };
  static constexpr int64_t kNoDb = INT64_MIN;
  using Lines = std::map<std::string, Line>;
  struct Request;
  struct Transfer;

  void migrate(Call& call);
  bool move(Call& call, const Request& request, Transfer& transfer);
  Lines::iterator line_to(const Request& request, int64_t now_ms, Transfer& transfer);
  bool greet(Line& line, const Request& request, Transfer& transfer);
  bool send_keys(Line& line, const Request& request, int64_t now_ms, Transfer& transfer);
  bool hear_answers(Call& call, Line& line, const Request& request, Transfer& transfer);

  const PersistOptions& options_;
  Lines lines_;
};

}  // namespace vitrine
