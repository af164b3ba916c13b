// Fuzzes what the libraries of scripts read: cjson.decode, cmsgpack.unpack, struct.unpack, and replies as Lua values.
// What decodes is encoded again, and must decode to the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/memory.h"
#include "engine/dispatcher.h"
#include "script/scripting.h"

namespace {

using namespace vitrine;

// A server without one: an engine over an empty keyspace.
struct World {
  Keyspace::Options keyspace_options;
  Keyspace keyspace{keyspace_options, 1, 1};
  Sessions sessions;
  Waiters waiters{keyspace};
  WatchTable watches{keyspace, sessions};
  CommandRegistry registry;
  ClientOptions clients;
  ObserveOptions observe;
  Allowance debug = Allowance::no;
  Dispatcher dispatcher{{clients, observe, debug}, registry, keyspace, sessions, waiters, watches};
  ScriptOptions options{.busy_threshold_ms = 0, .memory_limit_bytes = 64 << 20};
  Scripting scripting{dispatcher, options};
};

constexpr const char* kScripts[] = {
    "local ok, v = pcall(cjson.decode, ARGV[1]) if ok then local t = cjson.encode(v) "
    "assert(cjson.encode(cjson.decode(t)) == t or t:find('{')) end",
    "local t = {pcall(cmsgpack.unpack, ARGV[1])} if t[1] and #t < 200 then "
    "pcall(cmsgpack.pack, unpack(t, 2)) end",
    "pcall(cmsgpack.unpack_limit, ARGV[1], #ARGV[1] % 7, #ARGV[1] % 5)",
    "local n = ARGV[1]:byte() or 0 pcall(struct.unpack, ARGV[1]:sub(2, n % 32), ARGV[1]:sub(n % 32))",
    "local n = ARGV[1]:byte() or 0 pcall(struct.pack, ARGV[1]:sub(2), n, n, 'x', n) pcall(struct.size, ARGV[1])",
    "pcall(string.find, ARGV[1], ARGV[1]:sub(1, 8)) pcall(string.format, ARGV[1], 1, 2, 'x')",
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static World* world = new World;
  if (size == 0 || size > 4096) return 0;
  Bytes code = kScripts[data[0] % std::size(kScripts)];
  Bytes input(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto script = world->scripting.scripts.load(code, true);
  if (!script) std::abort();
  Session session(1, nullptr, 1);
  Command command;
  Bytes argv[] = {"eval", code, "0", input};
  Call call(session, &command, argv, world->keyspace, world->dispatcher.effects(), world->waiters, 0, {});
  auto& lua = world->scripting.scripts.interpreter();
  world->scripting.engine.run(call, {lua, (*script)->function, (*script)->sha, 0, false, {},
                                     std::span<const Bytes>(argv).subspan(3), code});
  std::string reply = session.out.text();
  if (reply.find("assertion failed") != std::string::npos) std::abort();
  return 0;
}
