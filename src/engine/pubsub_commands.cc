// SUBSCRIBE, PUBLISH and their kin, and PUBSUB.
#include "base/glob.h"
#include "engine/call.h"
#include "engine/command.h"
#include "engine/engine_commands.h"
#include "engine/pubsub.h"

namespace vitrine {

namespace {

struct Verbs {
  Bytes subscribe, unsubscribe;
};
constexpr Verbs kVerbs[] = {
    {"subscribe", "unsubscribe"}, {"psubscribe", "punsubscribe"}, {"ssubscribe", "sunsubscribe"}};
const Verbs& verbs(TopicKind kind) { return kVerbs[static_cast<size_t>(kind)]; }

// Confirmations are messages, too: CLIENT REPLY OFF does not stop them.
void confirm(Call& c, TopicKind kind, Bytes verb, const Bytes* name) {
  auto write = [&](ReplyBuilder& to) {
    to.push(3);
    to.bulk(verb);
    to.bulk_or_null(name);
    to.integer(static_cast<int64_t>(c.session.subscriptions ? c.session.subscriptions->counted_with(kind) : 0));
  };
  if (c.session.reply_mode == ReplyMode::on) return write(c.reply);
  OutputBuffer aside;
  ReplyBuilder builder(aside, c.reply.protocol());
  write(builder);
  send_push(c.session, aside.text());
}

void subscribe(Call& c, PubSub& pubsub, TopicKind kind) {
  // Shard channels may move to another server: nobody may wait for them within a transaction.
  if (kind == TopicKind::shard && !c.may_block)
    return c.reply.error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
  for (Bytes name : c.args.rest()) {
    pubsub.subscribe(c.session, kind, name);
    confirm(c, kind, verbs(kind).subscribe, &name);
  }
}

void unsubscribe(Call& c, PubSub& pubsub, TopicKind kind) {
  auto leave = [&](Bytes name) {
    pubsub.unsubscribe(c.session, kind, name);
    confirm(c, kind, verbs(kind).unsubscribe, &name);
  };
  if (c.args.more()) {
    for (Bytes name : c.args.rest()) leave(name);
    return;
  }
  std::vector<std::string> all = PubSub::names(c.session, kind);
  for (const std::string& name : all) leave(name);
  if (all.empty()) confirm(c, kind, verbs(kind).unsubscribe, nullptr);
}

void publish(Call& c, PubSub& pubsub) {
  c.reply.integer(static_cast<int64_t>(pubsub.publish(c.args[1], c.args[2])));
}

void spublish(Call& c, PubSub& pubsub) {
  c.reply.integer(static_cast<int64_t>(pubsub.publish_to_shard(c.args[1], c.args[2])));
}

void channels(Call& c, PubSub& pubsub, TopicKind kind, Bytes name) {
  if (c.args.left() > 1)
    return c.reply.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(name) +
                         "'. Try PUBSUB HELP.");
  bool all = !c.args.more();
  Bytes pattern = all ? Bytes() : c.args.bytes();
  auto at = c.reply.later();
  int64_t count = 0;
  pubsub.for_each(kind, [&](const Topic& topic) {
    if (!all && !glob_match(pattern, topic.name)) return;
    c.reply.bulk(topic.name);
    count++;
  });
  c.reply.array_at(at, count);
}

void numsub(Call& c, PubSub& pubsub, TopicKind kind) {
  auto names = c.args.rest();
  c.reply.array(static_cast<int64_t>(names.size()) * 2);
  for (Bytes name : names) {
    c.reply.bulk(name);
    c.reply.integer(static_cast<int64_t>(pubsub.listeners(kind, name)));
  }
}

}  // namespace

void add_pubsub_commands(CommandRegistry& registry, PubSub& pubsub) {
  for (TopicKind kind : {TopicKind::channel, TopicKind::pattern, TopicKind::shard}) {
    registry.add(verbs(kind).subscribe, [&pubsub, kind](Call& c) { subscribe(c, pubsub, kind); });
    registry.add(verbs(kind).unsubscribe, [&pubsub, kind](Call& c) { unsubscribe(c, pubsub, kind); });
  }
  registry.add("publish", [&](Call& c) { publish(c, pubsub); });
  registry.add("spublish", [&](Call& c) { spublish(c, pubsub); });
  registry.add("pubsub|channels", [&](Call& c) { channels(c, pubsub, TopicKind::channel, c.args[1]); });
  registry.add("pubsub|shardchannels", [&](Call& c) { channels(c, pubsub, TopicKind::shard, c.args[1]); });
  registry.add("pubsub|numsub", [&](Call& c) { numsub(c, pubsub, TopicKind::channel); });
  registry.add("pubsub|shardnumsub", [&](Call& c) { numsub(c, pubsub, TopicKind::shard); });
  registry.add("pubsub|numpat",
               [&](Call& c) { c.reply.integer(static_cast<int64_t>(pubsub.count(TopicKind::pattern))); });
}

}  // namespace vitrine
