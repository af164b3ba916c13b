// MULTI, EXEC, DISCARD, WATCH, UNWATCH as commands, bound to the Dispatcher that runs what was queued.
#include "engine/dispatcher.h"
#include "engine/engine_commands.h"

namespace vitrine {

namespace {

void multi(Call& c) {
  if (c.session.transaction.open) return c.reply.error("ERR MULTI calls can not be nested");
  c.session.transaction.open = true;
  c.reply.ok();
}

void discard(Call& c, Dispatcher& dispatcher) {
  if (!c.session.transaction.open) return c.reply.error("ERR DISCARD without MULTI");
  discard_transaction(c.session, dispatcher.watches());
  c.reply.ok();
}

void watch(Call& c, Dispatcher& dispatcher) {
  if (c.session.transaction.open) return c.reply.error("ERR WATCH inside MULTI is not allowed");
  for (Bytes key : c.args.rest()) {
    c.peek(key);  // a key that has expired must be gone before it is watched
    if (!c.session.transaction.touched) dispatcher.watches().watch(c.session, key);
  }
  c.reply.ok();
}

void unwatch(Call& c, Dispatcher& dispatcher) {
  dispatcher.watches().unwatch(c.session);
  c.session.transaction.touched = false;
  c.reply.ok();
}

void exec(Call& c, Dispatcher& dispatcher) {
  TransactionState& t = c.session.transaction;
  if (!t.open) return c.reply.error("ERR EXEC without MULTI");
  if (t.spoiled) {
    discard_transaction(c.session, dispatcher.watches());
    return c.reply.error("EXECABORT Transaction discarded because of previous errors.");
  }
  if (t.touched || dispatcher.watches().has_expired_key(c.session)) {
    discard_transaction(c.session, dispatcher.watches());
    return c.reply.null_array();
  }
  dispatcher.watches().unwatch(c.session);
  std::vector<QueuedCommand> queue = std::move(t.queue);
  t.queue.clear();
  t.open = false;  // the commands run as if they came one by one
  t.executing = static_cast<int64_t>(queue.size());
  c.effects.nothing();
  c.reply.array(static_cast<int64_t>(queue.size()));
  std::vector<Bytes> argv;
  bool refused = false;
  for (const QueuedCommand& queued : queue) {
    argv.assign(queued.argv.begin(), queued.argv.end());
    c.session.last_command = c.command;   // ACL LOG: who asks is EXEC, not what it ran before
    if (dispatcher.still_permitted(c.session, *queued.command, argv))
      dispatcher.run_nested(c.session, queued.command, argv);
    else
      refused = true;
  }
  if (refused) c.command->stats.failed++;
  c.session.last_command = c.command;
  t.executing = -1;
  discard_transaction(c.session, dispatcher.watches());
  c.effects.nothing();
}

}  // namespace

void add_transaction_commands(CommandRegistry& registry, Dispatcher& dispatcher) {
  registry.add("multi", multi);
  registry.add("discard", [&](Call& c) { discard(c, dispatcher); });
  registry.add("watch", [&](Call& c) { watch(c, dispatcher); });
  registry.add("unwatch", [&](Call& c) { unwatch(c, dispatcher); });
  registry.add("exec", [&](Call& c) { exec(c, dispatcher); });
}

}  // namespace vitrine
