// The table `redis` (and `server`): what a script may ask of the server.
#include <cstdlib>

#include "base/log.h"
#include "base/sha1.h"
#include "engine/session_words.h"
#include "script/function_registration.h"
#include "script/reply_values.h"
#include "script/sandbox.h"
#include "script/script_engine.h"

namespace vitrine {

namespace {

constexpr int kReplAof = 1, kReplReplica = 2, kReplAll = 3;

int raise(lua_State* L, Bytes text) {
  push_error(L, text, false);
  return lua_error(L);
}

int call_command(lua_State* L, bool raise) {
  Interpreter& lua = Interpreter::of(L);
  return lua.engine().call_command(L, lua, raise);
}
int call(lua_State* L) { return call_command(L, true); }
int pcall(lua_State* L) { return call_command(L, false); }
int setresp(lua_State* L) { return Interpreter::of(L).engine().set_protocol(L); }
int acl_check_cmd(lua_State* L) { return Interpreter::of(L).engine().check_permission(L); }

int sha1hex(lua_State* L) {
  if (lua_gettop(L) != 1) return raise(L, "ERR wrong number of arguments");
  size_t size = 0;
  const char* text = lua_tolstring(L, 1, &size);
  char hex[kSha1HexChars];
  sha1_hex(text ? Bytes(text, size) : Bytes(), hex);
  lua_pushlstring(L, hex, sizeof hex);
  return 1;
}

// {err=...} and {ok=...}: the first word of an error is its code; without one it is ERR.
int error_reply(lua_State* L) {
  if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TSTRING) {
    push_error(L, "ERR wrong number or type of arguments", false);
    return 1;
  }
  Bytes text = bytes_at(L, 1);
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  if (text.find(' ') == Bytes::npos) lua_pushliteral(L, "ERR ");
  else lua_pushliteral(L, "");
  push_bytes(L, text);
  lua_concat(L, 2);
  lua_createtable(L, 0, 1);
  lua_insert(L, -2);
  lua_setfield(L, -2, "err");
  return 1;
}

int status_reply(lua_State* L) {
  if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TSTRING) {
    push_error(L, "ERR wrong number or type of arguments", false);
    return 1;
  }
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "ok");
  return 1;
}

int write_log(lua_State* L) {
  int count = lua_gettop(L);
  if (count < 2) return raise(L, "ERR redis.log() requires two arguments or more.");
  if (!lua_isnumber(L, 1)) return raise(L, "ERR First argument must be a number (log level).");
  double level = lua_tonumber(L, 1);
  if (!(level >= 0 && level <= 3)) return raise(L, "ERR Invalid debug level.");
  constexpr LogLevel kLevels[] = {LogLevel::debug, LogLevel::verbose, LogLevel::notice, LogLevel::warning};
  // The arguments as one text, on the Lua stack.
  lua_settop(L, count);
  int pieces = 0;
  luaL_checkstack(L, 2 * count, "too many arguments");
  for (int i = 2; i <= count; i++) {
    if (lua_type(L, i) != LUA_TSTRING && lua_type(L, i) != LUA_TNUMBER) continue;
    if (pieces++) lua_pushliteral(L, " "), pieces++;
    lua_pushvalue(L, i);
  }
  if (pieces == 0) lua_pushliteral(L, "");
  else lua_concat(L, pieces);
  log(kLevels[static_cast<int>(level)], "%s", lua_tostring(L, -1));
  return 0;
}

int set_repl(lua_State* L) {
  if (lua_gettop(L) != 1) return raise(L, "ERR redis.set_repl() requires two arguments.");
  double flags = lua_tonumber(L, 1);
  if (!(flags >= 0 && flags <= kReplAll) || flags != static_cast<int>(flags))
    return raise(L, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  Interpreter::of(L).engine().set_replication(static_cast<int>(flags));
  return 0;
}

// Commands are always replayed one by one: there is nothing to choose.
int replicate_commands(lua_State* L) {
  lua_pushboolean(L, true);
  return 1;
}

// No debugger is attached.
int breakpoint(lua_State* L) {
  lua_pushboolean(L, false);
  return 1;
}
int debug(lua_State*) { return 0; }

int register_function(lua_State* L) { return register_library_function(L, Interpreter::of(L).engine()); }

void add_number(lua_State* L, const char* name, double value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

// "8.0.0" → 0x00080000.
int version_number() {
  int parts[3] = {0, 0, 0}, part = 0;
  for (char c : kRedisVersion) {
    if (c == '.') part++;
    else parts[part] = parts[part] * 10 + (c - '0');
  }
  return parts[0] << 16 | parts[1] << 8 | parts[2];
}

}  // namespace

void push_redis_library(lua_State* L, Interpreter& lua, bool loading) {
  static const luaL_Reg kAlways[] = {{"log", write_log}, {"sha1hex", sha1hex}, {"error_reply", error_reply},
                                     {"status_reply", status_reply}, {nullptr, nullptr}};
  static const luaL_Reg kRunning[] = {{"call", call}, {"pcall", pcall}, {"setresp", setresp},
                                      {"acl_check_cmd", acl_check_cmd}, {"set_repl", set_repl}, {nullptr, nullptr}};
  static const luaL_Reg kScripts[] = {{"replicate_commands", replicate_commands},
                                      {"breakpoint", breakpoint}, {"debug", debug}, {nullptr, nullptr}};
  static const luaL_Reg kLoading[] = {{"register_function", register_function}, {nullptr, nullptr}};
  lua_newtable(L);
  add_functions(L, lua, kAlways);
  add_functions(L, lua, loading ? kLoading : kRunning);
  if (lua.kind() == Interpreter::Kind::scripts) add_functions(L, lua, kScripts);
  add_number(L, "LOG_DEBUG", 0);
  add_number(L, "LOG_VERBOSE", 1);
  add_number(L, "LOG_NOTICE", 2);
  add_number(L, "LOG_WARNING", 3);
  add_number(L, "REPL_NONE", 0);
  add_number(L, "REPL_AOF", kReplAof);
  add_number(L, "REPL_REPLICA", kReplReplica);
  add_number(L, "REPL_SLAVE", kReplReplica);
  add_number(L, "REPL_ALL", kReplAll);
  push_bytes(L, kRedisVersion);
  lua_setfield(L, -2, "REDIS_VERSION");
  add_number(L, "REDIS_VERSION_NUM", version_number());
  lua_pushliteral(L, "vitrine");
  lua_setfield(L, -2, "SERVER_NAME");
}

}  // namespace vitrine
