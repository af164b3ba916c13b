// The functions of the library `string` that are ours: those with patterns, because LuaJIT's cannot be interrupted, and
// those that take numbers modulo 2^32 there.
#include <algorithm>
#include <climits>
#include <cstring>

#include "script/byte_buffer.h"
#include "script/pattern_matcher.h"
#include "script/sandbox.h"

namespace vitrine {

namespace {

constexpr char kSpecials[] = "^$*+?.([%-";

Bytes check_bytes(lua_State* L, int arg) {
  size_t size = 0;
  const char* text = luaL_checklstring(L, arg, &size);
  return {text, size};
}

int push_range(lua_State* L, Bytes subject, const char* start, const char* end) {
  lua_pushinteger(L, start - subject.data() + 1);
  lua_pushinteger(L, end - subject.data());
  return 2;
}

// Where a position in a text of this size is, from 1 on: a negative one counts from the end; 0: before it.
lua_Integer position_in(lua_Integer given, size_t size) {
  if (given < 0) given += static_cast<lua_Integer>(size) + 1;
  return std::max<lua_Integer>(given, 0);
}

// The part from `first` to `last`, positions as position_in gives them.
Bytes part_of(Bytes text, lua_Integer first, lua_Integer last) {
  first = std::max<lua_Integer>(first, 1);
  last = std::min(last, static_cast<lua_Integer>(text.size()));
  return first > last ? Bytes() : text.substr(static_cast<size_t>(first - 1), static_cast<size_t>(last - first + 1));
}

int sub(lua_State* L) {
  Bytes text = check_bytes(L, 1);
  lua_Integer first = position_in(luaL_checkinteger(L, 2), text.size());
  push_bytes(L, part_of(text, first, position_in(luaL_optinteger(L, 3, -1), text.size())));
  return 1;
}

int byte(lua_State* L) {
  Bytes text = check_bytes(L, 1);
  lua_Integer first = position_in(luaL_optinteger(L, 2, 1), text.size());
  Bytes part = part_of(text, first, position_in(luaL_optinteger(L, 3, first), text.size()));
  if (part.size() > static_cast<size_t>(INT_MAX)) return luaL_error(L, "string slice too long");
  luaL_checkstack(L, static_cast<int>(part.size()), "string slice too long");
  for (char c : part) lua_pushinteger(L, static_cast<unsigned char>(c));
  return static_cast<int>(part.size());
}

int find_plain(lua_State* L, Bytes subject, size_t from, Bytes wanted) {
  // Linear, whatever both texts are.
  const void* found = memmem(subject.data() + from, subject.size() - from, wanted.data(), wanted.size());
  if (!found) return lua_pushnil(L), 1;
  auto start = static_cast<const char*>(found);
  return push_range(L, subject, start, start + wanted.size());
}

int find_or_match(lua_State* L, bool find) {
  Bytes subject = check_bytes(L, 1), pattern = check_bytes(L, 2);
  lua_Integer start_at = std::max<lua_Integer>(position_in(luaL_optinteger(L, 3, 1), subject.size()) - 1, 0);
  size_t from = std::min(static_cast<size_t>(start_at), subject.size());
  if (find && (lua_toboolean(L, 4) || !std::strpbrk(pattern.data(), kSpecials)))
    return find_plain(L, subject, from, pattern);
  bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  PatternMatcher matcher(L, Interpreter::of(L), subject, pattern);
  const char* start = subject.data() + from;
  const char* end = anchored ? matcher.match(start) : matcher.search(start);
  if (!end) return lua_pushnil(L), 1;
  if (!find) return matcher.push_captures(start, end);
  return push_range(L, subject, start, end) + matcher.push_captures(start, end, false);
}

int find(lua_State* L) { return find_or_match(L, true); }
int match(lua_State* L) { return find_or_match(L, false); }

// Upvalues: the interpreter, the subject, the pattern, where the next search begins.
int next_match(lua_State* L) {
  Bytes subject = bytes_at(L, lua_upvalueindex(2)), pattern = bytes_at(L, lua_upvalueindex(3));
  PatternMatcher matcher(L, Interpreter::of(L), subject, pattern);
  const char* start = subject.data() + lua_tointeger(L, lua_upvalueindex(4));
  const char* end = matcher.search(start);
  if (!end) return 0;
  lua_pushinteger(L, end - subject.data() + (end == start));
  lua_replace(L, lua_upvalueindex(4));
  return matcher.push_captures(start, end);
}

int gmatch(lua_State* L) {
  check_bytes(L, 1);
  check_bytes(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_match, 4);
  return 1;
}

// The third argument of gsub: what stands in a match's place.
class Replacement {
 public:
  Replacement(lua_State* L, Interpreter& lua, PatternMatcher& matcher)
      : L_(L), steps_(L, lua), matcher_(matcher), type_(lua_type(L, 3)) {
    luaL_argcheck(L, type_ == LUA_TNUMBER || type_ == LUA_TSTRING || type_ == LUA_TFUNCTION || type_ == LUA_TTABLE, 3,
                  "string/function/table expected");
    if (type_ == LUA_TNUMBER || type_ == LUA_TSTRING) text_ = bytes_at(L, 3);
  }

  void append_to(ByteBuffer& out, const char* start, const char* end) {
    if (type_ == LUA_TFUNCTION || type_ == LUA_TTABLE) steps_.ask();
    if (type_ == LUA_TFUNCTION) {
      lua_pushvalue(L_, 3);
      lua_call(L_, matcher_.push_captures(start, end), 1);
    } else if (type_ == LUA_TTABLE) {
      matcher_.push_capture(0, start, end);
      lua_gettable(L_, 3);
    } else {
      return append_text(out, start, end);
    }
    if (!lua_toboolean(L_, -1)) out.append({start, static_cast<size_t>(end - start)});   // it stays
    else if (!lua_isstring(L_, -1)) luaL_error(L_, "invalid replacement value (a %s)", luaL_typename(L_, -1));
    else out.append(bytes_at(L_, -1));
    lua_pop(L_, 1);
  }

 private:
  // %1 to %9 are captures, %0 is the match, any other character behind a % stands for itself.
  void append_text(ByteBuffer& out, const char* start, const char* end) {
    for (size_t i = 0; i < text_.size(); i++) {
      steps_.count();
      size_t escape = std::min(text_.find('%', i), text_.size());
      out.append(text_.substr(i, escape - i));
      if ((i = escape) == text_.size()) return;
      char c = text_.data()[++i];   // a zero behind the last one
      if (c < '0' || c > '9') {
        out.append(c);
      } else if (c == '0') {
        out.append({start, static_cast<size_t>(end - start)});
      } else {
        matcher_.push_capture(c - '1', start, end);
        out.append(bytes_at(L_, -1));
        lua_pop(L_, 1);
      }
    }
  }

  lua_State* L_;
  Steps steps_;
  PatternMatcher& matcher_;
  int type_;
  Bytes text_;
};

int gsub(lua_State* L) {
  Interpreter& lua = Interpreter::of(L);
  lua.guard_stack(L);
  Bytes subject = check_bytes(L, 1), pattern = check_bytes(L, 2);
  bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  int most = luaL_optint(L, 4, static_cast<int>(subject.size()) + 1), count = 0;
  PatternMatcher matcher(L, lua, subject, pattern);
  Replacement replacement(L, lua, matcher);
  ByteBuffer out(L);
  const char *at = subject.data(), *subject_end = at + subject.size(), *copied = at;
  while (count < most && at <= subject_end) {
    const char* start = at;
    const char* end = anchored ? matcher.match(start) : matcher.search(start);
    if (!end) break;
    count++;
    out.append({copied, static_cast<size_t>(start - copied)});
    replacement.append_to(out, start, end);
    copied = end;
    at = end + (end == start);
    if (anchored) break;
  }
  out.append({copied, static_cast<size_t>(subject_end - copied)});
  out.push_string();
  lua_pushinteger(L, count);
  return 2;
}

// Upvalues: the interpreter, LuaJIT's own, which would put a third argument between.
int rep(lua_State* L) {
  constexpr double kMostBytes = 0x7fffff00;
  size_t size = check_bytes(L, 1).size();
  double count = luaL_checknumber(L, 2);
  Steps(L, Interpreter::of(L)).ask();
  if (count > 0 && count * static_cast<double>(size) > kMostBytes) return luaL_error(L, "resulting string too large");
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, 2, 1);
  return 1;
}

// LuaJIT has a dump, of bytecode, which nothing here would load again.
int dump(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  return luaL_error(L, "unable to dump given function");
}

}  // namespace

void add_string_functions(lua_State* L, Interpreter& lua) {
  static const luaL_Reg kFunctions[] = {{"sub", sub},     {"byte", byte},           {"find", find},
                                        {"match", match}, {"gmatch", gmatch},       {"gsub", gsub},
                                        {"dump", dump},   {"format", format_string}, {nullptr, nullptr}};
  add_functions(L, lua, kFunctions);
  replace_function(L, lua, "rep", rep);
}

}  // namespace vitrine
