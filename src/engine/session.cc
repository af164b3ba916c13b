#include "engine/session.h"

#include <algorithm>

#include "engine/pubsub.h"
#include "engine/tracking.h"
#include "store/field_set.h"

namespace vitrine {

Session::Session(SessionId its_id, Peer* its_peer, int64_t now_ms)
    : id(its_id), peer(its_peer), last_active_ms(now_ms), reply(out), created_ms(now_ms) {}
Session::~Session() = default;

bool Session::is_local() const {
  if (!peer || peer->is_unix_socket()) return true;
  std::string address = peer->address();
  return address.starts_with("127.") || address.starts_with("[::1]");
}

size_t Session::memory_bytes() const {
  size_t bytes = sizeof *this + out.capacity() + argv_bytes + transaction.queue_bytes + name.capacity();
  for (const WatchedKey& w : transaction.watched) bytes += sizeof w + w.key.capacity();
  if (field_sets)
    for (const auto& [set_name, set] : field_sets->by_name) bytes += sizeof set + set_name.capacity() + set->memory();
  if (subscriptions) bytes += subscriptions->memory_bytes();
  if (pushes) bytes += pushes->capacity();
  if (peer) bytes += peer->input_capacity();
  return bytes;
}

Session& Sessions::open(Peer* peer, int64_t now_ms) {
  SessionId id = next_id_++;
  order_.push_back(id);
  auto& slot = by_id_[id];
  slot = std::make_unique<Session>(id, peer, now_ms);
  return *slot;
}

void Sessions::close(SessionId id) {
  if (by_id_.erase(id) == 0) return;
  // The order keeps ids that are gone until they are the majority.
  if (++closed_in_order_ <= by_id_.size() + 64) return;
  std::erase_if(order_, [this](SessionId each) { return !by_id_.contains(each); });
  closed_in_order_ = 0;
}

Session* Sessions::find(SessionId id) const {
  auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second.get();
}

}  // namespace vitrine
