// Scripting: all of this room that a server has: the engine, the scripts of EVAL, the libraries of FUNCTION.
#pragma once

#include "script/function_store.h"
#include "script/script_cache.h"
#include "script/script_engine.h"

namespace vitrine {

class Scripting {
 public:
  Scripting(Dispatcher& dispatcher, const ScriptOptions& options)
      : engine(dispatcher, options), scripts(engine), functions(engine) {}

  ScriptEngine engine;
  ScriptCache scripts;
  FunctionStore functions;
};

}  // namespace vitrine
