// Numbers to and from text, exactly as strict and exactly as formatted as clients of Redis expect.
//
// Parsing takes the whole of the bytes or refuses: no spaces, no trailing characters, no embedded zero byte.
//   integers      no '+', no leading zeros except "0" itself, no "-0": a text that an integer's own formatting
//                 would give back. Hence parse_int64(t) succeeds iff format_int64(parse_int64(t)) == t.
//   doubles       what strtod takes: sign, decimal or 0x hexadecimal, exponent, inf/infinity in any case; never
//                 nan; beyond the range (1e400, or 1e-400, which would read as 0) is refused, subnormals are not.
//   memory units  digits and one of b k kb m mb g gb, in any case: k = 1000, kb = 1024.
// Formatting writes no terminating zero.
#pragma once

#include <optional>

#include "base/bytes.h"

namespace vitrine {

namespace numbers_detail {
std::optional<uint64_t> parse_long_magnitude(const char* p, size_t digits);
}

inline std::optional<uint64_t> parse_uint64(Bytes text) {
  const char* p = text.data();
  size_t size = text.size();
  if (size == 0) return std::nullopt;
  if (*p == '0') return size == 1 ? std::optional<uint64_t>(0) : std::nullopt;
  if (size > 19) return numbers_detail::parse_long_magnitude(p, size);
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) {
    unsigned digit = static_cast<unsigned char>(p[i]) - '0';
    if (digit > 9) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

inline std::optional<int64_t> parse_int64(Bytes text) {
  bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  if (text.size() > 19) return std::nullopt;
  std::optional<uint64_t> magnitude = parse_uint64(text);
  if (!magnitude) return std::nullopt;
  constexpr uint64_t kLimit = uint64_t{1} << 63;
  if (negative) {
    if (*magnitude == 0 || *magnitude > kLimit) return std::nullopt;
    return static_cast<int64_t>(0 - *magnitude);
  }
  if (*magnitude >= kLimit) return std::nullopt;
  return static_cast<int64_t>(*magnitude);
}

std::optional<double> parse_double(Bytes text);
// For INCRBYFLOAT and HINCRBYFLOAT. Infinity is a number here; the caller refuses the result.
std::optional<long double> parse_long_double(Bytes text);

// The longest integer: "-9223372036854775808".
constexpr size_t kInt64Chars = 20;
// Both return the number of characters written. REQUIRES: room for kInt64Chars.
size_t format_int64(char* out, int64_t value);
size_t format_uint64(char* out, uint64_t value);
// How many characters format_int64 would write.
int decimal_length(int64_t value);
int decimal_length(uint64_t value);

// Whole numbers of up to 17 digits exactly ("3", "-0", "81067744968633648"); else the shortest digits that read back as
// the same double, laid out as Redis' replies are: moderate ones as decimals ("0.1", "1234.5"), others scientifically
// ("1e+21", "1.5e-7"); "inf", "-inf", "nan". Returns the number of characters written.
constexpr size_t kDoubleChars = 40;
size_t format_double(char (&out)[kDoubleChars], double value);
std::string format_double(double value);

// As INCRBYFLOAT replies: %.17Lf without trailing zeros, never scientific.
std::string format_long_double(long double value);

// "100mb" → 104857600. Refuses signs, fractions and unknown units. No digits read as 0, and what does not fit 64 bits
// as the largest value; more than 127 digits are refused.
std::optional<uint64_t> parse_memory(Bytes text);
// "5%" → 5. Refuses everything without a trailing '%'.
std::optional<uint64_t> parse_percent(Bytes text);
// The largest unit without a remainder: 104857600 → "100mb". What CONFIG REWRITE writes.
std::string format_memory(uint64_t bytes);

}  // namespace vitrine
