#include "engine/acl.h"

#include <algorithm>

#include "base/numbers.h"
#include "engine/acl_options.h"
#include "engine/command_table.h"
#include "engine/key_finder.h"
#include "engine/session.h"
#include "engine/session_words.h"

namespace vitrine {

Acl::Acl(const AclOptions& options, Sessions& sessions)
    : options_(options), sessions_(sessions),
      default_user_(std::make_shared<AclUser>(AclUser::all_powerful("default", options_.pubsub_default))) {
  users_["default"] = default_user_;
}

// ---- sessions ----

void Acl::welcome(Session& session) const {
  session.acl_user = default_user_;
  session.user = default_user_->name();
  session.restricted = !default_user_->allows_everything();
  session.authenticated = open_to_all();
}

bool Acl::adopt(Session& session, Bytes user) const {
  auto it = users_.find(user);
  if (it == users_.end() || !it->second->enabled()) return false;
  session.acl_user = it->second;
  session.user = it->second->name();
  session.restricted = !it->second->allows_everything();
  session.authenticated = true;
  return true;
}

bool Acl::authenticate(Session& session, Bytes user, Bytes password, Bytes command, int64_t now_ms) {
  auto it = users_.find(user);
  // Whether the user exists must not show in how long it takes.
  bool known = it != users_.end() ? it->second->knows(password) : (default_user_->knows(password), false);
  if (known && adopt(session, user)) return true;
  stats.denied_auth++;
  log.add(AclReason::auth, session.transaction.open ? AclContext::multi : AclContext::toplevel, command, user,
          describe_client(session, now_ms), now_ms, static_cast<size_t>(options_.log_max_len));
  return false;
}

// ---- permission ----

namespace {

// Commands whose arguments name databases.
void find_databases(const CommandInfo& info, std::span<const Bytes> argv, int db, bool has_keys, AclCall& call,
                    std::vector<int64_t>& found) {
  auto add = [&](Bytes word) {
    if (auto number = parse_int64(word)) found.push_back(*number);
  };
  constexpr uint32_t kData = acl_category::kKeyspace | acl_category::kRead | acl_category::kWrite;
  Bytes name = info.full_name;
  if (name == "select") return add(argv[1]);
  if (name == "swapdb") return add(argv[1]), add(argv[2]);
  if (name == "flushall" || name == "cluster|cancelslotmigrations" || name == "cluster|migrateslots")
    call.all_databases = true;
  if (has_keys || info.categories & kData) found.push_back(db);
  if (name == "move") add(argv[2]);
  for (size_t i = 3; name == "copy" && i + 1 < argv.size(); i++)
    if (equals_ignoring_case(argv[i], "db")) add(argv[++i]);
}

// The channels of a call; PSUBSCRIBE names patterns. Those who leave a channel are free to.
std::span<const Bytes> find_channels(const CommandInfo& info, std::span<const Bytes> argv, bool& patterns) {
  Bytes name = info.full_name;
  patterns = name == "psubscribe";
  if (name == "publish" || name == "spublish") return argv.subspan(1, 1);
  if (patterns || name == "subscribe" || name == "ssubscribe") return argv.subspan(1);
  return {};
}

}  // namespace

AclVerdict Acl::check(const AclUser& user, int db, const CommandInfo& info, std::span<const Bytes> argv) const {
  std::vector<KeyAt> keys;
  // What makes no sense has no keys: the command itself will say so.
  if (may_have_keys(info) && !find_keys(info, argv, keys)) keys.clear();
  AclCall call{info, argv, keys, {}};
  if (info.categories & acl_category::kPubsub) call.channels = find_channels(info, argv, call.channels_are_patterns);
  std::vector<int64_t> databases;
  if (user.knows_databases()) {
    find_databases(info, argv, db, !keys.empty(), call, databases);
    call.databases = databases;
  }
  AclVerdict verdict = user.check(call);
  if (verdict.reason == AclReason::command) verdict.object = info.full_name;
  if (verdict.reason == AclReason::database) verdict.object = databases.empty() ? "all" : std::to_string(databases[0]);
  return verdict;
}

AclVerdict Acl::check(const Session& session, const CommandInfo& info, std::span<const Bytes> argv) const {
  if (!session.restricted || !session.acl_user) return {};
  // What is queued behind a SELECT will run in that database.
  const TransactionState& t = session.transaction;
  return check(*session.acl_user, t.open && t.db >= 0 ? t.db : session.db, info, argv);
}

void Acl::note(const Session& session, const AclVerdict& verdict, AclContext context, int64_t now_ms) {
  switch (verdict.reason) {
    case AclReason::command: stats.denied_command++; break;
    case AclReason::key: stats.denied_key++; break;
    case AclReason::channel: stats.denied_channel++; break;
    case AclReason::database: stats.denied_database++; break;
    default: break;
  }
  log.add(verdict.reason, context, verdict.object, session.user, describe_client(session, now_ms), now_ms,
          static_cast<size_t>(options_.log_max_len));
}

void Acl::note_certificate(const Session& session, Bytes name, int64_t now_ms) {
  stats.denied_tls_cert++;
  log.add(AclReason::tls_cert, AclContext::toplevel, "", name, describe_client(session, now_ms), now_ms,
          static_cast<size_t>(options_.log_max_len));
}

std::string Acl::refusal(const AclVerdict& verdict) {
  switch (verdict.reason) {
    case AclReason::command:
      return "NOPERM this user has no permissions to run the '" + verdict.object + "' command";
    case AclReason::database: return "NOPERM this user has no permissions to access one of the databases used";
    case AclReason::key:
      return "NOPERM this user has no permissions to access one of the keys used as arguments";
    default: return "NOPERM this user has no permissions to access one of the channels used as arguments";
  }
}

std::string Acl::refusal_of_queued(const AclVerdict& verdict) {
  std::string text =
      "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is "
      "no longer allowed for the following reason: ";
  switch (verdict.reason) {
    case AclReason::command: return text + "no permission to execute the command or subcommand";
    case AclReason::database: return text + "no permission to access one of the databases used";
    case AclReason::key: return text + "no permission to touch the specified keys";
    default: return text + "no permission to access one of the channels used as arguments";
  }
}

std::string Acl::refusal_to_script(const AclVerdict& verdict) {
  switch (verdict.reason) {
    case AclReason::command: return "ERR The user executing the script can't run this command or subcommand";
    case AclReason::database:
      return "ERR The user executing the script can't access at least one of the databases used by the command";
    case AclReason::key:
      return "ERR The user executing the script can't access at least one of the keys mentioned in the command "
             "arguments";
    default: return "ERR The user executing the script can't publish to the channel mentioned in the command";
  }
}

// ---- users ----

const AclUser* Acl::find(Bytes name) const {
  auto it = users_.find(name);
  return it == users_.end() ? nullptr : it->second.get();
}

std::string Acl::set_user(Bytes name, std::span<const Bytes> rules) {
  if (name.find_first_of(Bytes(" \t\n\v\f\r\0", 7)) != Bytes::npos)
    return "Usernames can't contain spaces or null characters";
  std::vector<std::string> joined;
  if (std::string open = join_selectors(rules, joined); !open.empty())
    return "Unmatched parenthesis in acl selector starting at '" + open + "'.";
  auto it = users_.find(name);
  AclUser changed = it == users_.end() ? AclUser(name, options_.pubsub_default) : *it->second;
  size_t at = 0;
  if (std::string problem = changed.apply(joined, at); !problem.empty())
    return "Error in ACL SETUSER modifier '" + joined[at] + "': " + problem;
  if (it == users_.end()) {
    users_.emplace(name, std::make_shared<AclUser>(std::move(changed)));
  } else {
    *it->second = std::move(changed);
    follow(it->second);
  }
  return "";
}

bool Acl::remove_user(Bytes name) {
  auto it = users_.find(name);
  if (it == users_.end()) return false;
  User gone = it->second;
  users_.erase(it);
  sessions_.for_each([&](Session& session) {
    if (session.acl_user == gone) part(session);
  });
  return true;
}

// The session's user is gone, or may no longer be told what it listens to. Its own command may still be answered.
void Acl::part(Session& session) const {
  if (session.running) session.close_after_reply = true;
  else session.doom();
}

// The user has changed: its sessions must know.
void Acl::follow(const User& user) {
  bool restricted = !user->allows_everything();
  sessions_.for_each([&](Session& session) {
    if (session.acl_user != user) return;
    session.restricted = restricted;
    if (restricted && may_go_on_listening && !may_go_on_listening(session)) part(session);
  });
}

void Acl::set_default_password(Bytes password) {
  default_user_->set_only_password(password);
}

bool Acl::default_is_usual(Bytes password) const {
  AclUser usual = AclUser::all_powerful("default", options_.pubsub_default);
  usual.set_only_password(password);
  return *default_user_ == usual;
}

// Replaces all users. Those who stay keep their sessions.
void Acl::take_over(Users users) {
  if (!users.contains("default"))
    users["default"] = std::make_shared<AclUser>(AclUser::all_powerful("default", options_.pubsub_default));
  for (auto it = users_.begin(); it != users_.end();) {
    auto stays = users.find(it->first);
    std::string name = it->first;
    ++it;
    if (stays == users.end()) {
      remove_user(name);
      continue;
    }
    *users_.at(name) = *stays->second;
    follow(users_.at(name));
  }
  for (auto& [name, user] : users) users_.emplace(name, user);
}

}  // namespace vitrine
