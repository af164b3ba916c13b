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
// Puts the functions of the base library that must know the sandbox into the table on top.
void add_base_functions(lua_State* L, Interpreter& lua);
void add_table_functions(lua_State* L, Interpreter& lua);
void add_string_functions(lua_State* L, Interpreter& lua);
void add_bit_functions(lua_State* L, Interpreter& lua);
void add_math_functions(lua_State* L, Interpreter& lua);
// Functions with the Interpreter as their first upvalue.
void add_functions(lua_State* L, Interpreter& lua, const luaL_Reg* functions);

}  // namespace vitrine
