// The word for a run of bytes.
//
// Keys, values and arguments are binary-safe; a Bytes is a borrowed view of them and never owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vitrine {

using Bytes = std::string_view;

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

}  // namespace vitrine
