// Scripts that run for long: the alarm, the hook, BUSY, and the end by SCRIPT KILL. Libraries whose load takes long.
//
// An ordinary run costs nothing here: the alarm is set once and found to be too early again and again. Only when it
// goes off during a run that has passed the threshold a hook is set, which Lua calls every hundred instructions. (Not
// before every call as well: errors that are raised there lame the hook.) What may be long within one of them asks by
// itself (steps.h).
#include "base/log.h"
#include "base/ticks.h"
#include "script/reply_values.h"
#include "script/script_engine.h"
#include "script/steps.h"

namespace vitrine {

namespace {

constexpr int kHookInstructions = 100;
constexpr uint64_t kPollNs = 1000000;
constexpr int64_t kLongestAlarmMs = int64_t{1} << 31;

// The engine whose script runs in this thread: a hook and a signal handler get no other word of it.
thread_local ScriptEngine* engine_in_thread = nullptr;

}  // namespace

void ScriptEngine::begin_watch(lua_State* L, int64_t late_ms) {
  engine_in_thread = this;
  late_ms = std::min(late_ms, kLongestAlarmMs);
  late_ms_.store(late_ms, std::memory_order_relaxed);
  started_ticks_.store(ticks(), std::memory_order_relaxed);
  polled_ticks_ = 0;
  watched_.store(L, std::memory_order_release);
  // An alarm set for an earlier run comes early enough, unless that one had more time.
  int64_t to_come = alarm_ms_.load(std::memory_order_relaxed);
  if (late_ms <= 0 || (to_come > 0 && to_come <= late_ms)) return;
  alarm_ms_.store(late_ms, std::memory_order_relaxed);
  alarm_.set(late_ms);
}

void ScriptEngine::end_watch(lua_State* L) {
  watched_.store(nullptr, std::memory_order_release);
  if (lua_gethook(L)) lua_sethook(L, nullptr, 0, 0);
  dispatcher_.data_gate.busy_refusal = {};
  engine_in_thread = nullptr;
}

// In a signal handler: sets the hook, which is safe there, or comes again.
void ScriptEngine::on_alarm(void* self) {
  auto& engine = *static_cast<ScriptEngine*>(self);
  engine.alarm_ms_.store(0, std::memory_order_relaxed);
  lua_State* L = engine.watched_.load(std::memory_order_acquire);
  if (!L) return;
  int64_t late_ms = engine.late_ms_.load(std::memory_order_relaxed);
  int64_t ran_ms = static_cast<int64_t>(
      ticks_to_ns(ticks() - engine.started_ticks_.load(std::memory_order_relaxed)) / 1000000);
  if (late_ms <= 0) return;
  if (ran_ms >= late_ms) {
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
  } else {
    engine.alarm_ms_.store(late_ms - ran_ms, std::memory_order_relaxed);
    engine.alarm_.set(late_ms - ran_ms);
  }
}

void ScriptEngine::hook(lua_State* L, lua_Debug*) {
  ScriptEngine* engine = engine_in_thread;
  if (!engine) return;
  if (engine->library_) return engine->end_load(L);
  if (!engine->run_) return;
  if (!engine->must_end() && lua_gethookcount(L) != kHookInstructions)
    lua_sethook(L, hook, LUA_MASKCOUNT, kHookInstructions);
  engine->poll(L);
}

Bytes ScriptEngine::busy_text() const {
  return run_->job.lua.kind() == Interpreter::Kind::scripts
             ? "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
             : "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
}

void ScriptEngine::poll(lua_State* L) {
  if (!run_ || polling_) return;
  if (lua_gethook(L) == nullptr && !must_end()) return;   // not late yet
  uint64_t now = ticks();
  if (!must_end() && ticks_to_ns(now - polled_ticks_) >= kPollNs) {
    if (polled_ticks_ == 0)
      log(LogLevel::warning,
          "Slow script detected: still in execution after %lld milliseconds. It can be ended with %s.",
          static_cast<long long>(ticks_to_ns(now - started_ticks_.load(std::memory_order_relaxed)) / 1000000),
          run_->job.lua.kind() == Interpreter::Kind::scripts ? "SCRIPT KILL" : "FUNCTION KILL");
    dispatcher_.data_gate.busy_refusal = busy_text();
    polling_ = true;
    if (on_busy && !on_busy()) run_->ended = true;
    polling_ = false;
    polled_ticks_ = ticks();
  }
  if (!must_end()) return;
  // From here on every instruction ends it, whatever catches the error.
  lua_sethook(L, hook, LUA_MASKCOUNT, 1);
  push_kill_error(L);
  lua_error(L);
}

void Steps::ask() { lua_.engine().poll_if_late(L_); }

// A library must not hold up the server when it is loaded: nobody could end it.
void ScriptEngine::end_load(lua_State* L) {
  load_late_ = true;
  lua_sethook(L, hook, LUA_MASKCOUNT, 1);   // every instruction, as in poll()
  push_error(L, "ERR FUNCTION LOAD timeout", false);
  lua_error(L);
}

void ScriptEngine::push_kill_error(lua_State* L) const {
  bool script = run_->job.lua.kind() == Interpreter::Kind::scripts;
  push_error(L, run_->ended ? "ERR The server is ending."
                : script    ? "ERR Script killed by user with SCRIPT KILL..."
                            : "ERR Script killed by user with FUNCTION KILL...", false);
}

void ScriptEngine::kill(Call& c, Interpreter::Kind kind) {
  if (!run_) return c.reply.error("NOTBUSY No scripts in execution right now.");
  if (run_->job.lua.kind() != kind) return c.reply.error(busy_text());
  if (!can_be_taken_back())
    return c.reply.error("UNKILLABLE Sorry the script already executed write commands against the dataset. You can "
                         "either wait the script termination or kill the server in a hard way using the SHUTDOWN "
                         "NOSAVE command.");
  run_->killed = true;
  c.reply.ok();
}

void ScriptEngine::write_running(ReplyBuilder& reply) const {
  if (!run_) return reply.null();
  auto argv = run_->call.args.argv();
  reply.map(3);
  reply.bulk("name");
  reply.bulk(run_->job.name);
  reply.bulk("command");
  reply.array(static_cast<int64_t>(argv.size()));
  for (Bytes arg : argv) reply.bulk(arg);
  reply.bulk("duration_ms");
  reply.integer(static_cast<int64_t>(ticks_to_ns(ticks() - started_ticks_.load(std::memory_order_relaxed)) / 1000000));
}

}  // namespace vitrine
