#include "base/numbers.h"

#include <bit>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace vitrine {

namespace {

constexpr char kPairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

constexpr uint64_t kPowers[] = {
    0,
    10ull,
    100ull,
    1000ull,
    10000ull,
    100000ull,
    1000000ull,
    10000000ull,
    100000000ull,
    1000000000ull,
    10000000000ull,
    100000000000ull,
    1000000000000ull,
    10000000000000ull,
    100000000000000ull,
    1000000000000000ull,
    10000000000000000ull,
    100000000000000000ull,
    1000000000000000000ull,
    10000000000000000000ull,
};

// "0x…" after an optional sign: std::from_chars has no such form.
bool is_hexadecimal(Bytes text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && (text[1] | 0x20) == 'x';
}

// strtod and strtold need a terminated string and skip leading space; longer texts than any number are refused.
template <class Number, class Parse>
std::optional<Number> parse_terminated(Bytes text, Parse parse) {
  constexpr size_t kLongest = 5120;
  if (text.empty() || text.size() >= kLongest) return std::nullopt;
  unsigned char first = text[0];
  if (first == ' ' || (first >= '\t' && first <= '\r')) return std::nullopt;
  char copy[kLongest];
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = 0;
  char* end = nullptr;
  errno = 0;
  Number value = parse(copy, &end);
  if (end != copy + text.size() || std::isnan(value)) return std::nullopt;
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  return value;
}

// Lays out `digits` × 10^exponent of ten; see the rules in the header.
size_t lay_out(char* out, const char* digits, int count, int exponent) {
  char* p = out;
  int magnitude = std::abs(exponent + count - 1);
  if (exponent >= 0 && magnitude < count + 7) {
    std::memcpy(p, digits, count);
    std::memset(p + count, '0', exponent);
    return count + exponent;
  }
  if (exponent < 0 && (exponent > -7 || magnitude < 4)) {
    int whole = count + exponent;
    if (whole <= 0) {
      *p++ = '0';
      *p++ = '.';
      std::memset(p, '0', -whole);
      p += -whole;
      std::memcpy(p, digits, count);
      return p + count - out;
    }
    std::memcpy(p, digits, whole);
    p[whole] = '.';
    std::memcpy(p + whole + 1, digits + whole, count - whole);
    return count + 1;
  }
  *p++ = digits[0];
  if (count > 1) {
    *p++ = '.';
    std::memcpy(p, digits + 1, count - 1);
    p += count - 1;
  }
  *p++ = 'e';
  *p++ = exponent + count - 1 < 0 ? '-' : '+';
  p += format_uint64(p, magnitude);
  return p - out;
}

size_t put(char* out, Bytes text) {
  std::memcpy(out, text.data(), text.size());
  return text.size();
}

}  // namespace

std::optional<uint64_t> numbers_detail::parse_long_magnitude(const char* p, size_t digits) {
  if (digits != 20) return std::nullopt;
  uint64_t value = 0;
  for (size_t i = 0; i < digits; i++) {
    unsigned digit = static_cast<unsigned char>(p[i]) - '0';
    if (digit > 9) return std::nullopt;
    if (__builtin_mul_overflow(value, uint64_t{10}, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, uint64_t{digit}, &value)) return std::nullopt;
  }
  return value;
}

std::optional<double> parse_double(Bytes text) {
  // Most scores are short whole numbers: exact below 10^15.
  if (!text.empty() && text.size() <= 15) {
    uint64_t value = 0;
    size_t i = text[0] == '-';
    size_t first = i;
    for (; i < text.size(); i++) {
      unsigned digit = static_cast<unsigned char>(text[i]) - '0';
      if (digit > 9) break;
      value = value * 10 + digit;
    }
    if (i == text.size() && i > first) {
      double magnitude = static_cast<double>(value);
      return first ? -magnitude : magnitude;
    }
  }
  if (is_hexadecimal(text)) return parse_terminated<double>(text, std::strtod);
  if (!text.empty() && text[0] == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text[0] == '-') return std::nullopt;
  }
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || std::isnan(value)) return std::nullopt;
  return value;
}

std::optional<long double> parse_long_double(Bytes text) {
  return parse_terminated<long double>(text, std::strtold);
}

int decimal_length(uint64_t value) {
  if (value < 10) return 1;
  int guess = (std::bit_width(value) * 1233) >> 12;
  return guess + (value >= kPowers[guess]);
}

int decimal_length(int64_t value) {
  if (value >= 0) return decimal_length(static_cast<uint64_t>(value));
  return 1 + decimal_length(0 - static_cast<uint64_t>(value));
}

size_t format_uint64(char* out, uint64_t value) {
  int length = decimal_length(value);
  char* p = out + length;
  while (value >= 100) {
    uint64_t rest = value / 100;
    p -= 2;
    std::memcpy(p, kPairs + (value - rest * 100) * 2, 2);
    value = rest;
  }
  if (value >= 10)
    std::memcpy(out, kPairs + value * 2, 2);
  else
    *out = static_cast<char>('0' + value);
  return length;
}

size_t format_int64(char* out, int64_t value) {
  if (value >= 0) return format_uint64(out, static_cast<uint64_t>(value));
  *out = '-';
  return 1 + format_uint64(out + 1, 0 - static_cast<uint64_t>(value));
}

size_t format_double(char (&out)[kDoubleChars], double value) {
  if (std::isnan(value)) return put(out, "nan");
  if (std::isinf(value)) return put(out, value > 0 ? "inf" : "-inf");
  if (value == 0) return put(out, std::signbit(value) ? "-0" : "0");
  // Whole numbers of up to 17 digits are printed exactly, however few of the digits would do.
  constexpr double kPlainLimit = 1e17;
  if (value > -kPlainLimit && value < kPlainLimit) {
    int64_t whole = static_cast<int64_t>(value);
    if (static_cast<double>(whole) == value) return format_int64(out, whole);
  }
  char shortest[32];  // d.ddddde±xx
  char* end = std::to_chars(shortest, shortest + sizeof shortest, std::fabs(value), std::chars_format::scientific).ptr;
  char digits[24];
  int count = 0;
  char* p = shortest;
  for (; *p != 'e'; p++)
    if (*p != '.') digits[count++] = *p;
  int exponent = 0;
  std::from_chars(p + (p[1] == '+' ? 2 : 1), end, exponent);
  char* body = out;
  if (value < 0) *body++ = '-';
  return (body - out) + lay_out(body, digits, count, exponent - (count - 1));
}

std::string format_double(double value) {
  char text[kDoubleChars];
  return std::string(text, format_double(text, value));
}

std::string format_long_double(long double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char text[5120];  // the largest long double has 4933 digits
  int length = std::snprintf(text, sizeof text, "%.17Lf", value);
  while (text[length - 1] == '0') length--;
  if (text[length - 1] == '.') length--;
  if (length == 2 && text[0] == '-' && text[1] == '0') return "0";
  return std::string(text, length);
}

std::optional<uint64_t> parse_memory(Bytes text) {
  size_t digits = 0;
  uint64_t value = 0;
  bool beyond = false;
  constexpr size_t kMostMemoryDigits = 127;   // as in Redis
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; digits++) {
    beyond |= __builtin_mul_overflow(value, uint64_t{10}, &value);
    beyond |= __builtin_add_overflow(value, static_cast<uint64_t>(text[digits] - '0'), &value);
  }
  if (digits > kMostMemoryDigits) return std::nullopt;
  struct Unit {
    Bytes name;
    uint64_t bytes;
  };
  constexpr Unit kUnits[] = {{"", 1},          {"b", 1},           {"k", 1000},          {"kb", 1 << 10},
                             {"m", 1000'000},  {"mb", 1 << 20},    {"g", 1000'000'000},  {"gb", 1 << 30}};
  for (const Unit& unit : kUnits) {
    if (!equals_ignoring_case(text.substr(digits), unit.name)) continue;
    beyond |= __builtin_mul_overflow(value, unit.bytes, &value);
    return beyond ? UINT64_MAX : value;
  }
  return std::nullopt;
}

std::optional<uint64_t> parse_percent(Bytes text) {
  if (text.empty() || text.back() != '%') return std::nullopt;
  return parse_uint64(text.substr(0, text.size() - 1));
}

std::string format_memory(uint64_t bytes) {
  if (bytes && bytes % (1 << 30) == 0) return std::to_string(bytes >> 30) + "gb";
  if (bytes && bytes % (1 << 20) == 0) return std::to_string(bytes >> 20) + "mb";
  if (bytes && bytes % (1 << 10) == 0) return std::to_string(bytes >> 10) + "kb";
  return std::to_string(bytes);
}

}  // namespace vitrine
