// ScriptEngine: runs Lua for clients, and what redis.call does meanwhile.
//
// A run is atomic: one command of a client, whatever it calls. The commands it calls are of a session of its own
// (origin script, its own database and protocol, the user of its caller), run nested in the unit of the caller, and
// pass gates with words of their own. The effects of them leave as one unit.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/dispatcher.h"
#include "io/alarm.h"
#include "script/interpreter.h"
#include "script/options.h"
#include "script/undo.h"

namespace vitrine {

namespace script_flag {
// As "#!lua flags=..." says them.
constexpr uint32_t kNoWrites = 1, kAllowOom = 2, kAllowStale = 4, kNoCluster = 8, kAllowCrossSlotKeys = 16;
// There is no such line: what a command may do decides as it is called.
constexpr uint32_t kUndeclared = 32;
}  // namespace script_flag

struct Library;

struct FlagName {
  Bytes name;
  uint32_t flag;
};
std::span<const FlagName> script_flag_names();

// What is to be run.
struct ScriptJob {
  Interpreter& lua;
  int function;                   // of the interpreter
  Bytes name;                     // the script's SHA1, or the function's name
  uint32_t flags = 0;
  bool read_only = false;         // called by EVAL_RO, FCALL_RO
  std::span<const Bytes> keys, arguments;
  Bytes code;                     // where its place is looked for when Lua has lost it
};

class ScriptEngine {
 public:
  ScriptEngine(Dispatcher& dispatcher, const ScriptOptions& options);
  ~ScriptEngine();

  Dispatcher& dispatcher() { return dispatcher_; }
  const ScriptOptions& options() const { return options_; }

  // The reply of `c` is the script's, or its error.
  void run(Call& c, const ScriptJob& job);
  // Runs the code of a library once, which registers its functions, for no longer than this. An error's text, or
  // nothing.
  std::string run_library(Interpreter& lua, int function, Library& library, int64_t limit_ms);
  bool running() const { return run_ != nullptr; }
  // What a function in C asks now and then that may take long (steps.h). Raises when the run or the load must end.
  void poll_if_late(lua_State* L) {
    if (lua_gethook(L)) hook(L, nullptr);
  }
  bool must_end() const { return load_late_ || (run_ && (run_->killed || run_->ended)); }

  // SCRIPT KILL, FUNCTION KILL: `kind` says which of them.
  void kill(Call& c, Interpreter::Kind kind);
  // The server is asked to end: a run that would leave its data half changed goes on, any other ends.
  void ask_to_end() {
    if (run_ && can_be_taken_back()) run_->ended = true;
  }
  // What FUNCTION STATS says of the run under way, null if there is none.
  void write_running(ReplyBuilder& reply) const;
  // Called about once a millisecond by a script that has run for longer than the threshold, from within the script:
  // serves those who ask meanwhile. False: the script must end.
  std::function<bool()> on_busy;
  // What the functions of the sandbox ask for. Each leaves one value on the stack.
  int call_command(lua_State* L, Interpreter& lua, bool raise);
  int check_permission(lua_State* L);
  int set_protocol(lua_State* L);
  // redis.set_repl: with 0 what commands do from here on is not replayed.
  void set_replication(int ways) { replicated_ = ways != 0; }
  // Null unless FUNCTION LOAD is running.
  Library* library_being_loaded() { return library_; }

 private:
  struct Run {
    Call& call;
    const ScriptJob& job;
    bool out_of_memory;           // when it began
    bool free = false;            // neither its user nor its flags nor memory forbid any command
    bool wrote = false;           // a command that may write was called
    bool replying = false;
    bool killed = false, ended = false;     // by a command; by the end of the server
    size_t effects_before = 0;
    uint64_t changes_before = 0;            // of the data, as INFO counts them
    uint64_t errors_passed_on = 0;          // in the reply, of commands it called
    std::unique_ptr<UndoLog> undo = nullptr;   // with script-kill-rollback
    OutputBuffer::Mark reply_start{};
  };

  bool refused(Call& c, const ScriptJob& job, bool out_of_memory);
  Bytes refusal_of(const Prepared& p);
  bool is_permitted(const Prepared& p) const;
  void gather_arguments(lua_State* L, int count);
  bool push_session_reply(lua_State* L, Interpreter& lua);
  int finish_call(lua_State* L, bool raise);
  void write_failure(Call& c, const ScriptJob& job, lua_State* L, int status);
  bool can_be_taken_back() const { return !run_->wrote || (run_->undo && run_->undo->complete()); }
  void take_back(Run& run);
  void note_failure(const Run& run, uint64_t errors_before);
  // From `late_ms` on the hook is called; 0: never.
  void begin_watch(lua_State* L, int64_t late_ms);
  void end_watch(lua_State* L);
  static void on_alarm(void* self);
  static void hook(lua_State* L, lua_Debug*);
  // What a late run, a late load does now and then. May raise.
  void poll(lua_State* L);
  void end_load(lua_State* L);
  Bytes busy_text() const;
  void push_kill_error(lua_State* L) const;
  static int run_protected(lua_State* L);
  static int note_error(lua_State* L);

  Dispatcher& dispatcher_;
  const ScriptOptions& options_;
  Session session_;
  Run* run_ = nullptr;
  Library* library_ = nullptr;
  bool replicated_ = true;
  std::vector<Bytes> argv_;
  std::vector<char> numbers_;     // the texts of numbers among them
  // The error that ended the run, as the message handler found it.
  std::string error_text_, error_place_;
  std::string refusal_text_;
  bool error_counted_ = false;

  // What the alarm's signal handler reads: the state that runs, since when, and from how long on it is late.
  Alarm alarm_;
  std::atomic<lua_State*> watched_ = nullptr;
  std::atomic<uint64_t> started_ticks_ = 0;
  std::atomic<int64_t> late_ms_ = 0;
  std::atomic<int64_t> alarm_ms_ = 0;   // how far ahead the alarm was set that is still to come; 0: none is
  uint64_t polled_ticks_ = 0;
  bool polling_ = false;
  bool load_late_ = false;              // the library under way has had its time
  friend struct Sandbox;
  friend class Interpreter;
};

}  // namespace vitrine
