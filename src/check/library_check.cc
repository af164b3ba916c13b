#include "check/library_check.h"

#include "engine/dispatcher.h"
#include "script/options.h"
#include "script/scripting.h"

namespace vitrine {

namespace {

// As much of a server as a library needs that is loaded: it may call no command then.
struct Bench {
  ClientOptions clients;
  ObserveOptions observe;
  Allowance guarded = Allowance::no;
  Keyspace::Options options;
  Keyspace keyspace{options, 0, 1};
  Sessions sessions;
  CommandRegistry registry;
  Waiters waiters{keyspace};
  WatchTable watches{keyspace, sessions};
  Dispatcher dispatcher{{clients, observe, guarded, guarded}, registry, keyspace, sessions, waiters, watches};
  ScriptOptions script_options;
  Scripting scripting{dispatcher, script_options};
};

}  // namespace

std::string problem_of_libraries(std::span<const std::string> codes) {
  if (codes.empty()) return {};
  Bench bench;
  auto loaded = bench.scripting.functions.load_all(codes, true, FunctionStore::OnCollision::refuse,
                                                     FunctionStore::Source::log);
  return loaded ? "" : "a library of functions: " + loaded.error();
}

}  // namespace vitrine
