// The word for a run of bytes.
//
// Keys, values and arguments are binary-safe; a Bytes is a borrowed view of them and never owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace vitrine {

using Bytes = std::string_view;

// a == b without a call: for short keys and names, which are compared a million times a second.
inline bool same_bytes(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  size_t n = a.size();
  const char *p = a.data(), *q = b.data();
  uint64_t x, y;
  if (n >= 8) {
    for (size_t i = 0; i + 8 < n; i += 8) {
      std::memcpy(&x, p + i, 8);
      std::memcpy(&y, q + i, 8);
      if (x != y) return false;
    }
    std::memcpy(&x, p + n - 8, 8);
    std::memcpy(&y, q + n - 8, 8);
    return x == y;
  }
  if (n >= 4) {
    uint32_t first, other_first, last, other_last;
    std::memcpy(&first, p, 4);
    std::memcpy(&other_first, q, 4);
    std::memcpy(&last, p + n - 4, 4);
    std::memcpy(&other_last, q + n - 4, 4);
    return first == other_first && last == other_last;
  }
  for (size_t i = 0; i < n; i++)
    if (p[i] != q[i]) return false;
  return true;
}

// A name of one to eight bytes as a number: two names of the same length have the same number if they are the same.
inline uint64_t name_number(Bytes name) {
  const char* p = name.data();
  size_t n = name.size();
  if (n >= 4) {
    uint32_t first, last;
    std::memcpy(&first, p, 4);
    std::memcpy(&last, p + n - 4, 4);
    return first | uint64_t{last} << 32;
  }
  auto at = [p](size_t i) { return static_cast<unsigned char>(p[i]); };
  return at(0) | at(n / 2) << 8 | at(n - 1) << 16;
}

// ASCII case-insensitive equality, for command names, options and setting names.
inline bool equals_ignoring_case(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++) {
    unsigned char x = a[i], y = b[i];
    if (x == y) continue;
    if ((x ^ y) != 0x20) return false;
    unsigned char lower = x | 0x20;
    if (lower < 'a' || lower > 'z') return false;
  }
  return true;
}

inline std::string to_lower(Bytes s) {
  std::string out(s);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c |= 0x20;
  return out;
}

inline std::string to_upper(Bytes s) {
  std::string out(s);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c &= ~0x20;
  return out;
}

}  // namespace vitrine
