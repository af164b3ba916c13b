// What tests share: scripts over an engine without a server.
#pragma once

#include "engine/testing.h"
#include "script/scripting.h"

namespace vitrine {

struct BareScripting : BareEngine {
  // The reply, as it would be sent.
  std::string eval(Bytes code, std::vector<Bytes> arguments = {}) {
    auto script = scripting.scripts.load(code, false);
    if (!script) return script.error();
    Session session(1, nullptr, 1);
    Command command;
    std::vector<Bytes> argv = {"eval", code, "0"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    Call call(session, &command, argv, keyspace, dispatcher.effects(), waiters, 0, {});
    scripting.engine.run(call, {scripting.scripts.interpreter(), (*script)->function, (*script)->sha, (*script)->flags,
                                false, {}, std::span<const Bytes>(argv).subspan(3), code});
    return session.out.text();
  }

  ScriptOptions script_options{.busy_threshold_ms = 0, .memory_limit_bytes = 64 << 20};
  Scripting scripting{dispatcher, script_options};
};

}  // namespace vitrine
