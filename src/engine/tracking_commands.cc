// CLIENT TRACKING, CACHING, TRACKINGINFO, GETREDIR: how a client is told what it may no longer keep in its own cache.
#include "engine/call.h"
#include "engine/command.h"
#include "engine/engine_commands.h"
#include "engine/tracking.h"

namespace vitrine {

namespace {

bool overlap(Bytes a, Bytes b) { return a.starts_with(b) || b.starts_with(a); }

std::string quoted(Bytes text) { return "'" + std::string(text) + "'"; }

// False when an error was replied: of the prefixes of one client none may begin with another.
bool prefixes_apart(Call& c, std::span<const Bytes> prefixes) {
  constexpr const char* kRule = ". Prefixes for a single client must not overlap.";
  for (size_t i = 0; i < prefixes.size(); i++) {
    if (c.session.tracking)
      for (const std::string& own : c.session.tracking->prefixes)
        if (overlap(prefixes[i], own)) {
          c.reply.error("ERR Prefix " + quoted(prefixes[i]) + " overlaps with an existing prefix " + quoted(own) +
                        kRule);
          return false;
        }
    for (size_t j = i + 1; j < prefixes.size(); j++)
      if (overlap(prefixes[i], prefixes[j])) {
        c.reply.error("ERR Prefix " + quoted(prefixes[i]) + " overlaps with another provided prefix " +
                      quoted(prefixes[j]) + kRule);
        return false;
      }
  }
  return true;
}

// What forbids these options, or nothing.
Bytes refusal(const TrackingState& wanted, const TrackingState* now, bool with_prefixes) {
  if (with_prefixes && !wanted.broadcast) return "ERR PREFIX option requires BCAST mode to be enabled";
  if (now && now->broadcast != wanted.broadcast)
    return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it "
           "with a different mode.";
  if (wanted.broadcast && (wanted.opt_in || wanted.opt_out))
    return "ERR OPTIN and OPTOUT are not compatible with BCAST";
  if (wanted.opt_in && wanted.opt_out) return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  if (now && ((wanted.opt_in && now->opt_out) || (wanted.opt_out && now->opt_in)))
    return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it "
           "with a different mode.";
  return {};
}

void track(Call& c, Tracking& tracking, const Sessions& sessions) {
  Bytes state = c.args.bytes();
  TrackingState wanted;
  std::vector<Bytes> prefixes;
  while (c.args.more()) {
    if (c.args.accept("REDIRECT", 1)) {
      if (wanted.redirect) c.args.fail("ERR A client can only redirect to a single other client");
      int64_t id = c.args.integer();
      if (c.args.failed()) break;
      wanted.redirect = static_cast<SessionId>(id);
      const Session* target = sessions.find(wanted.redirect);
      if (!target || target->doomed)
        c.args.fail("ERR The client ID you want redirect to does not exist");
    } else if (c.args.accept("BCAST")) {
      wanted.broadcast = true;
    } else if (c.args.accept("OPTIN")) {
      wanted.opt_in = true;
    } else if (c.args.accept("OPTOUT")) {
      wanted.opt_out = true;
    } else if (c.args.accept("NOLOOP")) {
      wanted.no_loop = true;
    } else if (c.args.accept("PREFIX", 1)) {
      prefixes.push_back(c.args.bytes());
    } else {
      c.args.fail();
    }
  }
  if (!c.args.done()) return;
  if (equals_ignoring_case(state, "off")) {
    tracking.stop(c.session);
    return c.reply.ok();
  }
  if (!equals_ignoring_case(state, "on")) return c.reply.error(Args::kSyntaxError);
  if (Bytes why = refusal(wanted, c.session.tracking.get(), !prefixes.empty()); !why.empty()) return c.reply.error(why);
  if (wanted.broadcast && !prefixes_apart(c, prefixes)) return;
  tracking.start(c.session, std::move(wanted), prefixes);
  c.reply.ok();
}

void caching(Call& c) {
  TrackingState* t = c.session.tracking.get();
  if (!t)
    return c.reply.error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
  if (equals_ignoring_case(c.args[2], "yes")) {
    if (!t->opt_in)
      return c.reply.error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  } else if (equals_ignoring_case(c.args[2], "no")) {
    if (!t->opt_out)
      return c.reply.error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  } else {
    return c.reply.error(Args::kSyntaxError);
  }
  t->caching = true;
  c.reply.ok();
}

int64_t redirect_of(const Session& session) {
  return session.tracking ? static_cast<int64_t>(session.tracking->redirect) : -1;
}

void getredir(Call& c) { c.reply.integer(redirect_of(c.session)); }

void trackinginfo(Call& c) {
  const TrackingState* t = c.session.tracking.get();
  std::vector<Bytes> flags{t ? "on" : "off"};
  if (t) {
    if (t->broadcast) flags.push_back("bcast");
    if (t->opt_in) flags.push_back("optin");
    if (t->opt_in && t->caching) flags.push_back("caching-yes");
    if (t->opt_out) flags.push_back("optout");
    if (t->opt_out && t->caching) flags.push_back("caching-no");
    if (t->no_loop) flags.push_back("noloop");
    if (t->broken_redirect) flags.push_back("broken_redirect");
  }
  c.reply.map(3);
  c.reply.bulk("flags");
  c.reply.set(static_cast<int64_t>(flags.size()));
  for (Bytes flag : flags) c.reply.bulk(flag);
  c.reply.bulk("redirect");
  c.reply.integer(redirect_of(c.session));
  c.reply.bulk("prefixes");
  c.reply.array(t ? static_cast<int64_t>(t->prefixes.size()) : 0);
  if (t)
    for (const std::string& prefix : t->prefixes) c.reply.bulk(prefix);
}

}  // namespace

void add_tracking_commands(CommandRegistry& registry, Tracking& tracking, const Sessions& sessions) {
  static constexpr CommandRow kRows[] = {
      {"client|caching", caching}, {"client|getredir", getredir}, {"client|trackinginfo", trackinginfo}};
  registry.add(kRows);
  registry.add("client|tracking", [&](Call& c) { track(c, tracking, sessions); });
}

}  // namespace vitrine
