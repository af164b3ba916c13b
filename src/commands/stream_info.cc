// XINFO: what a stream and its groups are made of.
#include <algorithm>
#include <cstring>
#include <string>

#include "commands/families.h"
#include "commands/stream_groups.h"
#include "commands/stream_replies.h"
#include "engine/command.h"

namespace vitrine {

namespace {

constexpr Bytes kNoKey = "ERR no such key";

// How many nodes a radix tree over the keys of `index` would have that joins what does not branch, as Redis reports of
// its own index: each key of 16 bytes ends in a node, each place where keys part is one, and so is what lies between
// two of them. For more keys than are looked at the number follows from those.
class RadixNodes {
 public:
  static uint64_t count(const IdTree& index) {
    if (index.empty()) return 1;
    constexpr size_t kMost = 4096;
    RadixNodes counter;
    size_t n = std::min(index.size(), kMost);
    auto key = index.first();
    for (size_t i = 0; i < n; i++, ++key) counter.add(bytes_of(key->id));
    uint64_t nodes = counter.finish();
    return n < index.size() ? nodes * index.size() / n : nodes;
  }

 private:
  static constexpr size_t kBytes = 16;
  struct Key {
    unsigned char bytes[kBytes];
  };

  static Key bytes_of(StreamId id) {
    Key key;
    uint64_t parts[] = {__builtin_bswap64(id.ms), __builtin_bswap64(id.seq)};
    std::memcpy(key.bytes, parts, kBytes);
    return key;
  }

  // branches_: the depths at which the path to the last key parts from earlier keys, the deepest last.
  void add(const Key& key) {
    if (!has_last_) {
      last_ = key, has_last_ = true;
      return;
    }
    size_t common = static_cast<size_t>(std::mismatch(key.bytes, key.bytes + kBytes, last_.bytes).first - key.bytes);
    close_below(common);
    last_ = key;
  }

  // The path of the last key ends: it joins the others at depth `common`, where there is a branch from now on.
  void close_below(size_t common) {
    size_t end = kBytes;
    nodes_++;                                            // the key's own end
    while (depth_ > 0 && branches_[depth_ - 1] > common) {
      size_t branch = branches_[--depth_];
      nodes_ += 1 + (branch + 1 < end);                  // the branch, and what lies below it on this path
      end = branch;
    }
    nodes_ += common + 1 < end;
    if (depth_ == 0 || branches_[depth_ - 1] != common) branches_[depth_++] = common;
  }

  uint64_t finish() {
    size_t end = kBytes;
    nodes_++;
    while (depth_ > 0) {
      size_t branch = branches_[--depth_];
      nodes_ += 1 + (branch + 1 < end);
      end = branch;
    }
    return nodes_ + (end > 0);
  }

  Key last_{};
  bool has_last_ = false;
  size_t branches_[kBytes + 1];
  size_t depth_ = 0;
  uint64_t nodes_ = 0;
};

void field(Call& c, Bytes name, int64_t n) {
  c.reply.bulk(name);
  c.reply.integer(n);
}

void field(Call& c, Bytes name, Bytes text) {
  c.reply.bulk(name);
  c.reply.bulk(text);
}

void reply_counters(Call& c, const Stream& stream, const StreamGroup& group) {
  c.reply.bulk("entries-read");
  group.entries_read == StreamGroup::kUnknown ? c.reply.null() : c.reply.integer(group.entries_read);
  c.reply.bulk("lag");
  auto lag = stream.lag_of(group);
  lag ? c.reply.integer(*lag) : c.reply.null();
}

// What both forms of XINFO STREAM begin with: seven fields.
void reply_head(Call& c, const Stream& stream) {
  const StreamData& s = stream.data();
  field(c, "length", static_cast<int64_t>(s.length));
  field(c, "radix-tree-keys", static_cast<int64_t>(s.nodes.size()));
  field(c, "radix-tree-nodes", static_cast<int64_t>(RadixNodes::count(s.nodes)));
  field(c, "last-generated-id", StreamIdText(s.last_id));
  field(c, "max-deleted-entry-id", StreamIdText(s.max_deleted_id));
  field(c, "entries-added", static_cast<int64_t>(s.entries_added));
  field(c, "recorded-first-entry-id", StreamIdText(stream.first_id()));
}
constexpr int64_t kHeadFields = 7;

// What is remembered of producers, if anything ever was: six fields.
constexpr int64_t kProducerFields = 6;
int64_t count_producer_fields(const Stream& stream) { return stream.data().producers ? kProducerFields : 0; }

void reply_producers(Call& c, const Stream& stream) {
  if (!stream.data().producers) return;
  StreamProducers& producers = stream.producers();
  producers.forget_due(c.now_ms);
  field(c, "idmp-duration", producers.duration_s());
  field(c, "idmp-maxsize", producers.most());
  field(c, "pids-tracked", static_cast<int64_t>(producers.producers()));
  field(c, "iids-tracked", static_cast<int64_t>(producers.records()));
  field(c, "iids-added", static_cast<int64_t>(producers.added()));
  field(c, "iids-duplicates", static_cast<int64_t>(producers.duplicates()));
}

void reply_end(Call& c, Bytes name, const Stream& stream, bool last) {
  c.reply.bulk(name);
  StreamRange range = stream.range(StreamId::min(), StreamId::max(), last);
  const StreamEntry* e = range.next();
  if (!e) return c.reply.null();
  BulkWriter out(c.reply);
  write_entry(out, *e);
}

void reply_stream(Call& c, const Stream& stream) {
  c.reply.map(kHeadFields + count_producer_fields(stream) + 3);
  reply_head(c, stream);
  reply_producers(c, stream);
  field(c, "groups", static_cast<int64_t>(stream.data().groups.size()));
  reply_end(c, "first-entry", stream, false);
  reply_end(c, "last-entry", stream, true);
}

// ---- FULL ----

// The first `limit` pending entries of a group, or (without their consumer's name) of a consumer.
void reply_pending(Call& c, const IdTree& pending, size_t limit, bool with_consumer) {
  size_t n = std::min(limit, pending.size());
  c.reply.bulk("pending");
  c.reply.array(static_cast<int64_t>(n));
  auto p = pending.first();
  for (size_t i = 0; i < n; i++, ++p) {
    const StreamNack& nack = StreamGroup::nack_at(p);
    c.reply.array(with_consumer ? 4 : 3);
    c.reply.bulk(StreamIdText(p->id));
    if (with_consumer) c.reply.bulk(nack.consumer ? Bytes(nack.consumer->name()) : Bytes());
    c.reply.integer(nack.delivered_ms);
    c.reply.integer(nack.deliveries);
  }
}

void reply_full_group(Call& c, const Stream& stream, Bytes name, const StreamGroup& group, size_t limit) {
  size_t given_back = group.pending().size();
  for (const auto& [consumer_name, consumer] : group.consumers()) given_back -= consumer->pending().size();
  c.reply.map(given_back > 0 ? 8 : 7);
  field(c, "name", name);
  field(c, "last-delivered-id", StreamIdText(group.last_id));
  reply_counters(c, stream, group);
  field(c, "pel-count", static_cast<int64_t>(group.pending().size()));
  if (given_back > 0) field(c, "nacked-count", static_cast<int64_t>(given_back));
  reply_pending(c, group.pending(), limit, true);
  c.reply.bulk("consumers");
  c.reply.array(static_cast<int64_t>(group.consumers().size()));
  for (const auto& [consumer_name, consumer] : group.consumers()) {
    c.reply.map(5);
    field(c, "name", consumer_name);
    field(c, "seen-time", consumer->seen_ms);
    field(c, "active-time", consumer->active_ms);
    field(c, "pel-count", static_cast<int64_t>(consumer->pending().size()));
    reply_pending(c, consumer->pending(), limit, false);
  }
}

void reply_full(Call& c, const Stream& stream, size_t limit) {
  c.reply.map(kHeadFields + count_producer_fields(stream) + 2);
  reply_head(c, stream);
  reply_producers(c, stream);
  c.reply.bulk("entries");
  reply_range(c, stream.range(StreamId::min(), StreamId::max()), limit);
  c.reply.bulk("groups");
  c.reply.array(static_cast<int64_t>(stream.data().groups.size()));
  for (const auto& [name, group] : stream.data().groups) reply_full_group(c, stream, name, *group, limit);
}

void xinfo_stream(Call& c) {
  constexpr int64_t kUsual = 10;
  auto stream = c.read<Stream>(c.args.bytes());
  if (!stream) return stream.missing() ? c.reply.error(kNoKey) : void();
  if (!c.args.more()) return reply_stream(c, *stream);
  int64_t count = kUsual;
  if (!c.args.accept("FULL") || (c.args.more() && (c.args.left() != 2 || !c.args.accept("COUNT"))))
    return c.reply.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(c.args[1]) +
                         "'. Try XINFO HELP.");
  if (c.args.more()) count = c.args.integer();
  if (!c.args.done()) return;
  if (count < 0) count = kUsual;
  reply_full(c, *stream, count == 0 ? SIZE_MAX : static_cast<size_t>(count));
}

// ---- groups and consumers ----

void xinfo_groups(Call& c) {
  auto stream = c.read<Stream>(c.args.bytes());
  if (!stream) return stream.missing() ? c.reply.error(kNoKey) : void();
  const StreamData::Groups& groups = stream->data().groups;
  c.reply.array(static_cast<int64_t>(groups.size()));
  for (const auto& [name, group] : groups) {
    c.reply.map(6);
    field(c, "name", name);
    field(c, "consumers", static_cast<int64_t>(group->consumers().size()));
    field(c, "pending", static_cast<int64_t>(group->pending().size()));
    field(c, "last-delivered-id", StreamIdText(group->last_id));
    reply_counters(c, *stream, *group);
  }
}

void xinfo_consumers(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes();
  auto stream = c.read<Stream>(key);
  if (!stream) return stream.missing() ? c.reply.error(kNoKey) : void();
  const StreamGroup* group = stream->find_group(name);
  if (!group) return reply_no_group(c, key, name);
  c.reply.array(static_cast<int64_t>(group->consumers().size()));
  for (const auto& [consumer_name, consumer] : group->consumers()) {
    c.reply.map(4);
    field(c, "name", consumer_name);
    field(c, "pending", static_cast<int64_t>(consumer->pending().size()));
    field(c, "idle", std::max<int64_t>(0, c.now_ms - consumer->seen_ms));
    field(c, "inactive", consumer->active_ms < 0 ? -1 : std::max<int64_t>(0, c.now_ms - consumer->active_ms));
  }
}

constexpr CommandRow kRows[] = {
    {"xinfo|stream", xinfo_stream}, {"xinfo|groups", xinfo_groups}, {"xinfo|consumers", xinfo_consumers}};

}  // namespace

void add_stream_info_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
