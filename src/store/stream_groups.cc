#include "store/stream_groups.h"

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

StreamGroup::~StreamGroup() {
  for (auto c = pending_.first(); c; ++c) delete &nack_at(c);
}

std::unique_ptr<StreamGroup> StreamGroup::clone() const {
  auto copy = std::make_unique<StreamGroup>(last_id, entries_read);
  for (const auto& [name, consumer] : consumers_) {
    StreamConsumer* c = copy->add_consumer(name, consumer->seen_ms);
    c->active_ms = consumer->active_ms;
  }
  for (auto c = pending_.first(); c; ++c) {
    StreamNack* nack = new StreamNack(nack_at(c));
    copy->pending_.insert(c->id, nack);
    if (!nack->consumer) continue;
    nack->consumer = copy->find_consumer(nack->consumer->name());
    nack->consumer->pending_.insert(c->id, nack);
  }
  return copy;
}

StreamConsumer* StreamGroup::find_consumer(Bytes name) const {
  auto it = consumers_.find(name);
  return it == consumers_.end() ? nullptr : it->second.get();
}

StreamConsumer* StreamGroup::add_consumer(Bytes name, int64_t now_ms) {
  auto& slot = consumers_[std::string(name)];
  CHECK(!slot);
  slot = std::make_unique<StreamConsumer>(name, now_ms);
  return slot.get();
}

void StreamGroup::remove_consumer(StreamConsumer* consumer) {
  for (auto c = consumer->pending_.first(); c; ++c) {
    if (by_age_) by_age_->erase({nack_at(c).delivered_ms, c->id});
    pending_.erase(c->id);
    delete &nack_at(c);
  }
  consumers_.erase(consumers_.find(consumer->name()));
}

StreamNack* StreamGroup::find(StreamId id) const {
  auto c = pending_.find(id);
  return c ? &nack_at(c) : nullptr;
}

StreamNack* StreamGroup::add_pending(StreamId id, int64_t delivered_ms, int64_t deliveries) {
  auto nack = std::make_unique<StreamNack>(StreamNack{delivered_ms, deliveries, nullptr});
  if (!pending_.insert(id, nack.get())) return nullptr;
  if (by_age_) by_age_->insert({delivered_ms, id});
  return nack.release();
}

StreamNack* StreamGroup::assign(StreamId id, StreamConsumer* consumer, int64_t delivered_ms) {
  StreamNack* nack = find(id);
  if (!nack) {
    nack = add_pending(id, delivered_ms, 0);
  }
  if (nack->consumer != consumer) {
    if (nack->consumer) nack->consumer->pending_.erase(id);
    consumer->pending_.insert(id, nack);
    nack->consumer = consumer;
  }
  set_delivered(id, *nack, delivered_ms);
  return nack;
}

void StreamGroup::set_delivered(StreamId id, StreamNack& nack, int64_t at_ms) {
  if (nack.delivered_ms == at_ms) return;
  if (by_age_) {
    by_age_->erase({nack.delivered_ms, id});
    by_age_->insert({at_ms, id});
  }
  nack.delivered_ms = at_ms;
}

void StreamGroup::deliver_again(StreamId id, StreamNack& nack, int64_t now_ms) {
  set_delivered(id, nack, now_ms);
  nack.count_delivery();
}

StreamNack* StreamGroup::give_back(StreamId id) {
  StreamNack* nack = find(id);
  CHECK(nack);
  if (nack->consumer) nack->consumer->pending_.erase(id);
  nack->consumer = nullptr;
  set_delivered(id, *nack, 0);
  return nack;
}

const StreamGroup::ByAge& StreamGroup::by_age() const {
  if (!by_age_) {
    by_age_ = std::make_unique<ByAge>();
    for (auto p = pending_.first(); p; ++p) by_age_->insert({nack_at(p).delivered_ms, p->id});
  }
  return *by_age_;
}

bool StreamGroup::acknowledge(StreamId id) {
  StreamNack* nack = find(id);
  if (!nack) return false;
  if (nack->consumer) nack->consumer->pending_.erase(id);
  if (by_age_) by_age_->erase({nack->delivered_ms, id});
  pending_.erase(id);
  delete nack;
  return true;
}

size_t StreamGroup::memory() const {
  constexpr size_t kSetNode = 64;
  size_t bytes = sizeof *this + pending_.memory() + pending_.size() * memory::good_size(sizeof(StreamNack));
  if (by_age_) bytes += by_age_->size() * kSetNode;
  for (const auto& [name, consumer] : consumers_)
    bytes += sizeof(StreamConsumer) + consumer->pending().memory() + 2 * name.capacity() + 64;
  return bytes;
}

}  // namespace vitrine
