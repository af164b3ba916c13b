#include "engine/pubsub.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/glob.h"
#include "base/hash.h"
#include "base/prefetch.h"
#include "engine/acl_user.h"
#include "engine/client_options.h"
#include "engine/session.h"

namespace vitrine {

size_t Subscriptions::memory_bytes() const {
  constexpr size_t kNodeBytes = 32;
  size_t bytes = sizeof *this;
  for (const auto& topics : of) bytes += topics.size() * kNodeBytes + topics.bucket_count() * sizeof(void*);
  return bytes;
}

size_t PubSub::Hash::operator()(Bytes name) const { return hash_bytes(name); }

PubSub::~PubSub() { close_texts(); }

// ---- who listens ----

bool PubSub::subscribe(Session& session, TopicKind kind, Bytes name) {
  auto found = topics(kind).find(name);
  if (found == topics(kind).end()) {
    std::unique_ptr<Topic> fresh(new Topic{std::string(name)});
    Bytes key = fresh->name;
    found = topics(kind).emplace(key, std::move(fresh)).first;
  }
  Topic& topic = *found->second;
  if (!session.subscriptions) session.subscriptions = std::make_unique<Subscriptions>(), sessions_++;
  auto place = static_cast<uint32_t>(topic.listeners.size());
  if (!session.subscriptions->of[static_cast<size_t>(kind)].emplace(&topic, place).second) return false;
  topic.listeners.push_back(&session);
  return true;
}

// The last listener takes the place of the one that leaves.
void PubSub::leave(Topic& topic, TopicKind kind, uint32_t place) {
  Session* last = topic.listeners.back();
  topic.listeners.pop_back();
  if (place < topic.listeners.size()) {
    topic.listeners[place] = last;
    last->subscriptions->of[static_cast<size_t>(kind)][&topic] = place;
  }
  if (!topic.listeners.empty()) return;
  for (SharedText* text : topic.shared)
    if (text) text->release();
  if (topic.shared[0] || topic.shared[1]) std::erase(open_, &topic);
  topics(kind).erase(topics(kind).find(topic.name));
}

bool PubSub::unsubscribe(Session& session, TopicKind kind, Bytes name) {
  auto found = topics(kind).find(name);
  if (found == topics(kind).end() || !session.subscriptions) return false;
  auto& own = session.subscriptions->of[static_cast<size_t>(kind)];
  auto it = own.find(found->second.get());
  if (it == own.end()) return false;
  uint32_t place = it->second;
  own.erase(it);
  leave(*found->second, kind, place);
  if (session.subscriptions->empty()) session.subscriptions.reset(), sessions_--;
  return true;
}

void PubSub::forget(Session& session) {
  if (!session.subscriptions) return;
  for (size_t kind = 0; kind < kTopicKinds; kind++) {
    auto own = std::move(session.subscriptions->of[kind]);
    session.subscriptions->of[kind].clear();
    for (auto [topic, place] : own) leave(*topic, static_cast<TopicKind>(kind), place);
  }
  session.subscriptions.reset();
  sessions_--;
}

std::vector<std::string> PubSub::names(const Session& session, TopicKind kind) {
  std::vector<std::string> names;
  if (!session.subscriptions) return names;
  for (const auto& [topic, place] : session.subscriptions->of[static_cast<size_t>(kind)]) names.push_back(topic->name);
  return names;
}

bool PubSub::may_go_on(const Session& session) {
  if (!session.subscriptions || !session.acl_user) return true;
  for (size_t kind = 0; kind < kTopicKinds; kind++) {
    bool is_pattern = static_cast<TopicKind>(kind) == TopicKind::pattern;
    for (const auto& [topic, place] : session.subscriptions->of[kind])
      if (!session.acl_user->may_use_channel(topic->name, is_pattern)) return false;
  }
  return true;
}

size_t PubSub::listeners(TopicKind kind, Bytes name) const {
  auto it = topics(kind).find(name);
  return it == topics(kind).end() ? 0 : it->second->listeners.size();
}

// ---- messages ----

// A message on its way: its words, the first of which says what it is.
struct PubSub::Message {
  std::array<Bytes, 4> words;
  size_t count;

  size_t bytes() const {
    constexpr size_t kHeaderBytes = 24, kFrameBytes = 26;
    size_t sum = kHeaderBytes;
    for (size_t i = 0; i < count; i++) sum += words[i].size() + kFrameBytes;
    return sum;
  }
  // Returns the end. At most bytes() are written.
  char* encode(char* to, bool resp3) const {
    to = reply_detail::write_header(to, resp3 ? '>' : '*', static_cast<int64_t>(count));
    for (size_t i = 0; i < count; i++) {
      to = reply_detail::write_header(to, '$', static_cast<int64_t>(words[i].size()));
      std::memcpy(to, words[i].data(), words[i].size());
      to += words[i].size();
      *to++ = '\r';
      *to++ = '\n';
    }
    return to;
  }
};

namespace {

constexpr size_t kFewListeners = 4;          // up to here each has a copy,
constexpr size_t kShortMessage = 4096;       // of a message up to this size
constexpr size_t kFirstTextBytes = 1024, kLargestTextBytes = 256 * 1024;

void push_later(Session& session, Bytes text) {
  if (!session.pushes) session.pushes = std::make_unique<std::string>();
  session.pushes->append(text);
}

}  // namespace

void send_push(Session& session, Bytes text) {
  if (session.doomed || session.close_after_reply) return;
  if (session.running) return push_later(session, text);
  session.out.append(text);
  if (session.peer) session.peer->schedule_push();
}

// Encodes the message behind the others that wait, in a text with room for it.
void PubSub::share(Topic& topic, const Message& message, bool resp3, size_t& from, size_t bytes) {
  SharedText*& text = topic.shared[resp3];
  char* at = text ? text->reserve(bytes) : nullptr;
  if (!at) {
    if (!topic.shared[0] && !topic.shared[1]) open_.push_back(&topic);
    size_t room = text ? std::min(text->size() * 2, kLargestTextBytes) : kFirstTextBytes;
    if (text) text->release();
    text = SharedText::make(std::max(room, bytes));
    at = text->reserve(bytes);
  }
  from = text->size();
  text->advance(static_cast<size_t>(message.encode(at, resp3) - at));
}

// Output that waits and is larger than this must be looked at again, whether or not it can be sent.
size_t PubSub::worth_a_look_bytes() const {
  const OutputBufferLimit& limit = clients_.output_pubsub;
  size_t least = SIZE_MAX;
  if (limit.hard_bytes) least = limit.hard_bytes;
  if (limit.soft_bytes) least = std::min<size_t>(least, limit.soft_bytes);
  return least;
}

size_t PubSub::deliver(Topic& topic, const Message& message) {
  const size_t bytes = message.bytes(), look_at_bytes = worth_a_look_bytes();
  const bool shared = topic.listeners.size() > kFewListeners || (topic.listeners.size() > 1 && bytes > kShortMessage);
  struct Form {
    std::string copy;                 // of a message that is not shared
    SharedText* text = nullptr;
    size_t from = 0, size = 0;
  };
  std::array<Form, 2> forms;
  auto prepare = [&](bool resp3) -> Form& {
    Form& form = forms[resp3];
    if (form.size) return form;
    if (shared) {
      share(topic, message, resp3, form.from, bytes);
      form.text = topic.shared[resp3];
      form.size = form.text->size() - form.from;
    } else {
      form.copy.resize(bytes);
      form.size = static_cast<size_t>(message.encode(form.copy.data(), resp3) - form.copy.data());
    }
    return form;
  };
  constexpr size_t kAhead = 6;
  auto& listeners = topic.listeners;
  for (size_t i = 0; i < listeners.size(); i++) {
    if (i + kAhead < listeners.size()) prefetch(&listeners[i + kAhead]->out);
    Session& session = *listeners[i];
    if (session.doomed || session.close_after_reply) continue;
    const Form& form = prepare(session.reply.protocol() == 3);
    Bytes copy(form.text ? form.text->data() + form.from : form.copy.data(), form.size);
    if (session.running) {
      push_later(session, copy);
      continue;
    }
    bool waits = !session.out.empty();
    if (form.text) session.out.append_shared(*form.text, form.from, form.size);
    else session.out.append(copy);
    if (session.peer && (!waits || session.out.capacity() >= look_at_bytes)) session.peer->schedule_push();
  }
  return listeners.size();
}

size_t PubSub::publish(Bytes channel, Bytes message) {
  size_t reached = 0;
  auto& channels = topics(TopicKind::channel);
  if (auto it = channels.find(channel); it != channels.end())
    reached += deliver(*it->second, {{"message", channel, message}, 3});
  for (auto& [name, topic] : topics(TopicKind::pattern))
    if (glob_match(name, channel)) reached += deliver(*topic, {{"pmessage", name, channel, message}, 4});
  return reached;
}

size_t PubSub::publish_to_shard(Bytes channel, Bytes message) {
  auto& channels = topics(TopicKind::shard);
  auto it = channels.find(channel);
  return it == channels.end() ? 0 : deliver(*it->second, {{"smessage", channel, message}, 3});
}

void PubSub::release_texts() {
  for (Topic* topic : open_)
    for (SharedText*& text : topic->shared)
      if (text) text->release(), text = nullptr;
  open_.clear();
}

}  // namespace vitrine
