#include "engine/waiters.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"

namespace vitrine {

Waiters::~Waiters() {
  if (!parked_.empty()) keyspace_.unobserve(this);
}

void Waiters::park(Session& session, Command* command, std::span<const Bytes> argv, const ParkRequest& request) {
  CHECK(!session.parked);
  if (parked_.empty()) keyspace_.observe(this);
  Parked& p = parked_[session.id];
  p.order = reuse_order_ ? reuse_order_ : next_order_++;
  p.command = command;
  p.argv.assign(argv.begin(), argv.end());
  p.type = request.type;
  p.deadline_ms = reuse_order_ ? reuse_deadline_ms_ : request.deadline_ms;
  p.timeout_reply = request.timeout_reply;
  p.also_when_gone = request.also_when_gone;
  p.retry_ms = request.retry_ms;
  for (Bytes key : request.keys) {
    Key k{session.db, std::string(key)};
    Queue& queue = queues_[k];
    if (!queue.waiting.emplace(p.order, session.id).second) continue;
    queue.when_gone += p.also_when_gone;
    p.keys.push_back(std::move(k));
  }
  if (p.deadline_ms) deadlines_.emplace(p.deadline_ms, session.id);
  if (p.retry_ms) retries_.emplace(p.retry_ms, session.id);
  session.parked = true;
}

void Waiters::release(Session& session) {
  auto it = parked_.find(session.id);
  if (it == parked_.end()) return;
  for (const Key& key : it->second.keys) {
    auto queue = queues_.find(key);
    queue->second.waiting.erase(it->second.order);
    queue->second.when_gone -= it->second.also_when_gone;
    if (queue->second.waiting.empty()) queues_.erase(queue);
  }
  forget(deadlines_, it->second.deadline_ms, session.id);
  forget(retries_, it->second.retry_ms, session.id);
  parked_.erase(it);
  session.parked = false;
  if (parked_.empty()) {
    keyspace_.unobserve(this);
    fed_.clear();
  }
}

void Waiters::forget(Moments& moments, int64_t at_ms, SessionId id) {
  auto [from, to] = moments.equal_range(at_ms);
  for (auto m = from; m != to; ++m) {
    if (m->second != id) continue;
    moments.erase(m);
    return;
  }
}

void Waiters::feed(const Key& key) {
  if (!queues_.contains(key)) return;
  if (std::find(fed_.begin(), fed_.end(), key) == fed_.end()) fed_.push_back(key);
}

void Waiters::on_change(const Change& change) {
  if (change.aside) return;
  Key key{change.db, std::string(change.key)};
  auto queue = queues_.find(key);
  if (queue != queues_.end() && (!change.gone || queue->second.when_gone > 0)) feed(key);
}

void Waiters::on_flush(int db) {
  for (const auto& [key, queue] : queues_)
    if (key.db == db && queue.when_gone > 0) feed(key);
}

void Waiters::on_swap(int a, int b) {
  for (const auto& [key, queue] : queues_)
    if (key.db == a || key.db == b) feed(key);
}

void Waiters::serve(const Sessions& sessions, const Run& run) {
  // Serving may feed further keys (BLMOVE); those are served in the order in which they were fed.
  while (!fed_.empty()) {
    std::vector<Key> keys;
    keys.swap(fed_);
    for (const Key& key : keys) serve_key(key, sessions, run);
  }
}

void Waiters::serve_key(const Key& key, const Sessions& sessions, const Run& run) {
  auto queue = queues_.find(key);
  if (queue == queues_.end()) return;
  std::vector<SessionId> waiting;
  for (const auto& [order, id] : queue->second.waiting) waiting.push_back(id);
  for (SessionId id : waiting) {
    auto it = parked_.find(id);
    Session* session = sessions.find(id);
    // What one who leaves would get is the next one's.
    if (it == parked_.end() || !session || session->is_leaving()) continue;
    Entry* entry = keyspace_.find(key.db, key.name, hash_bytes(key.name), Keyspace::Touch::peek);
    if ((!entry || entry->type() != it->second.type) && !it->second.also_when_gone) continue;
    Parked parked = it->second;
    std::vector<Bytes> argv(parked.argv.begin(), parked.argv.end());
    release(*session);
    reuse_order_ = parked.order;
    reuse_deadline_ms_ = parked.deadline_ms;
    run(*session, parked.command, argv, key.name);
    reuse_order_ = 0;
  }
}

void Waiters::write_timeout(Session& session, TimeoutReply reply) {
  switch (reply) {
    case TimeoutReply::null_array: return session.reply.null_array();
    case TimeoutReply::null: return session.reply.null();
    case TimeoutReply::zero: return session.reply.integer(0);
  }
}

void Waiters::expire_until(int64_t now_ms, const Sessions& sessions) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms) {
    Session* session = sessions.find(deadlines_.begin()->second);
    CHECK(session);
    if (session->is_leaving()) release(*session);
    else unblock(*session, false);
  }
  while (!retries_.empty() && retries_.begin()->first <= now_ms) {
    Parked& parked = parked_.at(retries_.begin()->second);
    parked.retry_ms = 0;
    retries_.erase(retries_.begin());
    for (const Key& key : parked.keys) feed(key);
  }
}

int64_t Waiters::next_deadline_ms() const {
  if (retries_.empty() || deadlines_.empty())
    return !deadlines_.empty() ? deadlines_.begin()->first : !retries_.empty() ? retries_.begin()->first : 0;
  return std::min(deadlines_.begin()->first, retries_.begin()->first);
}

bool Waiters::unblock(Session& session, bool with_error) {
  auto it = parked_.find(session.id);
  if (it == parked_.end() || session.is_leaving()) return false;
  TimeoutReply reply = it->second.timeout_reply;
  if (with_error && on_error) on_error(*it->second.command, "UNBLOCKED");   // also where nobody is told
  release(session);
  if (session.is_muted()) {
    session.end_skipping();   // nobody is told
  } else if (with_error) {
    session.reply.error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
  } else {
    write_timeout(session, reply);
  }
  if (session.peer) session.peer->resume();
  return true;
}

}  // namespace vitrine
