// PatternMatcher: the patterns of Lua 5.1 (Reference Manual, 5.4.1), for string.find, match, gmatch and gsub.
//
// Ours and not LuaJIT's, because a pattern that backtracks can take for ever: this one counts its steps and can be
// interrupted. As in Lua 5.1 a pattern ends at its first zero byte, and %z stands for one.
#pragma once

#include <array>

#include "script/interpreter.h"
#include "script/steps.h"

namespace vitrine {

class PatternMatcher {
 public:
  static constexpr int kMostCaptures = 32;

  // Both texts must outlive it and end with a zero, as Lua's strings do.
  PatternMatcher(lua_State* L, Interpreter& lua, Bytes subject, Bytes pattern);

  // Where the match that begins at `start` ends, null if there is none. Raises what is wrong with the pattern.
  const char* match(const char* start) {
    steps_.count();
    captures_ = 0;
    return match(start, pattern_);
  }
  // The same for the first match that begins at `start` or behind it; `start` moves there.
  const char* search(const char*& start);

  // Pushes capture `number` (from 0 on) of the match start...end, which is the whole match if there are no captures.
  void push_capture(int number, const char* start, const char* end);
  // Pushes all captures, or the whole match if there are none and it is wanted. How many.
  int push_captures(const char* start, const char* end, bool whole_if_none = true);

 private:
  static constexpr ptrdiff_t kOpen = -1, kPosition = -2;
  struct Capture {
    const char* start;
    ptrdiff_t size;      // or one of the two above
  };

  const char* match(const char* s, const char* p);
  const char* match_rest(const char* s, const char* p);
  const char* match_longest(const char* s, const char* p, const char* item_end);
  const char* match_shortest(const char* s, const char* p, const char* item_end);
  const char* open_capture(const char* s, const char* p, ptrdiff_t size);
  const char* close_capture(const char* s, const char* p);
  const char* match_balanced(const char* s, const char* p);
  const char* match_captured(const char* s, char digit);
  bool is_frontier(const char* s, const char* set, const char* set_end);
  const char* end_of_item(const char* p);
  bool matches_item(const char* s, const char* p, const char* item_end);
  bool is_in_set(unsigned char c, const char* set, const char* set_end);

  lua_State* L_;
  Interpreter& lua_;
  Steps steps_;
  const char *subject_, *subject_end_, *pattern_;
  bool begins_literally_;     // every match begins with the first character of the pattern
  int captures_ = 0;
  std::array<Capture, kMostCaptures> capture_;
};

}  // namespace vitrine
