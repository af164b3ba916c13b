// One turn of the loop. The order matters and is written here only.
#include <algorithm>

#include "base/log.h"
#include "base/memory.h"
#include "server/node.h"
#include "store/database.h"

namespace vitrine {

namespace {
constexpr int64_t kLongestSleepMs = 100;
constexpr int64_t kSampleEveryMs = 100;
constexpr size_t kExpirySteps = 200;            // of one slice, between two looks at the clock
constexpr int64_t kExpirySliceUs = 500;         // of one turn
constexpr int64_t kExpiryLateMs = 500;          // from here on its share may be as long as the turn's commands took,
constexpr int64_t kExpiryLongSliceUs = 900;     // but no longer than this,
constexpr int64_t kExpiryVeryLateMs = 5000;     // until it is this late
}  // namespace

void Node::run() {
  while (!stopping_) turn();
}

[[gnu::always_inline]] inline int Node::sleep_ms() {
  if (expiry_backlog_ || eviction_backlog_ || clients_.busy()) return 0;
  int64_t now = loop_.wall_ms();
  int64_t until = next_tend_ms_ - now;
  if (int64_t deadline = waiters_.next_deadline_ms()) until = std::min(until, deadline - now);
  if (dispatcher_.paused(now)) until = std::min(until, dispatcher_.pause_until_ms() - now);
  // Nothing of this tick is due any more. What is due next is asked once a tick; until then it may be the next one.
  int64_t due = (expiry_tick_ + 1) * ExpiryIndex::kTickMs;
  if (std::exchange(due_asked_tick_, expiry_tick_) != expiry_tick_) due = std::max(due, keyspace_.next_due_ms());
  until = std::min(until, due - now);
  return static_cast<int>(std::clamp<int64_t>(until, 0, kLongestSleepMs));
}

void Node::turn() {
  loop_.wait(sleep_ms());
  dispatcher_.begin_turn(loop_.wall_ms(), loop_.woke_ticks());
  turn_start_us_ = loop_.now_us();
  TurnMeter& meter = console_.meter();
  meter.begin(loop_.woke_ticks());
  // Clients' commands, timers, results of the background threads.
  clients_.read_on();
  loop_.dispatch_ready();
  clients_.run_input();
  clients_.shake_hands();
  meter.lap(TurnPhase::clients);
  if (loop_.dispatch_timers()) meter.lap(TurnPhase::timers);
  if (loop_.dispatch_posted()) meter.lap(TurnPhase::posted);
  // Commands that waited for time or for others.
  bool anybody_waits = waiters_.parked() > 0 || dispatcher_.held() > 0;
  waiters_.expire(sessions_, keyspace_.now_ms());
  if (waiters_.fed()) dispatcher_.serve_waiters();
  if (keyspace_.holds_removals() || dispatcher_.held()) release_pause();
  clients_.resume_waiting();
  if (anybody_waits) meter.lap(TurnPhase::waiters);
  if (loop_.wall_ms() >= next_tend_ms_) {
    tend();
    meter.lap(TurnPhase::tend);
  }
  // The log of writes, then replies (ClientServer::before_replies sees to that), then the end of those who leave.
  dispatcher_.tracking().end_turn();
  clients_.flush_all();
  // While a crowd is being served, its next message is written behind the last: both go out at once.
  if (!clients_.pushes_wait()) dispatcher_.pubsub().close_texts();
  meter.lap(TurnPhase::flush);
  // Slices of what has no client waiting for it: behind the replies, so that a command waits for one slice at most.
  if (expiry_is_due()) {
    reclaim_expired();
    meter.lap(TurnPhase::expiry);
  }
  relieve_memory();
  dispatcher_.tracking().end_turn();
  if (options_.memory.maxmemory) meter.lap(TurnPhase::eviction);
  end_if_asked();
}

// Removes what is due, in slices, until nothing is left or the turn's share of time is used. Under load a turn is long:
// when expiry falls behind, its share grows to as much as the commands of the turn took, never more than half in all.
void Node::reclaim_expired() {
  expiry_tick_ = keyspace_.now_ms() / ExpiryIndex::kTickMs;
  if (console_.paused()) {
    expiry_backlog_ = false;
    return;
  }
  int64_t start = loop_.clock().monotonic_us(), share = kExpirySliceUs;
  int64_t late_ms = expiry_backlog_ ? keyspace_.lateness().age_ms * options_.memory.expire_effort : 0;
  if (late_ms > kExpiryLateMs) {
    int64_t longest = late_ms > kExpiryVeryLateMs ? INT64_MAX : kExpiryLongSliceUs;
    share = std::max(share, std::min(longest, start - turn_start_us_));
  }
  do {
    expiry_backlog_ = keyspace_.expire_some(kExpirySteps) == 0;
  } while (expiry_backlog_ && loop_.clock().monotonic_us() - start < share);
  if (expiry_backlog_) console_.meter().expiry_slices_cut++;
  if (waiters_.fed()) dispatcher_.serve_waiters();
}

// What counts against maxmemory. The log's buffer does not: each eviction is written there, too, and while the disk is
// slow that would go on until nothing is left.
size_t Node::counted_bytes() const {
  size_t uncounted = append_only_.append_log().buffer_memory(), used = memory::used_bytes();
  return used - std::min(used, uncounted);
}

// A command asks for room: false when memory is over the limit and nothing can go.
bool Node::make_room() {
  if (keyspace_.holds_removals()) return true;
  bool room = evictor_.relieve() != Evictor::Outcome::failed;
  dispatcher_.memory_gate.checkpoint = evictor_.checkpoint();
  return room;
}

// What the commands of the turn have left over the limit.
void Node::relieve_memory() {
  if (keyspace_.holds_removals()) return;
  eviction_backlog_ = evictor_.end_turn() == Evictor::Outcome::running;
  dispatcher_.memory_gate.checkpoint = evictor_.checkpoint();
}

void Node::release_pause() {
  if (dispatcher_.paused(keyspace_.now_ms())) return;
  if (keyspace_.holds_removals()) dispatcher_.unpause();   // its time is over
  for (SessionId id : dispatcher_.take_held()) {
    Session* session = sessions_.find(id);
    if (!session) continue;
    session->paused = false;
    session->peer->resume();
  }
}

namespace {

// The time between two rounds of housekeeping: by hz, and with dynamic-hz by how many clients there are.
int64_t tend_period_ms(const ProcessOptions& options, size_t clients) {
  constexpr int kHighestHz = 500;
  constexpr size_t kClientsPerRound = 200;
  int hz = options.hz;
  while (options.dynamic_hz && hz < kHighestHz && clients / static_cast<size_t>(hz) > kClientsPerRound) hz *= 2;
  return std::max(1, 1000 / std::min(hz, kHighestHz));
}

}  // namespace

// For people who watch the log of a server that they do not know.
void Node::log_figures(int64_t now) {
  constexpr int64_t kEveryMs = 5000;
  next_figures_ms_ = now + kEveryMs;
  if (!the_log().wants(LogLevel::verbose)) return;
  for (int db = 0; db < keyspace_.databases(); db++) {
    const Database& database = keyspace_.database(db);
    if (database.size())
      log(LogLevel::verbose, "DB %d: %zu keys (%zu volatile)", db, database.size(), database.expiring());
  }
  log(LogLevel::debug, "%zu clients connected (0 replicas), %zu bytes in use", clients_.connected(),
      memory::used_bytes());
}

void Node::tend() {
  int64_t now = loop_.wall_ms(), period = tend_period_ms(options_.process, clients_.connected());
  next_tend_ms_ = now + period;
  clients_.tend(period);
  migration_.tend(now);
  if (!console_.paused()) append_only_.tend(), snapshots_.tend();
  if (now >= next_figures_ms_) log_figures(now);
  if (now < next_sample_ms_) return;
  next_sample_ms_ = now + kSampleEveryMs;
  console_.tend();
}

}  // namespace vitrine
