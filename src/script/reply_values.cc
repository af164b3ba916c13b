#include "script/reply_values.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/numbers.h"
#include "script/interpreter.h"
#include "script/steps.h"

namespace vitrine {

namespace {

constexpr char kCounted[] = "ignore_error_stats_update";

class ReplyReader {
 public:
  ReplyReader(lua_State* L, const Interpreter& lua, Bytes reply) : L_(L), lua_(lua), rest_(reply) {}
  Bytes rest() const { return rest_; }

  void value() {
    switch (rest_[0]) {
      case ':': return lua_pushnumber(L_, static_cast<double>(take_number()));
      case '$': return bulk(take_number());
      case '+': return field("ok", take_line());
      case '-': return push_error(L_, take_line(), true);
      case '*':
      case '>': return array(take_number());
      case '%': return map(take_number());
      case '~': return set(take_number());
      case '_': return take_line(), lua_pushnil(L_);
      case '#': return lua_pushboolean(L_, take_line() == "t");
      case ',': return real(take_line());
      case '(': return field("big_number", take_line());
      case '=': return verbatim(take_number());
      case '|': return attribute(take_number());
      default: luaL_error(L_, "a reply of an unknown kind");
    }
  }

 private:
  // What stands behind the type byte, up to the end of the line.
  Bytes take_line() {
    const char* end = static_cast<const char*>(std::memchr(rest_.data(), '\r', rest_.size()));
    Bytes line(rest_.data() + 1, static_cast<size_t>(end - rest_.data() - 1));
    rest_.remove_prefix(line.size() + 3);
    return line;
  }
  // The same as a number.
  int64_t take_number() {
    const char* p = rest_.data() + 1;
    bool negative = *p == '-';
    uint64_t n = 0;
    for (p += negative; *p != '\r'; p++) n = n * 10 + static_cast<uint64_t>(*p - '0');
    rest_.remove_prefix(static_cast<size_t>(p - rest_.data()) + 2);
    return static_cast<int64_t>(negative ? -n : n);
  }
  Bytes take(size_t bytes) {
    Bytes taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes + 2);
    return taken;
  }

  void field(const char* name, Bytes text) {
    lua_createtable(L_, 0, 1);
    push_bytes(L_, text);
    lua_setfield(L_, -2, name);
  }

  void bulk(int64_t size) {
    if (size < 0) return lua_pushboolean(L_, false);
    push_bytes(L_, take(static_cast<size_t>(size)));
  }

  void enter() {
    lua_.guard_stack(L_);
    luaL_checkstack(L_, 6, "the reply is nested too deeply");
  }

  void array(int64_t size) {
    if (size < 0) return lua_pushboolean(L_, false);
    enter();
    lua_createtable(L_, static_cast<int>(size), 0);
    for (int i = 1; i <= size; i++) {
      value();
      lua_rawseti(L_, -2, i);
    }
  }

  void map(int64_t pairs) {
    enter();
    lua_createtable(L_, 0, 1);
    lua_createtable(L_, 0, static_cast<int>(pairs));
    for (int64_t i = 0; i < pairs; i++) {
      value();
      value();
      if (lua_isnil(L_, -2)) lua_pop(L_, 2);
      else lua_rawset(L_, -3);
    }
    lua_setfield(L_, -2, "map");
  }

  void set(int64_t size) {
    enter();
    lua_createtable(L_, 0, 1);
    lua_createtable(L_, 0, static_cast<int>(size));
    for (int64_t i = 0; i < size; i++) {
      value();
      lua_pushboolean(L_, true);
      if (lua_isnil(L_, -2)) lua_pop(L_, 2);
      else lua_rawset(L_, -3);
    }
    lua_setfield(L_, -2, "set");
  }

  void real(Bytes line) {
    lua_createtable(L_, 0, 1);
    lua_pushnumber(L_, std::strtod(line.data(), nullptr));   // ends at the line's end
    lua_setfield(L_, -2, "double");
  }

  void verbatim(int64_t size) {
    Bytes text = take(static_cast<size_t>(size));
    lua_createtable(L_, 0, 1);
    lua_createtable(L_, 0, 2);
    push_bytes(L_, text.substr(4));
    lua_setfield(L_, -2, "string");
    push_bytes(L_, text.substr(0, 3));
    lua_setfield(L_, -2, "format");
    lua_setfield(L_, -2, "verbatim_string");
  }

  void attribute(int64_t pairs) {
    for (int64_t i = 0; i < 2 * pairs; i++) {
      value();
      lua_pop(L_, 1);
    }
    value();
  }

  lua_State* L_;
  const Interpreter& lua_;
  Bytes rest_;
};

// The names that give a table a meaning, pushed once for a whole reply.
enum Name { kErr, kOk, kDouble, kMap, kSet, kBigNumber, kVerbatim, kNames };
constexpr const char* kNameTexts[kNames] = {"err", "ok", "double", "map", "set", "big_number", "verbatim_string"};

class ReplyWriter {
 public:
  ReplyWriter(lua_State* L, Interpreter& lua, ReplyBuilder& out, bool resp3, size_t most_bytes)
      : L_(L), lua_(lua), steps_(L, lua), out_(out), resp3_(resp3),
        most_pending_(most_bytes ? out.output().pending() + most_bytes : SIZE_MAX) {}

  uint64_t errors_passed_on() const { return errors_passed_on_; }

  // Pops the value on top. What stands in many tables at once is written as often.
  void value() {
    constexpr size_t kStepsAValue = 10;
    steps_.count(kStepsAValue);
    if (out_.output().pending() > most_pending_) luaL_error(L_, "the reply is larger than script-memory-limit");
    switch (lua_type(L_, -1)) {
      case LUA_TSTRING: out_.bulk(bytes_at(L_, -1)); break;
      case LUA_TNUMBER: out_.integer(whole(lua_tonumber(L_, -1))); break;
      case LUA_TBOOLEAN: boolean(lua_toboolean(L_, -1)); break;
      case LUA_TTABLE: table(); break;
      default: out_.null();
    }
    lua_pop(L_, 1);
  }

 private:
  // As the processor converts: what does not fit is the least number.
  static int64_t whole(double d) { return d >= -0x1p63 && d < 0x1p63 ? static_cast<int64_t>(d) : INT64_MIN; }

  void boolean(bool b) {
    if (resp3_) out_.boolean(b);
    else if (b) out_.integer(1);
    else out_.null();
  }

  // Pushes the table's field if it is of this type.
  bool has(Name name, int type) {
    lua_pushvalue(L_, names_ + name);
    lua_rawget(L_, -2);
    if (lua_type(L_, -1) == type) return true;
    lua_pop(L_, 1);
    return false;
  }

  void table() {
    lua_.guard_stack(L_);
    if (!lua_checkstack(L_, 6 + kNames)) luaL_error(L_, "reached lua stack limit");
    if (!names_) {
      int at = lua_gettop(L_);
      for (const char* name : kNameTexts) lua_pushstring(L_, name);
      lua_pushvalue(L_, at);
      names_ = at + 1;
      meaning();
      lua_settop(L_, at);
      return;
    }
    meaning();
  }

  void meaning() {
    if (has(kErr, LUA_TSTRING)) return error();
    if (has(kOk, LUA_TSTRING)) return status();
    if (has(kDouble, LUA_TNUMBER)) return real();
    if (has(kMap, LUA_TTABLE)) return map();
    if (has(kSet, LUA_TTABLE)) return set();
    if (has(kBigNumber, LUA_TSTRING)) return big_number();
    if (has(kVerbatim, LUA_TTABLE)) {
      bool is_one = verbatim();
      lua_pop(L_, 1);
      if (is_one) return;
    }
    array();
  }

  void status() {
    Bytes text = bytes_at(L_, -1);
    out_.simple(text.substr(0, text.find('\0')));
    lua_pop(L_, 1);
  }

  void error() {
    lua_getfield(L_, -2, kCounted);
    bool counted = lua_toboolean(L_, -1);
    write_error(out_, bytes_at(L_, -2), counted);
    errors_passed_on_ += counted;
    lua_pop(L_, 2);
  }

  void real() {
    char text[40];
    double d = lua_tonumber(L_, -1);
    int length = std::snprintf(text, sizeof text, "%.17g", d);
    if (std::isnan(d)) length = std::snprintf(text, sizeof text, "nan");
    Bytes shown(text, static_cast<size_t>(length));
    lua_pop(L_, 1);
    if (out_.protocol() != 3) return out_.bulk(shown);
    out_.raw(",");
    out_.raw(shown);
    out_.raw("\r\n");
  }

  void map() {
    int64_t pairs = 0;
    for (lua_pushnil(L_); lua_next(L_, -2) != 0; lua_pop(L_, 1)) pairs++;
    out_.map(pairs);
    for (lua_pushnil(L_); lua_next(L_, -2) != 0;) {
      lua_pushvalue(L_, -2);
      value();
      value();
    }
    lua_pop(L_, 1);
  }

  void set() {
    int64_t size = 0;
    for (lua_pushnil(L_); lua_next(L_, -2) != 0; lua_pop(L_, 1)) size++;
    out_.set(size);
    for (lua_pushnil(L_); lua_next(L_, -2) != 0;) {
      lua_pop(L_, 1);
      lua_pushvalue(L_, -1);
      value();
    }
    lua_pop(L_, 1);
  }

  // In a new string on the stack: line breaks as spaces.
  Bytes push_one_line(Bytes text) {
    auto* copy = static_cast<char*>(lua_newuserdata(L_, text.size() + 1));
    for (size_t i = 0; i < text.size(); i++) copy[i] = text[i] == '\r' || text[i] == '\n' ? ' ' : text[i];
    return {copy, text.size()};
  }

  void big_number() {
    out_.big_number(push_one_line(bytes_at(L_, -1)));
    lua_pop(L_, 2);
  }

  bool verbatim() {
    lua_getfield(L_, -1, "format");
    lua_getfield(L_, -2, "string");
    bool is_one = lua_type(L_, -1) == LUA_TSTRING && lua_type(L_, -2) == LUA_TSTRING;
    if (is_one) {
      char format[3] = {' ', ' ', ' '};
      Bytes given = bytes_at(L_, -2);
      std::memcpy(format, given.data(), std::min<size_t>(3, given.size()));
      out_.verbatim(bytes_at(L_, -1), {format, 3});
    }
    lua_pop(L_, 2);
    return is_one;
  }

  void array() {
    int size = 0;
    for (bool more = true; more; lua_pop(L_, 1)) {
      lua_rawgeti(L_, -1, size + 1);
      more = !lua_isnil(L_, -1);
      size += more;
    }
    out_.array(size);
    for (int i = 1; i <= size; i++) {
      lua_rawgeti(L_, -1, i);
      value();
    }
  }

  lua_State* L_;
  const Interpreter& lua_;
  Steps steps_;
  ReplyBuilder& out_;
  const bool resp3_;
  const size_t most_pending_;
  int names_ = 0;
  uint64_t errors_passed_on_ = 0;
};

}  // namespace

Bytes push_reply(lua_State* L, const Interpreter& lua, Bytes reply) {
  ReplyReader reader(L, lua, reply);
  reader.value();
  return reader.rest();
}

uint64_t write_reply(lua_State* L, Interpreter& lua, ReplyBuilder& out, bool resp3, size_t most_bytes) {
  ReplyWriter writer(L, lua, out, resp3, most_bytes);
  writer.value();
  return writer.errors_passed_on();
}

void push_error(lua_State* L, Bytes text, bool counted) {
  lua_createtable(L, 0, 2);
  push_bytes(L, text);
  lua_setfield(L, -2, "err");
  if (!counted) return;
  lua_pushboolean(L, true);
  lua_setfield(L, -2, kCounted);
}

void write_error(ReplyBuilder& out, Bytes text, bool counted) {
  // It ends with the first zero; line breaks at its ends go, those within become spaces.
  text = text.substr(0, text.find('\0'));
  size_t first = std::min(text.find_first_not_of("\r\n"), text.size());
  text = text.substr(first, text.find_last_not_of("\r\n") + 1 - first);
  if (!counted) return out.error(text);
  OutputBuffer& buffer = out.output();
  char* p = buffer.reserve(text.size() + 3);
  *p++ = '-';
  for (char c : text) *p++ = c == '\r' || c == '\n' ? ' ' : c;
  std::memcpy(p, "\r\n", 2);
  buffer.advance(p + 2);
}

}  // namespace vitrine
