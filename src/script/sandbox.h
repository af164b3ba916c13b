// What Interpreter is made of: the libraries, by file.
#pragma once

#include "script/lua.h"

namespace vitrine {

class Interpreter;

// Each pushes one table: the content of the library.
void push_json_library(lua_State* L, Interpreter& lua);
void push_msgpack_library(lua_State* L, Interpreter& lua);
void push_struct_library(lua_State* L, Interpreter& lua);
void push_redis_library(lua_State* L, Interpreter& lua, bool loading);
// Each puts functions of ours into the table on top: the content of that library.
void add_base_functions(lua_State* L, Interpreter& lua);
void add_table_functions(lua_State* L, Interpreter& lua);
void add_string_functions(lua_State* L, Interpreter& lua);
void add_bit_functions(lua_State* L, Interpreter& lua);
void add_math_functions(lua_State* L, Interpreter& lua);
// string.format; its first upvalue is the Interpreter.
int format_string(lua_State* L);   // string_format.cc
// Functions with the Interpreter as their first upvalue, into the table on top.
void add_functions(lua_State* L, Interpreter& lua, const luaL_Reg* functions);
// Instead of the function of this name in the table on top; the second upvalue is what was there.
void replace_function(lua_State* L, Interpreter& lua, const char* name, lua_CFunction function);
// Raises the error of a write to a protected table, without a place in the script: functions in C give none.
int refuse_write(lua_State* L);

}  // namespace vitrine
