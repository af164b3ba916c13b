// What XREADGROUP gives to a consumer of a group: new entries, entries that others left idle, or its own history.
#pragma once

#include <vector>

#include "commands/stream_groups.h"
#include "commands/stream_replies.h"

namespace vitrine {

// What all streams of one command may give together.
struct DeliveryBudget {
  size_t entries = SIZE_MAX;
  size_t bytes = SIZE_MAX;                 // of the reply; the first entry always fits
  bool used = false;

  bool spent() const { return entries == 0 || (used && bytes == 0); }
  // What stands in the reply ahead of a stream's entries.
  void begin_stream(Bytes key);
  // Whether the entry fits, and `more_bytes` that stand with it; takes them off.
  bool take(const StreamEntry& e, size_t more_bytes = 0);
};

// An array of what the range holds, at most `count` entries, within what is left of the budget. Returns how many.
size_t reply_within(Call& c, StreamRange range, size_t count, DeliveryBudget& budget);

class StreamDelivery {
 public:
  // Creates the consumer if it is new. Everything given must live as long as this.
  StreamDelivery(Call& c, Bytes key, Stream& stream, Bytes group_name, StreamGroup& group, Bytes consumer_name);

  Bytes key() const { return key_; }
  // Whether an entry is pending that was delivered so long ago. What is not in the stream any more is dropped.
  bool has_idle(int64_t claim_idle_ms) { return !find_idle(claim_idle_ms, 1).empty(); }

  // The consumer's pending entries behind `after`.
  void reply_history(StreamId after, size_t count, DeliveryBudget& budget);
  // Entries idle for at least claim_idle_ms (-1: none of them), the longest idle first, and then new ones. Returns how
  // many.
  size_t reply_new(int64_t claim_idle_ms, size_t count, bool no_ack, DeliveryBudget& budget);

 private:
  // Pending entries that were delivered at least so long ago, the longest first, at most `count` of them. Those that
  // the stream has no more are dropped: nobody could work on them.
  std::vector<StreamGroup::Aged> find_idle(int64_t claim_idle_ms, size_t count);
  size_t claim_idle(BulkWriter& out, int64_t claim_idle_ms, size_t count, DeliveryBudget& budget);
  size_t deliver_new(BulkWriter& out, size_t count, bool no_ack, DeliveryBudget& budget);

  Call& c_;
  Bytes key_;
  Stream& stream_;
  Bytes group_name_;
  StreamGroup& group_;
  StreamConsumer* consumer_;
};

}  // namespace vitrine
