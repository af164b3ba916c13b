// XACK, XPENDING, XCLAIM, XAUTOCLAIM: what a group has given out and not been told is done.
#include <algorithm>
#include <string>
#include <vector>

#include "commands/families.h"
#include "commands/stream_args.h"
#include "commands/stream_groups.h"
#include "commands/stream_replies.h"
#include "engine/command.h"
#include "engine/waiters.h"

namespace vitrine {

namespace {

// ---- XACK ----

void xack(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes();
  auto stream = c.read<Stream>(key);
  if (stream.wrong_type()) return;
  StreamGroup* group = stream ? stream->find_group(name) : nullptr;
  if (!group) return c.reply.integer(0);
  std::vector<StreamId> ids;
  while (c.args.more()) ids.push_back(take_stream_id(c.args));
  if (!c.args.done()) return;
  auto n = std::count_if(ids.begin(), ids.end(), [&](StreamId id) { return group->acknowledge(id); });
  count_group_change(c, static_cast<uint64_t>(n));
  c.reply.integer(n);
}

// ---- XPENDING ----

void reply_summary(Call& c, const StreamGroup& group) {
  const IdTree& pending = group.pending();
  c.reply.array(4);
  c.reply.integer(static_cast<int64_t>(pending.size()));
  if (pending.empty()) {
    c.reply.null(), c.reply.null();
    return c.reply.null_array();
  }
  c.reply.bulk(StreamIdText(pending.first()->id));
  c.reply.bulk(StreamIdText(pending.last()->id));
  auto mark = c.reply.later();
  int64_t n = 0;
  for (const auto& [name, consumer] : group.consumers()) {
    if (consumer->pending().empty()) continue;
    c.reply.array(2);
    c.reply.bulk(name);
    c.reply.bulk_integer(static_cast<int64_t>(consumer->pending().size()));
    n++;
  }
  c.reply.array_at(mark, n);
}

struct PendingQuery {
  StreamId from, to;
  int64_t count = 0, min_idle_ms = 0;
  bool of_consumer = false;
  Bytes consumer;

  bool read(Call& c) {
    constexpr size_t kMost = 6;                          // words behind the group
    if (c.args.left() < 3 || c.args.left() > kMost) return c.reply.error(Args::kSyntaxError), false;
    if (c.args.accept("IDLE")) {
      min_idle_ms = c.args.integer();
      if (!c.args.failed() && c.args.left() < 3) c.args.fail();
    }
    if (c.args.failed()) return c.args.done();
    // The count is looked at before the bounds.
    size_t at = c.args.position();
    c.args.seek(at + 2);
    count = std::max<int64_t>(0, c.args.integer());
    if (c.args.more()) of_consumer = true, consumer = c.args.bytes();
    if (c.args.failed()) return c.args.done();
    c.args.seek(at);
    from = take_range_start(c.args), to = take_range_end(c.args);
    c.args.rest();
    return c.args.done();
  }
};

void reply_query(Call& c, const StreamGroup& group, const PendingQuery& query) {
  const IdTree* pending = &group.pending();
  if (query.of_consumer) {
    const StreamConsumer* consumer = group.find_consumer(query.consumer);
    if (!consumer) return c.reply.array(0);
    pending = &consumer->pending();
  }
  auto mark = c.reply.later();
  int64_t n = 0;
  for (auto p = pending->at_or_after(query.from); p && n < query.count && p->id <= query.to; ++p) {
    const StreamNack& nack = StreamGroup::nack_at(p);
    int64_t idle = std::max<int64_t>(0, c.now_ms - nack.delivered_ms);
    if (query.min_idle_ms > 0 && idle < query.min_idle_ms) continue;
    n++;
    c.reply.array(4);
    c.reply.bulk(StreamIdText(p->id));
    c.reply.bulk(nack.consumer ? Bytes(nack.consumer->name()) : Bytes());
    c.reply.integer(nack.consumer ? idle : -1);
    c.reply.integer(nack.deliveries);
  }
  c.reply.array_at(mark, n);
}

void xpending(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes();
  bool summary = !c.args.more();
  PendingQuery query;
  if (!summary && !query.read(c)) return;
  auto stream = c.read<Stream>(key);
  if (stream.wrong_type()) return;
  const StreamGroup* group = stream ? stream->find_group(name) : nullptr;
  if (!group) return reply_no_key_or_group(c, key, name);
  summary ? reply_summary(c, *group) : reply_query(c, *group, query);
}

// ---- XCLAIM ----

class Claim {
 public:
  // Reads what lies behind the consumer's name.
  bool read(Call& c);
  void run(Call& c, Bytes key, Bytes group_name, const Stream& stream, StreamGroup& group, Bytes consumer_name);
  bool is_dated() const { return dated_; }

 private:
  void read_option(Call& c);
  // Null when the entry stays where it is.
  StreamNack* take(Call& c, StreamGroup& group, StreamId id, StreamConsumer* consumer) const;

  int64_t min_idle_ms_ = 0;
  std::vector<StreamId> ids_;
  bool dated_ = false, force_ = false, just_id_ = false;
  int64_t delivered_ms_ = 0;
  int64_t retry_count_ = -1;               // -1: counts as one more delivery, unless only ids are wanted
  StreamId last_id_;
};

// Negative is zero.
int64_t take_min_idle(Args& args, Bytes error) { return std::max<int64_t>(0, args.integer(error)); }

void Claim::read_option(Call& c) {
  Args& args = c.args;
  if (args.accept("FORCE")) {
    force_ = true;
  } else if (args.accept("JUSTID")) {
    just_id_ = true;
  } else if (args.accept("IDLE", 1)) {
    int64_t idle = args.integer("ERR Invalid IDLE option argument for XCLAIM");
    delivered_ms_ = idle < 0 ? c.now_ms : c.now_ms - idle;
    dated_ = true;
  } else if (args.accept("TIME", 1)) {
    delivered_ms_ = args.integer("ERR Invalid TIME option argument for XCLAIM");
    dated_ = true;
  } else if (args.accept("RETRYCOUNT", 1)) {
    retry_count_ = args.integer("ERR Invalid RETRYCOUNT option argument for XCLAIM");
  } else if (args.accept("LASTID", 1)) {
    last_id_ = take_stream_id(args);
  } else {
    args.fail_formatted("ERR Unrecognized XCLAIM option '" + std::string(args.peek()) + "'");
  }
}

bool Claim::read(Call& c) {
  min_idle_ms_ = take_min_idle(c.args, "ERR Invalid min-idle-time argument for XCLAIM");
  while (c.args.more()) {
    auto id = parse_stream_id(c.args.peek());
    if (!id) break;
    ids_.push_back(*id);
    c.args.bytes();
  }
  while (c.args.more()) read_option(c);
  // A moment that cannot be is now.
  if (!dated_ || delivered_ms_ < 0 || delivered_ms_ > c.now_ms) delivered_ms_ = c.now_ms;
  return c.args.done();
}

StreamNack* Claim::take(Call& c, StreamGroup& group, StreamId id, StreamConsumer* consumer) const {
  StreamNack* nack = group.find(id);
  if (!nack && !force_) return nullptr;
  if (nack && nack->consumer && min_idle_ms_ > 0 && c.now_ms - nack->delivered_ms < min_idle_ms_) return nullptr;
  bool fresh = !nack;
  nack = group.assign(id, consumer, delivered_ms_);
  if (fresh) nack->deliveries = 1;
  if (retry_count_ >= 0) nack->deliveries = retry_count_;
  else if (!just_id_) nack->count_delivery();
  return nack;
}

void Claim::run(Call& c, Bytes key, Bytes group_name, const Stream& stream, StreamGroup& group, Bytes consumer_name) {
  bool moved = last_id_ > group.last_id;
  if (moved) {
    group.last_id = last_id_;
    count_group_change(c);
  }
  StreamConsumer* consumer = seen_consumer(c, key, group_name, group, consumer_name);
  auto mark = c.reply.later();
  int64_t n = 0;
  for (StreamId id : ids_) {
    if (!stream.contains(id)) {
      // Nothing is left of it that anybody could work on.
      if (!group.acknowledge(id)) continue;
      count_group_change(c);
      replay_ack(c, key, group_name, id);
      continue;
    }
    StreamNack* nack = take(c, group, id, consumer);
    if (!nack) continue;
    count_group_change(c);
    replay_claim(c, key, group_name, group, id, *nack);
    moved = false;                         // was told with it
    just_id_ ? c.reply.bulk(StreamIdText(id)) : reply_entry(c, stream, id);
    n++;
  }
  if (n > 0) consumer->active_ms = c.now_ms;
  if (moved) replay_position(c, key, group_name, group);
  c.reply.array_at(mark, n);
}

void xclaim(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes(), consumer = c.args.bytes();
  auto stream = c.read<Stream>(key);
  if (stream.wrong_type()) return;
  StreamGroup* group = stream ? stream->find_group(name) : nullptr;
  if (!group) return reply_no_key_or_group(c, key, name);
  Claim claim;
  if (!claim.read(c)) return;
  claim.run(c, key, name, *stream, *group, consumer);
  // An entry may be idle for longer now: who waits to claim one sleeps until the next is due.
  if (claim.is_dated()) c.waiters.feed(c.db, key);
}

// ---- XAUTOCLAIM ----

struct AutoClaim {
  int64_t min_idle_ms = 0;
  StreamId start;
  int64_t count = 100;
  bool just_id = false;

  bool read(Call& c) {
    constexpr Bytes kCount = "ERR COUNT must be > 0";
    constexpr int64_t kMost = INT64_MAX / 16;            // as Redis
    min_idle_ms = take_min_idle(c.args, "ERR Invalid min-idle-time argument for XAUTOCLAIM");
    start = take_range_start(c.args);
    while (c.args.more()) {
      if (c.args.accept("COUNT", 1)) count = c.args.integer(1, kMost, kCount, kCount);
      else if (c.args.accept("JUSTID")) just_id = true;
      else c.args.fail();
    }
    return c.args.done();
  }
};

struct AutoClaimed {
  std::vector<StreamId> ids, gone;         // given to the consumer; of which nothing was left
  StreamId next;                           // where to go on; 0-0: done
};

AutoClaimed auto_claim(Call& c, Bytes key, Bytes group_name, const Stream& stream, StreamGroup& group,
                       StreamConsumer* consumer, const AutoClaim& claim) {
  constexpr int64_t kLooksPerEntry = 10;
  int64_t left = claim.count;
  int64_t looks = left > INT64_MAX / kLooksPerEntry ? INT64_MAX : left * kLooksPerEntry;
  AutoClaimed result;
  auto p = group.pending().at_or_after(claim.start);
  while (p && left > 0 && looks-- > 0) {
    StreamId id = p->id;
    StreamNack& nack = StreamGroup::nack_at(p);
    if (!stream.contains(id)) {
      result.gone.push_back(id);
      left--;
      group.acknowledge(id);
      replay_ack(c, key, group_name, id);
      p = group.pending().at_or_after(id);
      continue;
    }
    ++p;
    if (nack.consumer && claim.min_idle_ms > 0 && c.now_ms - nack.delivered_ms < claim.min_idle_ms) continue;
    group.assign(id, consumer, c.now_ms);
    if (!claim.just_id) nack.count_delivery();
    replay_claim(c, key, group_name, group, id, nack);
    result.ids.push_back(id);
    left--;
  }
  if (p) result.next = p->id;
  if (!result.ids.empty()) consumer->active_ms = c.now_ms;
  count_group_change(c, result.ids.size() + result.gone.size());
  return result;
}

void reply_ids(Call& c, const std::vector<StreamId>& ids) {
  c.reply.array(static_cast<int64_t>(ids.size()));
  for (StreamId id : ids) c.reply.bulk(StreamIdText(id));
}

void xautoclaim(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes(), consumer_name = c.args.bytes();
  Entry* entry = c.find(key);              // counts, even if the arguments are wrong
  AutoClaim claim;
  if (!claim.read(c)) return;
  Read<Stream> stream(c, key, entry);
  if (stream.wrong_type()) return;
  StreamGroup* group = stream ? stream->find_group(name) : nullptr;
  if (!group) return reply_no_key_or_group(c, key, name);
  StreamConsumer* consumer = seen_consumer(c, key, name, *group, consumer_name);
  AutoClaimed claimed = auto_claim(c, key, name, *stream, *group, consumer, claim);
  c.reply.array(3);
  c.reply.bulk(StreamIdText(claimed.next));
  if (claim.just_id) {
    reply_ids(c, claimed.ids);
  } else {
    c.reply.array(static_cast<int64_t>(claimed.ids.size()));
    for (StreamId id : claimed.ids) reply_entry(c, *stream, id);
  }
  reply_ids(c, claimed.gone);
}

constexpr CommandRow kRows[] = {{"xack", xack}, {"xpending", xpending}, {"xclaim", xclaim}, {"xautoclaim", xautoclaim}};

}  // namespace

void add_stream_claim_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
