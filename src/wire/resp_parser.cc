#include "wire/resp_parser.h"

#include <cstring>

#include "base/check.h"

namespace vitrine {

namespace {

// The digits of a length line; false unless they are a canonical integer. At most 18 digits.
bool parse_length(const char* p, const char* end, int64_t& value) {
  bool negative = p < end && *p == '-';
  if (negative) p++;
  if (p == end || end - p > 18) return false;
  if (*p == '0' && (end - p > 1 || negative)) return false;
  int64_t v = 0;
  for (; p < end; p++) {
    if (*p < '0' || *p > '9') return false;
    v = v * 10 + (*p - '0');
  }
  value = negative ? -v : v;
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

char unescape(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

// Reads a quoted piece starting behind its opening quote; returns the index behind the closing one, or npos.
size_t read_quoted(Bytes line, size_t i, char quote, std::string& word) {
  while (i < line.size() && line[i] != quote) {
    if (line[i] == '\\' && quote == '"' && i + 1 < line.size()) {
      if (line[i + 1] == 'x' && i + 3 < line.size() && hex_digit(line[i + 2]) >= 0 && hex_digit(line[i + 3]) >= 0) {
        word += static_cast<char>(hex_digit(line[i + 2]) * 16 + hex_digit(line[i + 3]));
        i += 4;
        continue;
      }
      word += unescape(line[i + 1]);
      i += 2;
    } else if (line[i] == '\\' && quote == '\'' && i + 1 < line.size() && line[i + 1] == '\'') {
      word += '\'';
      i += 2;
    } else {
      word += line[i++];
    }
  }
  if (i >= line.size()) return Bytes::npos;
  i++;
  if (i < line.size() && !is_space(line[i])) return Bytes::npos;  // a closing quote ends its word
  return i;
}

}  // namespace

bool split_quoted(Bytes line, std::vector<std::string>& words) {
  size_t i = 0;
  while (true) {
    while (i < line.size() && is_space(line[i])) i++;
    if (i >= line.size()) return true;
    std::string word;
    while (i < line.size() && !is_space(line[i])) {
      char c = line[i];
      if (c != '"' && c != '\'') {
        word += c;
        i++;
        continue;
      }
      i = read_quoted(line, i + 1, c, word);
      if (i == Bytes::npos) return false;
      break;
    }
    words.push_back(std::move(word));
  }
}

namespace {

// Reads "<type><digits>\r\n" with at most eight digits; null when it is anything else (or not all there).
const char* read_long_length(const char* p, const char* end, char type, size_t& value) {
  if (end - p < 4 || *p != type || p[1] == '0') return nullptr;
  const char* last = end - p > 11 ? p + 9 : end - 2;
  size_t v = 0;
  for (p++; p <= last; p++) {
    unsigned digit = static_cast<unsigned char>(*p) - '0';
    if (digit > 9) break;
    v = v * 10 + digit;
  }
  if (p > last || p[0] != '\r' || p[1] != '\n' || p[-1] == type) return nullptr;
  value = v;
  return p + 2;
}

// The same; lengths of one and two digits, which nearly all are, with two comparisons.
[[gnu::always_inline]] inline const char* read_short_length(const char* p, const char* end, char type, size_t& value) {
  constexpr ptrdiff_t kLeast = 5;
  if (__builtin_expect(end - p < kLeast, 0)) return nullptr;
  uint32_t head;
  std::memcpy(&head, p, 4);
  auto expected = [type](char c, char d) {
    return static_cast<uint32_t>(type) | static_cast<uint32_t>(c) << 16 | static_cast<uint32_t>(d) << 24;
  };
  unsigned first = (head >> 8 & 0xff) - '0', second = (head >> 16 & 0xff) - '0';
  if ((head & 0xffff00ff) == expected('\r', '\n') && first <= 9) return value = first, p + 4;
  if ((head & 0xff0000ff) == expected(0, '\r') && first - 1 <= 8 && second <= 9 && p[4] == '\n')
    return value = first * 10 + second, p + 5;
  return read_long_length(p, end, type, value);
}

}  // namespace

// The common case in one go: a well-formed command that is all there. Anything else leaves no trace and takes the
// careful way.
[[gnu::always_inline]] inline bool RespParser::parse_whole(Bytes buffer, const Limits& limits, CommandBatch& batch) {
  const char* end = buffer.data() + buffer.size();
  size_t count, length;
  const char* p = read_short_length(buffer.data() + start_, end, '*', count);
  if (!p || count == 0 || count > 1024 || (!limits.authenticated && count > 10)) return false;
  size_t longest = limits.authenticated ? static_cast<size_t>(limits.max_bulk_bytes) : 16384;
  Bytes* arguments = batch.room_for(count);
  for (size_t i = 0; i < count; i++) {
    p = read_short_length(p, end, '$', length);
    if (!p || length > longest || static_cast<size_t>(end - p) < length + 2) return false;
    arguments[i] = {p, length};
    p += length + 2;
  }
  batch.used_ += count;
  start_ = static_cast<size_t>(p - buffer.data());
  batch.end_command(start_);
  return true;
}

size_t RespParser::parse(Bytes buffer, const Limits& limits, CommandBatch& batch) {
  start_ = 0;
  const size_t before = batch.size();
  while (error_.empty() && start_ < buffer.size() && batch.size() < limits.batch_end) {
    if (remaining_ == 0 && parse_whole(buffer, limits, batch)) continue;
    bool multibulk = remaining_ > 0 || buffer[start_] == '*';
    Step step = multibulk ? parse_multibulk(buffer, limits) : parse_inline(buffer, batch);
    if (step == Step::over_limit && batch.size() > before) error_.clear(), restart();
    if (step != Step::command) break;
    if (multibulk) yield(buffer, batch);
    start_ += at_;
    at_ = 0;
    bool any_argument = batch.used_ > batch.ended();   // `*0` and `*-1` are no command
    if (any_argument) batch.end_command(start_);
  }
  return start_;
}

void RespParser::restart() {
  at_ = 0;
  remaining_ = 0;
  bulk_length_ = -1;
  wanted_ = 0;
  partial_.clear();
}

void RespParser::yield(Bytes buffer, CommandBatch& batch) {
  wanted_ = 0;
  for (Span s : partial_) batch.add_argument(buffer.substr(start_ + s.offset, s.length));
  partial_.clear();
  if (partial_.capacity() > 4096) partial_.shrink_to_fit();
}

RespParser::Step RespParser::fail(std::string text) {
  error_ = std::move(text);
  return Step::failed;
}

RespParser::Step RespParser::pass_limit(const char* error) {
  error_ = error;
  return Step::over_limit;
}

RespParser::Step RespParser::stop_at_lineless(Bytes buffer, const char* error) {
  if (buffer.size() - start_ - at_ > kMaxInlineBytes) return fail(error);
  return Step::need_more;
}

RespParser::Step RespParser::parse_multibulk(Bytes buffer, const Limits& limits) {
  if (remaining_ == 0) {
    Step step = parse_header(buffer, limits);
    if (step != Step::command || remaining_ <= 0) return step;
  }
  return parse_bulks(buffer, limits);
}

RespParser::Step RespParser::parse_header(Bytes buffer, const Limits& limits) {
  const char* base = buffer.data() + start_;
  const char* end = buffer.data() + buffer.size();
  const char* cr = static_cast<const char*>(std::memchr(base, '\r', static_cast<size_t>(end - base)));
  if (!cr) return stop_at_lineless(buffer, "too big mbulk count string");
  if (cr + 1 >= end) return Step::need_more;
  int64_t count;
  if (!parse_length(base + 1, cr, count) || count > kMaxArguments) return fail("invalid multibulk length");
  if (count > 10 && !limits.authenticated) return pass_limit("unauthenticated multibulk length");
  at_ = static_cast<size_t>(cr + 2 - base);
  remaining_ = count > 0 ? count : 0;
  bulk_length_ = -1;
  return Step::command;
}

RespParser::Step RespParser::parse_bulks(Bytes buffer, const Limits& limits) {
  const char* base = buffer.data() + start_;
  const char* end = buffer.data() + buffer.size();
  while (remaining_ > 0) {
    if (bulk_length_ < 0) {
      const char* p = base + at_;
      if (p >= end) return Step::need_more;
      const char* cr = static_cast<const char*>(std::memchr(p, '\r', static_cast<size_t>(end - p)));
      if (!cr) return stop_at_lineless(buffer, "too big bulk count string");
      if (cr + 1 >= end) return Step::need_more;
      if (*p != '$') return fail(std::string("expected '$', got '") + *p + "'");
      int64_t length;
      if (!parse_length(p + 1, cr, length) || length < 0) return fail("invalid bulk length");
      if (length > limits.max_bulk_bytes) return pass_limit("invalid bulk length");
      if (length > 16384 && !limits.authenticated) return pass_limit("unauthenticated bulk length");
      bulk_length_ = length;
      at_ = static_cast<size_t>(cr + 2 - base);
    }
    size_t length = static_cast<size_t>(bulk_length_);
    if (static_cast<size_t>(end - base) < at_ + length + 2) {
      wanted_ = at_ + length + 2;
      return Step::need_more;
    }
    partial_.push_back({at_, length});
    at_ += length + 2;
    bulk_length_ = -1;
    remaining_--;
  }
  return Step::command;
}

RespParser::Step RespParser::parse_inline(Bytes buffer, CommandBatch& batch) {
  Bytes rest = buffer.substr(start_);
  size_t newline = rest.find('\n');
  if (newline == Bytes::npos) return stop_at_lineless(buffer, "too big inline request");
  Bytes line = rest.substr(0, newline);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  std::vector<std::string> words;
  if (!split_quoted(line, words)) return fail("unbalanced quotes in request");
  at_ = newline + 1;
  if (words.empty()) return Step::command;
  // Reserved ahead: short strings hold their bytes inside, so they must not move once viewed.
  std::string joined;
  for (const std::string& w : words) joined += w;
  batch.unescaped_.push_back(std::move(joined));
  // A vector that grows moves its strings; keep every earlier view valid by holding long-lived heap bytes only.
  std::string& held = batch.unescaped_.back();
  if (held.capacity() < 32) held.reserve(32);
  size_t offset = 0;
  for (const std::string& w : words) {
    batch.add_argument(Bytes(held).substr(offset, w.size()));
    offset += w.size();
  }
  return Step::command;
}

}  // namespace vitrine
