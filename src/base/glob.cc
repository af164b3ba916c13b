#include "base/glob.h"

#include <algorithm>
#include <utility>

namespace vitrine {

namespace {

unsigned char fold(unsigned char c, bool ignore_case) {
  return ignore_case && c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

// Matches one byte against the class that opens at pattern[at] ('['), and moves `at` behind it.
bool match_class(Bytes pattern, size_t& at, unsigned char c, bool ignore_case) {
  size_t p = at + 1;
  bool negated = p < pattern.size() && pattern[p] == '^';
  if (negated) p++;
  bool found = false;
  c = fold(c, ignore_case);
  for (; p < pattern.size() && pattern[p] != ']'; p++) {
    if (pattern[p] == '\\' && p + 1 < pattern.size()) {
      p++;
      found |= fold(pattern[p], ignore_case) == c;
    } else if (p + 2 < pattern.size() && pattern[p + 1] == '-') {
      unsigned char low = fold(pattern[p], ignore_case), high = fold(pattern[p + 2], ignore_case);
      if (low > high) std::swap(low, high);
      found |= c >= low && c <= high;
      p += 2;
    } else {
      found |= fold(pattern[p], ignore_case) == c;
    }
  }
  at = p < pattern.size() ? p + 1 : p;
  return found != negated;
}

// How many bytes they share before the pattern says anything but itself: most patterns are a prefix and a star.
size_t plain_start(Bytes pattern, Bytes text) {
  size_t n = std::min(pattern.size(), text.size()), i = 0;
  for (; i < n && pattern[i] == text[i]; i++)
    if (char c = pattern[i]; c == '*' || c == '?' || c == '[' || c == '\\') break;
  return i;
}

}  // namespace

// Only the last '*' is ever retried: everything after an earlier one has already matched as far left as it can.
bool glob_match(Bytes pattern, Bytes text, bool ignore_case) {
  if (text.empty()) return pattern.empty();  // as Redis: not even "*" matches an empty name
  constexpr size_t kNone = ~size_t{0};
  size_t p = ignore_case ? 0 : plain_start(pattern, text), t = p;
  size_t star_pattern = kNone, star_text = 0;
  while (t < text.size()) {
    bool matched = false;
    if (p < pattern.size()) {
      char c = pattern[p];
      if (c == '*') {
        while (p < pattern.size() && pattern[p] == '*') p++;
        if (p == pattern.size()) return true;
        star_pattern = p;
        star_text = t;
        continue;
      }
      if (c == '?') {
        matched = true;
        p++;
      } else if (c == '[') {
        matched = match_class(pattern, p, text[t], ignore_case);
      } else {
        if (c == '\\' && p + 1 < pattern.size()) p++;
        matched = fold(pattern[p], ignore_case) == fold(text[t], ignore_case);
        p++;
      }
    }
    if (matched) {
      t++;
      continue;
    }
    if (star_pattern == kNone) return false;
    p = star_pattern;
    t = ++star_text;
  }
  while (p < pattern.size() && pattern[p] == '*') p++;
  return p == pattern.size();
}

}  // namespace vitrine
