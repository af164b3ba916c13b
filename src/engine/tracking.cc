#include "engine/tracking.h"

#include <algorithm>

#include "engine/client_options.h"
#include "engine/command.h"
#include "engine/command_table.h"
#include "engine/key_finder.h"
#include "engine/pubsub.h"

namespace vitrine {

namespace {

constexpr Bytes kChannel = "__redis__:invalidate";

void append_bulk(std::string& to, Bytes b) {
  to += '$';
  to += std::to_string(b.size());
  to += "\r\n";
  to += b;
  to += "\r\n";
}

std::string array_of(Bytes key) {
  std::string text = "*1\r\n";
  append_bulk(text, key);
  return text;
}

}  // namespace

Tracking::Tracking(Keyspace& keyspace, const Sessions& sessions, const ClientOptions& clients,
                   const Session* const& in_hand)
    : keyspace_(keyspace), sessions_(sessions), clients_(clients), in_hand_(in_hand) {}

Tracking::~Tracking() {
  if (count_) keyspace_.unobserve(this);
}

// ---- who tracks ----

void Tracking::start(Session& session, TrackingState state, std::span<const Bytes> prefixes) {
  if (!session.tracking) {
    if (count_++ == 0) keyspace_.observe(this);
    session.tracking = std::make_unique<TrackingState>();
  }
  state.prefixes = std::move(session.tracking->prefixes);
  *session.tracking = std::move(state);
  if (!session.tracking->broadcast) return;
  constexpr Bytes kAll[] = {""};
  for (Bytes text : prefixes.empty() ? std::span<const Bytes>(kAll) : prefixes) {
    auto& own = session.tracking->prefixes;
    if (std::find(own.begin(), own.end(), text) != own.end()) continue;
    own.emplace_back(text);
    auto [it, fresh] = prefixes_.try_emplace(std::string(text));
    if (fresh) prefix_lengths_[text.size()]++;
    it->second.sessions.push_back(session.id);
  }
}

void Tracking::leave_prefixes(const Session& session) {
  for (const std::string& text : session.tracking->prefixes) {
    auto it = prefixes_.find(text);
    std::erase(it->second.sessions, session.id);
    if (!it->second.sessions.empty()) continue;
    std::erase(changed_, &it->second);
    if (--prefix_lengths_[text.size()] == 0) prefix_lengths_.erase(text.size());
    prefixes_.erase(it);
  }
}

void Tracking::stop(Session& session) {
  if (!session.tracking) return;
  leave_prefixes(session);
  session.tracking.reset();
  if (--count_) return;
  keyspace_.unobserve(this);
  table_.clear();
  items_ = 0;
}

// ---- what they have read ----

void Tracking::remember(const Session& session, const Command& command, std::span<const Bytes> argv) {
  const TrackingState& t = *session.tracking;
  // Scripts that only read name keys, too; what they really read is remembered command by command.
  bool reads = (command.flags & command_flag::kReadonly) && !(command.flags & command_flag::kNoscript);
  if (t.broadcast || !reads || !may_have_keys(*command.info)) return;
  if ((t.opt_in && !t.caching) || (t.opt_out && t.caching)) return;
  std::vector<KeyAt> found;
  if (!find_keys(*command.info, argv, found)) return;
  for (const KeyAt& at : found) {
    auto it = table_.find(argv[at.index]);
    if (it == table_.end()) it = table_.try_emplace(std::string(argv[at.index])).first;
    auto& ids = it->second;
    auto place = std::lower_bound(ids.begin(), ids.end(), session.id);
    if (place != ids.end() && *place == session.id) continue;
    ids.insert(place, session.id);
    items_++;
  }
}

void Tracking::command_done(Session& session, const Command* command) {
  if (!session.tracking->caching || session.transaction.open) return;
  if (command && command->parent && command->parent->full_name == "client") return;
  session.tracking->caching = false;
}

void Tracking::forget_some() {
  constexpr size_t kMostAtOnce = 1000;
  size_t most = static_cast<size_t>(clients_.tracking_table_max_keys);
  if (most == 0) return;
  for (size_t n = 0; table_.size() > most && n < kMostAtOnce; n++) {
    // Any key will do: that of the first bucket in use from a random one on.
    size_t bucket = keyspace_.random().below(table_.bucket_count());
    while (table_.bucket_size(bucket) == 0) bucket = (bucket + 1) % table_.bucket_count();
    invalidate(table_.find(table_.begin(bucket)->first), 0);
  }
}

// ---- what changes ----

void Tracking::on_change(const Change& change) {
  bool by_itself = change.kind == EventClass::expired || change.kind == EventClass::evicted;
  SessionId by = in_hand_ && !by_itself ? in_hand_->id : 0;
  if (!table_.empty())
    if (auto it = table_.find(change.key); it != table_.end()) invalidate(it, by);
  if (!prefixes_.empty()) note_broadcast(change.key, by);
}

void Tracking::invalidate(Table::iterator entry, SessionId by) {
  std::string keys = array_of(entry->first);
  std::vector<SessionId> ids = std::move(entry->second);
  table_.erase(entry);
  items_ -= ids.size();
  for (SessionId id : ids) {
    Session* session = sessions_.find(id);
    if (!session || !session->tracking || session->tracking->broadcast) continue;
    if (session->tracking->no_loop && id == by) continue;
    tell(*session, keys);
  }
}

void Tracking::note_broadcast(Bytes key, SessionId by) {
  for (const auto& [length, count] : prefix_lengths_) {
    if (length > key.size()) return;
    auto it = prefixes_.find(key.substr(0, length));
    if (it == prefixes_.end()) continue;
    if (it->second.changed.empty()) changed_.push_back(&it->second);
    it->second.changed[std::string(key)] = by;
  }
}

void Tracking::broadcast(Prefix& prefix) {
  auto array_without = [&](SessionId by) {
    std::string keys;
    size_t count = 0;
    for (const auto& [key, who] : prefix.changed) {
      if (by && who == by) continue;
      count++;
      append_bulk(keys, key);
    }
    return count ? "*" + std::to_string(count) + "\r\n" + keys : std::string();
  };
  std::string all = array_without(0);
  for (SessionId id : prefix.sessions) {
    Session* session = sessions_.find(id);
    if (!session || !session->tracking) continue;
    if (!session->tracking->no_loop) {
      tell(*session, all);
    } else if (std::string others = array_without(id); !others.empty()) {
      tell(*session, others);
    }
  }
  prefix.changed.clear();
}

void Tracking::send_broadcasts() {
  for (Prefix* prefix : changed_) broadcast(*prefix);
  changed_.clear();
  forget_some();
}

void Tracking::on_flushed(int) { invalidate_all(); }

// The keys of both databases have other values now.
void Tracking::on_swap(int, int) { invalidate_all(); }

void Tracking::invalidate_all() {
  table_.clear();
  items_ = 0;
  sessions_.for_each([&](Session& session) {
    if (session.tracking) tell(session, {});
  });
}

void Tracking::tell(Session& session, Bytes keys) {
  TrackingState& t = *session.tracking;
  Session* target = t.redirect ? sessions_.find(t.redirect) : &session;
  if (!target || target->doomed) {
    t.broken_redirect = true;
    std::string text = ">2\r\n$21\r\ntracking-redir-broken\r\n:" + std::to_string(t.redirect) + "\r\n";
    if (session.reply.protocol() == 3 && target != &session) send_push(session, text);
    return;
  }
  std::string text;
  if (target->reply.protocol() == 3) {
    text = ">2\r\n$10\r\ninvalidate\r\n";
    text += keys.empty() ? Bytes("_\r\n") : keys;
  } else if (t.redirect && target->subscriptions) {
    text = "*3\r\n$7\r\nmessage\r\n";
    append_bulk(text, kChannel);
    text += keys.empty() ? Bytes("$-1\r\n") : keys;
  } else {
    return;
  }
  send_push(*target, text);
}

}  // namespace vitrine
