// Consumer groups of a stream: who has been given which entry, and has not acknowledged it yet.
//
//   StreamGroup  last_id, entries_read, pending: id → StreamNack, consumers by name
//   StreamConsumer  pending: id → the same StreamNack
//
// Invariants: a nack that has a consumer stands in the group's tree and in that consumer's; one that was given back
// (XNACK) has none and stands in the group's alone. Ids may be pending whose entries the stream has no more.
// Who asks for what is idle (XREADGROUP CLAIM) is told by a set ordered by the moments of delivery, which a group has
// from the first such question on. Moments are in ms since 1970.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/bytes.h"
#include "ds/id_tree.h"

namespace vitrine {

using StreamId = TimeId;
class StreamConsumer;

struct StreamNack {
  int64_t delivered_ms;                    // 0: given back
  int64_t deliveries;

  // As often as can be counted.
  void count_delivery() { deliveries += deliveries < INT64_MAX; }
  StreamConsumer* consumer;                // null: nobody's, given back
};

class StreamConsumer {
 public:
  explicit StreamConsumer(Bytes name, int64_t now_ms) : name_(name), seen_ms(now_ms) {}

  const std::string& name() const { return name_; }
  const IdTree& pending() const { return pending_; }

 private:
  friend class StreamGroup;
  std::string name_;
  IdTree pending_;

 public:
  int64_t seen_ms;                         // when it last tried to read or claim
  int64_t active_ms = -1;                  // when it last got something; -1: never
};

class StreamGroup {
 public:
  static constexpr int64_t kUnknown = -1;
  using Consumers = std::map<std::string, std::unique_ptr<StreamConsumer>, std::less<>>;

  StreamGroup(StreamId last, int64_t read) : last_id(last), entries_read(read) {}
  ~StreamGroup();
  StreamGroup(const StreamGroup&) = delete;
  StreamGroup& operator=(const StreamGroup&) = delete;
  std::unique_ptr<StreamGroup> clone() const;

  const IdTree& pending() const { return pending_; }
  const Consumers& consumers() const { return consumers_; }
  static StreamNack& nack_at(IdTree::Cursor c) { return *c->as<StreamNack>(); }

  StreamConsumer* find_consumer(Bytes name) const;
  StreamConsumer* add_consumer(Bytes name, int64_t now_ms);
  // Forgets the consumer and all that it has pending.
  void remove_consumer(StreamConsumer* consumer);

  // Null when the id is not pending.
  StreamNack* find(StreamId id) const;
  // Gives the entry to this consumer, whoever had it. The nack's count is the caller's.
  StreamNack* assign(StreamId id, StreamConsumer* consumer, int64_t delivered_ms);
  // Nobody's yet. Null when it is pending already.
  StreamNack* add_pending(StreamId id, int64_t delivered_ms, int64_t deliveries);
  // The entry was delivered once more to who has it.
  void deliver_again(StreamId id, StreamNack& nack, int64_t now_ms);
  // Takes the entry from its consumer, but leaves it pending, as if it had been delivered long ago. REQUIRES: it is
  // pending.
  StreamNack* give_back(StreamId id);
  // All that is pending, what was delivered longest ago first.
  struct Aged {
    int64_t delivered_ms;
    StreamId id;
    auto operator<=>(const Aged&) const = default;
  };
  using ByAge = std::set<Aged>;
  const ByAge& by_age() const;
  // False when it was not pending.
  bool acknowledge(StreamId id);

  size_t memory() const;

  StreamId last_id;                        // of the last entry delivered: `>` reads go on behind it
  int64_t entries_read;                    // how many entries of the stream lie up to last_id; kUnknown
 private:
  void set_delivered(StreamId id, StreamNack& nack, int64_t at_ms);

  IdTree pending_;
  Consumers consumers_;
  mutable std::unique_ptr<ByAge> by_age_;  // null until somebody asks
};

}  // namespace vitrine
