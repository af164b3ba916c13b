#include "engine/notifier.h"

#include <string>

#include "engine/observe_options.h"
#include "engine/pubsub.h"

namespace vitrine {

namespace {
constexpr uint32_t bit(EventClass kind) { return 1u << static_cast<int>(kind); }
constexpr uint32_t kFieldChannels =
    kNotifySubkeyspace | kNotifySubkeyevent | kNotifySubkeyspaceitem | kNotifySubkeyspaceevent;
constexpr uint32_t kOverwrites = bit(EventClass::overwritten) | bit(EventClass::type_changed);
}  // namespace

void Notifier::follow(uint32_t events) {
  constexpr uint32_t kChannels = kNotifyKeyspace | kNotifyKeyevent;
  const bool no_class = !(events & (kNotifyKeyspace - 1));
  follow_fields(no_class || events & bit(EventClass::hash) ? events & kFieldChannels : 0);
  events_ = events & kChannels ? events & ~kFieldChannels : 0;
  bool wanted = events_ & ~(kChannels | kNotifyMiss | bit(EventClass::created) | kOverwrites);
  if (wanted != observing_) wanted ? keyspace_.observe(this) : keyspace_.unobserve(this);
  observing_ = wanted;
  keyspace_.observe_lookups(events_ & bit(EventClass::created) ? this : nullptr,
                            events_ & kNotifyMiss ? this : nullptr, events_ & kOverwrites ? this : nullptr);
}

void Notifier::on_change(const Change& change) {
  if (change.event.empty()) return;    // of no interest to anybody but WATCH and the logs
  if (events_ & bit(change.kind)) publish(change.db, change.event, change.key);
}

void Notifier::on_created(int db, Bytes key) { publish(db, "new", key); }
void Notifier::on_miss(int db, Bytes key) { publish(db, "keymiss", key); }

void Notifier::on_overwritten(int db, Bytes key, bool type_changed) {
  if (events_ & bit(EventClass::overwritten)) publish(db, "overwritten", key);
  if (type_changed && events_ & bit(EventClass::type_changed)) publish(db, "type_changed", key);
}

void Notifier::follow_fields(uint32_t channels) {
  field_channels_ = channels;
  keyspace_.observe_fields(channels ? this : nullptr);
}

void Notifier::on_fields(int db, Bytes key, Bytes event, std::span<const Bytes> fields) {
  if (!pubsub_.anybody_listens()) return;
  auto with_length = [](Bytes text) { return std::to_string(text.size()).append(":").append(text); };
  auto publish_to = [&](const char* kind, std::string of, Bytes message) {
    pubsub_.publish(kind + std::to_string(db) + "__:" + std::move(of), message);
  };
  std::string list;
  for (Bytes field : fields) (list.empty() ? list : list += ',') += with_length(field);
  std::string name(event), owner(key);
  if (field_channels_ & kNotifySubkeyspace) publish_to("__subkeyspace@", owner, name + '|' + list);
  if (field_channels_ & kNotifySubkeyevent) publish_to("__subkeyevent@", name, with_length(key) + '|' + list);
  if (field_channels_ & kNotifySubkeyspaceitem && key.find('\n') == Bytes::npos)
    for (Bytes field : fields) publish_to("__subkeyspaceitem@", (owner + '\n').append(field), event);
  if (field_channels_ & kNotifySubkeyspaceevent) publish_to("__subkeyspaceevent@", name + '|' + owner, list);
}

void Notifier::publish(int db, Bytes event, Bytes key) {
  if (!pubsub_.anybody_listens()) return;
  auto channel = [db](const char* kind, Bytes of) {
    std::string name = kind + std::to_string(db) + "__:";
    return name += of;
  };
  if (events_ & kNotifyKeyspace) pubsub_.publish(channel("__keyspace@", key), event);
  if (events_ & kNotifyKeyevent) pubsub_.publish(channel("__keyevent@", event), key);
}

}  // namespace vitrine
