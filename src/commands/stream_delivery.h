// What XREADGROUP gives to a consumer of a group: new entries, entries that others left idle, or its own history.
#pragma once

#include <vector>

#include "commands/stream_groups.h"
#include "commands/stream_replies.h"

namespace vitrine {

// What all streams of one command may give together.
struct DeliveryBudget {
  size_t entries = SIZE_MAX;
  size_t bytes = SIZE_MAX;                 // of ids, names and values; the first entry always fits
  bool used = false;

  bool spent() const { return entries == 0 || bytes == 0; }
  // Whether the entry fits; takes it off.
  bool take(const StreamEntry& e);
};

// As reply_range(), within what is left of the budget.
template <class Seen>
size_t reply_within(Call& c, StreamRange& range, size_t count, DeliveryBudget& budget, Seen seen) {
  auto mark = c.reply.later();
  size_t n = 0;
  {
    BulkWriter out(c.reply);
    for (const StreamEntry* e; n < count && (e = range.next()) && budget.take(*e); n++) {
      write_entry(out, *e);
      seen(e->id());
    }
  }
  c.reply.array_at(mark, static_cast<int64_t>(n));
  return n;
}

class StreamDelivery {
 public:
  // Creates the consumer if it is new. Everything given must live as long as this.
  StreamDelivery(Call& c, Bytes key, Stream& stream, Bytes group_name, StreamGroup& group, Bytes consumer_name);

  Bytes key() const { return key_; }
  // Whether something is pending that was delivered at that moment or before.
  static bool has_idle(const StreamGroup& group, int64_t delivered_ms);
  // When the longest pending entry was delivered; -1: nothing is pending.
  static int64_t idle_from(const StreamGroup& group);

  // The consumer's pending entries behind `after`.
  void reply_history(StreamId after, size_t count, DeliveryBudget& budget);
  // Entries idle for at least claim_idle_ms (-1: none of them), the longest idle first, and then new ones.
  void reply_new(int64_t claim_idle_ms, size_t count, bool no_ack, DeliveryBudget& budget);

 private:
  struct Idle {
    int64_t delivered_ms;
    StreamId id;
  };
  std::vector<Idle> find_idle(int64_t claim_idle_ms) const;
  size_t claim_idle(BulkWriter& out, int64_t claim_idle_ms, size_t count, DeliveryBudget& budget);
  size_t deliver_new(BulkWriter& out, size_t count, bool no_ack, DeliveryBudget& budget);
  void count_read(StreamId id);

  Call& c_;
  Bytes key_;
  Stream& stream_;
  Bytes group_name_;
  StreamGroup& group_;
  StreamConsumer* consumer_;
};

}  // namespace vitrine
