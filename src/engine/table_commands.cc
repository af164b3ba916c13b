// COMMAND and its subcommands but DOCS and HELP: the table of commands as clients ask for it. Only what this server can
// run is shown.
#include "base/glob.h"
#include "engine/call.h"
#include "engine/command.h"
#include "engine/command_docs_reply.h"
#include "engine/command_table.h"
#include "engine/engine_commands.h"
#include "engine/key_finder.h"

namespace vitrine {

namespace {

// The names of the bits that are set, as a set of simple strings.
void reply_names(ReplyBuilder& reply, uint64_t bits, std::span<const Bytes> names, Bytes prefix = {}) {
  bits &= (uint64_t{1} << names.size()) - 1;
  reply.set(__builtin_popcountll(bits));
  for (size_t i = 0; i < names.size(); i++)
    if (bits >> i & 1) reply.simple(std::string(prefix) + std::string(names[i]));
}

void reply_field(ReplyBuilder& reply, Bytes name, int value) {
  reply.bulk(name);
  reply.integer(value);
}

// {"type": ..., "spec": {...}}: up to the spec's own header.
void open_part(ReplyBuilder& reply, Bytes part, Bytes type, int fields) {
  reply.bulk(part);
  reply.map(2);
  reply.bulk("type");
  reply.bulk(type);
  reply.bulk("spec");
  reply.map(fields);
}

void reply_begin(ReplyBuilder& reply, const KeySpec& spec) {
  switch (spec.begin) {
    case KeySpec::Begin::unknown: return open_part(reply, "begin_search", "unknown", 0);
    case KeySpec::Begin::index:
      open_part(reply, "begin_search", "index", 1);
      return reply_field(reply, "index", spec.at);
    case KeySpec::Begin::keyword:
      open_part(reply, "begin_search", "keyword", 2);
      reply.bulk("keyword");
      reply.bulk(spec.keyword);
      return reply_field(reply, "startfrom", spec.at);
  }
}

void reply_find(ReplyBuilder& reply, const KeySpec& spec) {
  switch (spec.find) {
    case KeySpec::Find::unknown: return open_part(reply, "find_keys", "unknown", 0);
    case KeySpec::Find::range:
      open_part(reply, "find_keys", "range", 3);
      reply_field(reply, "lastkey", spec.last);
      reply_field(reply, "keystep", spec.step);
      return reply_field(reply, "limit", spec.limit);
    case KeySpec::Find::counted:  // the number comes first and the keys right behind it
      open_part(reply, "find_keys", "keynum", 3);
      reply_field(reply, "keynumidx", 0);
      reply_field(reply, "firstkey", 1);
      return reply_field(reply, "keystep", spec.step);
  }
}

void reply_info(ReplyBuilder& reply, const Command& command) {
  const CommandInfo& info = *command.info;
  reply.array(10);
  reply.bulk(info.full_name);
  reply.integer(info.arity);
  reply_names(reply, info.flags, command_flag_names());
  reply.integer(info.first_key);
  reply.integer(info.last_key);
  reply.integer(info.key_step);
  reply_names(reply, info.categories, acl_category_names(), "@");
  reply.set(static_cast<int64_t>(info.tips.size()));
  for (Bytes tip : info.tips) reply.bulk(tip);
  reply.set(static_cast<int64_t>(info.keys.size()));
  for (const KeySpec& spec : info.keys) {
    reply.map(3);
    reply.bulk("flags");
    reply_names(reply, spec.flags, key_flag_names());
    reply_begin(reply, spec);
    reply_find(reply, spec);
  }
  // As Redis has it in RESP3: an array, but no subcommands are an empty set.
  command.subcommands.empty() ? reply.set(0) : reply.array(static_cast<int64_t>(command.subcommands.size()));
  for (const Command* sub : command.subcommands) reply_info(reply, *sub);
}

// COMMAND
void all_commands(Call& c, const CommandRegistry& registry) {
  c.reply.array(static_cast<int64_t>(registry.count()));
  for (const Command* command : registry.all()) reply_info(c.reply, *command);
}

// COMMAND INFO [name ...]
void info(Call& c, const CommandRegistry& registry) {
  if (!c.args.more()) return all_commands(c, registry);
  c.reply.array(static_cast<int64_t>(c.args.left()));
  for (Bytes name : c.args.rest()) {
    const Command* command = registry.find_named(name);
    command ? reply_info(c.reply, *command) : c.reply.null();
  }
}

// COMMAND DOCS [name ...]
void docs(Call& c, const CommandRegistry& registry) {
  std::vector<const Command*> shown;
  if (!c.args.more()) shown.assign(registry.all().begin(), registry.all().end());
  for (Bytes name : c.args.rest())
    if (const Command* command = registry.find_named(name)) shown.push_back(command);
  c.reply.map(static_cast<int64_t>(shown.size()));
  for (const Command* command : shown) reply_docs(c.reply, *command);
}

// ---- LIST ----

// What COMMAND LIST FILTERBY lets through.
struct Filter {
  enum class By : uint8_t { nothing, module, category, pattern } by = By::nothing;
  Bytes word;

  bool passes(const CommandInfo& info) const {
    switch (by) {
      case By::nothing: return true;
      case By::module: return false;  // there are none
      case By::pattern: return glob_match(word, info.full_name, true);
      case By::category: break;
    }
    auto names = acl_category_names();
    for (size_t i = 0; i < names.size(); i++)
      if (equals_ignoring_case(names[i], word)) return info.categories >> i & 1;
    return false;
  }
};

// COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]
void list(Call& c, const CommandRegistry& registry) {
  Filter filter;
  if (c.args.more()) {
    if (!c.args.accept("FILTERBY")) c.args.fail();
    if (c.args.accept("MODULE")) filter.by = Filter::By::module;
    else if (c.args.accept("ACLCAT")) filter.by = Filter::By::category;
    else if (c.args.accept("PATTERN")) filter.by = Filter::By::pattern;
    else c.args.fail();
    filter.word = c.args.bytes();
  }
  if (!c.args.done()) return;
  int64_t n = 0;
  auto at = c.reply.later();
  auto show = [&](const Command& command) {
    if (filter.passes(*command.info)) c.reply.bulk(command.full_name), n++;
  };
  for (const Command* command : registry.all()) {
    show(*command);
    for (const Command* sub : command->subcommands) show(*sub);
  }
  c.reply.array_at(at, n);
}

// ---- keys of a call ----

// Finds the keys of the call that is our argument, or replies why not.
bool keys_of_call(Call& c, const CommandRegistry& registry, std::span<const Bytes>& argv, std::vector<KeyAt>& keys) {
  argv = c.args.rest();
  const Command* command = registry.find(argv[0]);
  if (command && !command->subcommands.empty() && argv.size() > 1)
    command = CommandRegistry::find_subcommand(*command, argv[1]);
  int given = static_cast<int>(argv.size());
  Bytes error;
  if (!command) error = "ERR Invalid command specified";
  else if (!may_have_keys(*command->info)) error = "ERR The command has no key arguments";
  else if (command->arity > 0 ? given != command->arity : given < -command->arity)
    error = "ERR Invalid number of arguments specified for command";
  else if (!find_keys(*command->info, argv, keys))
    error = "ERR Invalid arguments specified for command";
  if (!error.empty()) c.reply.error(error);
  return error.empty();
}

// COMMAND GETKEYS command [arg ...]
void getkeys(Call& c, const CommandRegistry& registry) {
  std::span<const Bytes> argv;
  std::vector<KeyAt> keys;
  if (!keys_of_call(c, registry, argv, keys)) return;
  c.reply.array(static_cast<int64_t>(keys.size()));
  for (const KeyAt& key : keys) c.reply.bulk(argv[key.index]);
}

// COMMAND GETKEYSANDFLAGS command [arg ...]
void getkeysandflags(Call& c, const CommandRegistry& registry) {
  std::span<const Bytes> argv;
  std::vector<KeyAt> keys;
  if (!keys_of_call(c, registry, argv, keys)) return;
  c.reply.array(static_cast<int64_t>(keys.size()));
  for (const KeyAt& key : keys) {
    c.reply.array(2);
    c.reply.bulk(argv[key.index]);
    reply_names(c.reply, key.flags, key_flag_names());
  }
}

}  // namespace

void add_table_commands(CommandRegistry& registry) {
  auto add = [&registry](Bytes name, void (*handler)(Call&, const CommandRegistry&)) {
    registry.add(name, [&registry, handler](Call& c) { handler(c, registry); });
  };
  add("command", all_commands);
  add("command|info", info);
  add("command|docs", docs);
  add("command|list", list);
  add("command|getkeys", getkeys);
  add("command|getkeysandflags", getkeysandflags);
  registry.add("command|count", [&](Call& c) { c.reply.integer(static_cast<int64_t>(registry.count())); });
}

}  // namespace vitrine
