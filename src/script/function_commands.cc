// FUNCTION and FCALL.
#include "base/glob.h"
#include "engine/call.h"
#include "script/script_commands.h"
#include "script/scripting.h"
#include "wire/crc64.h"
#include "wire/rdb_input.h"
#include "wire/rdb_output.h"
#include "wire/rdb_format.h"

namespace vitrine {

namespace {

constexpr size_t kFooterBytes = 10;

void fcall(Call& c, Scripting& s, bool read_only) {
  auto [library, function] = s.functions.find(c.args[1]);
  if (!function) return c.reply.error("ERR Function not found");
  auto given = read_keys_and_arguments(c, "ERR Bad number of keys provided");
  if (!given) return;
  s.engine.dispatcher().show(c);
  c.shown = true;
  // A copy of the name: the function may be gone when the run ends.
  std::string name = function->name;
  s.engine.run(c, {s.functions.interpreter(), function->function, name, function->flags, read_only, given->keys,
                   given->arguments, library->code});
}

// No key changes, so the command says itself that it is to be replayed.
void replay(Call& c) { c.effects.replace(c.args.argv()); }

FunctionStore::Source source_of(const Call& c) {
  bool logged = c.session.origin == Origin::aof || c.session.origin == Origin::replica;
  return logged ? FunctionStore::Source::log : FunctionStore::Source::client;
}

void load(Call& c, Scripting& s) {
  auto how = FunctionStore::OnCollision::refuse;
  while (c.args.left() > 1) {
    if (!c.args.accept("REPLACE")) {
      return c.reply.error("ERR Unknown option given: " + std::string(c.args.peek()));
    }
    how = FunctionStore::OnCollision::replace;
  }
  if (!c.args.more()) return c.reply.error("ERR Function code is missing");
  auto name = s.functions.load(c.args.bytes(), how, source_of(c));
  if (!name) return c.reply.error(name.error());
  replay(c);
  c.reply.bulk(*name);
}

void remove(Call& c, Scripting& s) {
  if (!s.functions.remove(c.args[2])) return c.reply.error("ERR Library not found");
  replay(c);
  c.reply.ok();
}

void flush(Call& c, Scripting& s) {
  if (c.args.left() > 1)
    return c.reply.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(c.args[1]) +
                         "'. Try FUNCTION HELP.");
  if (!read_flush_mode(c, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option")) return;
  s.functions.flush();
  replay(c);
  c.reply.ok();
}

void write_library(Call& c, const Library& library, bool with_code) {
  c.reply.map(with_code ? 4 : 3);
  c.reply.bulk("library_name");
  c.reply.bulk(library.name);
  c.reply.bulk("engine");
  c.reply.bulk("LUA");
  c.reply.bulk("functions");
  c.reply.array(static_cast<int64_t>(library.functions.size()));
  for (const ScriptFunction& f : library.functions) {
    c.reply.map(3);
    c.reply.bulk("name");
    c.reply.bulk(f.name);
    c.reply.bulk("description");
    if (f.described) c.reply.bulk(f.description);
    else c.reply.null();
    c.reply.bulk("flags");
    int64_t count = 0;
    for (const FlagName& flag : script_flag_names()) count += (f.flags & flag.flag) != 0;
    c.reply.set(count);
    for (const FlagName& flag : script_flag_names())
      if (f.flags & flag.flag) c.reply.simple(flag.name);
  }
  if (!with_code) return;
  c.reply.bulk("library_code");
  c.reply.bulk(library.code);
}

void list(Call& c, Scripting& s) {
  bool with_code = false, with_pattern = false;
  Bytes pattern;
  while (c.args.more()) {
    if (!with_code && c.args.accept("WITHCODE")) {
      with_code = true;
    } else if (!with_pattern && c.args.accept("LIBRARYNAME")) {
      if (!c.args.more()) return c.reply.error("ERR library name argument was not given");
      with_pattern = true;
      pattern = c.args.bytes();
    } else {
      return c.reply.error("ERR Unknown argument " + std::string(c.args.peek()));
    }
  }
  auto at = c.reply.later();
  int64_t count = 0;
  for (const auto& [name, library] : s.functions.libraries()) {
    if (with_pattern && !glob_match(pattern, name, true)) continue;
    write_library(c, *library, with_code);
    count++;
  }
  c.reply.array_at(at, count);
}

void stats(Call& c, Scripting& s) {
  c.reply.map(2);
  c.reply.bulk("running_script");
  s.engine.write_running(c.reply);
  c.reply.bulk("engines");
  c.reply.map(1);
  c.reply.bulk("LUA");
  c.reply.map(2);
  c.reply.bulk("libraries_count");
  c.reply.integer(static_cast<int64_t>(s.functions.libraries().size()));
  c.reply.bulk("functions_count");
  c.reply.integer(static_cast<int64_t>(s.functions.functions()));
}

void dump(Call& c, Scripting& s) {
  RdbOutput out({rdb::kBaseVersion, true, true});
  for (const auto& [name, library] : s.functions.libraries()) {
    out.byte(rdb::kFunction);
    out.string(library->code);
  }
  out.finish_payload();
  c.reply.bulk(out.view());
}

constexpr Bytes kBadPayload = "ERR DUMP payload version or checksum are wrong";

// The code of the libraries in a payload, or nothing: the error is the reply.
std::optional<std::vector<std::string>> read_payload(Call& c, Bytes payload) {
  if (payload.size() < kFooterBytes) return c.reply.error(kBadPayload), std::nullopt;
  Bytes footer = payload.substr(payload.size() - kFooterBytes);
  uint16_t version;
  uint64_t sum;
  std::memcpy(&version, footer.data(), sizeof version);
  std::memcpy(&sum, footer.data() + sizeof version, sizeof sum);
  bool known = version <= rdb::kNewestVersion || version == rdb::kValkeyVersion;
  if (!known || crc64(0, payload.substr(0, payload.size() - sizeof sum)) != sum)
    return c.reply.error(kBadPayload), std::nullopt;
  RdbInput in(payload.substr(0, payload.size() - kFooterBytes), version);
  std::vector<std::string> codes;
  while (!in.at_end() && !in.failed()) {
    if (in.byte() != rdb::kFunction) return c.reply.error("ERR given type is not a function"), std::nullopt;
    codes.emplace_back(in.string());
  }
  if (in.failed()) return c.reply.error("ERR failed loading functions payload"), std::nullopt;
  return codes;
}

void restore(Call& c, Scripting& s) {
  Bytes payload = c.args.bytes();
  bool flush_first = false;
  auto how = FunctionStore::OnCollision::refuse;
  if (c.args.left() > 1)
    return c.reply.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(c.args[1]) +
                         "'. Try FUNCTION HELP.");
  if (c.args.accept("FLUSH")) flush_first = true;
  else if (c.args.accept("REPLACE")) how = FunctionStore::OnCollision::replace;
  else if (c.args.more() && !c.args.accept("APPEND"))
    return c.reply.error("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
  auto codes = read_payload(c, payload);
  if (!codes) return;
  auto loaded = s.functions.load_all(*codes, flush_first, how, source_of(c));
  if (!loaded) return c.reply.error(loaded.error());
  replay(c);
  c.reply.ok();
}

}  // namespace

void add_function_commands(CommandRegistry& registry, Scripting& s) {
  registry.add("fcall", [&](Call& c) { fcall(c, s, false); });
  registry.add("fcall_ro", [&](Call& c) { fcall(c, s, true); });
  registry.find_full("fcall")->only_reads = [&](std::span<const Bytes> argv) {
    const ScriptFunction* function = s.functions.find(argv[1]).function;
    return function && (function->flags & script_flag::kNoWrites);
  };
  registry.add("function|load", [&](Call& c) { load(c, s); });
  registry.add("function|delete", [&](Call& c) { remove(c, s); });
  registry.add("function|flush", [&](Call& c) { flush(c, s); });
  registry.add("function|list", [&](Call& c) { list(c, s); });
  registry.add("function|stats", [&](Call& c) { stats(c, s); });
  registry.add("function|dump", [&](Call& c) { dump(c, s); });
  registry.add("function|restore", [&](Call& c) { restore(c, s); });
  registry.add("function|kill", [&](Call& c) { s.engine.kill(c, Interpreter::Kind::functions); });
}

}  // namespace vitrine
