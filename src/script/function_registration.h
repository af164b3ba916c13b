// redis.register_function, which a library calls while it is loaded.
#pragma once

#include "script/lua.h"

namespace vitrine {

class ScriptEngine;
int register_library_function(lua_State* L, ScriptEngine& engine);
// Letters, digits and underscores, at least one.
bool is_library_word(Bytes name);

}  // namespace vitrine
