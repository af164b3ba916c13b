#include "script/script_engine.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/memory.h"
#include "base/numbers.h"
#include "engine/acl.h"
#include "engine/command_table.h"
#include "script/reply_values.h"

namespace vitrine {

namespace {

constexpr FlagName kFlagNames[] = {{"no-writes", script_flag::kNoWrites},
                                   {"allow-oom", script_flag::kAllowOom},
                                   {"allow-stale", script_flag::kAllowStale},
                                   {"no-cluster", script_flag::kNoCluster},
                                   {"allow-cross-slot-keys", script_flag::kAllowCrossSlotKeys}};

constexpr size_t kNumberChars = 32;
constexpr size_t kKeptReplyBytes = 64 << 10;

// As %.17g does it, whole numbers faster.
size_t write_number(char* out, double d) {
  if (std::fabs(d) < 1e17 && d == std::floor(d) && !(d == 0 && std::signbit(d)))
    return format_int64(out, static_cast<int64_t>(d));
  if (std::isnan(d)) return static_cast<size_t>(std::snprintf(out, kNumberChars, "-nan"));
  return static_cast<size_t>(std::snprintf(out, kNumberChars, "%.17g", d));
}

// Whether there is such a command, such a subcommand.
bool is_known(const Prepared& p) { return p.command && (p.command->subcommands.empty() || p.argv.size() < 2); }

bool fits_arity(const Command& command, size_t arguments) {
  int given = static_cast<int>(arguments);
  return command.arity > 0 ? given == command.arity : given >= -command.arity;
}

void push_strings(lua_State* L, std::span<const Bytes> strings) {
  lua_createtable(L, static_cast<int>(strings.size()), 0);
  for (size_t i = 0; i < strings.size(); i++) {
    push_bytes(L, strings[i]);
    lua_rawseti(L, -2, static_cast<int>(i + 1));
  }
}

// The replies that come most often, without what all kinds need: ":<digits>" and "$<digit>" or "$<two digits>". False:
// it is another.
bool push_short_reply(lua_State* L, Bytes reply) {
  const char* p = reply.data() + 1;
  constexpr size_t kMostDigits = 15;   // which a double holds
  auto digit = [](char c) { return static_cast<unsigned>(static_cast<unsigned char>(c)) - '0'; };
  if (reply[0] == ':') {
    if (reply.size() > kMostDigits + 3 || *p == '-') return false;
    const char* end = reply.data() + reply.size() - 2;
    int64_t n = 0;
    for (; p < end; p++) n = n * 10 + digit(*p);
    lua_pushnumber(L, static_cast<double>(n));
    return true;
  }
  if (reply[0] != '$' || digit(*p) > 9) return false;
  size_t size = digit(*p++);
  if (digit(*p) <= 9) size = size * 10 + digit(*p++);
  if (*p != '\r') return false;
  lua_pushlstring(L, p + 2, size);
  return true;
}

// A function called by `return f()` takes the place of its caller, and with it the caller's line is gone.
std::string place_of_last_return(const ScriptJob& job) {
  auto lines = std::count(job.code.begin(), job.code.begin() + static_cast<ptrdiff_t>(std::min(
                              job.code.rfind("return"), job.code.size())), '\n');
  return std::string(job.lua.chunk_name()) + ":" + std::to_string(lines + 1);
}

}  // namespace

std::span<const FlagName> script_flag_names() { return kFlagNames; }

ScriptEngine::ScriptEngine(Dispatcher& dispatcher, const ScriptOptions& options)
    : dispatcher_(dispatcher), options_(options), session_(0, nullptr, dispatcher.keyspace().now_ms()),
      alarm_(on_alarm, this) {
  session_.origin = Origin::script;
  session_.authenticated = true;
}

ScriptEngine::~ScriptEngine() = default;

// Before the run: what its flags and the state of the server do not allow.
bool ScriptEngine::refused(Call& c, const ScriptJob& job, bool out_of_memory) {
  using namespace script_flag;
  if (job.flags & kUndeclared) return false;
  bool writes = !(job.flags & kNoWrites);
  if (writes && job.read_only)
    return c.reply.error("ERR Can not execute a script with write flag using *_ro command."), true;
  Bytes error;
  if (writes && !dispatcher_.data_gate.write_refusal.empty())
    error = dispatcher_.data_gate.write_refusal;
  else if (writes && out_of_memory && !(job.flags & kAllowOom))
    error = c.may_block ? "OOM command not allowed when used memory > 'maxmemory'."
                        : "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
  if (error.empty()) return false;
  c.refused = c.may_block;   // within a transaction it was queued, and counts as a call
  return c.reply.error(error), true;
}

void ScriptEngine::run(Call& c, const ScriptJob& job) {
  const auto& gate = dispatcher_.memory_gate;
  bool out_of_memory = memory::allocated_here() >= gate.checkpoint && !gate.make_room();
  if (refused(c, job, out_of_memory)) return;
  Run run{c, job, out_of_memory};
  run.free = !c.session.restricted && !job.read_only && !(job.flags & script_flag::kNoWrites) && !out_of_memory;
  run.effects_before = dispatcher_.effects().gathered();
  run.changes_before = c.keyspace.stats().changes;
  if (options_.kill_rollback) run.undo = std::make_unique<UndoLog>(dispatcher_.keyspace());
  run_ = &run;
  session_.db = c.session.db;
  if (session_.user != c.session.user) session_.user = c.session.user;
  session_.acl_user = c.session.acl_user;
  session_.restricted = c.session.restricted;
  session_.no_touch = c.session.no_touch;
  session_.reply.set_protocol(2);
  replicated_ = true;
  job.lua.start_run(c.keyspace.random().next(), static_cast<size_t>(options_.memory_limit_bytes));
  uint64_t errors_before = c.reply.errors();
  lua_State* L = job.lua.state();
  lua_pushvalue(L, 2);
  begin_watch(L, options_.busy_threshold_ms);
  int status = lua_pcall(L, 0, 0, 1);
  end_watch(L);
  job.lua.heap().unlimit();
  run_ = nullptr;
  take_back(run);
  if (status != 0) {
    if (run.replying) c.reply.output().truncate(run.reply_start);
    write_failure(c, job, L, status);
    run.errors_passed_on = error_counted_;
    lua_settop(L, 2);
  }
  note_failure(run, errors_before);
  job.lua.end_run(status == LUA_ERRMEM);
  if (session_.out.capacity() > kKeptReplyBytes) session_.out.clear();
  c.effects.nothing();   // its commands have said what is to be replayed
}

// A run that was ended from outside leaves nothing behind: of one whose server ends nobody sees what it did.
void ScriptEngine::take_back(Run& run) {
  if (!run.ended && !run.killed) return;
  bool changed = run.wrote || (run.undo && !run.undo->empty());
  if (changed && run.undo && run.undo->complete()) {
    run.undo->roll_back();
    run.call.keyspace.stats().changes = run.changes_before;
  }
  if (run.ended || changed) dispatcher_.effects().drop_from(run.effects_before);
}

// An error of a command that the run passes on was counted where it came from, which the reply does not do again; yet
// the run has failed as well. For errors of its own the dispatcher adds one.
void ScriptEngine::note_failure(const Run& run, uint64_t errors_before) {
  uint64_t own = run.call.reply.errors() - errors_before, errors = own + run.errors_passed_on;
  if (errors > 0) run.call.command->stats.failed += errors - (own > 0);
}

// Called with nothing, does everything that may raise.
int ScriptEngine::run_protected(lua_State* L) {
  Interpreter& lua = Interpreter::of(L);
  Run& run = *lua.engine().run_;
  const ScriptJob& job = run.job;
  lua_rawgeti(L, LUA_REGISTRYINDEX, job.function);
  push_strings(L, job.keys);
  push_strings(L, job.arguments);
  bool script = lua.kind() == Interpreter::Kind::scripts;
  if (script) lua.set_keys_and_arguments();
  lua_call(L, script ? 0 : 2, 1);
  run.reply_start = run.call.reply.output().mark();
  run.replying = true;
  const ScriptEngine& engine = lua.engine();
  run.errors_passed_on = write_reply(L, lua, run.call.reply, engine.session_.reply.protocol() == 3,
                                     static_cast<size_t>(engine.options_.memory_limit_bytes));
  return 0;
}

// The message handler: notes what the error says and where in the script it was raised.
int ScriptEngine::note_error(lua_State* L) {
  ScriptEngine& engine = Interpreter::of(L).engine();
  engine.error_counted_ = false;
  engine.error_text_ = "ERR unknown error";
  if (lua_istable(L, 1)) {
    lua_pushliteral(L, "err");
    lua_rawget(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) engine.error_text_ = bytes_at(L, -1);
    lua_pushliteral(L, "ignore_error_stats_update");
    lua_rawget(L, 1);
    engine.error_counted_ = lua_toboolean(L, -1);
  } else if (lua_isstring(L, 1)) {
    engine.error_text_ = "ERR " + std::string(bytes_at(L, 1));
  } else if (lua_isnil(L, 1)) {
    engine.error_text_ = "ERR nil";
  } else if (lua_isboolean(L, 1)) {
    engine.error_text_ = lua_toboolean(L, 1) ? "ERR true" : "ERR false";
  }
  engine.error_place_.clear();
  lua_Debug at;
  for (int level = 1; lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "Sl", &at);
    if (at.currentline < 0 || at.source[0] != '@') continue;
    engine.error_place_ = std::string(at.source) + ":" + std::to_string(at.currentline);
    break;
  }
  return 0;
}

void ScriptEngine::write_failure(Call& c, const ScriptJob& job, lua_State* L, int status) {
  if (status != LUA_ERRRUN) {   // out of memory, or an error while handling one: the handler knows nothing
    const char* text = lua_tostring(L, -1);
    error_text_ = std::string("ERR ") + (text ? text : "unknown error");
    error_place_.clear();
    error_counted_ = false;
  }
  error_text_ += " script: " + std::string(job.name);
  if (error_place_.empty() && status == LUA_ERRRUN) error_place_ = place_of_last_return(job);
  if (!error_place_.empty()) error_text_ += ", on " + error_place_ + ".";
  write_error(c.reply, error_text_, error_counted_);
}

std::string ScriptEngine::run_library(Interpreter& lua, int function, Library& library, int64_t limit_ms) {
  lua_State* L = lua.state();
  library_ = &library;
  lua.start_run(dispatcher_.keyspace().random().next(), static_cast<size_t>(options_.memory_limit_bytes));
  lua.set_loading(true);
  lua_rawgeti(L, LUA_REGISTRYINDEX, function);
  begin_watch(L, limit_ms);
  int status = lua_pcall(L, 0, 0, 1);
  end_watch(L);
  load_late_ = false;
  lua.heap().unlimit();
  lua.set_loading(false);
  library_ = nullptr;
  if (status != 0 && status != LUA_ERRRUN) {
    const char* text = lua_tostring(L, -1);
    error_text_ = std::string("ERR ") + (text ? text : "unknown error");
  }
  lua_settop(L, 2);
  lua.end_run(status == LUA_ERRMEM);
  return status == 0 ? std::string() : error_text_;
}

// ---- redis.call ----

// The arguments as views: of Lua's own strings, and of numbers_. They hold until the call returns.
void ScriptEngine::gather_arguments(lua_State* L, int count) {
  argv_.resize(static_cast<size_t>(count));
  Bytes* next = argv_.data();
  size_t room = static_cast<size_t>(count) * kNumberChars;
  if (numbers_.size() < room) numbers_.resize(room);
  for (int i = 1; i <= count; i++) {
    int type = lua_type(L, i);
    if (type == LUA_TSTRING) {
      *next++ = bytes_at(L, i);
    } else if (type == LUA_TNUMBER) {
      char* text = numbers_.data() + static_cast<size_t>(i - 1) * kNumberChars;
      *next++ = {text, write_number(text, lua_tonumber(L, i))};
    } else {
      argv_.clear();
      return;
    }
  }
}

// Why the script may not call this; empty: it may.
Bytes ScriptEngine::refusal_of(const Prepared& p) {
  const Command* command = p.command;
  if (!is_known(p)) return "ERR Unknown Redis command called from script";
  if (!fits_arity(*command, p.argv.size())) return "ERR Wrong number of args calling Redis command from script";
  uint64_t flags = command->flags;
  if (flags & command_flag::kNoscript) return "ERR This Redis command is not allowed from script";
  if (run_->free && dispatcher_.data_gate.write_refusal.empty()) return {};
  if (session_.restricted) {
    AclVerdict verdict = dispatcher_.acl().check(session_, *command->info, p.argv);
    if (!verdict.permitted()) {
      dispatcher_.acl().note(run_->call.session, verdict, AclContext::lua, dispatcher_.keyspace().now_ms());
      return refusal_text_ = Acl::refusal_to_script(verdict);
    }
  }
  // What is sent to followers counts as written here, as PUBLISH and PFCOUNT are.
  bool read_only = run_->job.read_only || (run_->job.flags & script_flag::kNoWrites);
  if (read_only && (flags & (command_flag::kWrite | command_flag::kMayReplicate)))
    return "ERR Write commands are not allowed from read-only scripts.";
  if ((flags & command_flag::kWrite) && !dispatcher_.data_gate.write_refusal.empty())
    return dispatcher_.data_gate.write_refusal;
  if (run_->out_of_memory && (flags & command_flag::kDenyoom) && !run_->wrote &&
      !(run_->job.flags & script_flag::kAllowOom))
    return "OOM command not allowed when used memory > 'maxmemory'.";
  return {};
}

int ScriptEngine::call_command(lua_State* L, Interpreter& lua, bool raise) {
  int count = lua_gettop(L);
  if (!run_) return luaL_error(L, "redis.call can only be used while a script runs");
  poll_if_late(L);
  if (count == 0) {
    push_error(L, "ERR Please specify at least one argument for this redis lib call", false);
    return finish_call(L, raise);
  }
  gather_arguments(L, count);
  if (argv_.empty()) {
    push_error(L, "ERR Lua redis lib command arguments must be strings or integers", false);
    return finish_call(L, raise);
  }
  Prepared p = dispatcher_.prepare(argv_);
  Bytes refusal = refusal_of(p);
  if (!refusal.empty()) {
    dispatcher_.note_refused_call(is_known(p) ? p.command : nullptr, refusal);
    push_error(L, refusal, true);
    return finish_call(L, raise);
  }
  if (p.command->flags & command_flag::kWrite) run_->wrote = true;
  // PFCOUNT keeps its estimate, which counts as no write, but is one.
  if (run_->undo && (p.command->flags & (command_flag::kWrite | command_flag::kMayReplicate)))
    run_->undo->record(session_.db, *p.command->info, p.argv);
  if (!session_.out.empty()) session_.out.clear();   // of a call that ended in the middle
  size_t effects = dispatcher_.effects().gathered();
  dispatcher_.run_nested(session_, p);
  if (!replicated_) dispatcher_.effects().drop_from(effects);
  bool failed = push_session_reply(L, lua);
  return failed ? finish_call(L, raise) : 1;
}

// Pushes what the command has replied; true if that is an error.
bool ScriptEngine::push_session_reply(lua_State* L, Interpreter& lua) {
  OutputBuffer& out = session_.out;
  bool failed = false;
  if (Bytes reply = out.whole(); !reply.empty()) {
    if (push_short_reply(L, reply)) return out.rewind(), false;
    failed = reply[0] == '-';
    push_reply(L, lua, reply);
    out.rewind();
    return failed;
  }
  if (out.empty()) return lua_pushboolean(L, false), false;
  // In several pieces: joined where the collector frees it, whatever happens.
  size_t bytes = out.pending();
  auto* joined = static_cast<char*>(lua_newuserdata(L, bytes));
  out.copy_to(joined);
  failed = joined[0] == '-';
  out.clear();
  push_reply(L, lua, {joined, bytes});
  lua_remove(L, -2);
  return failed;
}

int ScriptEngine::finish_call(lua_State* L, bool raise) { return raise ? lua_error(L) : 1; }

int ScriptEngine::check_permission(lua_State* L) {
  int count = lua_gettop(L);
  if (count == 0) {
    push_error(L, "ERR Please specify at least one argument for this redis lib call", false);
    return lua_error(L);
  }
  gather_arguments(L, count);
  if (argv_.empty()) {
    push_error(L, "ERR Lua redis lib command arguments must be strings or integers", false);
    return lua_error(L);
  }
  Prepared p = dispatcher_.prepare(argv_);
  if (!is_known(p)) {
    push_error(L, "ERR Invalid command passed to redis.acl_check_cmd()", false);
    return lua_error(L);
  }
  // How many arguments there are is not asked: those that are missing are empty.
  argv_.resize(std::max(argv_.size(), static_cast<size_t>(std::abs(p.command->arity))), Bytes(""));
  p.argv = argv_;
  lua_pushboolean(L, is_permitted(p));
  return 1;
}

bool ScriptEngine::is_permitted(const Prepared& p) const {
  return !session_.restricted || dispatcher_.acl().check(session_, *p.command->info, p.argv).permitted();
}

int ScriptEngine::set_protocol(lua_State* L) {
  if (lua_gettop(L) != 1) {
    push_error(L, "ERR redis.setresp() requires one argument.", false);
    return lua_error(L);
  }
  auto version = lua_tonumber(L, 1);
  if (!(version >= 2 && version < 4)) {
    push_error(L, "ERR RESP version must be 2 or 3.", false);
    return lua_error(L);
  }
  session_.reply.set_protocol(static_cast<int>(version));
  return 0;
}

}  // namespace vitrine
