// cjson: JSON to and from Lua values, with the functions, options and errors of lua-cjson 2.1 as its manual has them.
//
// Its options are the interpreter's and begin anew with each run. Depth is limited by the options and, whatever they
// say, by the stack.
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "script/byte_buffer.h"
#include "script/interpreter.h"
#include "script/sandbox.h"
#include "script/steps.h"

namespace vitrine {

namespace {

constexpr size_t kStepsAValue = 10;

// ---- writing ----

class Encoder {
 public:
  Encoder(lua_State* L, Interpreter& lua) : L_(L), lua_(lua), steps_(L, lua), o_(lua.json), out_(L) {}

  // The value on top, which stays.
  void value() {
    steps_.count(kStepsAValue);
    switch (lua_type(L_, -1)) {
      case LUA_TSTRING: return string(bytes_at(L_, -1));
      case LUA_TNUMBER: return number();
      case LUA_TBOOLEAN: return out_.append(lua_toboolean(L_, -1) ? Bytes("true") : Bytes("false"));
      case LUA_TNIL: return out_.append("null");
      case LUA_TTABLE: return table();
      case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L_, -1)) return out_.append("null");
        [[fallthrough]];
      default: fail("type not supported");
    }
  }
  ByteBuffer& out() { return out_; }

 private:
  void fail(const char* why) { luaL_error(L_, "Cannot serialise %s: %s", luaL_typename(L_, -1), why); }

  // In parts, so that not all of it has room to become six times as long.
  void string(Bytes text) {
    constexpr size_t kPart = 16384;
    out_.append('"');
    for (; text.size() > kPart; text.remove_prefix(kPart)) escaped(text.substr(0, kPart));
    escaped(text);
    out_.append('"');
  }

  void escaped(Bytes text) {
    static const char kHex[] = "0123456789abcdef";
    char* p = out_.reserve(text.size() * 6);
    char* start = p;
    for (char ch : text) {
      auto c = static_cast<unsigned char>(ch);
      char short_form = c == '"' ? '"' : c == '\\' ? '\\' : c == '/' ? '/' : c == '\b' ? 'b' : c == '\t' ? 't'
                      : c == '\n' ? 'n' : c == '\f' ? 'f' : c == '\r' ? 'r' : 0;
      if (short_form) {
        *p++ = '\\', *p++ = short_form;
      } else if (c < 32 || c == 127) {
        std::memcpy(p, "\\u00", 4);
        p[4] = kHex[c >> 4], p[5] = kHex[c & 15];
        p += 6;
      } else {
        *p++ = ch;
      }
    }
    out_.advance(static_cast<size_t>(p - start));
  }

  void number() {
    double d = lua_tonumber(L_, -1);
    if (!std::isfinite(d)) {
      if (o_.encode_invalid == JsonOptions::Invalid::refuse) fail("must not be NaN or Inf");
      if (o_.encode_invalid == JsonOptions::Invalid::null) return out_.append("null");
      return out_.append(std::isnan(d) ? Bytes("nan") : d > 0 ? Bytes("inf") : Bytes("-inf"));
    }
    char* p = out_.reserve(40);
    out_.advance(static_cast<size_t>(std::snprintf(p, 40, "%.*g", o_.precision, d)));
  }

  // The length as an array, or -1: an object. Only what has positive whole keys is an array.
  int array_length() {
    double most = 0;
    int items = 0;
    for (lua_pushnil(L_); lua_next(L_, -2) != 0; lua_pop(L_, 1)) {
      double key = lua_type(L_, -2) == LUA_TNUMBER ? lua_tonumber(L_, -2) : 0;
      if (!(key >= 1) || key != std::floor(key) || key > INT_MAX) {
        lua_pop(L_, 2);
        return -1;
      }
      most = std::max(most, key);
      items++;
    }
    if (o_.sparse_ratio > 0 && most > static_cast<double>(items) * o_.sparse_ratio && most > o_.sparse_safe) {
      if (!o_.sparse_convert) fail("excessively sparse array");
      return -1;
    }
    return items == 0 ? -1 : static_cast<int>(most);
  }

  void table() {
    if (++depth_ > o_.encode_max_depth)
      luaL_error(L_, "Cannot serialise, excessive nesting (%d)", depth_);
    lua_.guard_stack(L_);
    luaL_checkstack(L_, 6, "excessive nesting");
    int length = array_length();
    length >= 0 ? array(length) : object();
    depth_--;
  }

  void array(int length) {
    out_.append('[');
    for (int i = 1; i <= length; i++) {
      if (i > 1) out_.append(',');
      lua_rawgeti(L_, -1, i);
      value();
      lua_pop(L_, 1);
    }
    out_.append(']');
  }

  void object() {
    out_.append('{');
    bool first = true;
    for (lua_pushnil(L_); lua_next(L_, -2) != 0; lua_pop(L_, 1)) {
      if (!std::exchange(first, false)) out_.append(',');
      key();
      out_.append(':');
      value();
    }
    out_.append('}');
  }

  // Under the value on top.
  void key() {
    int type = lua_type(L_, -2);
    if (type == LUA_TSTRING) return string(bytes_at(L_, -2));
    lua_pushvalue(L_, -2);
    if (type != LUA_TNUMBER) fail("table key must be a number or string");
    out_.append('"');
    number();
    out_.append('"');
    lua_pop(L_, 1);
  }

  lua_State* L_;
  Interpreter& lua_;
  Steps steps_;
  const JsonOptions& o_;
  ByteBuffer out_;
  int depth_ = 0;
};

int encode(lua_State* L) {
  luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
  Encoder encoder(L, Interpreter::of(L));
  lua_pushvalue(L, 1);
  encoder.value();
  encoder.out().push_string();
  return 1;
}

// ---- reading ----

enum class Token { object_begin, object_end, array_begin, array_end, string, number, boolean, null, colon, comma, end };
constexpr const char* kTokenNames[] = {"T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END", "T_STRING", "T_NUMBER",
                                       "T_BOOLEAN", "T_NULL", "T_COLON", "T_COMMA", "T_END"};

class Decoder {
 public:
  Decoder(lua_State* L, Interpreter& lua, Bytes text)
      : L_(L), lua_(lua), steps_(L, lua), o_(lua.json), text_(text), scratch_(L) {}

  void document() {
    // Text in UTF-16 or UTF-32 has a zero among its first two bytes.
    if (text_.size() >= 2 && (!text_[0] || !text_[1]))
      luaL_error(L_, "JSON parser does not support UTF-16 or UTF-32");
    expecting_ = "value";
    value(next());
    expecting_ = "the end";
    Token t = next();
    if (t != Token::end) unexpected("the end", t);
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  [[noreturn]] void fail(const char* found, size_t where) {
    luaL_error(L_, "Expected %s but found %s at character %d", expecting_, found, static_cast<int>(where + 1));
    __builtin_unreachable();
  }
  [[noreturn]] void unexpected(const char* wanted, Token found) {
    expecting_ = wanted;
    fail(kTokenNames[static_cast<int>(found)], token_at_);
  }
  Token next_expecting(const char* what) {
    expecting_ = what;
    return next();
  }

  bool word(Bytes w) {
    if (text_.substr(at_, w.size()) != w) return false;
    at_ += w.size();
    return true;
  }

  // Leaves a string or a number on the stack.
  Token next() {
    while (at_ < text_.size() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) at_++;
    token_at_ = at_;
    if (peek() == '\0') return Token::end;   // the end, or a zero, which ends it as well
    switch (peek()) {
      case '{': return at_++, Token::object_begin;
      case '}': return at_++, Token::object_end;
      case '[': return at_++, Token::array_begin;
      case ']': return at_++, Token::array_end;
      case ':': return at_++, Token::colon;
      case ',': return at_++, Token::comma;
      case '"': return string();
      case '-': case '+': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8':
      case '9': return number();
      default: break;
    }
    if (word("true")) return truth_ = true, Token::boolean;
    if (word("false")) return truth_ = false, Token::boolean;
    if (word("null")) return Token::null;
    char low = static_cast<char>(peek() | 0x20);
    if (o_.decode_invalid && (low == 'i' || low == 'n') && names_no_number()) return number();
    fail("invalid token", at_);
  }

  bool names_no_number() const {
    Bytes rest = text_.substr(at_, 8);
    return equals_ignoring_case(rest.substr(0, 3), "inf") || equals_ignoring_case(rest.substr(0, 3), "nan");
  }

  // With decode_invalid_numbers off: no hexadecimal, no leading zero, no name.
  bool is_strict_number() const {
    size_t i = at_ + (peek() == '-' || peek() == '+');
    char first = i < text_.size() ? text_[i] : '\0', second = i + 1 < text_.size() ? text_[i + 1] : '\0';
    if (first == '0') return (second | 0x20) != 'x' && !(second >= '0' && second <= '9');
    return first >= '0' && first <= '9';
  }

  Token number() {
    if (!o_.decode_invalid && !is_strict_number()) fail("invalid number", at_);
    const char* start = text_.data() + at_;
    char* end = nullptr;
    double d = std::strtod(start, &end);   // a Lua string ends with a zero
    if (end == start || end > text_.data() + text_.size()) fail("invalid number", at_);
    at_ += static_cast<size_t>(end - start);
    lua_pushnumber(L_, d);
    return Token::number;
  }

  static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    char low = static_cast<char>(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
  }

  // The four digits behind "\u" at `at`; -1 if there are none.
  int code_unit(size_t at) const {
    if (at + 6 > text_.size() || text_[at] != '\\' || text_[at + 1] != 'u') return -1;
    int unit = 0;
    for (size_t i = at + 2; i < at + 6; i++) {
      int digit = hex_digit(text_[i]);
      if (digit < 0) return -1;
      unit = unit * 16 + digit;
    }
    return unit;
  }

  void append_unicode() {
    int c = code_unit(at_);
    size_t length = 6;
    if (c >= 0xd800 && c < 0xe000) {
      int low = c < 0xdc00 ? code_unit(at_ + 6) : -1;
      c = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : -1;
      length = 12;
    }
    if (c < 0) fail("invalid unicode escape code", at_);
    at_ += length;
    if (c < 0x80) return scratch_.append(static_cast<char>(c));
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    constexpr int kLead[] = {0, 0xc0, 0xe0, 0xf0};
    scratch_.append(static_cast<char>(kLead[more] | (c >> (6 * more))));
    while (more-- > 0) scratch_.append(static_cast<char>(0x80 | ((c >> (6 * more)) & 0x3f)));
  }

  Token string() {
    at_++;
    scratch_.clear();
    for (;;) {
      size_t plain = at_;
      while (peek() != '"' && peek() != '\\' && peek() != '\0') at_++;
      if (peek() == '\0') fail("unexpected end of string", at_);   // the end, or a zero, which ends it as well
      bool whole = text_[at_] == '"';
      if (whole && scratch_.size() == 0) {
        push_bytes(L_, text_.substr(plain, at_ - plain));
        break;
      }
      scratch_.append(text_.substr(plain, at_ - plain));
      if (whole) {
        scratch_.push_string();
        break;
      }
      escape();
    }
    at_++;
    return Token::string;
  }

  void escape() {
    char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c == 'u') return append_unicode();
    static constexpr Bytes kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    size_t i = c ? kFrom.find(c) : Bytes::npos;
    if (i == Bytes::npos) fail("invalid escape code", at_);
    scratch_.append(kTo[i]);
    at_ += 2;
  }

  void descend() {
    if (++depth_ > o_.decode_max_depth)
      luaL_error(L_, "Found too many nested data structures (%d) at character %d", depth_, static_cast<int>(at_));
    lua_.guard_stack(L_);
    luaL_checkstack(L_, 4, "too many nested data structures");
  }

  void value(Token t) {
    steps_.count(kStepsAValue);
    switch (t) {
      case Token::string:
      case Token::number: return;
      case Token::boolean: return lua_pushboolean(L_, truth_);
      case Token::null: return lua_pushlightuserdata(L_, nullptr);
      case Token::object_begin: return object();
      case Token::array_begin: return array();
      default: unexpected("value", t);
    }
  }

  void object() {
    descend();
    lua_newtable(L_);
    Token t = next_expecting("object key string");
    if (t != Token::object_end) {
      for (;;) {
        if (t != Token::string) unexpected("object key string", t);
        t = next_expecting("colon");
        if (t != Token::colon) unexpected("colon", t);
        value(next_expecting("value"));
        lua_rawset(L_, -3);
        t = next_expecting("comma or object end");
        if (t == Token::object_end) break;
        if (t != Token::comma) unexpected("comma or object end", t);
        t = next_expecting("object key string");
      }
    }
    depth_--;
  }

  void array() {
    descend();
    lua_newtable(L_);
    Token t = next_expecting("value");
    if (t != Token::array_end) {
      for (int i = 1;; i++) {
        value(t);
        lua_rawseti(L_, -2, i);
        t = next_expecting("comma or array end");
        if (t == Token::array_end) break;
        if (t != Token::comma) unexpected("comma or array end", t);
        t = next_expecting("value");
      }
    }
    depth_--;
  }

  lua_State* L_;
  Interpreter& lua_;
  Steps steps_;
  const JsonOptions& o_;
  Bytes text_;
  ByteBuffer scratch_;
  size_t at_ = 0, token_at_ = 0;
  const char* expecting_ = "value";
  bool truth_ = false;
  int depth_ = 0;
};

int decode(lua_State* L) {
  luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
  luaL_checkstring(L, 1);
  Decoder decoder(L, Interpreter::of(L), bytes_at(L, 1));
  decoder.document();
  return 1;
}

// ---- options ----

void at_most(lua_State* L, int count) {
  luaL_argcheck(L, lua_gettop(L) <= count, count + 1, "found too many arguments");
  lua_settop(L, count);
}

void integer_option(lua_State* L, int index, int& value, int low, int high) {
  if (!lua_isnil(L, index)) {
    int given = luaL_checkint(L, index);
    if (given < low || given > high)
      luaL_argerror(L, index, lua_pushfstring(L, "expected integer between %d and %d", low, high));
    value = given;
  }
  lua_pushinteger(L, value);
}

// 0, 1, and with `third` a word for 2.
void switch_option(lua_State* L, int index, int& value, const char* third) {
  if (lua_isboolean(L, index)) {
    value = lua_toboolean(L, index);
  } else if (!lua_isnil(L, index)) {
    const char* const words[] = {"off", "on", third, nullptr};
    value = luaL_checkoption(L, index, nullptr, words);
  }
  if (value == 2) lua_pushstring(L, third);
  else lua_pushboolean(L, value);
}

void flag_option(lua_State* L, int index, bool& value) {
  int on = value;
  switch_option(L, index, on, nullptr);
  value = on;
}

// Functions that set one option, if they are given something, and return it.
template <int JsonOptions::*kOption, int kMost = INT_MAX>
int number(lua_State* L) {
  at_most(L, 1);
  return integer_option(L, 1, Interpreter::of(L).json.*kOption, 1, kMost), 1;
}

template <bool JsonOptions::*kOption>
int flag(lua_State* L) {
  at_most(L, 1);
  return flag_option(L, 1, Interpreter::of(L).json.*kOption), 1;
}

int encode_sparse_array(lua_State* L) {
  JsonOptions& o = Interpreter::of(L).json;
  at_most(L, 3);
  flag_option(L, 1, o.sparse_convert);
  integer_option(L, 2, o.sparse_ratio, 0, INT_MAX);
  integer_option(L, 3, o.sparse_safe, 0, INT_MAX);
  return 3;
}

int encode_invalid_numbers(lua_State* L) {
  JsonOptions& o = Interpreter::of(L).json;
  at_most(L, 1);
  int how = static_cast<int>(o.encode_invalid);
  switch_option(L, 1, how, "null");
  o.encode_invalid = static_cast<JsonOptions::Invalid>(how);
  return 1;
}

int new_instance(lua_State* L) {
  push_json_library(L, Interpreter::of(L));
  return 1;
}

}  // namespace

void push_json_library(lua_State* L, Interpreter& lua) {
  static const luaL_Reg kFunctions[] = {{"encode", encode},
                                        {"decode", decode},
                                        {"encode_sparse_array", encode_sparse_array},
                                        {"encode_max_depth", number<&JsonOptions::encode_max_depth>},
                                        {"decode_max_depth", number<&JsonOptions::decode_max_depth>},
                                        {"encode_number_precision", number<&JsonOptions::precision, 14>},
                                        {"encode_keep_buffer", flag<&JsonOptions::keep_buffer>},
                                        {"encode_invalid_numbers", encode_invalid_numbers},
                                        {"decode_invalid_numbers", flag<&JsonOptions::decode_invalid>},
                                        {"new", new_instance},
                                        {nullptr, nullptr}};
  lua_newtable(L);
  add_functions(L, lua, kFunctions);
  lua_pushlightuserdata(L, nullptr);
  lua_setfield(L, -2, "null");
  lua_pushliteral(L, "cjson");
  lua_setfield(L, -2, "_NAME");
  lua_pushliteral(L, "2.1.0");
  lua_setfield(L, -2, "_VERSION");
}

}  // namespace vitrine
