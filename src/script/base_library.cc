// The functions of the libraries base, math and bit that are ours: those that must know the sandbox (they could write
// to a protected table, read past its metatable, load more than text), and those that do more in LuaJIT than in Lua
// 5.1.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include "script/interpreter.h"
#include "script/lua_escapes.h"
#include "script/sandbox.h"
#include "script/steps.h"

namespace vitrine {

namespace {

int rawset(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  luaL_checkany(L, 3);
  if (Interpreter::of(L).is_protected(L, 1)) return refuse_write(L);
  lua_settop(L, 3);
  lua_rawset(L, 1);
  return 1;
}

int rawget(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  if (Interpreter::of(L).push_content(L, 1)) lua_replace(L, 1);
  lua_rawget(L, 1);
  return 1;
}

int setmetatable(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int kind = lua_type(L, 2);
  luaL_argcheck(L, kind == LUA_TNIL || kind == LUA_TTABLE, 2, "nil or table expected");
  if (Interpreter::of(L).is_protected(L, 1)) return refuse_write(L);
  if (luaL_getmetafield(L, 1, "__metatable")) return luaL_error(L, "cannot change a protected metatable");
  lua_settop(L, 2);
  lua_setmetatable(L, 1);
  return 1;
}

// The next pair of a content that nobody gets hold of: its upvalues are the interpreter and the content.
int next_of_content(lua_State* L) {
  lua_settop(L, 2);
  return lua_next(L, lua_upvalueindex(2)) ? 2 : (lua_pushnil(L), 1);
}

// Upvalues: the interpreter, next.
int pairs(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  Interpreter& lua = Interpreter::of(L);
  lua_settop(L, 1);
  if (lua.push_content(L, 1)) {
    lua_pushlightuserdata(L, &lua);
    lua_insert(L, -2);
    lua_pushcclosure(L, next_of_content, 2);
  } else {
    lua_pushvalue(L, lua_upvalueindex(2));
  }
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

struct Text {
  Bytes rest;
  Steps steps;
  LuaEscapes escapes;
};

// In pieces, so that even a long text can be left.
const char* piece_of_text(lua_State*, void* data, size_t* size) {
  auto& text = *static_cast<Text*>(data);
  Bytes piece = text.escapes.next(text.rest);
  text.steps.count(1 + piece.size());
  *size = piece.size();
  return piece.data();
}

// An error that a hook has raised (SCRIPT KILL) must not leave lua_loadx as it came: LuaJIT would take the hook for one
// that still runs, and no other would ever fire. lua_pcall tells it that the hook is over.
const char* piece_of_function(lua_State* L, void* data, size_t* size) {
  auto& text = *static_cast<Text*>(data);
  for (;;) {
    const char* piece = piece_of_text(L, data, size);
    if (*size > 0) return piece;
    luaL_checkstack(L, 2, "too many nested functions");
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 0, 1, 0) != 0) lua_error(L);
    if (lua_isnil(L, -1)) return nullptr;
    if (!lua_isstring(L, -1)) luaL_error(L, "reader function must return a string");
    lua_replace(L, 3);   // keeps the piece alive
    text.rest = bytes_at(L, 3);
    if (text.rest.empty()) return nullptr;
  }
}

int loaded(lua_State* L, int status) {
  if (status == 0) return 1;
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

int loadstring(lua_State* L) {
  size_t size = 0;
  const char* bytes = luaL_checklstring(L, 1, &size);
  Text text{{bytes, size}, Steps(L, Interpreter::of(L)), LuaEscapes({bytes, size})};
  const char* name = luaL_optstring(L, 2, bytes);
  int status = lua_loadx(L, piece_of_text, &text, name, "t");
  text.steps.ask();
  return loaded(L, status);
}

// So many loads may wait for their reader functions: each stands on the stack of the process, and an error in the
// innermost is carried down through all of them, which takes long with thousands. The parser of Lua lets as many levels
// nest.
constexpr int kMostNestedLoads = 200;

int load(lua_State* L) {
  if (lua_type(L, 1) == LUA_TSTRING) return loadstring(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  const char* name = luaL_optstring(L, 2, "=(load)");
  Interpreter& lua = Interpreter::of(L);
  lua.guard_stack(L);
  if (lua.nested_loads >= kMostNestedLoads) return luaL_error(L, "C stack overflow");
  lua_settop(L, 3);
  lua.nested_loads++;
  Text text{{}, Steps(L, lua), {}};
  int status = lua_loadx(L, piece_of_function, &text, name, "t");   // whatever is raised within ends here
  lua.nested_loads--;
  text.steps.ask();   // the load has caught the error that ends the script
  return loaded(L, status);
}

// The collector belongs to all scripts: one may ask it and may have it run, not steer it.
int collectgarbage(lua_State* L) {
  Steps(L, Interpreter::of(L)).ask();
  static const char* const kOptions[] = {"collect", "stop", "restart", "count", "step", "setpause", "setstepmul",
                                         nullptr};
  switch (luaL_checkoption(L, 1, "collect", kOptions)) {
    case 0: lua_gc(L, LUA_GCCOLLECT, 0), lua_pushinteger(L, 0); break;
    case 3: lua_pushnumber(L, static_cast<double>(Interpreter::of(L).heap().used_bytes()) / 1024); break;
    case 4: lua_pushboolean(L, lua_gc(L, LUA_GCSTEP, luaL_optint(L, 2, 0))); break;
    default: lua_pushinteger(L, 0);
  }
  return 1;
}

int gcinfo(lua_State* L) {
  lua_pushinteger(L, static_cast<lua_Integer>(Interpreter::of(L).heap().used_bytes() / 1024));
  return 1;
}

// As strtod and strtoul read: LuaJIT knows binary numbers too, and gives negative ones in another base a sign.
int tonumber(lua_State* L) {
  constexpr int kDecimal = 10;
  int base = luaL_optint(L, 2, kDecimal);
  luaL_checkany(L, 1);
  if (base == kDecimal && lua_type(L, 1) != LUA_TSTRING) {
    if (lua_type(L, 1) != LUA_TNUMBER) lua_pushnil(L);
    else lua_pushvalue(L, 1);
    return 1;
  }
  const char* text = luaL_checkstring(L, 1);
  luaL_argcheck(L, base >= 2 && base <= 36, 2, "base out of range");
  char* end = nullptr;
  double number = base == kDecimal ? std::strtod(text, &end) : static_cast<double>(std::strtoul(text, &end, base));
  bool any = end != text;
  while (std::isspace(static_cast<unsigned char>(*end))) end++;
  if (any && *end == '\0') lua_pushnumber(L, number);
  else lua_pushnil(L);
  return 1;
}

// LuaJIT's takes a base.
int math_log(lua_State* L) {
  lua_pushnumber(L, std::log(luaL_checknumber(L, 1)));
  return 1;
}

// What is no number is never greater or smaller, unless it comes first.
int math_max(lua_State* L) {
  double most = luaL_checknumber(L, 1);
  for (int i = 2; i <= lua_gettop(L); i++)
    if (double d = luaL_checknumber(L, i); d > most) most = d;
  lua_pushnumber(L, most);
  return 1;
}

int math_min(lua_State* L) {
  double least = luaL_checknumber(L, 1);
  for (int i = 2; i <= lua_gettop(L); i++)
    if (double d = luaL_checknumber(L, i); d < least) least = d;
  lua_pushnumber(L, least);
  return 1;
}

int math_random(lua_State* L) {
  double r = Interpreter::of(L).random.real();
  switch (lua_gettop(L)) {
    case 0: lua_pushnumber(L, r); break;
    case 1: {
      int high = luaL_checkint(L, 1);
      luaL_argcheck(L, 1 <= high, 1, "interval is empty");
      lua_pushnumber(L, std::floor(r * high) + 1);
      break;
    }
    case 2: {
      int low = luaL_checkint(L, 1), high = luaL_checkint(L, 2);
      luaL_argcheck(L, low <= high, 2, "interval is empty");
      lua_pushnumber(L, std::floor(r * (static_cast<double>(high) - low + 1)) + low);
      break;
    }
    default: return luaL_error(L, "wrong number of arguments");
  }
  return 1;
}

int math_randomseed(lua_State* L) {
  Interpreter::of(L).random.seed(static_cast<uint32_t>(luaL_checkint(L, 1)));
  return 0;
}

// Upvalues: the interpreter, LuaJIT's own, which writes more than the eight digits of a number if asked to.
int bit_tohex(lua_State* L) {
  constexpr double kDigits = 8;
  int given = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  bool plain = lua_type(L, 2) == LUA_TNUMBER || lua_type(L, 2) == LUA_TSTRING;   // not one of 64 bits
  if (given >= 2 && plain && lua_isnumber(L, 3)) {
    lua_pushnumber(L, std::clamp(lua_tonumber(L, 3), -kDigits, kDigits));
    lua_replace(L, 3);
  }
  lua_call(L, given, 1);
  return 1;
}

}  // namespace

int refuse_write(lua_State* L) {
  lua_pushliteral(L, "Attempt to modify a readonly table");
  return lua_error(L);
}

void replace_function(lua_State* L, Interpreter& lua, const char* name, lua_CFunction function) {
  lua_pushlightuserdata(L, &lua);
  lua_getfield(L, -2, name);
  lua_pushcclosure(L, function, 2);
  lua_setfield(L, -2, name);
}

void add_functions(lua_State* L, Interpreter& lua, const luaL_Reg* functions) {
  for (; functions->name; functions++) {
    lua_pushlightuserdata(L, &lua);
    lua_pushcclosure(L, functions->func, 1);
    lua_setfield(L, -2, functions->name);
  }
}

void add_base_functions(lua_State* L, Interpreter& lua) {
  static const luaL_Reg kFunctions[] = {{"rawset", rawset},         {"rawget", rawget},
                                        {"setmetatable", setmetatable}, {"load", load},
                                        {"loadstring", loadstring}, {"collectgarbage", collectgarbage},
                                        {"gcinfo", gcinfo},         {"tonumber", tonumber}, {nullptr, nullptr}};
  add_functions(L, lua, kFunctions);
  lua_pushlightuserdata(L, &lua);
  lua_getfield(L, -2, "next");
  lua_pushcclosure(L, pairs, 2);
  lua_setfield(L, -2, "pairs");
}

void add_bit_functions(lua_State* L, Interpreter& lua) { replace_function(L, lua, "tohex", bit_tohex); }

void add_math_functions(lua_State* L, Interpreter& lua) {
  static const luaL_Reg kFunctions[] = {{"log", math_log},       {"max", math_max},
                                        {"min", math_min},       {"random", math_random},
                                        {"randomseed", math_randomseed}, {nullptr, nullptr}};
  add_functions(L, lua, kFunctions);
  lua_getfield(L, -1, "fmod");
  lua_setfield(L, -2, "mod");
}

}  // namespace vitrine
