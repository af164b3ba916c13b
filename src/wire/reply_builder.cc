#include "wire/reply_builder.h"

#include <algorithm>

#include "base/numbers.h"

namespace vitrine {

namespace reply_detail {

char* write_header(char* p, char type, int64_t n) {
  *p++ = type;
  if (static_cast<uint64_t>(n) < 10) *p++ = static_cast<char>('0' + n);
  else p += format_int64(p, n);
  *p++ = '\r';
  *p++ = '\n';
  return p;
}

namespace {
constexpr ShortHeader bulk_header(int n) {
  ShortHeader h{};
  int i = 0;
  h.text[i++] = '$';
  if (n >= 10) h.text[i++] = static_cast<char>('0' + n / 10);
  h.text[i++] = static_cast<char>('0' + n % 10);
  h.text[i++] = '\r';
  h.text[i++] = '\n';
  h.length = static_cast<uint8_t>(i);
  return h;
}
}  // namespace

static_assert(sizeof(ShortHeader) == 8);
#define H(n) bulk_header(n)
#define H10(n) H(n), H(n + 1), H(n + 2), H(n + 3), H(n + 4), H(n + 5), H(n + 6), H(n + 7), H(n + 8), H(n + 9)
constexpr ShortHeader kBulkHeaders[100] = {H10(0),  H10(10), H10(20), H10(30), H10(40),
                                           H10(50), H10(60), H10(70), H10(80), H10(90)};
#undef H10
#undef H

}  // namespace reply_detail

using reply_detail::write_header;

void ReplyBuilder::header(char type, int64_t n) { out_->advance(write_header(out_->reserve(24), type, n)); }

void ReplyBuilder::insert_header(OutputBuffer::Mark at, char type, int64_t n) {
  char text[24];
  out_->insert(at, {text, static_cast<size_t>(write_header(text, type, n) - text)});
}

void ReplyBuilder::line(char type, Bytes text) {
  char* p = out_->reserve(text.size() + 3);
  *p++ = type;
  for (char c : text) *p++ = c == '\r' || c == '\n' ? ' ' : c;
  *p++ = '\r';
  *p++ = '\n';
  out_->advance(p);
}

void ReplyBuilder::simple(Bytes text) { line('+', text); }

void ReplyBuilder::error(Bytes text) {
  line('-', text);
  errors_++;
  size_t end = text.find(' ');
  Bytes code = end == Bytes::npos ? "ERR" : text.substr(0, end);
  error_code_length_ = static_cast<uint8_t>(std::min(code.size(), sizeof error_code_));
  std::memcpy(error_code_, code.data(), error_code_length_);
}

void ReplyBuilder::integer(int64_t n) {
  if (n < 0 || n > 9) return header(':', n);
  char* p = out_->reserve(4);
  std::memcpy(p, ":0\r\n", 4);
  p[1] = static_cast<char>('0' + n);
  out_->advance(p + 4);
}

void ReplyBuilder::bulk_integer(int64_t n) {
  char text[24];
  bulk({text, static_cast<size_t>(format_int64(text, n))});
}

void ReplyBuilder::real(double d) {
  if (protocol_ != 3) return bulk_real(d);
  char text[40];
  size_t length = format_double(text, d);
  line(',', {text, length});
}

void ReplyBuilder::real_digits(Bytes digits) {
  if (protocol_ == 3) line(',', digits);
  else bulk(digits);
}

void ReplyBuilder::bulk_real(double d) {
  char text[40];
  bulk({text, static_cast<size_t>(format_double(text, d))});
}

void ReplyBuilder::boolean(bool b) {
  if (protocol_ == 3) raw(b ? "#t\r\n" : "#f\r\n");
  else raw(b ? ":1\r\n" : ":0\r\n");
}

void ReplyBuilder::null() { protocol_ == 3 ? literal("_\r\n") : literal("$-1\r\n"); }
void ReplyBuilder::null_array() { protocol_ == 3 ? literal("_\r\n") : literal("*-1\r\n"); }

void ReplyBuilder::verbatim(Bytes text, Bytes format) {
  if (protocol_ != 3) return bulk(text);
  header('=', static_cast<int64_t>(text.size() + 4));
  out_->append(format);
  out_->append(":");
  out_->append(text);
  out_->append("\r\n");
}

void ReplyBuilder::big_number(Bytes digits) {
  if (protocol_ == 3) line('(', digits);
  else bulk(digits);
}

}  // namespace vitrine
