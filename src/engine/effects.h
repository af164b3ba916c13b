// Effects: what a log or a follower must replay to repeat what one command did; and the stream that carries it there.
//
// By default that is the command as it was given, if it changed anything. A command whose repetition would differ
// (relative expiry, random choice, float arithmetic) says what to replay instead:
//
//   if (c.effects.wanted()) c.effects.replace({"SET", key, value, "PXAT", when});
//
// Expiry and eviction enter as DEL (add). A unit, one command or one transaction, is gathered as RESP at once. When it
// closes, the same bytes go to each StreamFollower (append-only log, replication backlog):
//
//   one command            SELECT 1  SET k v
//   several, one unit      SELECT 1  MULTI  SET k v  SELECT 2  DEL k  EXEC
//
// SELECT stands only where the database differs from that of the command before it in the stream, and before MULTI for
// the first command of a unit. After follow(), and after forget_database() (for a new file), the next unit starts with
// SELECT, so that what comes from there on can be replayed alone.
//
// Invariants: nothing is gathered while nobody follows; a follower sees whole units only, in order.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

class StreamFollower {
 public:
  virtual ~StreamFollower() = default;
  // The bytes live until it returns. REQUIRES: nobody begins or ceases to follow meanwhile.
  virtual void on_stream(Bytes unit) = 0;
};

class Effects {
 public:
  Effects() = default;
  ~Effects();
  Effects(const Effects&) = delete;
  Effects& operator=(const Effects&) = delete;

  // False while nobody listens: then there is nothing to gather.
  bool wanted() const { return !followers_.empty(); }

  // Instead of the command under way; several calls give several commands.
  void replace(std::initializer_list<Bytes> argv) { replace(std::span(argv.begin(), argv.size())); }
  void replace(std::span<const Bytes> argv) {
    replaced_ = true;
    if (wanted()) gather(db_, argv);
  }
  // The command under way must not be replayed at all, although it changed something here.
  void nothing() { replaced_ = true; }
  // Before the command under way, whether it changes anything or not: what went by itself.
  void add(int db, std::initializer_list<Bytes> argv) { add(db, std::span(argv.begin(), argv.size())); }
  void add(int db, std::span<const Bytes> argv) {
    if (wanted()) gather(db, argv);
  }

  // For the dispatcher.
  void begin_command(int db) { db_ = db, replaced_ = false; }
  void end_command(std::span<const Bytes> argv, bool changed) {
    if (changed && !replaced_ && wanted()) gather(db_, argv);
  }
  void close_unit() {
    if (!unit_.empty()) send_unit();
  }
  // How many commands the open unit has so far; and it forgets those from there on (what a script took back).
  size_t gathered() const { return unit_.size(); }
  void drop_from(size_t count);

  // REQUIRES: `follower` does not follow yet, and leaves before it dies.
  void follow(StreamFollower* follower);
  void leave(StreamFollower* follower);
  void forget_database() { stream_db_ = -1; }

 private:
  struct Command {
    int db;
    size_t begin;   // in bytes_
  };
  void gather(int db, std::span<const Bytes> argv);
  void send_unit();
  void select(int db);

  int db_ = 0;
  bool replaced_ = false;
  std::vector<Command> unit_;
  std::string bytes_;          // of the unit's commands, one behind the other
  std::string sent_;           // the unit with what goes around it; both are kept for their room, up to a limit
  int stream_db_ = -1;         // of the last command in the stream; -1: unknown
  std::vector<StreamFollower*> followers_;
};

}  // namespace vitrine
