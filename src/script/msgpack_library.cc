// cmsgpack: MessagePack (the specification at github.com/msgpack/msgpack) to and from Lua values, with the functions,
// limits and errors of lua-cmsgpack as scripts know them: whole numbers in their shortest form, tables with the keys
// 1..n as arrays, 16 levels of nesting, no ext and no bin types.
#include <bit>
#include <climits>
#include <cmath>

#include "script/byte_buffer.h"
#include "script/interpreter.h"
#include "script/sandbox.h"
#include "script/steps.h"

namespace vitrine {

namespace {

constexpr int kMostNesting = 16;
constexpr size_t kStepsAValue = 10;

// ---- writing ----

class Packer {
 public:
  Packer(lua_State* L, Interpreter& lua) : L_(L), steps_(L, lua), out_(L) {}
  ByteBuffer& out() { return out_; }

  // The value on top, which stays.
  void value(int level) {
    steps_.count(kStepsAValue);
    switch (lua_type(L_, -1)) {
      case LUA_TSTRING: return string(bytes_at(L_, -1));
      case LUA_TBOOLEAN: return byte(lua_toboolean(L_, -1) ? 0xc3 : 0xc2);
      case LUA_TNUMBER: return number(lua_tonumber(L_, -1));
      case LUA_TTABLE:
        if (level < kMostNesting) return table(level);
        [[fallthrough]];
      default: return byte(0xc0);
    }
  }

 private:
  void byte(int b) { out_.append(static_cast<char>(b)); }

  void big_endian(int lead, uint64_t n, int bytes) {
    char* p = out_.reserve(9);
    *p++ = static_cast<char>(lead);
    for (int i = bytes - 1; i >= 0; i--) *p++ = static_cast<char>(n >> (8 * i));
    out_.advance(static_cast<size_t>(bytes) + 1);
  }

  void number(double d) {
    if (d == std::floor(d) && d >= -0x1p63 && d < 0x1p63) return integer(static_cast<int64_t>(d));
    float f = static_cast<float>(d);
    if (static_cast<double>(f) == d) return big_endian(0xca, std::bit_cast<uint32_t>(f), 4);
    big_endian(0xcb, std::bit_cast<uint64_t>(d), 8);
  }

  void integer(int64_t n) {
    auto u = static_cast<uint64_t>(n);
    if (n >= -32 && n <= 127) return byte(static_cast<uint8_t>(n));
    if (n >= 0) {
      if (n <= UINT8_MAX) return big_endian(0xcc, u, 1);
      if (n <= UINT16_MAX) return big_endian(0xcd, u, 2);
      if (n <= UINT32_MAX) return big_endian(0xce, u, 4);
      return big_endian(0xcf, u, 8);
    }
    if (n >= INT8_MIN) return big_endian(0xd0, u, 1);
    if (n >= INT16_MIN) return big_endian(0xd1, u, 2);
    if (n >= INT32_MIN) return big_endian(0xd2, u, 4);
    big_endian(0xd3, u, 8);
  }

  void string(Bytes s) {
    if (s.size() < 32) byte(static_cast<int>(0xa0 | s.size()));
    else if (s.size() <= UINT8_MAX) big_endian(0xd9, s.size(), 1);
    else if (s.size() <= UINT16_MAX) big_endian(0xda, s.size(), 2);
    else big_endian(0xdb, s.size(), 4);
    out_.append(s);
  }

  void table(int level) {
    luaL_checkstack(L_, 5, "in function cmsgpack.pack");
    // An array has exactly the keys 1..n.
    size_t count = 0;
    double most = 0;
    bool array = true;
    for (lua_pushnil(L_); lua_next(L_, -2) != 0; lua_pop(L_, 1), count++) {
      double key = lua_type(L_, -2) == LUA_TNUMBER ? lua_tonumber(L_, -2) : 0;
      if (!(key >= 1) || key != std::floor(key)) array = false;
      most = std::max(most, key);
    }
    array = array && most == static_cast<double>(count);
    if (count < 16) byte(static_cast<int>((array ? 0x90 : 0x80) | count));
    else if (count <= UINT16_MAX) big_endian(array ? 0xdc : 0xde, count, 2);
    else big_endian(array ? 0xdd : 0xdf, count, 4);
    if (array) {
      for (int i = 1; i <= static_cast<int>(count); i++) {
        lua_rawgeti(L_, -1, i);
        value(level + 1);
        lua_pop(L_, 1);
      }
      return;
    }
    for (lua_pushnil(L_); lua_next(L_, -2) != 0; lua_pop(L_, 1)) {
      lua_pushvalue(L_, -2);
      value(level + 1);
      lua_pop(L_, 1);
      value(level + 1);
    }
  }

  lua_State* L_;
  Steps steps_;
  ByteBuffer out_;
};

int pack(lua_State* L) {
  int count = lua_gettop(L);
  if (count == 0) return luaL_argerror(L, 0, "MessagePack pack needs input.");
  luaL_checkstack(L, 4, "Too many arguments for MessagePack pack.");
  Packer packer(L, Interpreter::of(L));
  for (int i = 1; i <= count; i++) {
    lua_pushvalue(L, i);
    packer.value(0);
    lua_pop(L, 1);
  }
  packer.out().push_string();
  return 1;
}

// ---- reading ----

class Unpacker {
 public:
  Unpacker(lua_State* L, Interpreter& lua, Bytes input) : L_(L), lua_(lua), steps_(L, lua), rest_(input) {}
  size_t left() const { return rest_.size(); }

  // Pushes the next value.
  void value() {
    steps_.count(kStepsAValue);
    luaL_checkstack(L_, 4, "too many return values at once; use unpack_one or unpack_limit instead.");
    int c = static_cast<uint8_t>(take(1)[0]);
    if (c <= 0x7f) return lua_pushinteger(L_, c);
    if (c <= 0x8f) return map(static_cast<size_t>(c & 15));
    if (c <= 0x9f) return array(static_cast<size_t>(c & 15));
    if (c <= 0xbf) return push_bytes(L_, take(static_cast<size_t>(c & 31)));
    if (c >= 0xe0) return lua_pushinteger(L_, c - 256);
    switch (c) {
      case 0xc0: return lua_pushnil(L_);
      case 0xc2:
      case 0xc3: return lua_pushboolean(L_, c == 0xc3);
      case 0xca: return lua_pushnumber(L_, static_cast<double>(std::bit_cast<float>(
                     static_cast<uint32_t>(big_endian(4)))));
      case 0xcb: return lua_pushnumber(L_, std::bit_cast<double>(big_endian(8)));
      case 0xcc: return lua_pushnumber(L_, static_cast<double>(big_endian(1)));
      case 0xcd: return lua_pushnumber(L_, static_cast<double>(big_endian(2)));
      case 0xce: return lua_pushnumber(L_, static_cast<double>(big_endian(4)));
      // Above 2^63 it reads as a negative number.
      case 0xcf:
      case 0xd3: return lua_pushnumber(L_, static_cast<double>(static_cast<int64_t>(big_endian(8))));
      case 0xd0: return lua_pushnumber(L_, static_cast<int8_t>(big_endian(1)));
      case 0xd1: return lua_pushnumber(L_, static_cast<int16_t>(big_endian(2)));
      case 0xd2: return lua_pushnumber(L_, static_cast<int32_t>(big_endian(4)));
      case 0xd9: return push_bytes(L_, take(big_endian(1)));
      case 0xda: return push_bytes(L_, take(big_endian(2)));
      case 0xdb: return push_bytes(L_, take(big_endian(4)));
      case 0xdc: return array(big_endian(2));
      case 0xdd: return array(big_endian(4));
      case 0xde: return map(big_endian(2));
      case 0xdf: return map(big_endian(4));
      default: luaL_error(L_, "Bad data format in input.");
    }
  }

 private:
  Bytes take(size_t bytes) {
    if (bytes > rest_.size()) luaL_error(L_, "Missing bytes in input.");
    Bytes taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

  uint64_t big_endian(size_t bytes) {
    uint64_t n = 0;
    for (char c : take(bytes)) n = n << 8 | static_cast<uint8_t>(c);
    return n;
  }

  // Tables grow as their elements arrive: a count in the input reserves nothing.
  void array(size_t count) {
    enter();
    for (size_t i = 1; i <= count; i++) {
      value();
      lua_rawseti(L_, -2, static_cast<int>(i));
    }
  }

  void map(size_t count) {
    enter();
    for (size_t i = 0; i < count; i++) {
      value();
      value();
      if (lua_isnil(L_, -2)) luaL_error(L_, "table index is nil");
      if (lua_type(L_, -2) == LUA_TNUMBER && std::isnan(lua_tonumber(L_, -2)))
        luaL_error(L_, "table index is NaN");
      lua_rawset(L_, -3);
    }
  }

  void enter() {
    lua_.guard_stack(L_);
    lua_newtable(L_);
  }

  lua_State* L_;
  Interpreter& lua_;
  Steps steps_;
  Bytes rest_;
};

// `limit` values from `offset` on, all if it is 0; in front of them, if asked for, where the next one begins, or -1.
int unpack_values(lua_State* L, lua_Integer limit, lua_Integer offset, bool tell_offset) {
  luaL_checkstring(L, 1);
  Bytes input = bytes_at(L, 1);
  if (offset < 0 || limit < 0)
    return luaL_error(L, "Invalid request to unpack with offset of %d and limit of %d.", static_cast<int>(offset),
                      static_cast<int>(input.size()));
  if (static_cast<size_t>(offset) > input.size())
    return luaL_error(L, "Start offset %d greater than input length %d.", static_cast<int>(offset),
                      static_cast<int>(input.size()));
  lua_settop(L, 1);
  if (tell_offset) lua_pushinteger(L, 0);
  Unpacker unpacker(L, Interpreter::of(L), input.substr(static_cast<size_t>(offset)));
  int count = 0;
  while (unpacker.left() > 0 && (limit == 0 || count < limit)) {
    unpacker.value();
    count++;
  }
  if (!tell_offset) return count;
  size_t next = input.size() - unpacker.left();
  lua_pushinteger(L, unpacker.left() == 0 ? -1 : static_cast<lua_Integer>(next));
  lua_replace(L, 2);
  return count + 1;
}

int unpack(lua_State* L) { return unpack_values(L, 0, 0, false); }
int unpack_one(lua_State* L) { return unpack_values(L, 1, luaL_optinteger(L, 2, 0), true); }
int unpack_limit(lua_State* L) {
  lua_Integer limit = luaL_checkinteger(L, 2);
  return unpack_values(L, limit, luaL_optinteger(L, 3, 0), limit != 0);
}

}  // namespace

void push_msgpack_library(lua_State* L, Interpreter& lua) {
  static const luaL_Reg kFunctions[] = {{"pack", pack},
                                        {"unpack", unpack},
                                        {"unpack_one", unpack_one},
                                        {"unpack_limit", unpack_limit},
                                        {nullptr, nullptr}};
  lua_newtable(L);
  add_functions(L, lua, kFunctions);
  lua_pushliteral(L, "cmsgpack");
  lua_setfield(L, -2, "_NAME");
  lua_pushliteral(L, "lua-cmsgpack 0.4.0");
  lua_setfield(L, -2, "_VERSION");
  lua_pushliteral(L, "Copyright (C) 2012, Salvatore Sanfilippo");
  lua_setfield(L, -2, "_COPYRIGHT");
  lua_pushliteral(L, "MessagePack C implementation for Lua");
  lua_setfield(L, -2, "_DESCRIPTION");
}

}  // namespace vitrine
