// Interpreter: one Lua state with its sandbox. There is one for EVAL and one for functions.
//
// What a script sees of the world are protected tables: empty tables whose metatable finds the content elsewhere and
// refuses every write. The functions that would write past a metatable (rawset, table.insert, setmetatable) refuse
// protected tables as well, those that look past it (rawget, pairs) look at the content. So nothing that outlives a run
// can be changed by one, save the locals of a library, which are the library's own.
//
//   _G (protected) ──> globals ──> "Script attempted to access nonexistent global variable"
//        string, table, math, bit, os, coroutine, cjson, cmsgpack, struct, redis = server (each protected)
// A script that nowhere writes a global variable, which compile() reads from its instructions, gets the content of _G
// as its environment: then a global is found in one step. It still cannot get hold of that table.
//
// The compiler of LuaJIT is off: compiled code would not ask whether it shall end.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include "script/json_options.h"
#include "script/lua.h"
#include "script/lua_heap.h"
#include "script/lua_random.h"

namespace vitrine {

class ScriptEngine;

class Interpreter {
 public:
  enum class Kind : uint8_t { scripts, functions };
  Interpreter(ScriptEngine& engine, Kind kind);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  lua_State* state() { return state_; }
  ScriptEngine& engine() { return engine_; }
  Kind kind() const { return kind_; }
  LuaHeap& heap() { return heap_; }
  const LuaHeap& heap() const { return heap_; }

  // Compiles text (never bytecode) to a function and keeps it; release() lets it go. The error is Lua's own text.
  std::expected<int, std::string> compile(Bytes code);
  void release(int function);
  const char* chunk_name() const { return kind_ == Kind::scripts ? "@user_script" : "@user_function"; }

  // The globals KEYS and ARGV: takes two tables from the stack. REQUIRES: called within a protected call.
  void set_keys_and_arguments();
  // While a library is loaded `redis` has register_function and little else.
  void set_loading(bool loading);
  // Forgets what scripts may set for themselves: the options of cjson, the seed of math.random. From here on the heap
  // may grow by so much; 0: no limit.
  void start_run(uint64_t seed, size_t more_bytes);
  // What the run has dropped is collected if it is much, so that it counts for none of the next. REQUIRES: no limit.
  void end_run(bool out_of_memory);

  // For the functions of the sandbox. Null when the table at `index` is not protected; else a number for push_content.
  bool is_protected(lua_State* L, int index) const { return protected_number(L, index) >= 0; }
  bool push_content(lua_State* L, int index) const;
  // Raises "C stack overflow" when too much of the stack of the process is in use.
  void guard_stack(lua_State* L) const;
  static Interpreter& of(lua_State* L) { return *static_cast<Interpreter*>(lua_touserdata(L, lua_upvalueindex(1))); }

  JsonOptions json;
  LuaRandom random;
  int nested_loads = 0;   // of load() with a function

 private:
  friend struct Sandbox;
  void forget_keys_and_arguments();
  int protected_number(lua_State* L, int index) const {
    const void* table = lua_topointer(L, index);
    for (int i = 0; i < protected_count_; i++)
      if (protected_[i].table == table) return i;
    return -1;
  }

  struct Protected {
    const void* table;
    int content;         // in the registry
  };
  static constexpr int kMostProtected = 16;

  ScriptEngine& engine_;
  const Kind kind_;
  LuaHeap heap_;
  lua_State* state_;
  std::array<Protected, kMostProtected> protected_;
  int protected_count_ = 0;
  size_t collect_from_ = 0;   // a heap of this size is more than what lives in it
  // In the registry.
  int globals_ = 0, writes_globals_ = 0, redis_doorway_ = 0, running_api_ = 0, loading_api_ = 0;
};

}  // namespace vitrine
