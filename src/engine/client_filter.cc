#include "engine/client_filter.h"

#include <algorithm>

#include "base/numbers.h"
#include "engine/session_words.h"

namespace vitrine {

void ClientFilter::read_ids(Args& args, std::vector<SessionId>& ids) {
  // One id at least; more as long as arguments are numbers.
  do {
    int64_t id = args.integer(bad_id);
    if (!args.failed() && id < least_id) args.fail(bad_id);
    ids.push_back(static_cast<SessionId>(id));
  } while (args.more() && parse_int64(args.peek()));
}

namespace {

// "slave" and "replica", "master" and "primary" are one.
std::string canonical_type(Args& args) {
  Bytes given = args.bytes();
  std::string type = to_lower(given);
  if (type == "slave") type = "replica";
  if (type == "primary") type = "master";
  for (const char* known : {"normal", "master", "replica", "pubsub"})
    if (type == known) return type;
  args.fail_formatted("ERR Unknown client type '" + std::string(given) + "'");
  return type;
}

bool contains_all(Bytes letters, Bytes wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](char c) { return letters.find(c) != Bytes::npos; });
}

Bytes host_of(Bytes address) { return address.substr(0, address.rfind(':')); }

}  // namespace

bool ClientFilter::read_one(Args& args) {
  struct Text {
    Bytes word;
    Pair<std::string> ClientFilter::*field;
  };
  static const Text kTexts[] = {
      {"USER", &ClientFilter::user_},         {"ADDR", &ClientFilter::address_},
      {"LADDR", &ClientFilter::local_address_}, {"NAME", &ClientFilter::name_},
      {"FLAGS", &ClientFilter::flags_},       {"LIB-NAME", &ClientFilter::library_name_},
      {"LIB-VER", &ClientFilter::library_version_}, {"CAPA", &ClientFilter::capability_},
      {"IP", &ClientFilter::ip_}};
  bool negated = args.peek().size() > 4 && equals_ignoring_case(args.peek().substr(0, 4), "NOT-");
  auto named = [&](Bytes word) {
    Bytes given = negated ? args.peek().substr(4) : args.peek();
    if (!equals_ignoring_case(given, word) || args.left() < 2) return false;
    args.bytes();
    return true;
  };
  for (const Text& text : kTexts) {
    if (!named(text.word)) continue;
    auto& wanted = negated ? (this->*text.field).is_not : (this->*text.field).is;
    wanted = args.bytes();
    if (text.field == &ClientFilter::user_ && !is_user(*wanted))
      args.fail_formatted("ERR No such user '" + *wanted + "'");
    return true;
  }
  if (named("ID")) return read_ids(args, negated ? not_ids_ : ids_), behind_ids_ = args.position(), true;
  if (named("TYPE")) return (negated ? type_.is_not : type_.is) = canonical_type(args), true;
  if (named("DB")) return (negated ? db_.is_not : db_.is) = args.integer("ERR DB number should be an integer"), true;
  if (negated) return false;
  if (named("MAXAGE")) return max_age_s_ = args.integer("ERR maxage is not an integer or out of range"), true;
  if (named("IDLE")) return idle_s_ = args.integer("ERR idle is not an integer or out of range"), true;
  if (!named("SKIPME")) return false;
  if (args.accept("YES")) skip_me = true;
  else if (args.accept("NO")) skip_me = false;
  else args.fail();
  return true;
}

bool ClientFilter::read(Args& args) {
  while (args.more()) {
    bool in_ids = wants_ids && args.position() == behind_ids_;
    if (!read_one(args)) args.fail(in_ids ? bad_id : Args::kSyntaxError);
  }
  return args.done();
}

bool ClientFilter::matches(const Session& s, const Session& asker, int64_t now_ms) const {
  if (&s == &asker && skip_me) return false;
  auto holds = [](const auto& pair, const auto& value, auto equal) {
    return (!pair.is || equal(value, *pair.is)) && (!pair.is_not || !equal(value, *pair.is_not));
  };
  auto same = [](const auto& a, const auto& b) { return a == b; };
  auto listed = [&](const std::vector<SessionId>& ids) { return std::find(ids.begin(), ids.end(), s.id) != ids.end(); };
  if (!ids_.empty() && !listed(ids_)) return false;
  if (!not_ids_.empty() && listed(not_ids_)) return false;
  std::string address = s.peer ? s.peer->address() : "", local = s.peer ? s.peer->local_address() : "";
  std::string type = s.subscriptions ? "pubsub" : "normal";
  if (!holds(type_, type, same) || !holds(user_, s.user, same)) return false;
  if (!holds(address_, address, same) || !holds(local_address_, local, same)) return false;
  if (!holds(ip_, std::string(host_of(address)), same) || !holds(name_, s.name, same)) return false;
  if (!holds(flags_, client_flags(s), contains_all)) return false;
  if (!holds(library_name_, s.library_name, same) || !holds(library_version_, s.library_version, same)) return false;
  if (!holds(db_, static_cast<int64_t>(s.db), same)) return false;
  auto has_capability = [](const auto& all, const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  if (!holds(capability_, s.capabilities, has_capability)) return false;
  if (max_age_s_ && (now_ms - s.created_ms) / 1000 < *max_age_s_) return false;
  return !idle_s_ || (now_ms - s.last_active_ms) / 1000 >= *idle_s_;
}

}  // namespace vitrine
