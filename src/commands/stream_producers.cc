// What streams remember of producers (XADD IDMP): XCFGSET says for how long and how much, XIDMPRECORD replays a record.
#include "commands/families.h"
#include "commands/stream_args.h"
#include "commands/stream_groups.h"
#include "engine/command.h"

namespace vitrine {

namespace {

constexpr Bytes kNoKey = "ERR no such key";

void xcfgset(Call& c) {
  constexpr Bytes kDuration = "ERR invalid duration, it must be between 1 and 86400";
  constexpr Bytes kSize = "ERR invalid maxsize, it must be between 1 and 10000";
  Bytes key = c.args.bytes();
  int64_t duration_s = 0, most = 0;
  if (!c.args.more()) c.args.fail();
  while (c.args.more()) {
    if (c.args.accept("IDMP-DURATION", 1))
      duration_s = c.args.integer(1, StreamProducers::kMostSeconds, kDuration, kDuration);
    else if (c.args.accept("IDMP-MAXSIZE", 1))
      most = c.args.integer(1, StreamProducers::kMostRecords, kSize, kSize);
    else c.args.fail();
  }
  if (!c.args.done()) return;
  auto stream = c.read_to_write<Stream>(key);
  if (!stream) return stream.missing() ? c.reply.error(kNoKey) : void();
  StreamProducers& producers = stream->producers();
  producers.configure(duration_s ? duration_s : producers.duration_s(), most ? most : producers.most());
  announce_group_change(c, key, "xcfgset");
  c.reply.ok();
}

void xidmprecord(Call& c) {
  Bytes key = c.args.bytes(), producer = c.args.bytes(), message = c.args.bytes();
  StreamId id = take_stream_id(c.args);
  if (producer.empty() || message.empty()) c.args.fail("ERR The producer and the idempotent ID must not be empty");
  if (!c.args.done()) return;
  auto stream = c.read<Stream>(key);
  if (!stream) return stream.missing() ? c.reply.error(kNoKey) : void();
  if (!stream->contains(id)) return c.reply.error("ERR no such entry");
  const StreamId* known = stream->producers().find(producer, message, c.now_ms);
  // When a log is replayed, what was forgotten in time is still known.
  if (known && *known != id && c.session.origin == Origin::aof)
    stream->producers().forget(producer, message), known = nullptr;
  if (known && *known != id) return c.reply.error("ERR The idempotent ID is that of another entry");
  if (!known) {
    stream->producers().record(producer, message, id, c.now_ms);
    count_group_change(c);
  }
  c.reply.ok();
}

constexpr CommandRow kRows[] = {{"xcfgset", xcfgset}, {"xidmprecord", xidmprecord}};

}  // namespace

void add_stream_producer_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
