#include "commands/stream_delivery.h"

#include <algorithm>
#include <string>

namespace vitrine {

bool DeliveryBudget::take(const StreamEntry& e) {
  if (spent()) return false;
  entries -= entries != SIZE_MAX;
  if (bytes == SIZE_MAX) return used = true;
  size_t size = Bytes(StreamIdText(e.id())).size();
  e.for_each([&](const PackedValue& name, const PackedValue& value) { size += name.length() + value.length(); });
  if (used && size > bytes) return bytes = 0, false;
  bytes -= std::min(bytes, size);
  return used = true;
}

StreamDelivery::StreamDelivery(Call& c, Bytes key, Stream& stream, Bytes group_name, StreamGroup& group,
                               Bytes consumer_name)
    : c_(c), key_(key), stream_(stream), group_name_(group_name), group_(group),
      consumer_(seen_consumer(c, key, group_name, group, consumer_name)) {}

bool StreamDelivery::has_idle(const StreamGroup& group, int64_t delivered_ms) {
  for (auto p = group.pending().first(); p; ++p)
    if (StreamGroup::nack_at(p).delivered_ms <= delivered_ms) return true;
  return false;
}

int64_t StreamDelivery::idle_from(const StreamGroup& group) {
  int64_t least = -1;
  for (auto p = group.pending().first(); p; ++p) {
    int64_t at = StreamGroup::nack_at(p).delivered_ms;
    if (least < 0 || at < least) least = at;
  }
  return least;
}

void StreamDelivery::reply_history(StreamId after, size_t count, DeliveryBudget& budget) {
  auto mark = c_.reply.later();
  size_t n = 0;
  auto p = after == StreamId::max() ? IdTree::Cursor() : consumer_->pending().at_or_after(after.next());
  for (; p && n < count; ++p, n++) {
    StreamRange range = stream_.range(p->id, p->id);
    const StreamEntry* e = range.next();
    if (e ? !budget.take(*e) : budget.spent()) break;
    if (!e) {
      c_.reply.array(2);
      c_.reply.bulk(StreamIdText(p->id));
      c_.reply.null_array();
      continue;
    }
    BulkWriter out(c_.reply);
    write_entry(out, *e);
    StreamNack& nack = StreamGroup::nack_at(p);
    nack.delivered_ms = c_.now_ms;
    nack.deliveries++;
  }
  c_.reply.array_at(mark, static_cast<int64_t>(n));
}

void StreamDelivery::reply_new(int64_t claim_idle_ms, size_t count, bool no_ack, DeliveryBudget& budget) {
  auto mark = c_.reply.later();
  size_t n = 0;
  {
    BulkWriter out(c_.reply);
    if (claim_idle_ms >= 0) n = claim_idle(out, claim_idle_ms, count, budget);
    n += deliver_new(out, count - n, no_ack, budget);
  }
  c_.reply.array_at(mark, static_cast<int64_t>(n));
  if (n > 0) consumer_->active_ms = c_.now_ms;
}

std::vector<StreamDelivery::Idle> StreamDelivery::find_idle(int64_t claim_idle_ms) const {
  std::vector<Idle> idle;
  for (auto p = group_.pending().first(); p; ++p) {
    int64_t at = StreamGroup::nack_at(p).delivered_ms;
    if (at <= c_.now_ms - claim_idle_ms) idle.push_back({at, p->id});
  }
  std::ranges::stable_sort(idle, {}, &Idle::delivered_ms);
  return idle;
}

size_t StreamDelivery::claim_idle(BulkWriter& out, int64_t claim_idle_ms, size_t count, DeliveryBudget& budget) {
  size_t n = 0;
  for (const Idle& idle : find_idle(claim_idle_ms)) {
    if (n == count) break;
    StreamRange range = stream_.range(idle.id, idle.id);
    const StreamEntry* e = range.next();
    if (!e) {
      // Nothing is left of it that anybody could work on.
      group_.acknowledge(idle.id);
      count_group_change(c_);
      replay_ack(c_, key_, group_name_, idle.id);
      continue;
    }
    if (!budget.take(*e)) break;
    StreamNack* nack = group_.assign(idle.id, consumer_, c_.now_ms);
    out.array(4);
    out.bulk(StreamIdText(idle.id));
    write_pairs(out, *e);
    out.integer(c_.now_ms - idle.delivered_ms);
    out.integer(nack->deliveries++);
    count_group_change(c_);
    replay_claim(c_, key_, group_name_, group_, idle.id, *nack);
    n++;
  }
  return n;
}

void StreamDelivery::count_read(StreamId id) {
  stream_.pass(group_, id);
}

size_t StreamDelivery::deliver_new(BulkWriter& out, size_t count, bool no_ack, DeliveryBudget& budget) {
  if (stream_.last_id() <= group_.last_id) return 0;
  StreamRange range = stream_.range(group_.last_id.next(), StreamId::max());
  size_t n = 0;
  for (const StreamEntry* e; n < count && (e = range.next()) && budget.take(*e); n++) {
    write_entry(out, *e);
    count_read(e->id());
    if (no_ack) continue;
    StreamNack* nack = group_.assign(e->id(), consumer_, c_.now_ms);
    nack->deliveries = 1;
    replay_claim(c_, key_, group_name_, group_, e->id(), *nack);
  }
  if (n == 0) return 0;
  count_group_change(c_, n);
  replay_position(c_, key_, group_name_, group_);
  return n;
}

}  // namespace vitrine
