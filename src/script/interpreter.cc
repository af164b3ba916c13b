#include "script/interpreter.h"

#include <sys/resource.h>

#include <algorithm>
#include <span>

#include "base/check.h"
#include "script/lua_escapes.h"
#include "script/sandbox.h"
#include "script/script_engine.h"

namespace vitrine {

namespace {

int readonly(lua_State* L) { return luaL_error(L, "Attempt to modify a readonly table"); }

int missing_global(lua_State* L) {
  const char* name = lua_tostring(L, 2);
  return luaL_error(L, "Script attempted to access nonexistent global variable '%s'", name ? name : "?");
}

int panic(lua_State* L) {
  const char* text = lua_tostring(L, -1);
  CHECK(!"Lua raised an error where nothing catches it" && text);
  return 0;
}

// What of the standard libraries a script gets as it is.
constexpr const char* kBase[] = {"assert", "error", "getmetatable", "ipairs", "next", "pcall", "rawequal", "select",
                                 "tostring", "type", "unpack", "xpcall"};
constexpr const char* kString[] = {"char", "len", "lower", "rep", "reverse", "upper"};
constexpr const char* kTable[] = {"concat", "foreach", "foreachi", "getn", "maxn", "remove"};
constexpr const char* kMath[] = {"abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor",
                                 "fmod", "frexp", "huge", "ldexp", "log10", "modf", "pi", "pow", "rad", "sin", "sinh",
                                 "sqrt", "tan", "tanh"};
constexpr const char* kBit[] = {"arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift",
                                "tobit", "tohex"};
constexpr const char* kCoroutine[] = {"create", "resume", "running", "status", "wrap", "yield"};

// pcall gives the text of an error that is a table with one (as redis.call raises them). Every function in C that calls
// back, and every doorway into a coroutine, asks first whether the stack of the process has room: Lua limits its own
// stacks only. A message handler of xpcall runs where the error was raised: that of a kill is raised in a hook, in
// which no other hook fires, so the handler of a script that must end is not called. In Redis pcall() calls a boolean.
constexpr char kPrelude[] = R"lua(
local guard, pcall, type, rawget, resume, wrap, guarded, xpcall, ending, select, error = ...
local function plain(ok, ...)
  if ok then return ok, ... end
  local e = ...
  if type(e) == 'table' then
    local text = rawget(e, 'err')
    if type(text) == 'string' then return ok, text end
  end
  return ok, ...
end
local function our_pcall(...)
  if select('#', ...) == 0 then return pcall(false) end
  return plain(pcall(...))
end
local function our_xpcall(...)
  if select('#', ...) < 2 then error("bad argument #2 to 'xpcall' (value expected)", 2) end
  local f, handler = ...
  return xpcall(f, function(e)
    if ending() then return e end
    return handler(e)
  end)
end
local function our_resume(...) guard() return resume(...) end
local function our_wrap(f)
  local go = wrap(f)
  return function(...) guard() return go(...) end
end
for name, f in pairs(guarded) do
  guarded[name] = function(...) guard() return f(...) end
end
return our_pcall, our_resume, our_wrap, our_xpcall
)lua";

// Whether a function, or one within it, has an instruction that writes a global variable: the one that a sample has and
// its twin has not.
constexpr char kWritesGlobals[] = R"lua(
local util, band, compile = ...
local info, instruction, constant = util.funcinfo, util.funcbc, util.funck
local function operation(f, pc) return band(instruction(f, pc), 0xff) end
local function operations(f)
  local found = {}
  for pc = 1, info(f).bytecodes - 1 do found[operation(f, pc)] = true end
  return found
end
local harmless, write = operations(compile('local x = 1')), nil
for op in pairs(operations(compile('x = 1'))) do
  if not harmless[op] then write = op end
end
local function writes(f)
  local of = info(f)
  for pc = 1, of.bytecodes - 1 do
    if operation(f, pc) == write then return true end
  end
  for i = 1, of.gcconsts do
    local c = constant(f, -i)
    if type(c) == 'proto' and writes(c) then return true end
  end
  return false
end
return writes
)lua";

constexpr const char* kGuardedTables[] = {"foreach", "foreachi"};

constexpr char kGuarded[] = "guarded";

int guard_function(lua_State* L) {
  Interpreter::of(L).guard_stack(L);
  return 0;
}

int ending_function(lua_State* L) {
  lua_pushboolean(L, Interpreter::of(L).engine().must_end());
  return 1;
}

// How deep the stack of the process may be where a script goes deeper still.
constexpr size_t kStackBytes = size_t{64} << 20;

size_t deepest_stack() {
  static const size_t bytes = [] {
    rlimit limit{};
    if (getrlimit(RLIMIT_STACK, &limit) != 0) return size_t{1} << 20;
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < kStackBytes) {
      rlimit wanted = limit;
      wanted.rlim_cur = limit.rlim_max == RLIM_INFINITY ? kStackBytes : std::min<rlim_t>(kStackBytes, limit.rlim_max);
      if (setrlimit(RLIMIT_STACK, &wanted) == 0) limit = wanted;
    }
    return std::min<size_t>(limit.rlim_cur, kStackBytes) / 8;
  }();
  return bytes;
}

}  // namespace

// Builds the sandbox. Every function leaves the stack as it found it, unless its name says push.
struct Sandbox {
  Interpreter& lua;
  lua_State* L;

  static int build(lua_State* state) {
    Sandbox{*static_cast<Interpreter*>(lua_touserdata(state, 1)), state}.build();
    return 0;
  }

  void open(lua_CFunction library, const char* name) {
    lua_pushcfunction(L, library);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
  }

  // Pushes a table with these fields of the table on top (the globals if `library` is null).
  void push_copy(const char* library, std::span<const char* const> names) {
    if (library) lua_getglobal(L, library);
    else lua_pushvalue(L, LUA_GLOBALSINDEX);
    lua_newtable(L);
    for (const char* name : names) {
      lua_getfield(L, -2, name);
      lua_setfield(L, -2, name);
    }
    lua_remove(L, -2);
  }

  // Takes a content from the stack, pushes the protected table before it.
  void push_protected() {
    CHECK(lua.protected_count_ < Interpreter::kMostProtected);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, readonly);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_insert(L, -2);
    lua.protected_[static_cast<size_t>(lua.protected_count_++)] = {lua_topointer(L, -2),
                                                                   luaL_ref(L, LUA_REGISTRYINDEX)};
  }

  // Takes a content from the stack and makes it a global, protected.
  void add_library(const char* name) {
    push_protected();
    lua_setfield(L, 1, name);
  }

  // From a library to the table on top.
  void copy_field(const char* library, const char* name) {
    lua_getglobal(L, library);
    lua_getfield(L, -1, name);
    lua_setfield(L, -3, name);
    lua_pop(L, 1);
  }

  // Puts the guarded forms of these functions into the table on top.
  void replace_guarded(std::span<const char* const> names) {
    lua_getfield(L, LUA_REGISTRYINDEX, kGuarded);
    for (const char* name : names) {
      lua_getfield(L, -1, name);
      lua_setfield(L, -3, name);
    }
    lua_pop(L, 1);
  }

  void replace_with_prelude(int base, int coroutines) {
    CHECK(luaL_loadbuffer(L, kPrelude, sizeof kPrelude - 1, "=sandbox") == 0);
    lua_pushlightuserdata(L, &lua);
    lua_pushcclosure(L, guard_function, 1);
    lua_getfield(L, base, "pcall");
    lua_getfield(L, base, "type");
    lua_getglobal(L, "rawget");
    lua_getfield(L, coroutines, "resume");
    lua_getfield(L, coroutines, "wrap");
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, kGuarded);
    for (const char* name : kGuardedTables) copy_field("table", name);
    lua_getfield(L, base, "xpcall");
    lua_pushlightuserdata(L, &lua);
    lua_pushcclosure(L, ending_function, 1);
    lua_getfield(L, base, "select");
    lua_getfield(L, base, "error");
    lua_call(L, 11, 4);
    lua_setfield(L, base, "xpcall");
    lua_setfield(L, coroutines, "wrap");
    lua_setfield(L, coroutines, "resume");
    lua_setfield(L, base, "pcall");
  }

  void add_strings() {
    push_copy("string", kString);
    add_string_functions(L, lua);
    lua_getfield(L, -1, "gmatch");
    lua_setfield(L, -2, "gfind");
    // "x":method() finds the content, and nobody finds the metatable.
    lua_pushliteral(L, "");
    lua_newtable(L);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
    add_library("string");
  }

  void add_redis() {
    push_redis_library(L, lua, false);
    lua_pushvalue(L, -1);
    lua.running_api_ = luaL_ref(L, LUA_REGISTRYINDEX);
    push_protected();
    lua_pushvalue(L, -1);
    lua.redis_doorway_ = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, -1);
    lua_setfield(L, 1, "server");
    lua_setfield(L, 1, "redis");
    if (lua.kind_ == Interpreter::Kind::scripts) return;
    push_redis_library(L, lua, true);
    push_missing_names();
    lua_setmetatable(L, -2);
    lua.loading_api_ = luaL_ref(L, LUA_REGISTRYINDEX);
  }

  void push_missing_names() {
    lua_newtable(L);
    lua_pushcfunction(L, missing_global);
    lua_setfield(L, -2, "__index");
  }

  // REQUIRES: the base library as Lua brings it.
  void learn_to_find_writes() {
    open(luaopen_jit, LUA_JITLIBNAME);
    CHECK(luaL_loadbuffer(L, kWritesGlobals, sizeof kWritesGlobals - 1, "=sandbox") == 0);
    lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
    lua_getfield(L, -1, "jit.util");
    lua_remove(L, -2);
    lua_call(L, 0, 1);
    lua_getglobal(L, "bit");
    lua_getfield(L, -1, "band");
    lua_remove(L, -2);
    lua_getglobal(L, "loadstring");
    lua_call(L, 3, 1);
    lua.writes_globals_ = luaL_ref(L, LUA_REGISTRYINDEX);
  }

  void build() {
    open(luaopen_base, "");
    open(luaopen_table, LUA_TABLIBNAME);
    open(luaopen_string, LUA_STRLIBNAME);
    open(luaopen_math, LUA_MATHLIBNAME);
    open(luaopen_bit, LUA_BITLIBNAME);
    open(luaopen_os, LUA_OSLIBNAME);
    learn_to_find_writes();
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_settop(L, 0);
    push_copy(nullptr, kBase);
    push_copy("coroutine", kCoroutine);
    replace_with_prelude(1, 2);
    add_library("coroutine");
    add_base_functions(L, lua);
    lua_pushliteral(L, "Lua 5.1");
    lua_setfield(L, 1, "_VERSION");
    add_strings();
    push_copy("table", kTable);
    replace_guarded(kGuardedTables);
    add_table_functions(L, lua);
    add_library("table");
    push_copy("math", kMath);
    add_math_functions(L, lua);
    add_library("math");
    push_copy("bit", kBit);
    add_bit_functions(L, lua);
    add_library("bit");
    static constexpr const char* kClock[] = {"clock"};
    push_copy("os", kClock);
    add_library("os");
    push_json_library(L, lua);
    add_library("cjson");
    push_msgpack_library(L, lua);
    add_library("cmsgpack");
    push_struct_library(L, lua);
    add_library("struct");
    add_redis();
    seal();
  }

  // The globals in slot 1 become the world; what the libraries left elsewhere goes.
  void seal() {
    push_missing_names();
    lua_setmetatable(L, 1);
    lua_pushvalue(L, 1);
    lua.globals_ = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 1);
    push_protected();
    lua_pushvalue(L, -1);
    lua_setfield(L, 1, "_G");
    lua_replace(L, LUA_GLOBALSINDEX);
    for (const char* name : {"_LOADED", "_PRELOAD", "_LOADLIB", kGuarded}) {
      lua_pushnil(L);
      lua_setfield(L, LUA_REGISTRYINDEX, name);
    }
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
  }
};

// Garbage worth a collection at the end of a run, beside as much as lives.
constexpr size_t kLeftBytes = size_t{4} << 20;

Interpreter::Interpreter(ScriptEngine& engine, Kind kind)
    : engine_(engine), kind_(kind), state_(lua_newstate(LuaHeap::resize, &heap_)) {
  CHECK(state_);
  deepest_stack();
  lua_atpanic(state_, panic);
  CHECK(lua_cpcall(state_, Sandbox::build, this) == 0);
  lua_pushlightuserdata(state_, this);
  lua_pushcclosure(state_, ScriptEngine::note_error, 1);
  lua_pushlightuserdata(state_, this);
  lua_pushcclosure(state_, ScriptEngine::run_protected, 1);
  collect_from_ = 2 * heap_.used_bytes() + kLeftBytes;
}

Interpreter::~Interpreter() { lua_close(state_); }

void Interpreter::guard_stack(lua_State* L) const {
  static thread_local const char* top = nullptr;
  const char* here = static_cast<const char*>(__builtin_frame_address(0));
  // The stack grows down; whoever stood highest so far is near enough to its top.
  if (here > top) top = here;
  if (static_cast<size_t>(top - here) > deepest_stack()) luaL_error(L, "C stack overflow");
}

bool Interpreter::push_content(lua_State* L, int index) const {
  int number = protected_number(L, index);
  if (number < 0) return false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, protected_[static_cast<size_t>(number)].content);
  return true;
}

namespace {

struct Compilation {
  Bytes rest;
  LuaEscapes escapes;
  const char* name;
  int writes_globals, globals;
  int function = 0;
};

const char* read_code(lua_State*, void* data, size_t* size) {
  auto& c = *static_cast<Compilation*>(data);
  Bytes piece = c.escapes.next(c.rest);
  *size = piece.size();
  return piece.data();
}

int compile_protected(lua_State* L) {
  auto& c = *static_cast<Compilation*>(lua_touserdata(L, 1));
  if (lua_loadx(L, read_code, &c, c.name, "t") != 0) return lua_error(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, c.writes_globals);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 1);
  bool writes = lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (!writes) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, c.globals);
    lua_setfenv(L, -2);
  }
  c.function = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

}  // namespace

std::expected<int, std::string> Interpreter::compile(Bytes code) {
  Compilation c{code, LuaEscapes(code), chunk_name(), writes_globals_, globals_};
  if (lua_cpcall(state_, compile_protected, &c) == 0) return c.function;
  const char* text = lua_tostring(state_, -1);
  std::string error = text ? text : "unknown error";
  lua_pop(state_, 1);
  return std::unexpected(error);
}

void Interpreter::release(int function) { luaL_unref(state_, LUA_REGISTRYINDEX, function); }

void Interpreter::set_keys_and_arguments() {
  lua_rawgeti(state_, LUA_REGISTRYINDEX, globals_);
  lua_insert(state_, -3);
  lua_setfield(state_, -3, "ARGV");
  lua_setfield(state_, -2, "KEYS");
  lua_pop(state_, 1);
}

void Interpreter::forget_keys_and_arguments() {
  if (kind_ != Kind::scripts) return;
  lua_rawgeti(state_, LUA_REGISTRYINDEX, globals_);
  for (const char* name : {"KEYS", "ARGV"}) {
    lua_pushnil(state_);
    lua_setfield(state_, -2, name);
  }
  lua_pop(state_, 1);
}

void Interpreter::set_loading(bool loading) {
  lua_rawgeti(state_, LUA_REGISTRYINDEX, redis_doorway_);
  lua_getmetatable(state_, -1);
  lua_rawgeti(state_, LUA_REGISTRYINDEX, loading ? loading_api_ : running_api_);
  lua_setfield(state_, -2, "__index");
  lua_pop(state_, 2);
}

void Interpreter::start_run(uint64_t seed, size_t more_bytes) {
  json = {};
  nested_loads = 0;
  random.seed_wide(seed);
  heap_.limit(more_bytes);
}

// Runs that stay small never come to a collection here: Lua's own keeps the heap below twice what lives in it.
void Interpreter::end_run(bool out_of_memory) {
  if (!out_of_memory && heap_.used_bytes() < collect_from_) return;
  forget_keys_and_arguments();
  // Each collection halves what Lua keeps to build strings in: as long as that, or something else, is large.
  for (size_t before = SIZE_MAX; heap_.used_bytes() < before - before / 8;) {
    before = heap_.used_bytes();
    lua_gc(state_, LUA_GCCOLLECT, 0);
    if (before < kLeftBytes) break;
  }
  collect_from_ = 2 * heap_.used_bytes() + kLeftBytes;
}

}  // namespace vitrine
