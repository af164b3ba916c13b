// XDELEX, XACKDEL, XNACK: entries and what groups hold of them, id by id.
#include <algorithm>
#include <optional>
#include <vector>

#include "commands/families.h"
#include "commands/stream_args.h"
#include "commands/stream_groups.h"
#include "engine/command.h"
#include "engine/waiters.h"

namespace vitrine {

namespace {

// What is told of each id.
enum Outcome : int64_t { kNoSuch = -1, kDeleted = 1, kStillReferenced = 2 };

// IDS numids id [id ...]
void take_ids(Args& args, std::vector<StreamId>& ids) {
  constexpr Bytes kCount = "ERR Number of IDs must be a positive integer";
  constexpr Bytes kTooFew = "ERR The `numids` parameter must match the number of arguments";
  int64_t n = args.integer(1, INT64_MAX, kCount, kCount);
  if (!args.failed() && static_cast<size_t>(n) > args.left()) args.fail(kTooFew);
  while (!args.failed() && n-- > 0) ids.push_back(take_stream_id(args));
}

struct Deletion {
  StreamReferences references = StreamReferences::keep;
  std::vector<StreamId> ids;

  // [KEEPREF | DELREF | ACKED] IDS numids id [id ...], in any order.
  bool read(Call& c) {
    while (c.args.more()) {
      if (accept_references(c.args, references)) continue;
      if (ids.empty() && c.args.accept("IDS", 1)) take_ids(c.args, ids);
      else c.args.fail();
    }
    if (!c.args.failed() && ids.empty()) c.args.fail();
    return c.args.done();
  }

  Outcome run(Call& c, Stream& stream, StreamId id, bool respect) const {
    bool there = stream.contains(id);
    if (references == StreamReferences::remove) count_group_change(c, stream.remove_references(id));
    if (!there) return kNoSuch;
    if (respect) return kStillReferenced;
    stream.erase(id);
    return kDeleted;
  }
};

void reply_outcomes(Call& c, const std::vector<Outcome>& outcomes) {
  c.reply.array(static_cast<int64_t>(outcomes.size()));
  for (Outcome o : outcomes) c.reply.integer(o);
}

void reply_none(Call& c, const Deletion& deletion) {
  reply_outcomes(c, std::vector<Outcome>(deletion.ids.size(), kNoSuch));
}

void xdelex(Call& c) {
  Bytes key = c.args.bytes();
  Deletion deletion;
  if (!deletion.read(c)) return;
  auto stream = c.edit<Stream>(key, "xdel", Missing::skip);
  if (!stream) return stream.missing() ? reply_none(c, deletion) : void();
  std::vector<Outcome> outcomes;
  bool respect = deletion.references == StreamReferences::respect;
  // Without groups nobody has acknowledged anything.
  bool no_groups = stream->data().groups.empty();
  for (StreamId id : deletion.ids)
    outcomes.push_back(deletion.run(c, *stream, id, respect && (no_groups || stream->is_referenced(id))));
  reply_outcomes(c, outcomes);
}

void xackdel(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes();
  Deletion deletion;
  if (!deletion.read(c)) return;
  auto stream = c.edit<Stream>(key, "xdel", Missing::skip);
  if (stream.wrong_type()) return;
  StreamGroup* group = stream ? stream->find_group(name) : nullptr;
  if (!group) return reply_none(c, deletion);
  std::vector<Outcome> outcomes;
  bool respect = deletion.references == StreamReferences::respect;
  for (StreamId id : deletion.ids) {
    // An entry that the group has not pending is left alone, whoever else has it.
    if (!group->acknowledge(id)) {
      if (stream->contains(id)) outcomes.push_back(kNoSuch);
      else outcomes.push_back(deletion.run(c, *stream, id, false));
      continue;
    }
    count_group_change(c);
    outcomes.push_back(deletion.run(c, *stream, id, respect && stream->is_referenced(id)));
  }
  reply_outcomes(c, outcomes);
}

// ---- XNACK ----

class GiveBack {
 public:
  bool read(Call& c) {
    if (c.args.accept("SILENT")) mode_ = Mode::silent;
    else if (c.args.accept("FAIL")) mode_ = Mode::fail;
    else if (c.args.accept("FATAL")) mode_ = Mode::fatal;
    else c.args.fail("ERR mode must be SILENT, FAIL, or FATAL");
    while (c.args.more()) {
      if (ids_.empty() && c.args.accept("IDS", 1)) take_ids(c.args, ids_);
      else if (c.args.accept("RETRYCOUNT", 1)) deliveries_ = read_count(c.args);
      else if (c.args.accept("FORCE")) force_ = true;
      else c.args.fail();
    }
    if (!c.args.failed() && ids_.empty()) c.args.fail();
    return c.args.done();
  }

  // How many are given back.
  int64_t run(const Stream& stream, StreamGroup& group) const {
    return std::ranges::count_if(ids_, [&](StreamId id) {
      StreamNack* nack = group.find(id);
      if (!nack && (!force_ || !stream.contains(id))) return false;
      if (nack) group.give_back(id);
      else nack = group.add_pending(id, 0, 0);
      nack->deliveries = deliveries_ ? *deliveries_ : adjusted(nack->deliveries);
      return true;
    });
  }

 private:
  enum class Mode : uint8_t { silent, fail, fatal };

  static int64_t read_count(Args& args) {
    constexpr Bytes kNegative = "ERR RETRYCOUNT must be a non-negative integer";
    return args.integer(0, INT64_MAX, kNegative, kNegative);
  }
  int64_t adjusted(int64_t deliveries) const {
    if (mode_ == Mode::fatal) return INT64_MAX;
    return mode_ == Mode::silent ? std::max<int64_t>(0, deliveries - 1) : deliveries;
  }

  Mode mode_ = Mode::fail;
  std::vector<StreamId> ids_;
  std::optional<int64_t> deliveries_;
  bool force_ = false;
};

void xnack(Call& c) {
  Bytes key = c.args.bytes(), name = c.args.bytes();
  GiveBack give_back;
  if (!give_back.read(c)) return;
  auto stream = c.read<Stream>(key);
  if (stream.wrong_type()) return;
  StreamGroup* group = stream ? stream->find_group(name) : nullptr;
  if (!group) return reply_no_key_or_group(c, key, name);
  int64_t n = give_back.run(*stream, *group);
  c.reply.integer(n);
  if (n == 0) return;
  count_group_change(c, static_cast<uint64_t>(n));
  // Who waits to claim can have it now.
  c.waiters.feed(c.db, key);
}

constexpr CommandRow kRows[] = {{"xdelex", xdelex}, {"xackdel", xackdel}, {"xnack", xnack}};

}  // namespace

void add_stream_delete_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
