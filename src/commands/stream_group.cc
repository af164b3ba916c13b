// XGROUP: consumer groups of a stream and their consumers.
#include <string>

#include "commands/families.h"
#include "commands/stream_args.h"
#include "commands/stream_groups.h"
#include "commands/stream_replies.h"
#include "engine/command.h"
#include "engine/waiters.h"

namespace vitrine {

namespace {

constexpr Bytes kNoStream =
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
    "to create an empty stream automatically.";

// The options behind the id of CREATE and SETID.
struct Options {
  bool make_stream = false;
  bool too_many = false;     // said only once the key, and for SETID the group, is found
  int64_t entries_read = StreamGroup::kUnknown;

  bool read(Call& c, bool creates) {
    constexpr Bytes kNegative = "ERR value for ENTRIESREAD must be positive or -1";
    too_many = c.args.left() > (creates ? 3u : 2u);
    while (c.args.more()) {
      if (creates && c.args.accept("MKSTREAM")) {
        make_stream = true;
      } else if (c.args.accept("ENTRIESREAD", 1)) {
        entries_read = c.args.integer(StreamGroup::kUnknown, INT64_MAX, kNegative);
      } else {
        bad(c.args);
      }
    }
    return c.args.done();
  }

  static void bad(Args& args) {
    args.fail_formatted("ERR unknown subcommand or wrong number of arguments for '" + std::string(args[1]) +
                        "'. Try XGROUP HELP.");
  }
};

// `$` is the last id there was. SETID alone knows `-` and `+` as well.
bool parse_position(Call& c, Bytes text, StreamId last, StreamId& id, bool creates = true) {
  auto parsed = text == "$" ? last : creates ? parse_stream_id(text) : parse_stream_bound(text);
  if (!parsed) return c.reply.error(kInvalidStreamId), false;
  id = *parsed;
  return true;
}

void create_with_stream(Call& c, Bytes key, Bytes name, Bytes id_text, const Options& options) {
  StreamId id;
  if (!parse_position(c, id_text, {}, id)) return;
  auto stream = c.edit<Stream>(key, "xgroup-create");
  stream->add_group(name, id, options.entries_read);
  c.reply.ok();
}

void xgroup_create(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes(), id_text = c.args.bytes();
  Options options;
  if (!options.read(c, true)) return;
  StreamId id;
  {
    auto stream = c.read_to_write<Stream>(key);
    if (stream.wrong_type()) return;
    if (stream.missing() && !options.make_stream) return c.reply.error(kNoStream);
    if (options.too_many) return Options::bad(c.args);
    if (stream) {
      if (!parse_position(c, id_text, stream->last_id(), id)) return;
      if (!stream->add_group(name, id, options.entries_read))
        return c.reply.error("BUSYGROUP Consumer Group name already exists");
    } else {
      return create_with_stream(c, key, name, id_text, options);
    }
  }
  announce_group_change(c, key, "xgroup-create");
  c.reply.ok();
}

// Runs `act(stream, group)` for the stream and the group that the arguments begin with.
template <class Act>
void with_group(Call& c, Bytes key, Bytes name, Act act) {
  auto stream = c.read_to_write<Stream>(key);
  if (!stream) return stream.missing() ? c.reply.error(kNoStream) : void();
  StreamGroup* group = stream->find_group(name);
  group ? act(*stream, *group) : reply_no_group(c, key, name);
}

void xgroup_setid(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes(), id_text = c.args.bytes();
  Options options;
  if (!options.read(c, false)) return;
  with_group(c, key, name, [&](const Stream& stream, StreamGroup& group) {
    if (options.too_many) return Options::bad(c.args);
    StreamId id;
    if (!parse_position(c, id_text, stream.last_id(), id, false)) return;
    group.last_id = id;
    group.entries_read = options.entries_read;
    announce_group_change(c, key, "xgroup-setid");
    c.reply.ok();
  });
}

void xgroup_destroy(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes();
  auto stream = c.read_to_write<Stream>(key);
  if (!stream) return stream.missing() ? c.reply.error(kNoStream) : void();
  if (!stream->remove_group(name)) return c.reply.integer(0);
  announce_group_change(c, key, "xgroup-destroy");
  // Who waits for entries as a consumer of the group must learn that there is none.
  c.waiters.feed(c.db, key);
  c.reply.integer(1);
}

void xgroup_createconsumer(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes(), consumer = c.args.bytes();
  with_group(c, key, name, [&](const Stream&, StreamGroup& group) {
    if (group.find_consumer(consumer)) return c.reply.integer(0);
    group.add_consumer(consumer, c.now_ms);
    announce_group_change(c, key, "xgroup-createconsumer");
    c.reply.integer(1);
  });
}

void xgroup_delconsumer(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes(), consumer_name = c.args.bytes();
  with_group(c, key, name, [&](const Stream&, StreamGroup& group) {
    StreamConsumer* consumer = group.find_consumer(consumer_name);
    if (!consumer) return c.reply.integer(0);
    c.reply.integer(static_cast<int64_t>(consumer->pending().size()));
    group.remove_consumer(consumer);
    announce_group_change(c, key, "xgroup-delconsumer");
  });
}

constexpr CommandRow kRows[] = {
    {"xgroup|create", xgroup_create},
    {"xgroup|setid", xgroup_setid},
    {"xgroup|destroy", xgroup_destroy},
    {"xgroup|createconsumer", xgroup_createconsumer},
    {"xgroup|delconsumer", xgroup_delconsumer},
};

}  // namespace

void reply_no_group(Call& c, Bytes key, Bytes group_name) {
  c.reply.error("NOGROUP No such consumer group '" + std::string(group_name) + "' for key name '" + std::string(key) +
                "'");
}

void reply_no_key_or_group(Call& c, Bytes key, Bytes group_name, Bytes more) {
  c.reply.error("NOGROUP No such key '" + std::string(key) + "' or consumer group '" + std::string(group_name) + "'" +
                std::string(more));
}

StreamConsumer* seen_consumer(Call& c, Bytes key, Bytes group_name, StreamGroup& group, Bytes consumer_name) {
  StreamConsumer* consumer = group.find_consumer(consumer_name);
  if (!consumer) {
    consumer = group.add_consumer(consumer_name, c.now_ms);
    announce_group_change(c, key, "xgroup-createconsumer");
    c.effects.replace({"XGROUP", "CREATECONSUMER", key, group_name, consumer_name});
  }
  consumer->seen_ms = c.now_ms;
  return consumer;
}

void replay_claim(Call& c, Bytes key, Bytes group_name, const StreamGroup& group, StreamId id, const StreamNack& nack) {
  if (!c.effects.wanted()) return;
  std::string when = std::to_string(nack.delivered_ms), times = std::to_string(nack.deliveries);
  c.effects.replace({"XCLAIM", key, group_name, nack.consumer->name(), "0", StreamIdText(id), "TIME", when,
                     "RETRYCOUNT", times, "FORCE", "JUSTID", "LASTID", StreamIdText(group.last_id)});
}

void replay_position(Call& c, Bytes key, Bytes group_name, const StreamGroup& group) {
  if (!c.effects.wanted()) return;
  c.effects.replace({"XGROUP", "SETID", key, group_name, StreamIdText(group.last_id), "ENTRIESREAD",
                     std::to_string(group.entries_read)});
}

void replay_ack(Call& c, Bytes key, Bytes group_name, StreamId id) {
  c.effects.replace({"XACK", key, group_name, StreamIdText(id)});
}

void add_stream_group_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
