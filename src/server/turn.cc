// One turn of the loop. The order matters and is written here only.
#include <algorithm>

#include "server/node.h"

namespace vitrine {

namespace {
constexpr int64_t kTendEveryMs = 100;
constexpr size_t kExpirySteps = 400;            // of one slice: well under a millisecond
constexpr int64_t kExpirySliceUs = 500;         // of one turn
}  // namespace

void Node::run() {
  while (!stopping_) turn();
}

void Node::turn() {
  loop_.wait(sleep_ms());
  keyspace_.set_now(loop_.wall_ms());
  TurnMeter& meter = console_.meter();
  meter.begin();
  dispatcher_.forget_longest();
  // Clients' commands, timers, results of the background threads.
  loop_.dispatch_ready();
  meter.lap(TurnPhase::clients);
  loop_.dispatch_timers();
  meter.lap(TurnPhase::timers);
  loop_.dispatch_posted();
  meter.lap(TurnPhase::posted);
  // Commands that waited for time or for others.
  waiters_.expire(sessions_, keyspace_.now_ms());
  release_pause();
  clients_.resume_waiting();
  meter.lap(TurnPhase::waiters);
  if (!console_.paused()) reclaim_expired();
  meter.lap(TurnPhase::expiry);
  if (loop_.wall_ms() >= next_tend_ms_) {
    tend();
    meter.lap(TurnPhase::tend);
  }
  // Last: replies, then the end of those who leave.
  clients_.flush_all();
  meter.lap(TurnPhase::flush);
}

int Node::sleep_ms() const {
  if (expiry_backlog_) return 0;
  int64_t now = loop_.wall_ms();
  int64_t until = next_tend_ms_ - now;
  if (int64_t deadline = waiters_.next_deadline_ms()) until = std::min(until, deadline - now);
  if (dispatcher_.paused(now)) until = std::min(until, dispatcher_.pause_until_ms() - now);
  if (!expiry_backlog_) until = std::min<int64_t>(until, ExpiryIndex::kTickMs * 2);
  return static_cast<int>(std::clamp<int64_t>(until, 0, kTendEveryMs));
}

// Removes what is due, in slices, until nothing is left or the turn's share of time is used.
void Node::reclaim_expired() {
  int64_t start = loop_.clock().monotonic_us();
  do {
    expiry_backlog_ = keyspace_.expire_some(kExpirySteps) == 0;
  } while (expiry_backlog_ && loop_.clock().monotonic_us() - start < kExpirySliceUs);
  if (expiry_backlog_) console_.meter().expiry_slices_cut++;
  if (waiters_.fed()) dispatcher_.serve_waiters();
}

void Node::release_pause() {
  if (dispatcher_.paused(keyspace_.now_ms())) return;
  for (SessionId id : dispatcher_.take_held()) {
    Session* session = sessions_.find(id);
    if (!session) continue;
    session->paused = false;
    session->peer->resume();
  }
}

void Node::tend() {
  next_tend_ms_ = loop_.wall_ms() + kTendEveryMs;
  clients_.tend();
  console_.tend();
}

}  // namespace vitrine
