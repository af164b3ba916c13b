// The C interface of LuaJIT, for the files of this room that speak to it.
//
// An error raised in here leaves by longjmp: between a call that may raise and its return, no object of C++ that has a
// destructor may live on the stack.
#pragma once

#include <luajit-2.1/lua.hpp>

#include "base/bytes.h"

namespace vitrine {

inline void push_bytes(lua_State* L, Bytes b) { lua_pushlstring(L, b.data(), b.size()); }
// REQUIRES: a string (or a number, which becomes one) at `index`.
inline Bytes bytes_at(lua_State* L, int index) {
  size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return {text, size};
}

}  // namespace vitrine
