// CLIENT: what clients may learn of each other and of themselves, and how they are named, paused and ended.
#include <algorithm>

#include "base/numbers.h"
#include "engine/acl.h"
#include "engine/client_filter.h"
#include "engine/dispatcher.h"
#include "engine/engine_commands.h"
#include "engine/session_words.h"

namespace vitrine {

std::string client_flags(const Session& s) {
  std::string flags;
  if (s.monitoring) flags += 'O';
  if (s.subscriptions) flags += 'P';
  if (s.parked || s.paused) flags += 'b';
  if (s.transaction.open || s.transaction.executing >= 0) flags += 'x';
  if (s.tracking) {
    flags += 't';
    if (s.tracking->broken_redirect) flags += 'R';
    if (s.tracking->broadcast) flags += 'B';
  }
  if (s.transaction.touched) flags += 'd';
  if (s.close_after_reply) flags += 'c';
  if (s.doomed) flags += 'A';
  if (s.peer && s.peer->is_unix_socket()) flags += 'U';
  if (s.no_evict) flags += 'e';
  if (s.no_touch) flags += 'T';
  return flags.empty() ? "N" : flags;
}

std::string describe_client(const Session& s, int64_t now_ms, size_t) {
  const Peer* peer = s.peer;
  std::string line;
  auto field = [&](const char* name, const std::string& value) {
    if (!line.empty()) line += ' ';
    line += name;
    line += '=';
    line += value;
  };
  auto number = [&](const char* name, auto value) { field(name, std::to_string(value)); };
  number("id", s.id);
  field("addr", peer ? peer->address() : "");
  field("laddr", peer ? peer->local_address() : "");
  number("fd", peer ? peer->descriptor() : -1);
  field("name", s.name);
  number("age", (now_ms - s.created_ms) / 1000);
  number("idle", (now_ms - s.last_active_ms) / 1000);
  field("flags", client_flags(s));
  field("capa", [&] {
    std::string letters;
    for (const std::string& capability : s.capabilities) letters += capability[0];
    return letters;
  }());
  number("db", s.db);
  auto subscribed = [&](TopicKind kind) { return s.subscriptions ? s.subscriptions->count(kind) : size_t{0}; };
  number("sub", subscribed(TopicKind::channel));
  number("psub", subscribed(TopicKind::pattern));
  number("ssub", subscribed(TopicKind::shard));
  number("multi", s.transaction.open ? static_cast<int64_t>(s.transaction.queue.size()) : s.transaction.executing);
  number("watch", s.transaction.watched.size());
  size_t held = peer ? peer->input_bytes() : 0, capacity = peer ? peer->input_capacity() : 0;
  number("qbuf", held);
  number("qbuf-free", capacity - std::min(held, capacity));
  number("argv-mem", s.argv_bytes);
  number("multi-mem", s.transaction.queue_bytes);
  number("rbs", OutputBuffer::kBlockBytes);
  number("rbp", s.out.empty() ? size_t{0} : OutputBuffer::kBlockBytes);
  number("obl", s.out.pending());
  number("oll", s.out.block_count());
  number("omem", s.out.capacity());
  number("tot-mem", s.memory_bytes());
  field("events", s.out.empty() ? "r" : "rw");
  field("cmd", s.last_command ? s.last_command->full_name : "NULL");
  field("user", s.user);
  number("redir", s.tracking ? static_cast<int64_t>(s.tracking->redirect) : int64_t{-1});
  number("resp", s.reply.protocol());
  field("lib-name", s.library_name);
  field("lib-ver", s.library_version);
  number("io-thread", 0);
  number("tot-net-in", peer ? peer->bytes_read() : 0);
  number("tot-net-out", peer ? peer->bytes_written() : 0);
  number("tot-cmds", s.commands);
  return line;
}

namespace {

// ---- oneself ----

void id(Call& c) { c.reply.integer(static_cast<int64_t>(c.session.id)); }
void info(Call& c) { c.reply.verbatim(describe_client(c.session, c.now_ms) + "\n"); }
void getname(Call& c) { c.session.name.empty() ? c.reply.null() : c.reply.bulk(c.session.name); }

void setname(Call& c) {
  if (!is_printable_word(c.args[2]))
    return c.reply.error("ERR Client names cannot contain spaces, newlines or special characters.");
  c.session.name = c.args[2];
  c.reply.ok();
}

void setinfo(Call& c) {
  Bytes attribute = c.args[2], value = c.args[3];
  bool is_name = equals_ignoring_case(attribute, "lib-name");
  if (!is_name && !equals_ignoring_case(attribute, "lib-ver"))
    return c.reply.error("ERR Unrecognized option '" + std::string(attribute) + "'");
  if (!is_printable_word(value))
    return c.reply.error("ERR " + to_lower(attribute) + " cannot contain spaces, newlines or special characters.");
  (is_name ? c.session.library_name : c.session.library_version) = value;
  c.reply.ok();
}

void capa(Call& c) {
  for (Bytes capability : c.args.rest()) {
    std::string lower = to_lower(capability);
    if (lower == "redirect" && std::ranges::find(c.session.capabilities, lower) == c.session.capabilities.end())
      c.session.capabilities.push_back(lower);
  }
  c.reply.ok();
}

void on_or_off(Call& c, bool& flag) {
  if (c.args.accept("ON")) flag = true;
  else if (c.args.accept("OFF")) flag = false;
  else c.args.fail();
  if (c.args.done()) c.reply.ok();
}
void no_evict(Call& c) { on_or_off(c, c.session.no_evict); }
void no_touch(Call& c) { on_or_off(c, c.session.no_touch); }

void reply_mode(Call& c) {
  if (c.args.accept("ON")) {
    c.session.reply_mode = ReplyMode::on;
    if (c.args.done()) c.reply.ok();
  } else if (c.args.accept("OFF")) {
    if (c.args.done()) c.session.reply_mode = ReplyMode::off;
  } else if (c.args.accept("SKIP")) {
    if (!c.args.done()) return;
    // Itself skipped, it still skips the next one.
    ReplyMode& mode = c.session.reply_mode;
    mode = mode == ReplyMode::on ? ReplyMode::skipping : mode == ReplyMode::skipping ? ReplyMode::skip_next : mode;
  } else {
    c.args.fail();
  }
}

// ---- the others ----

void list(Call& c, Dispatcher& dispatcher) {
  ClientFilter filter;
  filter.skip_me = false;
  filter.is_user = [&](Bytes name) { return dispatcher.acl().find(name) != nullptr; };
  filter.bad_id = "ERR Invalid client ID";
  filter.least_id = INT64_MIN;
  filter.wants_ids = true;
  if (!filter.read(c.args)) return;
  std::string text;
  dispatcher.sessions().for_each([&](Session& each) {
    if (each.peer && filter.matches(each, c.session, c.now_ms)) text += describe_client(each, c.now_ms) + "\n";
  });
  c.reply.verbatim(text);
}

int64_t kill_matching(Call& c, Dispatcher& dispatcher, auto matches) {
  int64_t killed = 0;
  dispatcher.sessions().for_each([&](Session& each) {
    if (!each.peer || each.doomed || !matches(each)) return;
    killed++;
    if (&each == &c.session) return void(each.close_after_reply = true);
    if (!each.running) dispatcher.forget(each);   // from now on it neither waits nor listens
    each.doom();
  });
  return killed;
}

void kill(Call& c, Dispatcher& dispatcher) {
  if (c.args.size() == 3) {
    Bytes address = c.args[2];
    if (!kill_matching(c, dispatcher, [&](const Session& s) { return s.peer->address() == address; }))
      return c.reply.error("ERR No such client");
    return c.reply.ok();
  }
  ClientFilter filter;
  filter.is_user = [&](Bytes name) { return dispatcher.acl().find(name) != nullptr; };
  if (!filter.read(c.args)) return;
  c.reply.integer(
      kill_matching(c, dispatcher, [&](const Session& s) { return filter.matches(s, c.session, c.now_ms); }));
}

// Replies how the subcommand is not called.
void too_many(Call& c) {
  c.reply.error("ERR unknown subcommand or wrong number of arguments for '" + std::string(c.args[1]) +
                "'. Try CLIENT HELP.");
}

void pause(Call& c, Dispatcher& dispatcher) {
  constexpr Bytes kBadTimeout = "ERR timeout is not an integer or out of range";
  if (c.args.left() > 2) return too_many(c);
  // The mode is looked at first.
  Bytes mode = c.args.left() == 2 ? c.args[3] : "ALL";
  bool writes_only = equals_ignoring_case(mode, "WRITE");
  if (!writes_only && !equals_ignoring_case(mode, "ALL"))
    return c.reply.error("ERR CLIENT PAUSE mode must be WRITE or ALL");
  int64_t timeout = c.args.integer(kBadTimeout);
  if (!c.args.failed() && timeout < 0) c.args.fail("ERR timeout is negative");
  if (!c.args.failed() && timeout > INT64_MAX - c.now_ms) c.args.fail("ERR timeout is out of range");
  if (c.args.failed()) return;
  dispatcher.pause(c.now_ms + timeout, writes_only);
  c.reply.ok();
}

void unpause(Call& c, Dispatcher& dispatcher) {
  dispatcher.unpause();
  c.reply.ok();
}

void unblock(Call& c, Dispatcher& dispatcher) {
  if (c.args.left() > 2) return too_many(c);
  // The reason is looked at first.
  Bytes reason = c.args.left() == 2 ? c.args[3] : "TIMEOUT";
  bool with_error = equals_ignoring_case(reason, "ERROR");
  if (!with_error && !equals_ignoring_case(reason, "TIMEOUT"))
    return c.reply.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  int64_t target = c.args.integer();
  if (c.args.failed()) return;
  Session* session = dispatcher.sessions().find(static_cast<SessionId>(target));
  c.reply.integer(session && dispatcher.waiters().unblock(*session, with_error));
}

constexpr CommandRow kRows[] = {
    {"client|id", id},           {"client|info", info},         {"client|getname", getname},
    {"client|setname", setname}, {"client|setinfo", setinfo},   {"client|capa", capa},
    {"client|reply", reply_mode}, {"client|no-evict", no_evict}, {"client|no-touch", no_touch},
};

}  // namespace

void add_client_commands(CommandRegistry& registry, Dispatcher& dispatcher) {
  registry.add(kRows);
  registry.add("client|list", [&](Call& c) { list(c, dispatcher); });
  registry.add("client|kill", [&](Call& c) { kill(c, dispatcher); });
  registry.add("client|pause", [&](Call& c) { pause(c, dispatcher); });
  registry.add("client|unpause", [&](Call& c) { unpause(c, dispatcher); });
  registry.add("client|unblock", [&](Call& c) { unblock(c, dispatcher); });
}

}  // namespace vitrine
