// Streams: adding, reading, deleting and trimming entries.
#include <algorithm>
#include <string>
#include <vector>

#include "base/hash.h"
#include "commands/families.h"
#include "commands/stream_args.h"
#include "commands/stream_groups.h"
#include "commands/stream_replies.h"
#include "engine/command.h"

namespace vitrine {

namespace {

constexpr Bytes kExhausted = "ERR The stream has exhausted the last possible ID, unable to add more items";

// What to replay for a trim that removed something: the same in exact words.
void add_exact_trim(std::vector<Bytes>& argv, const Stream& stream, const StreamTrim& trim, std::string& threshold) {
  // Where entries that are referred to stay behind, the id of the first does not tell what went.
  bool by_length = trim.by == StreamTrim::By::length ||
                   (trim.approximate && (stream.size() == 0 || trim.references == StreamReferences::respect));
  if (trim.references == StreamReferences::remove) argv.push_back("DELREF");
  if (trim.references == StreamReferences::respect) argv.push_back("ACKED");
  argv.push_back(by_length ? "MAXLEN" : "MINID");
  argv.push_back("=");
  threshold = by_length          ? std::to_string(trim.approximate ? stream.size() : trim.length)
              : trim.approximate ? std::string(Bytes(StreamIdText(stream.first_id())))
                                 : std::string(Bytes(StreamIdText(trim.id)));
  argv.push_back(threshold);
}

// ---- XADD ----

class Add {
 public:
  bool read(Call& c) {
    key_ = c.args.bytes();
    while (c.args.more()) {
      if (c.args.peek() == "*") {
        c.args.bytes();
        break;
      }
      if (c.args.accept("NOMKSTREAM")) may_create_ = false;
      else if (c.args.accept("IDMP", 2)) read_producer(c.args, true);
      else if (c.args.accept("IDMPAUTO", 1)) read_producer(c.args, false);
      else if (!options_.read(c.args)) {
        read_id(c.args);
        break;
      }
    }
    if (!c.args.failed()) options_.finish(c.args, false, c.keyspace.context().limits->stream_node_max_entries);
    pairs_ = c.args.rest();
    if (c.args.failed()) return false;
    if (pairs_.size() < 2 || pairs_.size() % 2) {
      c.args.fail("ERR wrong number of arguments for 'xadd' command");
    } else if (!StreamNode::may_hold(pairs_)) {
      c.args.fail("ERR Elements are too large to be stored");
    } else if (!auto_ms_ && !auto_seq_ && id_ == StreamId{}) {
      c.args.fail("ERR The ID specified in XADD must be greater than 0-0");
    } else if (idempotent_ && !auto_ms_) {
      c.args.fail("ERR IDMP and IDMPAUTO can be used with the ID * only");
    }
    if (idempotent_ && message_.empty()) message_ = content_id();
    return !c.args.failed();
  }

  void run(Call& c) {
    auto stream = c.edit<Stream>(key_, "xadd", may_create_ ? Missing::create : Missing::skip);
    if (!stream) return stream.missing() ? c.reply.null() : void();
    if (idempotent_ && is_duplicate(c, *stream)) return;
    if (!choose_id(c, *stream)) return;
    stream->append(id_, pairs_);
    if (idempotent_) stream->producers().record(producer_, message_, id_, c.now_ms);
    c.reply.bulk(StreamIdText(id_));
    uint64_t trimmed = options_.trim.by == StreamTrim::By::none ? 0 : stream->trim(options_.trim);
    if (c.effects.wanted()) replay(c, *stream, trimmed);
    if (!stream.close() || trimmed == 0) return;
    c.announce(key_, "xtrim", EventClass::stream, Type::stream);
    c.count_as_one_change();
  }

 private:
  void read_id(Args& args) {
    Bytes text = args.bytes();
    auto_ms_ = false;
    auto_seq_ = text.size() > 2 && text.ends_with("-*");
    if (auto_seq_) text.remove_suffix(2);
    auto id = parse_stream_id(text);
    if (!id || (auto_seq_ && text.find('-') != Bytes::npos)) return args.fail(kInvalidStreamId);
    id_ = *id;
  }

  void read_producer(Args& args, bool has_message) {
    if (idempotent_) return args.fail();
    idempotent_ = true;
    producer_ = args.bytes();
    message_ = has_message ? std::string(args.bytes()) : std::string();
    if (producer_.empty() || (has_message && message_.empty()))
      args.fail("ERR The producer and the idempotent ID must not be empty");
  }

  // What stands for the names and values: the same in every process.
  std::string content_id() const {
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    for (Bytes text : pairs_) {
      uint64_t n = text.size();
      XXH3_128bits_update(&state, &n, sizeof n);
      XXH3_128bits_update(&state, text.data(), text.size());
    }
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state));
    return {reinterpret_cast<const char*>(canonical.digest), sizeof canonical.digest};
  }

  bool is_duplicate(Call& c, const Stream& stream) {
    const StreamId* known = stream.producers().find(producer_, message_, c.now_ms);
    if (!known) return false;
    stream.producers().count_duplicate();
    c.reply.bulk(StreamIdText(*known));
    return true;
  }

  // The id that the entry gets; false when there is none (and the error was replied).
  bool choose_id(Call& c, const Stream& stream) {
    constexpr Bytes kTooSmall = "ERR The ID specified in XADD is equal or smaller than the target stream top item";
    StreamId last = stream.last_id();
    if (last == StreamId::max()) return c.reply.error(kExhausted), false;
    if (auto_ms_) {
      uint64_t now = static_cast<uint64_t>(c.now_ms);
      id_ = now > last.ms ? StreamId{now, 0} : last.next();
    } else if (auto_seq_ && id_.ms == last.ms) {
      if (last.seq == UINT64_MAX) return c.reply.error(kTooSmall), false;
      id_.seq = last.seq + 1;
    }
    if (id_ <= last) return c.reply.error(kTooSmall), false;
    return true;
  }

  void replay(Call& c, const Stream& stream, uint64_t trimmed) {
    std::vector<Bytes> argv{"XADD", key_};
    std::string threshold;
    if (trimmed) add_exact_trim(argv, stream, options_.trim, threshold);
    StreamIdText id(id_);
    argv.push_back(id);
    argv.insert(argv.end(), pairs_.begin(), pairs_.end());
    c.effects.replace(argv);
    if (idempotent_) c.effects.replace({"XIDMPRECORD", key_, producer_, message_, id});
  }

  Bytes key_;
  bool may_create_ = true;
  StreamTrimOptions options_;
  bool idempotent_ = false;
  Bytes producer_;
  std::string message_;                    // the idempotent id
  bool auto_ms_ = true, auto_seq_ = false;
  StreamId id_;
  std::span<const Bytes> pairs_;
};

void xadd(Call& c) {
  Add add;
  if (add.read(c)) add.run(c);
}

// ---- reading ----

void xlen(Call& c) {
  auto stream = c.read<Stream>(c.args[1]);
  if (!stream.wrong_type()) c.reply.integer(stream ? static_cast<int64_t>(stream->size()) : 0);
}

void range(Call& c, bool reverse) {
  Bytes key = c.args.bytes();
  // The start is looked at first, wherever it stands.
  size_t at = c.args.position();
  if (reverse) c.args.seek(at + 1);
  StreamId from = take_range_start(c.args);
  if (reverse) c.args.seek(at);
  StreamId to = take_range_end(c.args);
  c.args.seek(at + 2);
  int64_t count = -1;
  while (c.args.more()) {
    if (!c.args.accept("COUNT", 1)) c.args.fail();
    else count = std::max<int64_t>(0, c.args.integer());
  }
  if (!c.args.done()) return;
  auto stream = c.read<Stream>(key);
  if (!stream) return stream.missing() ? c.reply.array(0) : void();
  if (count == 0) return c.reply.null_array();
  reply_range(c, stream->range(from, to, reverse), count < 0 ? SIZE_MAX : static_cast<size_t>(count));
}
void xrange(Call& c) { range(c, false); }
void xrevrange(Call& c) { range(c, true); }

// ---- removing ----

void xdel(Call& c) {
  Bytes key = c.args.bytes();
  auto stream = c.edit<Stream>(key, "xdel", Missing::skip);
  if (!stream) return stream.missing() ? c.reply.integer(0) : void();
  std::vector<StreamId> ids;
  while (c.args.more()) ids.push_back(take_stream_id(c.args));
  if (!c.args.done()) return;
  c.reply.integer(std::count_if(ids.begin(), ids.end(), [&](StreamId id) { return stream->erase(id); }));
}

void xtrim(Call& c) {
  Bytes key = c.args.bytes();
  StreamTrimOptions options;
  while (c.args.more())
    if (!options.read(c.args)) c.args.fail();
  if (!c.args.failed()) options.finish(c.args, true, c.keyspace.context().limits->stream_node_max_entries);
  if (!c.args.done()) return;
  auto stream = c.edit<Stream>(key, "xtrim", Missing::skip);
  if (!stream) return stream.missing() ? c.reply.integer(0) : void();
  uint64_t trimmed = stream->trim(options.trim);
  c.reply.integer(static_cast<int64_t>(trimmed));
  if (trimmed == 0 || !c.effects.wanted()) return;
  std::vector<Bytes> argv{"XTRIM", key};
  std::string threshold;
  add_exact_trim(argv, *stream, options.trim, threshold);
  c.effects.replace(argv);
}

// ---- XSETID ----

void xsetid(Call& c) {
  Bytes key = c.args.bytes();
  StreamId id = take_stream_id(c.args), max_deleted;
  int64_t added = -1;
  bool has_max_deleted = false;
  while (c.args.more()) {
    if (c.args.accept("ENTRIESADDED", 1)) {
      added = c.args.integer(0, INT64_MAX, "ERR entries_added must be positive");
    } else if (c.args.accept("MAXDELETEDID", 1)) {
      has_max_deleted = true;
      max_deleted = take_stream_id(c.args);
      if (!c.args.failed() && id < max_deleted)
        c.args.fail("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
    } else {
      c.args.fail();
    }
  }
  if (!c.args.done()) return;
  auto stream = c.read_to_write<Stream>(key);
  if (!stream) return stream.missing() ? c.reply.error("ERR no such key") : void();
  StreamData& s = stream->data();
  if (id < s.max_deleted_id)
    return c.reply.error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
  if (s.length > 0) {
    StreamRange newest = stream->range(StreamId::min(), StreamId::max(), true);
    if (id < newest.next()->id())
      return c.reply.error("ERR The ID specified in XSETID is smaller than the target stream top item");
    if (added >= 0 && static_cast<uint64_t>(added) < s.length)
      return c.reply.error("ERR The entries_added specified in XSETID is smaller than the target stream length");
  }
  s.last_id = id;
  if (added >= 0) s.entries_added = static_cast<uint64_t>(added);
  if (has_max_deleted && max_deleted != StreamId{}) s.max_deleted_id = max_deleted;
  announce_group_change(c, key, "xsetid");
  c.reply.ok();
}

constexpr CommandRow kRows[] = {
    {"xadd", xadd}, {"xlen", xlen},   {"xrange", xrange}, {"xrevrange", xrevrange},
    {"xdel", xdel}, {"xtrim", xtrim}, {"xsetid", xsetid},
};

}  // namespace

void add_stream_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
