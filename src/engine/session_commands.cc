// PING, ECHO, SELECT, AUTH, HELLO, RESET, QUIT: a session about itself.
#include "base/numbers.h"
#include "engine/acl.h"
#include "engine/dispatcher.h"
#include "engine/engine_commands.h"
#include "engine/session_words.h"

namespace vitrine {

namespace {

void ping(Call& c) {
  if (c.args.size() > 2) return c.reply.error("ERR wrong number of arguments for 'ping' command");
  if (c.session.only_listens()) {
    c.reply.array(2);
    c.reply.bulk("pong");
    return c.reply.bulk(c.args.size() == 2 ? c.args[1] : Bytes());
  }
  c.args.size() == 2 ? c.reply.bulk(c.args[1]) : c.reply.raw("+PONG\r\n");
}

void echo(Call& c) { c.reply.bulk(c.args[1]); }

void select(Call& c) {
  int64_t db = c.args.integer();
  if (!c.args.done()) return;
  if (db != static_cast<int32_t>(db)) return c.reply.error(Args::kNotInt32);
  if (db < 0 || db >= c.keyspace.databases()) return c.reply.error("ERR DB index is out of range");
  c.session.db = static_cast<int>(db);
  c.reply.ok();
}

void quit(Call& c) {
  c.reply.ok();
  c.session.close_after_reply = true;
}

// ---- who is this? ----

constexpr Bytes kWrongPassword = "WRONGPASS invalid username-password pair or user is disabled.";

void auth(Call& c, Dispatcher& dispatcher) {
  if (c.args.size() > 3) return c.reply.error(Args::kSyntaxError);
  bool named = c.args.size() == 3;
  if (!named && dispatcher.open_to_all())
    return c.reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?");
  Bytes user = named ? c.args[1] : Bytes("default"), password = c.args[named ? 2 : 1];
  if (!dispatcher.acl().authenticate(c.session, user, password, c.args[0], c.now_ms))
    return c.reply.error(kWrongPassword);
  c.reply.ok();
}

void reply_hello(Call& c) {
  c.reply.map(7);
  c.reply.bulk("server");
  c.reply.bulk("redis");
  c.reply.bulk("version");
  c.reply.bulk(kRedisVersion);
  c.reply.bulk("proto");
  c.reply.integer(c.reply.protocol());
  c.reply.bulk("id");
  c.reply.integer(static_cast<int64_t>(c.session.id));
  c.reply.bulk("mode");
  c.reply.bulk("standalone");
  c.reply.bulk("role");
  c.reply.bulk("master");
  c.reply.bulk("modules");
  c.reply.array(0);
}

void hello(Call& c, Dispatcher& dispatcher) {
  int64_t protocol = c.reply.protocol();
  if (c.args.more()) {
    protocol = c.args.integer("ERR Protocol version is not an integer or out of range");
    if (c.args.failed()) return;
    if (protocol < 2 || protocol > 3) return c.reply.error("NOPROTO unsupported protocol version");
  }
  // Each option holds from where it stands, even if a later one is wrong.
  while (c.args.more()) {
    if (c.args.accept("AUTH", 2)) {
      Bytes user = c.args.bytes(), password = c.args.bytes();
      if (!dispatcher.acl().authenticate(c.session, user, password, c.args[0], c.now_ms))
        return c.reply.error(kWrongPassword);
    } else if (c.args.accept("SETNAME", 1)) {
      Bytes name = c.args.bytes();
      if (!is_printable_word(name))
        return c.reply.error("ERR Client names cannot contain spaces, newlines or special characters.");
      c.session.name = name;
    } else {
      c.args.fail_formatted("ERR Syntax error in HELLO option '" + std::string(c.args.peek()) + "'");
    }
  }
  if (!c.args.done()) return;
  if (!c.session.authenticated && !dispatcher.open_to_all())
    return c.reply.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
        "<pass> option can be used to authenticate the client and select the RESP protocol version at the same time");
  c.reply.set_protocol(static_cast<int>(protocol));
  reply_hello(c);
}

void reset(Call& c, Dispatcher& dispatcher) {
  Session& s = c.session;
  dispatcher.forget(s);
  s.db = 0;
  s.field_sets.reset();
  s.name.clear();
  s.no_evict = s.no_touch = false;
  if (s.reply_mode != ReplyMode::skipping) s.reply_mode = ReplyMode::on;   // else this is what is skipped
  s.reply.set_protocol(2);
  dispatcher.acl().welcome(s);
  if (s.monitoring && dispatcher.on_stop_monitoring) dispatcher.on_stop_monitoring(s);
  c.reply.simple("RESET");
}

}  // namespace

bool is_printable_word(Bytes text) {
  for (char ch : text)
    if (ch < '!' || ch > '~') return false;
  return true;
}

void add_session_commands(CommandRegistry& registry, Dispatcher& dispatcher) {
  static constexpr CommandRow kRows[] = {{"ping", ping}, {"echo", echo}, {"select", select}, {"quit", quit}};
  registry.add(kRows);
  registry.add("auth", [&](Call& c) { auth(c, dispatcher); });
  registry.add("hello", [&](Call& c) { hello(c, dispatcher); });
  registry.add("reset", [&](Call& c) { reset(c, dispatcher); });
}

}  // namespace vitrine
