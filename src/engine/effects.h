// Effects: what a log or a follower must replay to repeat what one command did.
//
// By default that is the command as it was given, if it changed anything. A command whose repetition would differ
// (relative expiry, random choice, float arithmetic) says what to replay instead:
//
//   if (c.effects.wanted()) c.effects.replace({"SET", key, value, "PXAT", when});
//
// The Propagator closes a unit (one command, or one transaction): it hands the gathered commands to each EffectSink
// (append-only log, replication backlog), several of them between MULTI and EXEC. Expiry and eviction enter as DEL.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

struct Effect {
  int db;
  std::vector<std::string> argv;
};

// Receives every closed unit, in order. `effects` has at least one element.
class EffectSink {
 public:
  virtual ~EffectSink() = default;
  virtual void on_unit(std::span<const Effect> effects) = 0;
};

class Effects {
 public:
  // False while nobody listens: then there is nothing to gather.
  bool wanted() const { return !sinks_.empty(); }

  // Instead of the command under way; several calls give several commands.
  void replace(std::initializer_list<Bytes> argv) { replace(std::span(argv.begin(), argv.size())); }
  void replace(std::span<const Bytes> argv) {
    replaced_ = true;
    if (wanted()) unit_.push_back(make(argv));
  }
  // The command under way must not be replayed at all, although it changed something here.
  void nothing() { replaced_ = true; }

  // For the dispatcher.
  void begin_command(int db) { db_ = db, replaced_ = false; }
  void end_command(std::span<const Bytes> argv, bool changed) {
    if (changed && !replaced_ && wanted()) unit_.push_back(make(argv));
  }
  void add(int db, std::initializer_list<Bytes> argv) {
    if (wanted()) unit_.push_back({db, {argv.begin(), argv.end()}});
  }
  void close_unit() {
    if (unit_.empty()) return;
    for (EffectSink* sink : sinks_) sink->on_unit(unit_);
    unit_.clear();
  }
  // How many commands the open unit has so far; and it forgets those from there on (what a script took back).
  size_t gathered() const { return unit_.size(); }
  void drop_from(size_t count) { unit_.resize(std::min(count, unit_.size())); }
  void attach(EffectSink* sink) { sinks_.push_back(sink); }
  void detach(EffectSink* sink) { std::erase(sinks_, sink); }

 private:
  Effect make(std::span<const Bytes> argv) const { return {db_, {argv.begin(), argv.end()}}; }

  int db_ = 0;
  bool replaced_ = false;
  std::vector<Effect> unit_;
  std::vector<EffectSink*> sinks_;
};

}  // namespace vitrine
