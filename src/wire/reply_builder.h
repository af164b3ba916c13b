// ReplyBuilder: writes replies in the client's protocol version, so that no handler ever asks for it.
//
// Source: the RESP2 and RESP3 specifications. Where RESP3 has a type of its own (map, set, double, null, boolean, push,
// verbatim string), RESP2 clients get the form that Redis gives them.
#pragma once

#include <cstdint>

#include "wire/output_buffer.h"

namespace vitrine {

class ReplyBuilder {
 public:
  explicit ReplyBuilder(OutputBuffer& out, int protocol = 2) : out_(&out), protocol_(protocol) {}

  int protocol() const { return protocol_; }
  void set_protocol(int protocol) { protocol_ = protocol; }
  OutputBuffer& output() { return *out_; }
  void redirect(OutputBuffer& out) { out_ = &out; }

  void ok() { literal("+OK\r\n"); }
  void simple(Bytes text);
  // `text` starts with its code: "ERR no such key". CR and LF are replaced by spaces.
  void error(Bytes text);
  void integer(int64_t n);
  void bulk(Bytes b);
  // A bulk string that says the number.
  void bulk_integer(int64_t n);
  // RESP3 `,1.5`; RESP2 a bulk string. Shortest form that reads back.
  void real(double d);
  // Likewise, of more digits than a double has.
  void real_digits(Bytes digits);
  // As a bulk string in both versions.
  void bulk_real(double d);
  void boolean(bool b);         // RESP2: 1 or 0
  void null();                  // RESP2: null bulk
  void null_array();            // RESP2: null array
  void bulk_or_null(const Bytes* b) { b ? bulk(*b) : null(); }
  void array(int64_t n) { header('*', n); }
  // `pairs` keys, each followed by its value.
  void map(int64_t pairs) { protocol_ == 3 ? header('%', pairs) : header('*', pairs * 2); }
  void set(int64_t n) { header(protocol_ == 3 ? '~' : '*', n); }
  void push(int64_t n) { header(protocol_ == 3 ? '>' : '*', n); }
  void attribute(int64_t pairs) { header('|', pairs); }  // RESP3 only
  // `format` has three letters: "txt", "mkd". RESP2: a bulk string.
  void verbatim(Bytes text, Bytes format = "txt");
  void big_number(Bytes digits);
  void raw(Bytes encoded) { out_->append(encoded); }

  // An aggregate whose length is only known at its end.
  OutputBuffer::Mark later() { return out_->mark(); }
  void array_at(OutputBuffer::Mark at, int64_t n) { insert_header(at, '*', n); }
  void set_at(OutputBuffer::Mark at, int64_t n) { insert_header(at, protocol_ == 3 ? '~' : '*', n); }
  void map_at(OutputBuffer::Mark at, int64_t pairs) {
    protocol_ == 3 ? insert_header(at, '%', pairs) : insert_header(at, '*', pairs * 2);
  }

  // How many errors were written, and the code (first word) of the last one.
  uint64_t errors() const { return errors_; }
  Bytes last_error_code() const { return {error_code_, error_code_length_}; }

 private:
  // raw(), in a few instructions: the length is known.
  template <size_t kSize>
  void literal(const char (&text)[kSize]) {
    char* p = out_->reserve(kSize - 1);
    std::memcpy(p, text, kSize - 1);
    out_->advance(p + kSize - 1);
  }
  void header(char type, int64_t n);
  void insert_header(OutputBuffer::Mark at, char type, int64_t n);
  void line(char type, Bytes text);

  OutputBuffer* out_;
  int protocol_;
  uint64_t errors_ = 0;
  uint8_t error_code_length_ = 0;
  char error_code_[31] = {};
};

namespace reply_detail {

// "<type><n>\r\n" at `p`; returns the end. Writes at most 24 bytes.
char* write_header(char* p, char type, int64_t n);

// "$<n>\r\n" for n < 100, in eight bytes.
struct ShortHeader {
  char text[7];
  uint8_t length;
};
extern const ShortHeader kBulkHeaders[100];

}  // namespace reply_detail

inline void ReplyBuilder::bulk(Bytes b) {
  char* p = out_->reserve(b.size() + 26);
  if (__builtin_expect(b.size() < 100, 1)) {
    const auto& h = reply_detail::kBulkHeaders[b.size()];
    std::memcpy(p, &h, 8);
    p += h.length;
  } else {
    p = reply_detail::write_header(p, '$', static_cast<int64_t>(b.size()));
  }
  if (!b.empty()) std::memcpy(p, b.data(), b.size());
  p += b.size();
  std::memcpy(p, "\r\n", 2);
  out_->advance(p + 2);
}

}  // namespace vitrine
