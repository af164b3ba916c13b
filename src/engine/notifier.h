// Notifier: keyspace notifications. Publishes what happens to keys, in the classes that `notify-keyspace-events` names:
//
//   __keyspace@0__:mykey   del        K
//   __keyevent@0__:del     mykey      E
//
// And which fields of hashes an event is about (Redis 8.8), each with its length before it:
//
//   __subkeyspace@0__:mykey            hset|2:f1,2:f2          S
//   __subkeyevent@0__:hset             5:mykey|2:f1,2:f2       T
//   __subkeyspaceitem@0__:mykey\nf1    hset                    I, for each field; not of keys with a newline
//   __subkeyspaceevent@0__:hset|mykey  2:f1,2:f2               V
//
// It observes the keyspace only while a class and one of K and E are set; the fields of hashes while one of STIV is
// set, and either the class h or no class.
#pragma once

#include "store/keyspace.h"

namespace vitrine {

class PubSub;

class Notifier : public KeyObserver {
 public:
  Notifier(Keyspace& keyspace, PubSub& pubsub) : keyspace_(keyspace), pubsub_(pubsub) {}
  ~Notifier() override { follow(0); }

  // `events` as in engine/observe_options.h.
  void follow(uint32_t events);

  void on_change(const Change& change) override;
  void on_flush(int) override {}
  void on_swap(int, int) override {}
  void on_created(int db, Bytes key) override;
  void on_miss(int db, Bytes key) override;
  void on_fields(int db, Bytes key, Bytes event, std::span<const Bytes> fields) override;
  void on_overwritten(int db, Bytes key, bool type_changed) override;

 private:
  void follow_fields(uint32_t channels);
  void publish(int db, Bytes event, Bytes key);

  Keyspace& keyspace_;
  PubSub& pubsub_;
  uint32_t events_ = 0, field_channels_ = 0;
  bool observing_ = false;
};

}  // namespace vitrine
