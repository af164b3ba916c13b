#include "script/function_registration.h"

#include "script/function_store.h"
#include "script/reply_values.h"

namespace vitrine {

namespace {

int raise(lua_State* L, const char* text) {
  push_error(L, text, false);
  return lua_error(L);
}

// What was given, as places on the stack; 0: not given.
struct Given {
  int name = 0, callback = 0, description = 0;
  uint32_t flags = 0;
};

// The field `flags`, a table, is on top.
uint32_t read_flags(lua_State* L) {
  uint32_t flags = 0;
  for (int i = 1;; i++) {
    lua_rawgeti(L, -1, i);
    if (lua_isnil(L, -1)) break;
    bool known = false;
    if (lua_type(L, -1) == LUA_TSTRING)
      for (const FlagName& f : script_flag_names())
        if (f.name == bytes_at(L, -1)) flags |= f.flag, known = true;
    if (!known) raise(L, "ERR unknown flag given");
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return flags;
}

Given read_named(lua_State* L) {
  Given g;
  for (lua_pushnil(L); lua_next(L, 1) != 0;) {
    int type = lua_type(L, -2);
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
      raise(L, "ERR named argument key given to redis.register_function is not a string");
    // A number is a string that names nothing; made one, it would be lost to lua_next.
    Bytes key = type == LUA_TSTRING ? bytes_at(L, -2) : Bytes();
    if (key == "function_name") {
      if (!lua_isstring(L, -1))
        raise(L, "ERR function_name argument given to redis.register_function must be a string");
      g.name = lua_gettop(L);
    } else if (key == "description") {
      if (!lua_isstring(L, -1)) raise(L, "ERR description argument given to redis.register_function must be a string");
      g.description = lua_gettop(L);
    } else if (key == "callback") {
      if (lua_type(L, -1) != LUA_TFUNCTION)
        raise(L, "ERR callback argument given to redis.register_function must be a function");
      g.callback = lua_gettop(L);
    } else if (key == "flags") {
      if (lua_type(L, -1) != LUA_TTABLE)
        raise(L, "ERR flags argument to redis.register_function must be a table representing function flags");
      lua_pushvalue(L, -1);
      g.flags = read_flags(L);
    } else {
      raise(L, "ERR unknown argument given to redis.register_function");
    }
    lua_pushvalue(L, -2);   // the value stays below, the key is asked for the next one
  }
  if (!g.name) raise(L, "ERR redis.register_function must get a function name argument");
  if (!g.callback) raise(L, "ERR redis.register_function must get a callback argument");
  return g;
}

Given read_positional(lua_State* L) {
  if (!lua_isstring(L, 1)) raise(L, "ERR first argument to redis.register_function must be a string");
  if (lua_type(L, 2) != LUA_TFUNCTION) raise(L, "ERR second argument to redis.register_function must be a function");
  return {1, 2, 0, 0};
}

}  // namespace

bool is_library_word(Bytes name) {
  for (char c : name) {
    char low = static_cast<char>(c | 32);
    if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && c != '_') return false;
  }
  return !name.empty();
}

int register_library_function(lua_State* L, ScriptEngine& engine) {
  int count = lua_gettop(L);
  if (count < 1 || count > 2) return raise(L, "ERR wrong number of arguments to redis.register_function");
  if (count == 1 && lua_type(L, 1) != LUA_TTABLE)
    return raise(L, "ERR calling redis.register_function with a single argument is only applicable to Lua table "
                    "(representing named arguments).");
  Library* library = engine.library_being_loaded();
  if (!library) return raise(L, "ERR redis.register_function can only be called on FUNCTION LOAD command");
  luaL_checkstack(L, 20, "too many arguments");
  Given g = count == 1 ? read_named(L) : read_positional(L);
  Bytes name = bytes_at(L, g.name);
  if (!is_library_word(name))
    return raise(L, "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one "
                    "character long");
  for (const ScriptFunction& f : library->functions)
    if (equals_ignoring_case(f.name, name)) return raise(L, "ERR Function already exists in the library");
  lua_pushvalue(L, g.callback);
  int function = luaL_ref(L, LUA_REGISTRYINDEX);
  ScriptFunction& f = library->functions.emplace_back();
  f.function = function;
  f.flags = g.flags;
  f.name = name;
  if (g.description) f.description = bytes_at(L, g.description), f.described = true;
  return 0;
}

}  // namespace vitrine
