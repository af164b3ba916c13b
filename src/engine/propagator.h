// Propagator: every closed unit as one run of RESP commands, encoded once and handed to all who follow the stream (the
// append-only log, a backlog).
//
//   one command            SELECT 1  SET k v
//   several, one unit      SELECT 1  MULTI  SET k v  SELECT 2  DEL k  EXEC
//
// SELECT stands only where the database differs from that of the command before it in the stream, and before MULTI for
// the first command of a unit. After follow(), and after forget_database() (for a new file), the next unit starts with
// SELECT, so that what comes from there on can be replayed alone.
//
// Invariants: nothing is gathered by Effects while nobody follows; a follower sees whole units only, in order. The
// bytes live until on_stream returns.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/effects.h"

namespace vitrine {

class StreamFollower {
 public:
  virtual ~StreamFollower() = default;
  // REQUIRES: nobody begins or ceases to follow meanwhile.
  virtual void on_stream(Bytes unit) = 0;
};

class Propagator final : public EffectSink {
 public:
  explicit Propagator(Effects& effects) : effects_(effects) {}
  ~Propagator() override;
  Propagator(const Propagator&) = delete;
  Propagator& operator=(const Propagator&) = delete;

  // REQUIRES: `follower` does not follow yet, and leaves before it dies.
  void follow(StreamFollower* follower);
  void leave(StreamFollower* follower);
  void forget_database() { db_ = -1; }

  void on_unit(std::span<const Effect> unit) override;

 private:
  void select(int db);

  Effects& effects_;
  int db_ = -1;          // of the last command in the stream; -1: unknown
  std::string encoded_;  // kept for its room, up to a limit
  std::vector<StreamFollower*> followers_;
};

}  // namespace vitrine
