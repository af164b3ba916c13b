#include "commands/stream_delivery.h"

#include <algorithm>
#include <string>

namespace vitrine {

namespace {

// A line of a type and a number, as the protocol has it.
size_t line_bytes(int64_t n) { return 3 + static_cast<size_t>(decimal_length(n)); }
size_t bulk_bytes(size_t n) { return line_bytes(static_cast<int64_t>(n)) + n + 2; }

}  // namespace

void DeliveryBudget::begin_stream(Bytes key) {
  if (bytes == SIZE_MAX) return;
  bytes -= std::min(bytes, 2 * line_bytes(2) + bulk_bytes(key.size()));
}

bool DeliveryBudget::take(const StreamEntry& e, size_t more_bytes) {
  if (spent()) return false;
  if (bytes != SIZE_MAX) {
    size_t size = line_bytes(2) + bulk_bytes(Bytes(StreamIdText(e.id())).size()) + more_bytes;
    size += line_bytes(static_cast<int64_t>(e.fields() * 2));
    e.for_each([&](const PackedValue& name, const PackedValue& value) {
      size += bulk_bytes(name.length()) + bulk_bytes(value.length());
    });
    if (used && size > bytes) return bytes = 0, false;
    bytes -= std::min(bytes, size);
  }
  entries -= entries != SIZE_MAX;
  return used = true;
}

size_t reply_within(Call& c, StreamRange range, size_t count, DeliveryBudget& budget) {
  auto mark = c.reply.later();
  size_t n = 0;
  {
    BulkWriter out(c.reply);
    for (const StreamEntry* e; n < count && (e = range.next()) && budget.take(*e); n++) write_entry(out, *e);
  }
  c.reply.array_at(mark, static_cast<int64_t>(n));
  return n;
}

StreamDelivery::StreamDelivery(Call& c, Bytes key, Stream& stream, Bytes group_name, StreamGroup& group,
                               Bytes consumer_name)
    : c_(c), key_(key), stream_(stream), group_name_(group_name), group_(group),
      consumer_(seen_consumer(c, key, group_name, group, consumer_name)) {}

std::vector<StreamGroup::Aged> StreamDelivery::find_idle(int64_t claim_idle_ms, size_t count) {
  std::vector<StreamGroup::Aged> idle, gone;
  for (const auto& aged : group_.by_age()) {
    if (idle.size() == count || aged.delivered_ms > c_.now_ms - claim_idle_ms) break;
    (stream_.contains(aged.id) ? idle : gone).push_back(aged);
  }
  for (const auto& aged : gone) {
    group_.acknowledge(aged.id);
    count_group_change(c_);
    replay_ack(c_, key_, group_name_, aged.id);
  }
  return idle;
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
    group_.deliver_again(p->id, StreamGroup::nack_at(p), c_.now_ms);
  }
  c_.reply.array_at(mark, static_cast<int64_t>(n));
}

size_t StreamDelivery::reply_new(int64_t claim_idle_ms, size_t count, bool no_ack, DeliveryBudget& budget) {
  auto mark = c_.reply.later();
  size_t n = 0;
  {
    BulkWriter out(c_.reply);
    if (claim_idle_ms >= 0) n = claim_idle(out, claim_idle_ms, count, budget);
    n += deliver_new(out, count - n, no_ack, budget);
  }
  c_.reply.array_at(mark, static_cast<int64_t>(n));
  if (n > 0) consumer_->active_ms = c_.now_ms;
  return n;
}

size_t StreamDelivery::claim_idle(BulkWriter& out, int64_t claim_idle_ms, size_t count, DeliveryBudget& budget) {
  size_t n = 0;
  for (const auto& [delivered_ms, id] : find_idle(claim_idle_ms, std::min(count, budget.entries))) {
    StreamRange range = stream_.range(id, id);
    const StreamEntry* e = range.next();
    StreamNack* nack = group_.find(id);
    int64_t idle_ms = nack->consumer ? c_.now_ms - delivered_ms : -1;
    if (!budget.take(*e, line_bytes(idle_ms) + line_bytes(nack->deliveries))) break;
    group_.assign(id, consumer_, c_.now_ms);
    out.array(4);
    out.bulk(StreamIdText(id));
    write_pairs(out, *e);
    out.integer(idle_ms);
    out.integer(nack->deliveries);
    nack->count_delivery();
    count_group_change(c_);
    replay_claim(c_, key_, group_name_, group_, id, *nack);
    n++;
  }
  return n;
}

size_t StreamDelivery::deliver_new(BulkWriter& out, size_t count, bool no_ack, DeliveryBudget& budget) {
  if (stream_.last_id() <= group_.last_id) return 0;
  StreamRange range = stream_.range(group_.last_id.next(), StreamId::max());
  size_t n = 0;
  for (const StreamEntry* e; n < count && (e = range.next()) && budget.take(*e); n++) {
    write_entry(out, *e);
    stream_.pass(group_, e->id());
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
