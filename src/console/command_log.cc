#include "console/command_log.h"

#include "console/redact.h"
#include "io/event_loop.h"

namespace vitrine {

std::vector<std::string> CommandLog::trimmed(std::span<const Bytes> argv) {
  size_t kept = argv.size() > kMaxArgs ? kMaxArgs - 1 : argv.size();
  std::vector<std::string> out;
  for (Bytes arg : argv.first(kept)) {
    if (arg.size() <= kMaxArgBytes) {
      out.emplace_back(arg);
    } else {
      out.push_back(std::string(arg.substr(0, kMaxArgBytes)) + "... (" + std::to_string(arg.size() - kMaxArgBytes) +
                    " more bytes)");
    }
  }
  if (kept < argv.size()) out.push_back("... (" + std::to_string(argv.size() - kept) + " more arguments)");
  return out;
}

void CommandLog::on_notable(const Session& session, const Command& command, std::span<const Bytes> argv,
                            uint64_t duration_ns, size_t request_bytes, size_t reply_bytes) {
  if (command.full_name == "exec") return;  // its commands were shown one by one
  auto over = [](uint64_t value, int64_t limit) { return limit >= 0 && value >= static_cast<uint64_t>(limit); };
  uint64_t us = duration_ns / 1000;
  bool slow = over(us, options_.slower_than_us);
  bool scripted = session.origin == Origin::script;
  bool large_request = !scripted && over(request_bytes, options_.request_larger_than_bytes);
  bool large_reply = !scripted && over(reply_bytes, options_.reply_larger_than_bytes);
  if (!slow && !large_request && !large_reply) return;
  Entry entry;
  entry.at_s = loop_.clock().wall_ms() / 1000;
  entry.argv = trimmed(shown_arguments(command, argv, settings_));
  if (scripted) entry.address = "?:0";   // of no client
  else if (session.peer) entry.address = session.peer->address();
  if (!scripted) entry.client_name = session.name;
  if (slow) add(Kind::slow, us, entry);
  if (large_request) add(Kind::large_request, request_bytes, entry);
  if (large_reply) add(Kind::large_reply, reply_bytes, entry);
}

int64_t CommandLog::most(Kind kind) const {
  switch (kind) {
    case Kind::slow: return options_.slow_max_len;
    case Kind::large_request: return options_.request_max_len;
    case Kind::large_reply: return options_.reply_max_len;
  }
  return 0;
}

void CommandLog::trim() {
  for (Kind kind : {Kind::slow, Kind::large_request, Kind::large_reply}) {
    auto& entries = logs_[static_cast<size_t>(kind)].entries;
    if (entries.size() > static_cast<size_t>(most(kind))) entries.resize(static_cast<size_t>(most(kind)));
  }
}

void CommandLog::add(Kind kind, uint64_t value, const Entry& entry) {
  Log& log = logs_[static_cast<size_t>(kind)];
  log.entries.push_front(entry);
  log.entries.front().id = log.next_id++;
  log.entries.front().value = value;
  trim();
}

}  // namespace vitrine
