// UndoLog: what the keys that a script writes held before, so that SCRIPT KILL can take its writes back
// (script-kill-rollback yes).
//
// Before each command that may write, the values of its keys are copied, once a key. It costs a copy of every value
// that the script touches for writing, however small the change, and the memory of it until the script ends.
//
// What has no keys to copy cannot be taken back: FLUSHALL, FLUSHDB, SWAPDB. Messages published are out.
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>

#include "store/keyspace.h"

namespace vitrine {

struct CommandInfo;

class UndoLog {
 public:
  explicit UndoLog(Keyspace& keyspace) : keyspace_(keyspace) {}

  // Before the command runs. REQUIRES: argv fits its arity.
  void record(int db, const CommandInfo& info, std::span<const Bytes> argv);
  // False once a command ran whose changes are not known.
  bool complete() const { return complete_; }
  bool empty() const { return before_.empty(); }
  // Every key becomes what it was. REQUIRES: complete().
  void roll_back();

 private:
  struct Before {
    bool existed = false;
    Value value;
    int64_t expire_at_ms = kNoExpiry;
  };
  void record_key(int db, Bytes key);

  Keyspace& keyspace_;
  std::map<std::pair<int, std::string>, Before> before_;
  bool complete_ = true;
};

}  // namespace vitrine
