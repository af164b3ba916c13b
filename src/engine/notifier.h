// Notifier: keyspace notifications. Publishes what happens to keys, in the classes that `notify-keyspace-events` names:
//
//   __keyspace@0__:mykey   del        K
//   __keyevent@0__:del     mykey      E
//
// It observes the keyspace only while a class and one of K and E are set.
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
  void on_overwritten(int db, Bytes key, bool type_changed) override;

 private:
  void publish(int db, Bytes event, Bytes key);

  Keyspace& keyspace_;
  PubSub& pubsub_;
  uint32_t events_ = 0;
  bool observing_ = false;
};

}  // namespace vitrine
