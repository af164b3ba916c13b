#include "script/script_commands.h"

#include "base/numbers.h"
#include "base/sha1.h"
#include "engine/call.h"
#include "script/scripting.h"
#include "script/shebang.h"

namespace vitrine {

std::optional<KeysAndArguments> read_keys_and_arguments(Call& c, Bytes not_a_number) {
  auto argv = c.args.argv();
  auto count = parse_int64(argv[2]);
  if (!count) return c.reply.error(not_a_number), std::nullopt;
  if (*count > static_cast<int64_t>(argv.size()) - 3)
    return c.reply.error("ERR Number of keys can't be greater than number of args"), std::nullopt;
  if (*count < 0) return c.reply.error("ERR Number of keys can't be negative"), std::nullopt;
  auto keys = static_cast<size_t>(*count);
  return KeysAndArguments{argv.subspan(3, keys), argv.subspan(3 + keys)};
}

bool read_flush_mode(Call& c, Bytes error) {
  size_t given = c.args.left();
  bool known = given == 0 || (given == 1 && (c.args.accept("SYNC") || c.args.accept("ASYNC")));
  if (!known) c.reply.error(error);
  return known;
}

namespace {

void run(Call& c, Scripting& s, ScriptCache::Script& script, bool read_only) {
  auto given = read_keys_and_arguments(c, Args::kNotInteger);
  if (!given) return;
  s.engine.dispatcher().show(c);
  c.shown = true;
  s.engine.run(c, {s.scripts.interpreter(), script.function, script.sha, script.flags, read_only, given->keys,
                   given->arguments, script.code});
}

void eval(Call& c, Scripting& s, bool read_only) {
  // The number of keys is looked at first: a script is not kept when it could not run.
  if (!read_keys_and_arguments(c, Args::kNotInteger)) return;
  auto script = s.scripts.load(c.args[1], false);
  if (!script) return c.reply.error(script.error());
  run(c, s, **script, read_only);
}

void evalsha(Call& c, Scripting& s, bool read_only) {
  bool is_name = c.args[1].size() == kSha1HexChars;
  if (is_name && !read_keys_and_arguments(c, Args::kNotInteger)) return;
  ScriptCache::Script* script = s.scripts.find(c.args[1]);
  if (!script) return c.reply.error("NOSCRIPT No matching script. Please use EVAL.");
  run(c, s, *script, read_only);
}

// EVAL's script may be new: its first line says it.
bool promises_not_to_write(Bytes code) {
  auto shebang = read_shebang(code);
  auto flags = shebang ? read_script_flags(*shebang) : std::unexpected(shebang.error());
  return flags.value_or(0) & script_flag::kNoWrites;
}

void load(Call& c, Scripting& s) {
  auto script = s.scripts.load(c.args[2], true);
  if (!script) return c.reply.error(script.error());
  c.reply.bulk((*script)->sha);
}

void exists(Call& c, Scripting& s) {
  auto names = c.args.rest();
  c.reply.array(static_cast<int64_t>(names.size()));
  for (Bytes name : names) c.reply.integer(s.scripts.find(name) != nullptr);
}

void flush(Call& c, Scripting& s) {
  if (!read_flush_mode(c, "ERR SCRIPT FLUSH only support SYNC|ASYNC option")) return;
  s.scripts.flush();
  c.reply.ok();
}

void show(Call& c, Scripting& s) {
  const ScriptCache::Script* script = s.scripts.find(c.args[2]);
  if (!script) return c.reply.error("NOSCRIPT No matching script. Please use EVAL.");
  c.reply.bulk(script->code);
}

void debug(Call& c) {
  if (c.args.accept("NO")) return c.reply.ok();
  if (c.args.accept("YES") || c.args.accept("SYNC"))
    return c.reply.error("ERR the script debugger is not supported: redis.log and redis.breakpoint do nothing more");
  c.reply.error("ERR Use SCRIPT DEBUG YES/SYNC/NO");
}

}  // namespace

void add_script_commands(CommandRegistry& registry, Scripting& s) {
  registry.add("eval", [&](Call& c) { eval(c, s, false); });
  registry.add("eval_ro", [&](Call& c) { eval(c, s, true); });
  registry.add("evalsha", [&](Call& c) { evalsha(c, s, false); });
  registry.add("evalsha_ro", [&](Call& c) { evalsha(c, s, true); });
  registry.find_full("eval")->only_reads = [](std::span<const Bytes> argv) { return promises_not_to_write(argv[1]); };
  registry.find_full("evalsha")->only_reads = [&](std::span<const Bytes> argv) {
    const ScriptCache::Script* script = s.scripts.find(argv[1]);
    return script && (script->flags & script_flag::kNoWrites);
  };
  registry.add("script|load", [&](Call& c) { load(c, s); });
  registry.add("script|exists", [&](Call& c) { exists(c, s); });
  registry.add("script|flush", [&](Call& c) { flush(c, s); });
  registry.add("script|show", [&](Call& c) { show(c, s); });
  registry.add("script|kill", [&](Call& c) { s.engine.kill(c, Interpreter::Kind::scripts); });
  registry.add("script|debug", debug);
  add_function_commands(registry, s);
}

}  // namespace vitrine
