// PubSub: who listens to which channel, and how a message reaches them all.
//
// Three kinds of topic share one machinery: channels, patterns (which hear every channel whose name they match) and
// shard channels. A topic exists while somebody listens to it:
//
//   topics_[kind]:  "news" -> Topic{ "news", listeners: [session, session, ...] }
//   Session::subscriptions->of[kind]:  Topic* -> its place among the listeners
//
// so that subscribing, unsubscribing and the end of a session cost the same however many listen. A message is encoded
// once per protocol version; a few listeners get a copy of it, many share one text, to which the messages of a turn
// are appended (wire/output_buffer.h).
//
// What a session is sent while its own command runs comes behind that command's reply: RESP3 has pushes only between
// replies. Listeners that take their messages too slowly are cut by their output limit, like all clients.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

class ReplyBuilder;
class Session;
class SharedText;
struct ClientOptions;

enum class TopicKind : uint8_t { channel, pattern, shard };
constexpr size_t kTopicKinds = 3;

struct Topic {
  const std::string name;
  std::vector<Session*> listeners;
  std::array<SharedText*, 2> shared{};    // RESP2, RESP3: this turn's messages
};

// What one session listens to.
struct Subscriptions {
  std::array<std::unordered_map<Topic*, uint32_t>, kTopicKinds> of;
  size_t count(TopicKind kind) const { return of[static_cast<size_t>(kind)].size(); }
  // Channels and patterns together, as replies count them.
  size_t counted_with(TopicKind kind) const {
    return kind == TopicKind::shard ? count(kind) : count(TopicKind::channel) + count(TopicKind::pattern);
  }
  bool empty() const { return of[0].empty() && of[1].empty() && of[2].empty(); }
  size_t memory_bytes() const;
};

class PubSub {
 public:
  explicit PubSub(const ClientOptions& clients) : clients_(clients) {}
  ~PubSub();
  PubSub(const PubSub&) = delete;
  PubSub& operator=(const PubSub&) = delete;

  // False when it listens already.
  bool subscribe(Session& session, TopicKind kind, Bytes name);
  // False when it did not listen.
  bool unsubscribe(Session& session, TopicKind kind, Bytes name);
  // The names of all that the session listens to.
  static std::vector<std::string> names(const Session& session, TopicKind kind);
  // False when it listens to what its user may not.
  static bool may_go_on(const Session& session);
  // The session ends, or starts anew: it listens to nothing.
  void forget(Session& session);

  // To the listeners of the channel and of the patterns that match it; returns how many were reached.
  size_t publish(Bytes channel, Bytes message);
  size_t publish_to_shard(Bytes channel, Bytes message);
  // True when a message could reach somebody.
  bool anybody_listens() const { return !topics(TopicKind::channel).empty() || !topics(TopicKind::pattern).empty(); }

  size_t count(TopicKind kind) const { return topics(kind).size(); }
  size_t listeners(TopicKind kind, Bytes name) const;
  template <class Visit>
  void for_each(TopicKind kind, Visit visit) const {
    for (const auto& [name, topic] : topics(kind)) visit(*topic);
  }
  // How many sessions listen to anything.
  size_t sessions() const { return sessions_; }
  // Messages that come from now on are not written behind those before; what those stand in goes when it is sent.
  // Call it at the end of a turn, unless many of them still wait to be sent.
  void close_texts() {
    if (!open_.empty()) release_texts();
  }

 private:
  void release_texts();
  struct Hash {
    using is_transparent = void;
    size_t operator()(Bytes name) const;
  };
  // The key is the topic's own name.
  using Topics = std::unordered_map<Bytes, std::unique_ptr<Topic>, Hash>;
  struct Message;

  Topics& topics(TopicKind kind) { return topics_[static_cast<size_t>(kind)]; }
  const Topics& topics(TopicKind kind) const { return topics_[static_cast<size_t>(kind)]; }
  size_t deliver(Topic& topic, const Message& message);
  void share(Topic& topic, const Message& message, bool resp3, size_t& from, size_t bytes);
  void leave(Topic& topic, TopicKind kind, uint32_t place);
  size_t worth_a_look_bytes() const;

  const ClientOptions& clients_;
  std::array<Topics, kTopicKinds> topics_;
  std::vector<Topic*> open_;               // those with a shared text
  size_t sessions_ = 0;
};

// Sends `text`, whole replies or pushes in the session's own protocol version, from outside of its own command; while
// one of its commands runs, it comes behind the reply.
void send_push(Session& session, Bytes text);

}  // namespace vitrine
