// BulkWriter: many bulk strings in a row, for replies of whole ranges.
//
// Room is reserved for dozens of items at once and the position stays in a register, so that a short item costs one
// comparison, one prepared header and a copy without a call. What was written counts when the writer goes out of scope;
// nothing else may write to the reply meanwhile.
#pragma once

#include "base/numbers.h"
#include "wire/reply_builder.h"

namespace vitrine {

class BulkWriter {
 public:
  explicit BulkWriter(ReplyBuilder& reply) : out_(reply.output()) { refill(0); }
  ~BulkWriter() { out_.advance(p_); }
  BulkWriter(const BulkWriter&) = delete;
  BulkWriter& operator=(const BulkWriter&) = delete;

  [[gnu::always_inline]] void bulk(Bytes b) {
    size_t n = b.size();
    if (__builtin_expect(static_cast<size_t>(end_ - p_) < n + kMargin, 0)) refill(n);
    if (__builtin_expect(n < 100, 1)) put_header(n);
    else p_ = reply_detail::write_header(p_, '$', static_cast<int64_t>(n));
    copy(p_, b.data(), n);
    p_ += n;
    put_line_end();
  }

  // The header of an array of n elements, which follow.
  void array(int64_t n) {
    if (__builtin_expect(static_cast<size_t>(end_ - p_) < kMargin, 0)) refill(0);
    p_ = reply_detail::write_header(p_, '*', n);
  }

  void integer(int64_t number) {
    if (__builtin_expect(static_cast<size_t>(end_ - p_) < kMargin, 0)) refill(0);
    p_ = reply_detail::write_header(p_, ':', number);
  }

  void bulk_integer(int64_t number) {
    if (__builtin_expect(static_cast<size_t>(end_ - p_) < kMargin + kInt64Chars, 0)) refill(kInt64Chars);
    put_header(static_cast<size_t>(decimal_length(number)));
    p_ += format_int64(p_, number);
    put_line_end();
  }

 private:
  static constexpr size_t kMargin = 32;   // the longest header and the line's end
  static constexpr size_t kRound = 2048;

  [[gnu::noinline]] void refill(size_t payload) {
    if (p_) out_.advance(p_);
    size_t room = payload + kMargin + kRound;
    p_ = out_.reserve(room);
    end_ = p_ + room;
  }
  void put_header(size_t n) {
    const auto& h = reply_detail::kBulkHeaders[n];
    std::memcpy(p_, &h, 8);
    p_ += h.length;
  }
  void put_line_end() {
    std::memcpy(p_, "\r\n", 2);
    p_ += 2;
  }
  // Two copies of a fixed size that may overlap are cheaper than a call.
  [[gnu::always_inline]] static void copy(char* to, const char* from, size_t n) {
    if (n > 32) std::memcpy(to, from, n);
    else if (n >= 16) copy_ends<16>(to, from, n);
    else if (n >= 8) copy_ends<8>(to, from, n);
    else if (n >= 4) copy_ends<4>(to, from, n);
    else
      for (size_t i = 0; i < n; i++) to[i] = from[i];
  }
  template <size_t kSize>
  static void copy_ends(char* to, const char* from, size_t n) {
    std::memcpy(to, from, kSize);
    std::memcpy(to + n - kSize, from + n - kSize, kSize);
  }

  OutputBuffer& out_;
  char* p_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace vitrine
