// What the commands about consumer groups share: finding a group, and telling of changes to it.
#pragma once

#include "engine/call.h"
#include "store/stream.h"

namespace vitrine {

// What changes what a group has pending is replayed, but no news to who watches the key.
inline void count_group_change(Call& c, uint64_t n = 1) { c.keyspace.stats().changes += n; }

// An event about the groups of a stream: the content that the key holds for its readers is the same.
inline void announce_group_change(Call& c, Bytes key, Bytes event) {
  c.keyspace.announce({c.db, key, event, EventClass::stream, Type::stream, false, true});
}

// "NOGROUP No such consumer group 'g' for key name 's'"
void reply_no_group(Call& c, Bytes key, Bytes group_name);
// "NOGROUP No such key 's' or consumer group 'g'", and more.
void reply_no_key_or_group(Call& c, Bytes key, Bytes group_name, Bytes more = {});

// The consumer of that name, created (with its event and effect) if it is new; it was seen now.
StreamConsumer* seen_consumer(Call& c, Bytes key, Bytes group_name, StreamGroup& group, Bytes consumer_name);
// What to replay when an entry has come to a consumer.
void replay_claim(Call& c, Bytes key, Bytes group_name, const StreamGroup& group, StreamId id, const StreamNack& nack);
// What to replay when only the group's position has changed.
void replay_position(Call& c, Bytes key, Bytes group_name, const StreamGroup& group);
// What to replay for XACK of one entry.
void replay_ack(Call& c, Bytes key, Bytes group_name, StreamId id);

}  // namespace vitrine
