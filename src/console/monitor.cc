#include "console/monitor.h"

#include <algorithm>
#include <cstdio>

#include "console/redact.h"
#include "engine/command_table.h"
#include "io/event_loop.h"

namespace vitrine {

namespace {

// As MONITOR names who gave a command: "127.0.0.1:50312", "unix:/path", "lua".
std::string origin_of(const Session& session) {
  if (session.origin == Origin::script) return "lua";
  if (!session.peer) return "";
  std::string address = session.peer->address();
  if (!session.peer->is_unix_socket()) return address;
  return "unix:" + address.substr(0, address.rfind(':'));
}

}  // namespace

void Monitors::settle() {
  if (observing_ == !ids_.empty()) return;
  observing_ = !observing_;
  observing_ ? dispatcher_.observe_calls(this) : dispatcher_.unobserve_calls(this);
}

void Monitors::attach(Session& session) {
  if (session.monitoring) return;
  session.monitoring = true;
  ids_.push_back(session.id);
  settle();
}

void Monitors::detach(Session& session) {
  session.monitoring = false;
  std::erase(ids_, session.id);
}

void Monitors::sweep() {
  std::erase_if(ids_, [&](SessionId id) { return !dispatcher_.sessions().find(id); });
  settle();
}

std::string Monitors::line(int64_t wall_us, int db, Bytes who, std::span<const Bytes> argv) {
  char head[64];
  std::snprintf(head, sizeof head, "+%lld.%06lld [%d ", static_cast<long long>(wall_us / 1000000),
                static_cast<long long>(wall_us % 1000000), db);
  std::string text = head;
  (text += who) += ']';
  for (Bytes arg : argv) {
    text += ' ';
    append_quoted(text, arg);
  }
  return text += "\r\n";
}

void Monitors::on_call(const Session& session, const Command& command, std::span<const Bytes> argv) {
  if (command.flags & command_flag::kAdmin) return;
  std::string text = line(loop_.clock().wall_us(), session.db, origin_of(session),
                          shown_arguments(command, argv, settings_));
  for (SessionId id : ids_) {
    Session* monitor = dispatcher_.sessions().find(id);
    if (!monitor || monitor->doomed || !monitor->peer) continue;
    monitor->out.append(text);
    monitor->peer->schedule_flush();
  }
}

}  // namespace vitrine
