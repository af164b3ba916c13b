// ACL: users and what they may do, seen and changed.
#include <algorithm>

#include "base/log.h"
#include "base/numbers.h"
#include "engine/acl.h"
#include "engine/command_table.h"
#include "engine/dispatcher.h"
#include "engine/engine_commands.h"
#include "io/random.h"

namespace vitrine {

namespace {

void whoami(Call& c) { c.reply.bulk(c.session.user); }

void too_many(Call& c) {
  c.reply.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(c.args[1]) +
                "'. Try ACL HELP.");
}

void setuser(Call& c, Acl& acl) {
  std::string problem = acl.set_user(c.args[2], c.args.argv().subspan(3));
  problem.empty() ? c.reply.ok() : c.reply.error("ERR " + problem);
}

void deluser(Call& c, Acl& acl) {
  auto names = c.args.rest();
  if (std::ranges::find(names, Bytes("default")) != names.end())
    return c.reply.error("ERR The 'default' user cannot be removed");
  c.reply.integer(std::ranges::count_if(names, [&](Bytes name) { return acl.remove_user(name); }));
}

// commands, keys, channels; databases only where a rule speaks of them, as only Valkey has those.
int64_t selector_fields(const AclSelector& selector) { return selector.knows_databases() ? 4 : 3; }

void reply_selector(ReplyBuilder& reply, const AclSelector& selector) {
  reply.bulk("commands");
  reply.bulk(selector.commands_text());
  reply.bulk("keys");
  reply.bulk(selector.keys_text());
  reply.bulk("channels");
  reply.bulk(selector.channels_text());
  if (!selector.knows_databases()) return;
  reply.bulk("databases");
  reply.bulk(selector.databases_text());
}

void getuser(Call& c, const Acl& acl) {
  const AclUser* user = acl.find(c.args[2]);
  if (!user) return c.reply.null();
  c.reply.map(3 + selector_fields(user->root()));
  c.reply.bulk("flags");
  auto flags = user->flags();
  c.reply.set(static_cast<int64_t>(flags.size()));
  for (Bytes flag : flags) c.reply.bulk(flag);
  c.reply.bulk("passwords");
  c.reply.array(static_cast<int64_t>(user->password_hashes().size()));
  for (const std::string& hash : user->password_hashes()) c.reply.bulk(hash);
  reply_selector(c.reply, user->root());
  c.reply.bulk("selectors");
  c.reply.array(static_cast<int64_t>(user->selectors().size()));
  for (const AclSelector& selector : user->selectors()) {
    c.reply.map(selector_fields(selector));
    reply_selector(c.reply, selector);
  }
}

void list(Call& c, const Acl& acl) {
  auto lines = acl.lines();
  c.reply.array(static_cast<int64_t>(lines.size()));
  for (const std::string& line : lines) c.reply.bulk(line);
}

void users(Call& c, const Acl& acl) {
  c.reply.array(static_cast<int64_t>(acl.users().size()));
  for (const auto& [name, user] : acl.users()) c.reply.bulk(name);
}

void reply_category(Call& c, const CommandRegistry& registry, uint32_t category) {
  int64_t count = 0;
  auto at = c.reply.later();
  auto look = [&](const Command& command) {
    if (!(command.info->categories & category)) return;
    count++;
    c.reply.bulk(command.info->full_name);
  };
  for (const Command* command : registry.all()) {
    look(*command);
    for (const Command* sub : command->subcommands) look(*sub);
  }
  c.reply.array_at(at, count);
}

void cat(Call& c, const CommandRegistry& registry) {
  auto names = acl_category_names();
  if (c.args.size() == 2) {
    c.reply.array(static_cast<int64_t>(names.size()));
    for (Bytes name : names) c.reply.bulk(name);
    return;
  }
  if (c.args.size() > 3) return too_many(c);
  for (size_t i = 0; i < names.size(); i++)
    if (equals_ignoring_case(names[i], c.args[2])) return reply_category(c, registry, 1u << i);
  c.reply.error("ERR Unknown category '" + std::string(c.args[2].substr(0, 128)) + "'");
}

std::string dryrun_refusal(const AclVerdict& verdict) {
  constexpr const char* kHead = "This user has no permissions to ";
  switch (verdict.reason) {
    case AclReason::command: return kHead + ("run the '" + verdict.object + "' command");
    case AclReason::database: return kHead + ("access the '" + verdict.object + "' database");
    case AclReason::key: return kHead + ("access the '" + verdict.object + "' key");
    default: return kHead + ("access the '" + verdict.object + "' channel");
  }
}

void dryrun(Call& c, Dispatcher& dispatcher) {
  const AclUser* user = dispatcher.acl().find(c.args[2]);
  if (!user) return c.reply.error("ERR User '" + std::string(c.args[2]) + "' not found");
  auto argv = c.args.argv().subspan(3);
  Prepared p = dispatcher.prepare(argv);
  if (!p.command || (!p.command->subcommands.empty() && argv.size() > 1))
    return c.reply.error("ERR Command '" + std::string(argv[0]) + "' not found");
  int arity = p.command->arity, given = static_cast<int>(argv.size());
  if (arity > 0 ? given != arity : given < -arity)
    return c.reply.error("ERR wrong number of arguments for '" + p.command->full_name + "' command");
  AclVerdict verdict = dispatcher.acl().check(*user, c.session.db, *p.command->info, argv);
  verdict.permitted() ? c.reply.ok() : c.reply.bulk(dryrun_refusal(verdict));
}

void genpass(Call& c) {
  constexpr Bytes kBadBits =
      "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096";
  if (c.args.size() > 3) return too_many(c);
  int64_t bits = c.args.more() ? c.args.integer(1, 4096, kBadBits) : 256;
  if (c.args.done()) c.reply.bulk(random_hex(static_cast<size_t>((bits + 3) / 4)));
}

void reply_entry(Call& c, const AclLogEntry& entry) {
  c.reply.map(10);
  c.reply.bulk("count");
  c.reply.integer(static_cast<int64_t>(entry.count));
  c.reply.bulk("reason");
  c.reply.bulk(acl_reason_name(entry.reason));
  c.reply.bulk("context");
  c.reply.bulk(acl_context_name(entry.context));
  c.reply.bulk("object");
  c.reply.bulk(entry.object);
  c.reply.bulk("username");
  c.reply.bulk(entry.user);
  c.reply.bulk("age-seconds");
  c.reply.real(static_cast<double>(c.now_ms - entry.updated_ms) / 1000);
  c.reply.bulk("client-info");
  c.reply.bulk(entry.client);
  c.reply.bulk("entry-id");
  c.reply.integer(static_cast<int64_t>(entry.id));
  c.reply.bulk("timestamp-created");
  c.reply.integer(entry.created_ms);
  c.reply.bulk("timestamp-last-updated");
  c.reply.integer(entry.updated_ms);
}

void log_command(Call& c, Acl& acl) {
  if (c.args.size() > 3) return too_many(c);
  if (c.args.accept("RESET")) return acl.log.clear(), c.reply.ok();
  int64_t count = c.args.more() ? c.args.integer() : 10;
  if (!c.args.done()) return;
  const auto& entries = acl.log.entries();
  auto shown = std::clamp<int64_t>(count, 0, static_cast<int64_t>(entries.size()));
  c.reply.array(shown);
  for (int64_t i = 0; i < shown; i++) reply_entry(c, entries[static_cast<size_t>(i)]);
}

void load(Call& c, Acl& acl) {
  std::string problem = acl.load_file();
  if (problem.empty()) return c.reply.ok();
  log(LogLevel::warning, "ACL LOAD: %s", problem.c_str());
  c.reply.error("ERR " + problem);
}

void save(Call& c, const Acl& acl) {
  std::string problem = acl.save_file();
  problem.empty() ? c.reply.ok() : c.reply.error("ERR " + problem);
}

constexpr CommandRow kRows[] = {{"acl|whoami", whoami}, {"acl|genpass", genpass}};

}  // namespace

void add_acl_commands(CommandRegistry& registry, Dispatcher& dispatcher) {
  Acl& acl = dispatcher.acl();
  registry.add(kRows);
  registry.add("acl|setuser", [&](Call& c) { setuser(c, acl); });
  registry.add("acl|deluser", [&](Call& c) { deluser(c, acl); });
  registry.add("acl|getuser", [&](Call& c) { getuser(c, acl); });
  registry.add("acl|list", [&](Call& c) { list(c, acl); });
  registry.add("acl|users", [&](Call& c) { users(c, acl); });
  registry.add("acl|cat", [&](Call& c) { cat(c, registry); });
  registry.add("acl|dryrun", [&](Call& c) { dryrun(c, dispatcher); });
  registry.add("acl|log", [&](Call& c) { log_command(c, acl); });
  registry.add("acl|load", [&](Call& c) { load(c, acl); });
  registry.add("acl|save", [&](Call& c) { save(c, acl); });
}

}  // namespace vitrine
