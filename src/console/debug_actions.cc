// DEBUG: what tests of servers and clients make a server do.
#ifndef VITRINE_SANITIZED
#include <jemalloc/jemalloc.h>
#endif

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "base/check.h"
#include "base/glob.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "console/debug.h"
#include "console/sections.h"
#include "engine/call.h"
#include "engine/client_options.h"
#include "engine/dispatcher.h"
#include "io/random.h"
#include "store/memory_options.h"

namespace vitrine {

namespace {

void sleep(Call& c) {
  double seconds = std::strtod(std::string(c.args.bytes()).c_str(), nullptr);
  if (std::isfinite(seconds) && seconds > 0) std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  c.reply.ok();
}

// Keys that are there stay as they are. Neither announced nor replayed.
void populate(Call& c, const Dispatcher& dispatcher) {
  // A key that the file holds as well would end the load.
  if (dispatcher.data_gate.loading) return c.reply.error(kLoadingRefusal);
  constexpr Bytes kRange = "ERR value is out of range, must be positive";
  int64_t count = c.args.integer(0, INT64_MAX, kRange, kRange);
  Bytes prefix = c.args.more() ? c.args.bytes() : Bytes("key");
  int64_t size = c.args.more() ? c.args.integer(0, int64_t{512} << 20, kRange, kRange) : 0;
  if (!c.args.done()) return;
  std::string key, value;
  for (int64_t i = 0; i < count; i++) {
    std::string number = std::to_string(i);
    ((key = prefix) += ':') += number;
    uint64_t hash = hash_bytes(key);
    if (c.keyspace.find(c.db, key, hash, Keyspace::Touch::peek)) continue;
    value = "value:" + number;
    if (size) value.resize(static_cast<size_t>(size));
    c.keyspace.put_string(c.db, key, hash, value, kNoExpiry);
  }
  c.effects.nothing();
  c.reply.ok();
}

void protocol(Call& c) {
  ReplyBuilder& r = c.reply;
  Args& a = c.args;
  auto three = [&] {
    for (int i = 0; i < 3; i++) r.integer(i);
  };
  if (a.accept("string")) return r.bulk("Hello World");
  if (a.accept("integer")) return r.integer(12345);
  if (a.accept("double")) return r.real(3.141);
  if (a.accept("bignum")) return r.big_number("1234567999999999999999999999999999999");
  if (a.accept("null")) return r.null();
  if (a.accept("array")) return r.array(3), three();
  if (a.accept("set")) return r.set(3), three();
  if (a.accept("true")) return r.boolean(true);
  if (a.accept("false")) return r.boolean(false);
  if (a.accept("verbatim")) return r.verbatim("This is a verbatim\nstring");
  if (a.accept("map")) {
    r.map(3);
    for (int i = 0; i < 3; i++) r.integer(i), r.boolean(i == 1);
    return;
  }
  if (a.accept("attrib")) {
    if (r.protocol() == 3) {
      r.attribute(1);
      r.bulk("key-popularity");
      r.array(2);
      r.bulk("key:123");
      r.integer(90);
    }
    return r.bulk("Some real reply following the attribute");
  }
  if (a.accept("push")) {
    if (r.protocol() < 3) return r.error("ERR RESP2 is not supported by this command");
    r.push(2);
    r.bulk("server-cpu-usage");
    r.integer(42);
    return r.bulk("Some real reply following the push reply");
  }
  r.error(
      "ERR Wrong protocol type name. Please use one of the following: "
      "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

#ifdef VITRINE_SANITIZED
void allocator_number(Call& c) { c.reply.error("ERR Invalid argument"); }
void allocator_text(Call& c) { c.reply.error("ERR Invalid argument"); }
#else
// Replies the old value; a second argument becomes the new one.
void allocator_number(Call& c) {
  std::string name(c.args.bytes());
  bool sets = c.args.more();
  int64_t fresh = sets ? c.args.integer() : 0;
  if (!c.args.done()) return;
  for (size_t width : {sizeof(uint64_t), sizeof(uint32_t), sizeof(bool)}) {
    uint64_t old = 0;
    size_t size = width;
    if (mallctl(name.c_str(), &old, &size, sets ? &fresh : nullptr, sets ? width : 0) == 0)
      return c.reply.integer(static_cast<int64_t>(old));
  }
  c.reply.error("ERR Invalid argument");
}

void allocator_text(Call& c) {
  std::string name(c.args.bytes()), fresh(c.args.more() ? c.args.bytes() : Bytes());
  const char* old = nullptr;
  size_t size = sizeof old;
  const char* to = fresh.c_str();
  if (mallctl(name.c_str(), &old, &size, fresh.empty() ? nullptr : &to, fresh.empty() ? 0 : sizeof to) != 0)
    return c.reply.error("ERR Invalid argument");
  old ? c.reply.bulk(old) : c.reply.null();
}
#endif

void client_eviction(Call& c, const Sources& s) {
  uint64_t limit = max_clients_memory_bytes(s.clients, s.memory.maxmemory);
  if (limit == 0) return c.reply.error("ERR maxmemory-clients is disabled.");
  std::string text = "limit: " + std::to_string(limit) + "\n";
  s.dispatcher.sessions().for_each([&](Session& session) {
    if (!session.peer) return;
    text += "id=" + std::to_string(session.id) + " memory=" + std::to_string(session.memory_bytes()) +
            (session.no_evict ? " no-evict\n" : "\n");
  });
  c.reply.verbatim(text);
}

// Random patterns against random texts: must neither crash nor hang.
void fuzz_patterns(Call& c) {
  constexpr Bytes kLetters = "ab*?[]^-\\";
  Random random(c.keyspace.random().next());
  std::string pattern, text;
  for (int i = 0; i < 200000; i++) {
    pattern.clear(), text.clear();
    for (uint64_t n = random.next() % 16; n > 0; n--) pattern += kLetters[random.next() % kLetters.size()];
    for (uint64_t n = random.next() % 16; n > 0; n--) text += kLetters[random.next() % 2];
    glob_match(pattern, text);
  }
  c.reply.ok();
}

void packed_threshold(Call& c) {
  auto bytes = parse_memory(c.args.bytes());
  if (!bytes || *bytes > (uint64_t{4} << 30))
    return c.reply.error("ERR argument must be a memory value bigger than 1 and smaller than 4gb");
  c.reply.ok();
}

[[noreturn]] void out_of_memory() {
  memory::allocate(SIZE_MAX / 2);
  std::abort();
}

void reply_buffer(Call& c) {
  if (c.args.accept("RESIZING")) return c.reply.ok();
  if (!c.args.accept("PEAK-RESET-TIME"))
    return c.reply.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(c.args[1]) +
                         "'. Try DEBUG HELP.");
  if (!c.args.accept("NEVER") && !c.args.accept("RESET")) c.args.integer();
  if (c.args.done()) c.reply.ok();
}

void accept_flag(Call& c) { c.args.integer(), c.args.done() ? c.reply.ok() : void(); }

// Switches of structures that need none here: accepted, so that what sets them for a test goes on.
void add_switches(DebugCommands& debug) {
  debug.add("QUICKLIST-PACKED-THRESHOLD <size>", "Accepted; lists here have one kind of node.", 1, 1,
            packed_threshold);
  debug.add("DICT-RESIZING <0|1>", "Accepted; tables here grow one bucket at a time.", 1, 1, accept_flag);
  debug.add("SET-DISABLE-DENY-SCRIPTS <0|1>", "Accepted.", 1, 1, accept_flag);
  debug.add("REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|milliseconds> | RESIZING <0|1>",
            "Accepted; idle clients hold no reply buffer here.", 2, 2, reply_buffer);
}

void add_crashes(DebugCommands& debug) {
  debug.add("SEGFAULT", "Reads where nothing is.", 0, 3, [](Call&) {
    // Not null, which a sanitizer would stop before it happens.
    auto* nowhere = reinterpret_cast<volatile int*>(uintptr_t{64});
    *nowhere = 1;
  });
  debug.add("PANIC", "Ends as after a fatal error of ours.", 0, 3,
            [](Call&) { check_failed("DEBUG PANIC was called", __FILE__, __LINE__); });
  debug.add("ASSERT", "Fails a check.", 0, 3, [](Call&) { CHECK(1 == 2); });
  debug.add("OOM", "Asks for more memory than there is.", 0, 0, [](Call&) { out_of_memory(); });
}

}  // namespace

void add_debug_actions(DebugCommands& debug, const Sources& s, Measured& m) {
  debug.add("SLEEP <seconds>", "Stops the server for so long; decimals are allowed.", 1, 1, sleep);
  debug.add("POPULATE <count> [<prefix>] [<size>]",
            "Creates string keys prefix:0, prefix:1, ... with values of that many bytes.", 1, 3,
            [&](Call& c) { populate(c, s.dispatcher); });
  debug.add("PROTOCOL <type>", "A reply of that type: string, integer, double, bignum, null, array, set, map,\n"
            "attrib, push, verbatim, true, false.", 1, 1, protocol);
  debug.add("SET-ACTIVE-EXPIRE <0|1>", "0: due keys are removed only when somebody asks for them.", 1, 1, [](Call& c) {
    c.keyspace.set_active_expiry(std::atoi(std::string(c.args.bytes()).c_str()) != 0);
    c.reply.ok();
  });
  debug.add("PAUSE-CRON <0|1>", "1: the housekeeping rests.", 1, 1, [&debug](Call& c) {
    debug.cron_paused = std::atoi(std::string(c.args.bytes()).c_str()) != 0;
    c.reply.ok();
  });
  debug.add("ERROR <string>", "Replies with this error.", 1, 1, [](Call& c) { c.reply.error(c.args.bytes()); });
  debug.add("LOG <message>", "Writes the message to the log.", 1, 1, [](Call& c) {
    log(LogLevel::warning, "DEBUG LOG: %s", std::string(c.args.bytes()).c_str());
    c.reply.ok();
  });
  debug.add("LEAK <string>", "Loses memory holding the string.", 1, 1, [](Call& c) {
    Bytes text = c.args.bytes();
    std::memcpy(memory::allocate(text.size() + 1), text.data(), text.size());
    c.reply.ok();
  });
  debug.add("MALLCTL <key> [<val>]", "Reads or sets a number of the allocator.", 1, 2, allocator_number);
  debug.add("MALLCTL-STR <key> [<val>]", "Reads or sets a text of the allocator.", 1, 2, allocator_text);
  debug.add("CLIENT-EVICTION", "What maxmemory-clients counts for each client.", 0, 0,
            [&](Call& c) { client_eviction(c, s); });
  debug.add("CHANGE-REPL-ID", "Takes a new replication id.", 0, 0, [&](Call& c) {
    m.replication_id = random_hex(40);
    c.reply.ok();
  });
  debug.add("STRINGMATCH-TEST", "Tries the pattern matcher with random patterns.", 0, 0, fuzz_patterns);
  add_switches(debug);
  add_crashes(debug);
}

}  // namespace vitrine
