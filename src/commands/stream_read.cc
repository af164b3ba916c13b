// XREAD and XREADGROUP: entries behind an id of each of several streams, at once or as soon as there are some.
#include <algorithm>
#include <climits>
#include <string>
#include <vector>

#include "commands/families.h"
#include "commands/stream_args.h"
#include "commands/stream_delivery.h"
#include "commands/stream_replies.h"
#include "engine/command.h"
#include "engine/waiters.h"

namespace vitrine {

namespace {

// One stream of the command, and from where to read it.
struct Source {
  enum class From : uint8_t { after, last_entry, undelivered };
  size_t position = 0;                     // of its id among the arguments
  Bytes key;
  From from = From::after;
  StreamId id;                             // After; of LastEntry, where to wait from
  Stream* stream = nullptr;
  StreamGroup* group = nullptr;
  bool skipped = false;                    // not the one that was fed: only looked at to wait on
};

class ReadCommand {
 public:
  explicit ReadCommand(bool for_group) : for_group_(for_group) {}

  bool read_options(Call& c);
  bool open_sources(Call& c);
  void run(Call& c);

 private:
  void read_option(Call& c);
  bool open_stream(Call& c, Source& source);
  bool read_id(Call& c, Source& source);
  bool has_news(const Source& source) const;
  StreamDelivery& delivery_of(const Source& source);
  bool serve(Call& c, const Source& source);
  void park(Call& c);

  const bool for_group_;
  bool has_group_ = false, no_ack_ = false, blocks_ = false;
  Bytes group_, consumer_;
  int64_t deadline_ms_ = 0, claim_idle_ms_ = -1;
  size_t count_ = SIZE_MAX;                // of each stream
  DeliveryBudget budget_;                  // of all together
  std::span<const Bytes> keys_;
  std::vector<Source> sources_;
  std::vector<StreamDelivery> deliveries_;  // of the sources of a group
  struct View {
    Object object;
    std::optional<Stream> stream;
  };
  std::vector<std::unique_ptr<View>> views_;
};

// BLOCK's milliseconds as a deadline.
int64_t take_block(Call& c) {
  constexpr Bytes kNotInteger = "ERR timeout is not an integer or out of range";
  int64_t ms = c.args.integer(kNotInteger);
  if (c.args.failed()) return 0;
  if (ms < 0) return c.args.fail("ERR timeout is negative"), 0;
  if (ms > INT64_MAX - c.now_ms) return c.args.fail("ERR timeout is out of range"), 0;
  return ms == 0 ? 0 : c.now_ms + ms;
}

// A number that 0 and less lift.
size_t take_limit(Args& args) {
  int64_t n = args.integer();
  return n <= 0 ? SIZE_MAX : static_cast<size_t>(n);
}

void ReadCommand::read_option(Call& c) {
  constexpr Bytes kNoGroup = "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.";
  constexpr Bytes kNoNoAck = "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.";
  Args& args = c.args;
  if (args.accept("BLOCK", 1)) {
    blocks_ = true;
    deadline_ms_ = take_block(c);
  } else if (args.accept("COUNT", 1)) {
    count_ = take_limit(args);
  } else if (args.accept("MAXCOUNT", 1)) {
    budget_.entries = take_positive(args, "ERR MAXCOUNT must be a positive integer");
  } else if (args.accept("MAXSIZE", 1)) {
    budget_.bytes = take_positive(args, "ERR MAXSIZE must be a positive integer");
  } else if (args.accept("GROUP", 2)) {
    if (!for_group_) return args.fail(kNoGroup);
    has_group_ = true;
    group_ = args.bytes(), consumer_ = args.bytes();
  } else if (args.accept("NOACK")) {
    if (!for_group_) return args.fail(kNoNoAck);
    no_ack_ = true;
  } else if (for_group_ && args.accept("CLAIM", 1)) {
    claim_idle_ms_ = args.integer(0, INT64_MAX, "ERR min-idle-time must be a positive integer");
  } else {
    args.fail();
  }
}

bool ReadCommand::read_options(Call& c) {
  constexpr Bytes kUnbalanced =
      "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.";
  Args& args = c.args;
  bool has_streams = false;
  while (args.more() && !has_streams) {
    has_streams = args.accept("STREAMS", 1);
    if (!has_streams) read_option(c);
  }
  if (!args.failed() && !has_streams) args.fail();
  else if (count_ != SIZE_MAX && count_ > budget_.entries) args.fail("ERR MAXCOUNT must not be less than COUNT");
  if (args.failed()) return false;
  if (args.left() % 2) return args.fail(kUnbalanced), false;
  if (for_group_ && !has_group_) return args.fail("ERR Missing GROUP option for XREADGROUP"), false;
  keys_ = args.take(args.left() / 2);
  return true;
}

bool ReadCommand::open_stream(Call& c, Source& source) {
  Entry* entry = c.find(source.key);
  if (entry && entry->type() != Type::stream) return source.skipped || (c.wrong_type(), false);
  if (entry) {
    views_.push_back(std::make_unique<View>());
    views_.back()->object = entry->object();
    views_.back()->stream.emplace(views_.back()->object, c.keyspace.context());
    source.stream = &*views_.back()->stream;
  }
  if (!for_group_) return true;
  source.group = source.stream ? source.stream->find_group(group_) : nullptr;
  if (source.group || source.skipped) return true;
  return reply_no_key_or_group(c, source.key, group_, " in XREADGROUP with GROUP option"), false;
}

bool ReadCommand::read_id(Call& c, Source& source) {
  constexpr Bytes kMeaningless =
      "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
      "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.";
  constexpr Bytes kOnlyGroup =
      "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.";
  Bytes text = c.args[source.position];
  if (text == "$" || (text == "+" && !for_group_)) {
    if (for_group_) return c.reply.error(kMeaningless), false;
    if (source.stream) source.id = source.stream->last_id();
    if (text == "+" && source.stream && source.stream->size() > 0) source.from = Source::From::last_entry;
    return true;
  }
  auto id = text == ">" ? StreamId::max() : parse_stream_id(text);
  if (text == ">" && !for_group_) return c.reply.error(kOnlyGroup), false;
  if (!id) return c.reply.error(kInvalidStreamId), false;
  source.id = *id;
  // Behind the greatest id there is no history: as in Redis, that is another way to write ">".
  if (for_group_ && *id == StreamId::max()) source.from = Source::From::undelivered;
  return true;
}

bool ReadCommand::open_sources(Call& c) {
  size_t first_id = c.args.position();
  for (size_t i = 0; i < keys_.size(); i++) {
    Source source{first_id + i, keys_[i]};
    source.skipped = c.retried && source.key != c.fed_key;
    if (!open_stream(c, source) || !read_id(c, source)) return false;
    sources_.push_back(source);
  }
  return true;
}

bool ReadCommand::has_news(const Source& source) const {
  if (!source.stream) return false;
  if (source.from == Source::From::last_entry) return true;
  if (for_group_ && source.from == Source::From::after) return true;    // history, even if there is none
  const StreamData& s = source.stream->data();
  if (s.length == 0) return false;
  StreamId after = source.group ? source.group->last_id : source.id;
  // The last id may be that of an entry that is no more.
  if (s.last_id <= after) return false;
  return StreamRange(s, after.next(), StreamId::max()).next();
}

StreamDelivery& ReadCommand::delivery_of(const Source& source) {
  return *std::ranges::find(deliveries_, source.key, &StreamDelivery::key);
}

// False when nothing of it fits into what is left of the budget.
bool ReadCommand::serve(Call& c, const Source& source) {
  if (c.reply.protocol() < 3) c.reply.array(2);
  c.reply.bulk(source.key);
  budget_.begin_stream(source.key);
  if (source.from == Source::From::last_entry)
    return reply_within(c, source.stream->range(StreamId::min(), StreamId::max(), true), 1, budget_) > 0;
  if (!for_group_)
    return reply_within(c, source.stream->range(source.id.next(), StreamId::max()), count_, budget_) > 0;
  StreamDelivery& delivery = delivery_of(source);
  if (source.from == Source::From::undelivered)
    return delivery.reply_new(claim_idle_ms_, count_, no_ack_, budget_) > 0;
  delivery.reply_history(source.id, count_, budget_);
  return true;
}

void ReadCommand::run(Call& c) {
  if (for_group_) {
    for (const Source& source : sources_)
      if (!source.skipped) deliveries_.emplace_back(c, source.key, *source.stream, group_, *source.group, consumer_);
  }
  OutputBuffer::Mark mark{};
  int64_t served = 0;
  for (Source& source : sources_) {
    if (source.skipped) continue;
    if (budget_.spent()) break;
    bool claims = claim_idle_ms_ >= 0 && source.from == Source::From::undelivered &&
                  delivery_of(source).has_idle(claim_idle_ms_);
    if (!claims && !has_news(source)) continue;
    OutputBuffer::Mark before = c.reply.later();
    if (served == 0) mark = before;
    if (!serve(c, source)) {
      c.reply.output().truncate(before);
      break;
    }
    served++;
  }
  if (served > 0) return c.reply.protocol() < 3 ? c.reply.array_at(mark, served) : c.reply.map_at(mark, served);
  if (!blocks_ || !c.may_block) return c.reply.null_array();
  park(c);
}

void ReadCommand::park(Call& c) {
  // "$" and "+" mean what is there now.
  std::vector<std::string> texts;
  texts.reserve(sources_.size());
  std::vector<Bytes> argv(c.args.argv().begin(), c.args.argv().end());
  ParkRequest request{{keys_.begin(), keys_.end()}, Type::stream, deadline_ms_, TimeoutReply::null_array};
  request.also_when_gone = for_group_;
  for (const Source& source : sources_) {
    if (claim_idle_ms_ >= 0 && source.group && source.from == Source::From::undelivered) {
      const auto& pending = source.group->by_age();
      int64_t due = pending.empty() ? 0 : pending.begin()->delivered_ms + claim_idle_ms_;
      if (due > 0 && (request.retry_ms == 0 || due < request.retry_ms)) request.retry_ms = due;
    }
    if (argv[source.position] != "$" && argv[source.position] != "+") continue;
    texts.emplace_back(Bytes(StreamIdText(source.id)));
    argv[source.position] = texts.back();
  }
  c.waiters.park(c.session, c.command, argv, request);
}

void read(Call& c, bool for_group) {
  ReadCommand command(for_group);
  if (command.read_options(c) && command.open_sources(c)) command.run(c);
}
void xread(Call& c) { read(c, false); }
void xreadgroup(Call& c) { read(c, true); }

constexpr CommandRow kRows[] = {{"xread", xread}, {"xreadgroup", xreadgroup}};

}  // namespace

void add_stream_read_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
