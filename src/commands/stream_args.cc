#include "commands/stream_args.h"

#include "base/numbers.h"

namespace vitrine {

namespace {

constexpr size_t kMaxIdChars = 127;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// As lenient as Redis: spaces in front, a sign, zeros in front.
std::optional<uint64_t> parse_part(Bytes text) {
  if (auto plain = parse_uint64(text)) return plain;
  while (!text.empty() && is_space(text[0])) text.remove_prefix(1);
  bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (negative || text[0] == '+')) text.remove_prefix(1);
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  while (text.size() > 1 && text[0] == '0') text.remove_prefix(1);
  auto n = parse_uint64(text);
  return negative && n != std::optional<uint64_t>(0) ? std::nullopt : n;
}

// `beyond` is the id from which no step leads on.
StreamId take_bound(Args& args, uint64_t missing_seq, StreamId beyond, Bytes beyond_error) {
  Bytes text = args.bytes();
  if (args.failed()) return {};
  bool open = text.size() > 1 && text[0] == '(';
  auto id = open ? parse_stream_id(text.substr(1), missing_seq) : parse_stream_bound(text, missing_seq);
  if (!id) return args.fail(kInvalidStreamId), StreamId{};
  if (!open) return *id;
  if (*id == beyond) return args.fail(beyond_error), StreamId{};
  return beyond == StreamId::max() ? id->next() : id->prev();
}

}  // namespace

std::optional<StreamId> parse_stream_id(Bytes text, uint64_t missing_seq) {
  if (text.size() > kMaxIdChars) return std::nullopt;
  // As in Redis, a zero byte ends the text.
  text = text.substr(0, text.find('\0'));
  size_t dash = text.find('-');
  auto ms = parse_part(text.substr(0, dash));
  if (!ms) return std::nullopt;
  if (dash == Bytes::npos) return StreamId{*ms, missing_seq};
  auto seq = parse_part(text.substr(dash + 1));
  if (!seq) return std::nullopt;
  return StreamId{*ms, *seq};
}

std::optional<StreamId> parse_stream_bound(Bytes text, uint64_t missing_seq) {
  if (text == "-") return StreamId::min();
  if (text == "+") return StreamId::max();
  return parse_stream_id(text, missing_seq);
}

StreamId take_stream_id(Args& args, uint64_t missing_seq) {
  Bytes text = args.bytes();
  if (args.failed()) return {};
  if (auto id = parse_stream_id(text, missing_seq)) return *id;
  args.fail(kInvalidStreamId);
  return {};
}

StreamId take_range_start(Args& args) {
  return take_bound(args, 0, StreamId::max(), "ERR invalid start ID for the interval");
}

StreamId take_range_end(Args& args) {
  return take_bound(args, UINT64_MAX, StreamId::min(), "ERR invalid end ID for the interval");
}

size_t take_positive(Args& args, Bytes error) {
  return static_cast<size_t>(args.integer(1, INT64_MAX, error, error));
}

bool accept_references(Args& args, StreamReferences& references) {
  if (args.accept("KEEPREF")) references = StreamReferences::keep;
  else if (args.accept("DELREF")) references = StreamReferences::remove;
  else if (args.accept("ACKED")) references = StreamReferences::respect;
  else return false;
  return true;
}

void StreamTrimOptions::read_threshold(Args& args, StreamTrim::By by) {
  constexpr Bytes kNegative = "ERR The MAXLEN argument must be >= 0.";
  if (trim.by != StreamTrim::By::none)
    return args.fail("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
  trim.by = by;
  trim.approximate = args.accept("~", 1);
  if (!trim.approximate) args.accept("=", 1);
  if (by == StreamTrim::By::id) trim.id = take_stream_id(args);
  else trim.length = static_cast<uint64_t>(args.integer(0, INT64_MAX, kNegative));
}

bool StreamTrimOptions::read(Args& args) {
  constexpr Bytes kNegative = "ERR The LIMIT argument must be >= 0.";
  if (args.accept("MAXLEN", 1)) {
    read_threshold(args, StreamTrim::By::length);
  } else if (args.accept("MINID", 1)) {
    read_threshold(args, StreamTrim::By::id);
  } else if (args.accept("LIMIT", 1)) {
    limit_ = args.integer(0, INT64_MAX, kNegative);
    has_limit_ = true;
  } else {
    return accept_references(args, trim.references);
  }
  return true;
}

void StreamTrimOptions::finish(Args& args, bool required, int64_t node_entries) {
  if (limit_ && trim.by == StreamTrim::By::none)
    return args.fail("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
  if (required && trim.by == StreamTrim::By::none)
    return args.fail("ERR syntax error, XTRIM must be called with a trimming strategy");
  if (has_limit_ && !trim.approximate)
    return args.fail("ERR syntax error, LIMIT cannot be used without the special ~ option");
  constexpr int64_t kNodes = 100, kWithoutNodes = 10'000, kMost = 1'000'000;
  int64_t usual = node_entries <= 0 ? kWithoutNodes : std::min(kMost, std::min(kMost, node_entries) * kNodes);
  if (has_limit_) trim.limit = static_cast<uint64_t>(limit_);
  else if (trim.approximate) trim.limit = static_cast<uint64_t>(usual);
}

}  // namespace vitrine
