#include "script/pattern_matcher.h"

#include <cstring>

namespace vitrine {

namespace {

constexpr char kEscape = '%';

bool begins_literally(const char* pattern) {
  bool literal = *pattern && !std::strchr("%[.()", *pattern) && !(*pattern == '$' && !pattern[1]);
  return literal && pattern[1] != '*' && pattern[1] != '?' && pattern[1] != '-';
}

bool is_lower(unsigned char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(unsigned char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
bool is_letter(unsigned char c) { return is_lower(c) || is_upper(c); }
bool is_graphic(unsigned char c) { return c > 32 && c < 127; }
char lowered(char c) { return is_upper(static_cast<unsigned char>(c)) ? static_cast<char>(c + 32) : c; }

// %a, %d and so on; %A, %D are what is not in them. Behind any other character it stands for itself.
bool is_in_class(unsigned char c, char name) {
  bool in;
  switch (lowered(name)) {
    case 'a': in = is_letter(c); break;
    case 'c': in = c < 32 || c == 127; break;
    case 'd': in = is_digit(c); break;
    case 'l': in = is_lower(c); break;
    case 'p': in = is_graphic(c) && !is_letter(c) && !is_digit(c); break;
    case 's': in = c == ' ' || (c >= '\t' && c <= '\r'); break;
    case 'u': in = is_upper(c); break;
    case 'w': in = is_letter(c) || is_digit(c); break;
    case 'x': in = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); break;
    case 'z': in = c == 0; break;
    default: return c == static_cast<unsigned char>(name);
  }
  return in != is_upper(static_cast<unsigned char>(name));
}

}  // namespace

PatternMatcher::PatternMatcher(lua_State* L, Interpreter& lua, Bytes subject, Bytes pattern)
    : L_(L), lua_(lua), steps_(L, lua), subject_(subject.data()), subject_end_(subject.data() + subject.size()),
      pattern_(pattern.data()), begins_literally_(begins_literally(pattern.data())) {}

const char* PatternMatcher::search(const char*& start) {
  for (; start <= subject_end_; start++) {
    if (begins_literally_) {
      auto left = static_cast<size_t>(subject_end_ - start);
      if (!(start = static_cast<const char*>(std::memchr(start, *pattern_, left)))) return nullptr;
    }
    if (const char* end = match(start)) return end;
  }
  return nullptr;
}

// By recursion, which is as deep as the pattern is long.
const char* PatternMatcher::match_rest(const char* s, const char* p) {
  lua_.guard_stack(L_);
  return match(s, p);
}

// Goes on in a loop where an item leaves no choice.
const char* PatternMatcher::match(const char* s, const char* p) {
  while (*p) {
    steps_.count();
    if (*p == '(') return p[1] == ')' ? open_capture(s, p + 2, kPosition) : open_capture(s, p + 1, kOpen);
    if (*p == ')') return close_capture(s, p + 1);
    if (*p == '$' && !p[1]) return s == subject_end_ ? s : nullptr;
    if (*p == kEscape && p[1] == 'b') {
      if (!(s = match_balanced(s, p + 2))) return nullptr;
      p += 4;
      continue;
    }
    if (*p == kEscape && p[1] == 'f') {
      p += 2;
      if (*p != '[') luaL_error(L_, "missing '[' after '%%f' in pattern");
      const char* set_end = end_of_item(p);
      if (!is_frontier(s, p, set_end)) return nullptr;
      p = set_end;
      continue;
    }
    if (*p == kEscape && is_digit(static_cast<unsigned char>(p[1]))) {
      if (!(s = match_captured(s, p[1]))) return nullptr;
      p += 2;
      continue;
    }
    const char* item_end = end_of_item(p);
    bool matches = s < subject_end_ && matches_item(s, p, item_end);
    switch (*item_end) {
      case '*': return match_longest(s, p, item_end);
      case '+': return matches ? match_longest(s + 1, p, item_end) : nullptr;
      case '-': return match_shortest(s, p, item_end);
      case '?':
        if (matches)
          if (const char* end = match_rest(s + 1, item_end + 1)) return end;
        p = item_end + 1;
        break;
      default:
        if (!matches) return nullptr;
        s++;
        p = item_end;
    }
  }
  return s;
}

const char* PatternMatcher::match_longest(const char* s, const char* p, const char* item_end) {
  const char* end = s;
  while (end < subject_end_ && matches_item(end, p, item_end)) {
    steps_.count();
    end++;
  }
  for (;; end--) {
    if (const char* match_end = match_rest(end, item_end + 1)) return match_end;
    if (end == s) return nullptr;
  }
}

const char* PatternMatcher::match_shortest(const char* s, const char* p, const char* item_end) {
  for (;; s++) {
    if (const char* match_end = match_rest(s, item_end + 1)) return match_end;
    if (s == subject_end_ || !matches_item(s, p, item_end)) return nullptr;
  }
}

const char* PatternMatcher::open_capture(const char* s, const char* p, ptrdiff_t size) {
  if (captures_ == kMostCaptures) luaL_error(L_, "too many captures");
  capture_[static_cast<size_t>(captures_++)] = {s, size};
  const char* end = match_rest(s, p);
  if (!end) captures_--;
  return end;
}

const char* PatternMatcher::close_capture(const char* s, const char* p) {
  int number = captures_;
  do {
    if (number-- == 0) luaL_error(L_, "invalid pattern capture");
  } while (capture_[static_cast<size_t>(number)].size != kOpen);
  Capture& capture = capture_[static_cast<size_t>(number)];
  capture.size = s - capture.start;
  const char* end = match_rest(s, p);
  if (!end) capture.size = kOpen;
  return end;
}

// %bxy: from an x to the y that closes it.
const char* PatternMatcher::match_balanced(const char* s, const char* p) {
  if (!p[0] || !p[1]) luaL_error(L_, "unbalanced pattern");
  if (s == subject_end_ || *s != p[0]) return nullptr;
  size_t open = 1;
  while (++s < subject_end_) {
    steps_.count();
    if (*s == p[1]) {
      if (--open == 0) return s + 1;
    } else if (*s == p[0]) {
      open++;
    }
  }
  return nullptr;
}

// %1: what the first capture has.
const char* PatternMatcher::match_captured(const char* s, char digit) {
  constexpr size_t kBytesAStep = 64;
  int number = digit - '1';
  if (number < 0 || number >= captures_ || capture_[static_cast<size_t>(number)].size == kOpen)
    luaL_error(L_, "invalid capture index");
  const Capture& capture = capture_[static_cast<size_t>(number)];
  // That of a position has no size that anything could match.
  if (capture.size < 0 || capture.size > subject_end_ - s) return nullptr;
  auto size = static_cast<size_t>(capture.size);
  steps_.count(size / kBytesAStep);
  return std::memcmp(capture.start, s, size) == 0 ? s + size : nullptr;
}

// What is before `s` is not in the set, what is at `s` is; a zero stands beyond both ends.
bool PatternMatcher::is_frontier(const char* s, const char* set, const char* set_end) {
  auto before = static_cast<unsigned char>(s == subject_ ? '\0' : s[-1]);
  return !is_in_set(before, set, set_end) && is_in_set(static_cast<unsigned char>(*s), set, set_end);
}

// Behind one character, class or set.
const char* PatternMatcher::end_of_item(const char* p) {
  char first = *p++;
  if (first == kEscape) {
    if (!*p) luaL_error(L_, "malformed pattern (ends with '%%')");
    return p + 1;
  }
  if (first != '[') return p;
  if (*p == '^') p++;
  do {   // a ] that comes first is one of the set
    steps_.count();
    if (!*p) luaL_error(L_, "malformed pattern (missing ']')");
    if (*p++ == kEscape && *p) p++;
  } while (*p != ']');
  return p + 1;
}

// REQUIRES: s is not the end of the subject.
inline bool PatternMatcher::matches_item(const char* s, const char* p, const char* item_end) {
  auto c = static_cast<unsigned char>(*s);
  switch (*p) {
    case '.': return true;
    case kEscape: return is_in_class(c, p[1]);
    case '[': return is_in_set(c, p, item_end);
    default: return *s == *p;
  }
}

bool PatternMatcher::is_in_set(unsigned char c, const char* set, const char* set_end) {
  const char* last = set_end - 1;   // the ]
  bool wanted = set[1] != '^';
  steps_.count(static_cast<size_t>(set_end - set));
  for (const char* p = set + (wanted ? 1 : 2); p < last; p++) {
    if (*p == kEscape) {
      if (is_in_class(c, *++p)) return wanted;
    } else if (p[1] == '-' && p + 2 < last) {
      if (static_cast<unsigned char>(*p) <= c && c <= static_cast<unsigned char>(p[2])) return wanted;
      p += 2;
    } else if (static_cast<unsigned char>(*p) == c) {
      return wanted;
    }
  }
  return !wanted;
}

void PatternMatcher::push_capture(int number, const char* start, const char* end) {
  if (number >= captures_) {
    if (number != 0) luaL_error(L_, "invalid capture index");
    return push_bytes(L_, {start, static_cast<size_t>(end - start)});
  }
  const Capture& capture = capture_[static_cast<size_t>(number)];
  if (capture.size == kOpen) luaL_error(L_, "unfinished capture");
  if (capture.size == kPosition) return lua_pushinteger(L_, capture.start - subject_ + 1);
  push_bytes(L_, {capture.start, static_cast<size_t>(capture.size)});
}

int PatternMatcher::push_captures(const char* start, const char* end, bool whole_if_none) {
  int count = captures_ == 0 && whole_if_none ? 1 : captures_;
  luaL_checkstack(L_, count, "too many captures");
  for (int i = 0; i < count; i++) push_capture(i, start, end);
  return count;
}

}  // namespace vitrine
