// Monitors: the sessions that watch every command (MONITOR). The dispatcher calls it only while there are any.
//
//   +1339518083.107412 [0 127.0.0.1:60866] "keys" "*"
#pragma once

#include <vector>

#include "engine/dispatcher.h"

namespace vitrine {

class EventLoop;
class Settings;

class Monitors final : public CallObserver {
 public:
  Monitors(Dispatcher& dispatcher, const Settings& settings, const EventLoop& loop)
      : dispatcher_(dispatcher), settings_(settings), loop_(loop) {}

  // Attaching twice does nothing.
  void attach(Session& session);
  void detach(Session& session);
  // Forgets sessions that have ended.
  void sweep();
  size_t count() const { return ids_.size(); }

  void on_call(const Session& session, const Command& command, std::span<const Bytes> argv) override;

  // The line, CR LF included. `wall_us`: Unix time.
  static std::string line(int64_t wall_us, int db, Bytes who, std::span<const Bytes> argv);

 private:
  void settle();

  Dispatcher& dispatcher_;
  const Settings& settings_;
  const EventLoop& loop_;
  std::vector<SessionId> ids_;
  bool observing_ = false;
};

}  // namespace vitrine
