#include "engine/pubsub.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "base/glob.h"
#include "engine/client_options.h"
#include "engine/session.h"

namespace vitrine {

namespace {

constexpr TopicKind kKinds[] = {TopicKind::channel, TopicKind::pattern, TopicKind::shard};

std::string encoded(std::vector<std::string> words, bool resp3) {
  std::string text = (resp3 ? ">" : "*") + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return text;
}

class PubSubTest : public testing::Test {
 protected:
  Session& open(int protocol = 2) {
    Session& session = sessions_.open(nullptr, 0);
    session.reply.set_protocol(protocol);
    return session;
  }
  void end(Session& session) {
    pubsub_.forget(session);
    sessions_.close(session.id);
  }
  void TearDown() override {
    sessions_.for_each([&](Session& session) { pubsub_.forget(session); });
  }

  ClientOptions options_;
  Sessions sessions_;
  PubSub pubsub_{options_};
};

TEST_F(PubSubTest, TellsEachListenerInItsOwnProtocol) {
  Session &two = open(), &three = open(3);
  EXPECT_TRUE(pubsub_.subscribe(two, TopicKind::channel, "news"));
  EXPECT_FALSE(pubsub_.subscribe(two, TopicKind::channel, "news"));
  EXPECT_TRUE(pubsub_.subscribe(three, TopicKind::pattern, "n*"));
  EXPECT_EQ(pubsub_.publish("news", "hi"), 2u);
  EXPECT_EQ(two.out.text(), encoded({"message", "news", "hi"}, false));
  EXPECT_EQ(three.out.text(), encoded({"pmessage", "n*", "news", "hi"}, true));
  EXPECT_EQ(pubsub_.publish_to_shard("news", "hi"), 0u);
  EXPECT_EQ(pubsub_.sessions(), 2u);
  EXPECT_TRUE(pubsub_.unsubscribe(two, TopicKind::channel, "news"));
  EXPECT_FALSE(pubsub_.unsubscribe(two, TopicKind::channel, "news"));
  EXPECT_EQ(two.subscriptions, nullptr);
  EXPECT_EQ(pubsub_.count(TopicKind::channel), 0u);
}

TEST_F(PubSubTest, KeepsBackWhatComesWhileTheListenersOwnCommandRuns) {
  Session& session = open(3);
  pubsub_.subscribe(session, TopicKind::channel, "c");
  session.running = true;
  EXPECT_EQ(pubsub_.publish("c", "1"), 1u);
  send_push(session, ">1\r\n:1\r\n");
  EXPECT_TRUE(session.out.empty());
  EXPECT_EQ(*session.pushes, encoded({"message", "c", "1"}, true) + ">1\r\n:1\r\n");
}

TEST_F(PubSubTest, TellsNobodyWhoIsLeaving) {
  Session &doomed = open(), &closing = open();
  pubsub_.subscribe(doomed, TopicKind::channel, "c");
  pubsub_.subscribe(closing, TopicKind::channel, "c");
  doomed.doomed = closing.close_after_reply = true;
  pubsub_.publish("c", "1");
  EXPECT_TRUE(doomed.out.empty() && closing.out.empty());
}

TEST_F(PubSubTest, ManyListenersShareOneTextOfATurn) {
  std::vector<Session*> listeners;
  for (int i = 0; i < 100; i++) pubsub_.subscribe(*listeners.emplace_back(&open()), TopicKind::channel, "c");
  listeners[7]->out.append("+OK\r\n");
  std::string wanted;
  for (int i = 0; i < 200; i++) {
    std::string message(static_cast<size_t>(i * 37 % 3000), 'x');
    pubsub_.publish("c", message);
    wanted += encoded({"message", "c", message}, false);
  }
  // A handful of blocks each, not one for each message.
  for (Session* s : listeners) EXPECT_LT(s->out.block_count(), 12u);
  EXPECT_EQ(listeners[0]->out.text(), wanted);
  EXPECT_EQ(listeners[7]->out.text(), "+OK\r\n" + wanted);
  pubsub_.close_texts();
  pubsub_.publish("c", "next");
  EXPECT_EQ(listeners[99]->out.text(), wanted + encoded({"message", "c", "next"}, false));
}

// Random subscriptions, messages, ends of sessions and sending, against plain sets.
struct Model {
  std::set<std::string> of[kTopicKinds];
  std::string pending;
};
using Models = std::map<Session*, Model>;

// What a message reaches, and what each listener is to be sent.
size_t publish_to_models(Models& models, TopicKind kind, const std::string& name, const std::string& body) {
  size_t reached = 0;
  for (auto& [s, m] : models) {
    bool resp3 = s->reply.protocol() == 3;
    if (kind == TopicKind::shard) {
      if (m.of[2].contains(name)) reached++, m.pending += encoded({"smessage", name, body}, resp3);
      continue;
    }
    if (m.of[0].contains(name)) reached++, m.pending += encoded({"message", name, body}, resp3);
    for (const std::string& pattern : m.of[1])
      if (glob_match(pattern, name)) reached++, m.pending += encoded({"pmessage", pattern, name, body}, resp3);
  }
  return reached;
}

void expect_same_topics(const Models& models, const PubSub& pubsub) {
  for (TopicKind kind : kKinds) {
    std::set<std::string> all;
    for (auto& [s, m] : models)
      for (const std::string& n : m.of[static_cast<size_t>(kind)]) all.insert(n);
    ASSERT_EQ(pubsub.count(kind), all.size());
  }
  size_t listening = 0;
  for (auto& [s, m] : models) listening += !(m.of[0].empty() && m.of[1].empty() && m.of[2].empty());
  ASSERT_EQ(pubsub.sessions(), listening);
}

TEST_F(PubSubTest, AgreesWithAModel) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 rng(seed);
  auto below = [&](size_t n) { return static_cast<size_t>(rng() % n); };
  const std::vector<std::string> names = {"a", "b", "ab", "a*", "*", "?b", "", "[ab]"};
  Models models;
  auto pick = [&]() -> Session& { return *std::next(models.begin(), static_cast<long>(below(models.size())))->first; };
  for (int i = 0; i < 12; i++) models[&open(i % 2 ? 3 : 2)];
  for (int step = 0; step < 20000; step++) {
    TopicKind kind = kKinds[below(3)];
    const std::string& name = names[below(names.size())];
    Session& session = pick();
    Model& model = models[&session];
    auto& own = model.of[static_cast<size_t>(kind)];
    switch (below(8)) {
      case 0: case 1: case 2:
        // With one pattern at most the order of its messages is known.
        if (kind == TopicKind::pattern && own.size() == 1 && !own.contains(name)) break;
        EXPECT_EQ(pubsub_.subscribe(session, kind, name), own.insert(name).second);
        break;
      case 3:
        EXPECT_EQ(pubsub_.unsubscribe(session, kind, name), own.erase(name) == 1);
        break;
      case 4: case 5: {
        std::string body(below(3) ? below(50) : below(9000), 'm');
        size_t reached = publish_to_models(models, kind, name, body);
        bool shard = kind == TopicKind::shard;
        EXPECT_EQ(shard ? pubsub_.publish_to_shard(name, body) : pubsub_.publish(name, body), reached);
        break;
      }
      case 6: {
        size_t bytes = below(session.out.pending() + 1);
        EXPECT_EQ(session.out.pending(), model.pending.size());
        session.out.consume(bytes);
        model.pending.erase(0, bytes);
        break;
      }
      default:
        if (below(4) == 0) pubsub_.close_texts();
        if (below(10)) break;
        models.erase(&session);
        end(session);
        models[&open(below(2) ? 3 : 2)];
    }
    expect_same_topics(models, pubsub_);
    for (auto& [s, m] : models) {
      if (step % 50) break;
      ASSERT_EQ(s->out.text(), m.pending);
      s->out.clear();
      m.pending.clear();
    }
  }
}

}  // namespace

}  // namespace vitrine
