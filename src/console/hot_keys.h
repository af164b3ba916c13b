// HotKeys: which keys cost the most processor time or network bytes, while somebody wants to know (HOTKEYS).
//
// It listens to the calls that the dispatcher finds notable; while it is on, the console makes every call notable, so
// that it costs nothing while it is off. What a call costs is shared equally among its keys. The calls of a transaction
// count one by one, EXEC itself does not. Network bytes are those of request and reply as they stand on the wire.
#pragma once

#include <functional>
#include <optional>

#include "base/random.h"
#include "ds/top_keys.h"
#include "engine/dispatcher.h"
#include "engine/key_finder.h"
#include "io/clock.h"

namespace vitrine {

class EventLoop;

class HotKeys final : public CallObserver {
 public:
  struct Request {
    bool cpu = false, net = false;
    size_t count = 10;             // keys to show
    int64_t duration_ms = 0;       // 0: until stop()
    uint64_t sample_ratio = 1;     // one in so many keys is counted
  };

  // `net_bytes`: of all connections since the start. `on_switch` is called after active() has changed.
  HotKeys(const EventLoop& loop, std::function<uint64_t()> net_bytes, std::function<void()> on_switch);

  bool active() const { return active_; }
  // Each returns false when it cannot be: start() and reset() while active, stop() while not.
  bool start(const Request& request);
  bool stop();
  bool reset();
  // Ends it when its time is over.
  void tend();
  // What HOTKEYS GET replies.
  void show(ReplyBuilder& reply);

  void on_notable(const Session& session, const Command& command, std::span<const Bytes> argv, uint64_t duration_ns,
                  size_t request_bytes, size_t reply_bytes) override;

 private:
  struct Moment {
    int64_t monotonic_us = 0;
    CpuTimes cpu;
    uint64_t net_bytes = 0;
  };
  struct Run {
    Request request;
    int64_t start_wall_ms = 0;
    Moment start, end;             // end: once it was stopped
    uint64_t all_ns = 0, all_bytes = 0;
    std::optional<TopKeys> by_ns, by_bytes;
  };

  Moment now() const;
  void show_keys(ReplyBuilder& reply, Bytes field, const TopKeys& top, uint64_t unit) const;

  const EventLoop& loop_;
  const std::function<uint64_t()> net_bytes_;
  const std::function<void()> on_switch_;
  Random random_;
  bool active_ = false;
  std::optional<Run> run_;         // the one under way, or the last
  std::vector<KeyAt> keys_;        // of the call at hand
};

}  // namespace vitrine
