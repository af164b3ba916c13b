#include "server/client_server.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/log.h"
#include "base/prefetch.h"
#include "base/ticks.h"
#include "engine/acl.h"
#include "io/process.h"
#include "io/tls.h"
#include "io/tls_options.h"

namespace vitrine {

class ClientServer::Door final : public Watcher {
 public:
  Door(ClientServer& server, net::Listener listener, Kind kind)
      : server_(server), listener_(std::move(listener)), kind_(kind) {
    server_.loop_.watch(listener_.fd.get(), EPOLLIN, this);
  }
  ~Door() {
    server_.loop_.cancel(rested_);
    server_.loop_.forget(listener_.fd.get());
    if (!listener_.is_unix) return;
    log(LogLevel::notice, "Removing the unix socket file.");
    net::remove_unix_socket(listener_.host);
  }
  const net::Listener& listener() const { return listener_; }
  Kind kind() const { return kind_; }

  void on_ready(uint32_t) override {
    // A storm of newcomers must not keep those waiting who are already here.
    int most = kind_ == Kind::tls ? server_.tls_options_.new_connections_per_turn
                                  : server_.network_.new_connections_per_turn;
    for (int i = 0; i < most; i++) {
      net::Accepted accepted = net::accept_one(listener_.fd.get());
      if (accepted.status == net::Io::would_block) return;
      if (accepted.status != net::Io::ok) return rest(accepted.error);
      server_.admit(std::move(accepted.fd), kind_);
    }
  }

  void set_keepalive(int idle_s) {
    if (!listener_.is_unix) net::set_keepalive(listener_.fd.get(), idle_s);
  }

 private:
  // The process can hold no more descriptors now: those who wait would be reported again and again.
  void rest(int error) {
    constexpr int64_t kRestMs = 100;
    log(LogLevel::warning, "Error accepting a client connection: %s", std::strerror(error));
    server_.loop_.modify(listener_.fd.get(), 0);
    rested_ = server_.loop_.after(kRestMs, [this] { server_.loop_.modify(listener_.fd.get(), EPOLLIN); });
  }

  ClientServer& server_;
  net::Listener listener_;
  const Kind kind_;
  TimerId rested_ = 0;
};

ClientServer::ClientServer(EventLoop& loop, Dispatcher& dispatcher, const NetworkOptions& network,
                           const ClientOptions& clients, const TlsOptions& tls)
    : loop_(loop), dispatcher_(dispatcher), network_(network), clients_(clients), tls_options_(tls),
      intake_(std::make_unique<Intake>(dispatcher)) {}

ClientServer::~ClientServer() {
  stop_listening();
  connections_.clear();
}

namespace {

net::ListenOptions listen_options(const NetworkOptions& network) {
  net::ListenOptions options;
  options.backlog = network.tcp_backlog;
  options.keepalive_s = network.tcp_keepalive_s;
  options.mark = network.socket_mark;
  options.multipath = network.multipath_tcp;
  return options;
}

}  // namespace

std::expected<void, std::string> ClientServer::listen() {
  doors_.clear();
  if (auto ready = renew_tls(); !ready) {
    log(LogLevel::warning, "%s", ready.error().c_str());
    return std::unexpected("Failed to configure TLS. Check logs for more info.");
  }
  auto listening = listen_tcp(Kind::tcp);
  if (listening) listening = listen_tcp(Kind::tls);
  if (listening) listening = listen_unix();
  if (listening && doors_.empty()) return std::unexpected("Configured to not listen anywhere, exiting.");
  if (!listening) doors_.clear();
  return listening;
}

std::expected<void, std::string> ClientServer::listen_tcp(Kind kind) {
  int port = kind == Kind::tls ? tls_options_.port : network_.port;
  if (port == 0 || network_.bind.empty()) return {};
  net::Listening tcp = net::listen_tcp(network_.bind, port, listen_options(network_));
  for (const std::string& warning : tcp.warnings) log(LogLevel::warning, "%s", warning.c_str());
  if (tcp.failed || tcp.listeners.empty())
    return std::unexpected("Failed listening on port " + std::to_string(port) +
                           (kind == Kind::tls ? " (tls), aborting." : " (tcp), aborting."));
  for (net::Listener& listener : tcp.listeners)
    doors_.push_back(std::make_unique<Door>(*this, std::move(listener), kind));
  return {};
}

std::expected<void, std::string> ClientServer::listen_unix() {
  if (network_.unix_socket.empty()) return {};
  auto listener = net::listen_unix(network_.unix_socket, static_cast<unsigned>(network_.unix_socket_permissions),
                                   listen_options(network_), network_.unix_socket_group);
  if (!listener) return std::unexpected("Failed opening Unix socket: " + listener.error());
  doors_.push_back(std::make_unique<Door>(*this, std::move(*listener), Kind::unix));
  return {};
}

void ClientServer::close_doors(Kind kind) {
  std::erase_if(doors_, [kind](const auto& door) { return door->kind() == kind; });
}

void ClientServer::stop_listening() { doors_.clear(); }

std::vector<std::string> ClientServer::listening_kinds() const {
  std::vector<std::string> kinds;
  for (const auto& door : doors_) {
    const char* kind = door->kind() == Kind::unix ? "unix" : door->kind() == Kind::tls ? "tls" : "tcp";
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
  }
  return kinds;
}

// ---- settings that change while the server runs ----

Refusal ClientServer::grow_to(uint32_t max_clients) {
  constexpr uint32_t kMost = INT_MAX - process::kReservedFiles;
  auto files = process::adjust_open_files(static_cast<int>(std::min(max_clients, kMost)));
  for (const auto& line : files.lines)
    log(line.is_warning ? LogLevel::warning : LogLevel::notice, "%s", line.text.c_str());
  if (static_cast<uint32_t>(files.maxclients) >= max_clients) return {};
  return "The operating system is not able to handle the specified number of clients, try with " +
         std::to_string(files.maxclients);
}

void ClientServer::follow(Settings& settings) {
  // The old listeners go first: the new addresses may be the same ones in part. If it fails, the settings come back
  // as they were, and this runs again.
  auto listen_anew = [this](const char* refusal) {
    close_doors(Kind::tcp);
    auto listening = listen_tcp(Kind::tcp);
    if (!listening) log(LogLevel::warning, "%s", listening.error().c_str());
    if (listening && on_moved) on_moved();
    return listening ? Refusal() : Refusal(refusal);
  };
  settings.find("port")->apply([=] { return listen_anew("Unable to listen on this port. Check server logs."); });
  settings.find("bind")->apply([=, this] {
    Refusal refusal = listen_anew("Failed to bind to specified addresses.");
    if (!refusal.empty()) return refusal;
    close_doors(Kind::tls);
    return listen_tcp(Kind::tls) ? Refusal() : Refusal("Failed to bind to specified addresses.");
  });
  follow_tls(settings);
  settings.find("maxclients")->apply([this] { return grow_to(network_.max_clients); });
  settings.find("tcp-keepalive")->apply([this] {
    for (const auto& door : doors_) door->set_keepalive(network_.tcp_keepalive_s);
    for (const auto& connection : connections_)
      if (connection && !connection->is_unix_socket())
        net::set_keepalive(connection->descriptor(), network_.tcp_keepalive_s);
    return Refusal();
  });
}

// ---- who is here ----

std::string ClientServer::listening_at() const {
  for (const auto& door : doors_) {
    const net::Listener& l = door->listener();
    return l.is_unix ? l.host : net::join_name(l.host, l.port);
  }
  return "";
}

bool ClientServer::refused(int fd, Kind kind) {
  auto tell = [&](Bytes why) {
    if (kind != Kind::tls) net::write_some(fd, why);
  };
  if (connected_ >= network_.max_clients) {
    tell("-ERR max number of clients reached\r\n");
    stats.rejected_connections++;
    return true;
  }
  if (network_.protected_mode && open_to_all() && kind != Kind::unix && !net::is_loopback(fd)) {
    tell(
        "-DENIED Running in protected mode because protected mode is enabled and no password is set for the default "
        "user. In this mode connections are only accepted from the loopback interface. If you want to connect from "
        "external computers, you may adopt one of the following solutions: 1) Disable protected mode by sending the "
        "command 'CONFIG SET protected-mode no' from the loopback interface by connecting from the same host the "
        "server is running on. 2) Set protected-mode no in the configuration file and restart. 3) Set a password for "
        "the default user.\r\n");
    stats.denied_by_protected_mode++;
    return true;
  }
  return false;
}

void ClientServer::admit(Fd fd, Kind kind) {
  if (refused(fd.get(), kind)) return;
  stats.connections++;
  bool unix_socket = kind == Kind::unix;
  // Nothing is ever lost on the way to a neighbour: the plainest congestion control costs the least.
  if (!unix_socket && net::is_loopback(fd.get())) net::set_congestion_control(fd.get(), "reno");
  std::string local = net::local_name(fd.get());
  std::string peer = unix_socket ? local : net::peer_name(fd.get());
  int number = fd.release();
  auto connection = std::make_unique<ClientConnection>(*this, number, std::move(peer), std::move(local), unix_socket,
                                                       kind == Kind::tls ? tls_->accept(number) : nullptr);
  if (!loop_.is_watched(number)) {
    log(LogLevel::warning, "Error registering a client's descriptor: %s", std::strerror(errno));
    return;
  }
  if (the_log().wants(LogLevel::verbose)) log(LogLevel::verbose, "Accepted %s", connection->address().c_str());
  dispatcher_.acl().welcome(connection->session());
  if (static_cast<size_t>(number) >= connections_.size()) connections_.resize(static_cast<size_t>(number) * 2 + 1);
  connections_[static_cast<size_t>(number)] = std::move(connection);
  connected_++;
  if (kind == Kind::tls) limit_handshakes(connections_[static_cast<size_t>(number)]->session().id);
}

void ClientServer::session_ending(Session& session) {
  dispatcher_.forget(session);
}

void ClientServer::add_to_pushes(ClientConnection& connection) {
  if (connection.push_place || connection.in_flush_list) return;
  push_list_.push_back(&connection);
  connection.push_place = pushes_served_ + push_list_.size();
  if (clients_memory_limit()) count_memory(connection);
}

void ClientServer::add_to_resume(ClientConnection& connection) {
  if (std::exchange(connection.in_resume_list, true)) return;
  resume_list_.push_back(&connection);
}

void ClientServer::add_to_unread(ClientConnection& connection) {
  if (std::exchange(connection.in_unread_list, true)) return;
  unread_list_.push_back(&connection);
}

void ClientServer::read_unread() {
  std::vector<ClientConnection*> list;
  list.swap(unread_list_);
  for (ClientConnection* connection : list) {
    connection->in_unread_list = false;
    connection->read_on();
  }
  intake_->run();
}

void ClientServer::serve_aside() {
  if (!aside_) aside_ = std::make_unique<Intake>(dispatcher_);
  intake_->hand_over(*aside_);
  intake_.swap(aside_);
  loop_.dispatch_ready();     // what is left of the turn under way; its list ends with the next wait()
  intake_->run();
  loop_.wait(0);
  loop_.dispatch_ready();
  intake_->run();
  read_on();
  intake_.swap(aside_);
  flush_all();
}

void ClientServer::resume_all() {
  // One pass: who resumes now may free others, whose turn comes with the next pass of the loop.
  std::vector<ClientConnection*> list;
  list.swap(resume_list_);
  for (ClientConnection* connection : list) {
    connection->in_resume_list = false;
    connection->process_waiting();
  }
  intake_->run();
}

namespace {

// What flush() will touch of the connections to come: each write goes through the kernel, behind which nothing of the
// next is left in the cache.
template <class List>
void prefetch_for_flush(const List& list, size_t at) {
  constexpr size_t kAhead = 2, kLine = 64;
  if (at + 2 * kAhead < list.size()) {
    const char* connection = reinterpret_cast<const char*>(list[at + 2 * kAhead]);
    for (size_t offset = 0; offset < sizeof(ClientConnection); offset += kLine) prefetch(connection + offset);
  }
  if (at + kAhead >= list.size() || !list[at + kAhead]) return;
  const Session& session = list[at + kAhead]->session();
  prefetch(&session.running);
  prefetch(&session.out);
  prefetch(&session.soft_limit_since_ms);
}

// Few who get a message are sent it before the replies, so that who is told that it was sent finds it there. The rest
// of a crowd comes behind the replies, a slice each turn: a write takes microseconds, and ten thousand of them would
// keep everybody waiting for a tenth of a second.
constexpr size_t kPushesBeforeReplies = 64;
constexpr uint64_t kPushSliceNs = 500'000;

}  // namespace

[[gnu::always_inline]] inline void ClientServer::flush(ClientConnection& connection) {
  if (connection.session().running) add_to_flush(connection);   // it may end: not while its command is on the stack
  else if (!connection.flush()) bury(connection);
}

// Who is added meanwhile gets his reply in the next turn.
[[gnu::always_inline]] inline void ClientServer::flush_replies() {
  flushing_list_.swap(flush_list_);
  for (size_t i = 0; i < flushing_list_.size(); i++) {
    prefetch_for_flush(flushing_list_, i);
    flushing_list_[i]->in_flush_list = false;
    flush(*flushing_list_[i]);
  }
  flushing_list_.clear();
}

void ClientServer::flush_all() {
  if (before_replies && !before_replies()) return;
  if (size_t limit = clients_memory_limit()) {
    for (ClientConnection* connection : flush_list_) count_memory(*connection);
    if (counted_memory_ > limit) evict_clients();
  }
  if (pushes_wait()) flush_pushes(kPushesBeforeReplies, UINT64_MAX);
  flush_replies();
  if (pushes_wait()) flush_pushes(SIZE_MAX, ticks() + ns_to_ticks(kPushSliceNs));
}

void ClientServer::flush_pushes(size_t most, uint64_t end) {
  for (; most > 0 && !push_list_.empty(); most--) {
    prefetch_for_flush(push_list_, 0);
    ClientConnection* connection = push_list_.front();
    push_list_.pop_front();
    pushes_served_++;
    if (!connection) continue;
    connection->push_place = 0;
    flush(*connection);
    if (ticks() >= end) return;
  }
}

void ClientServer::bury(ClientConnection& connection) {
  ClientConnection* const it = &connection;
  if (it->in_resume_list) std::erase(resume_list_, it);
  if (it->in_flush_list) std::erase(flush_list_, it);
  if (it->in_unread_list) std::erase(unread_list_, it);
  if (it->in_handshake_list) std::erase(handshake_list_, it);
  if (it->push_place) push_list_[it->push_place - 1 - pushes_served_] = nullptr;
  if (it->is_shaking_hands()) shaking_hands_--;
  counted_memory_ -= it->counted_memory;
  connected_--;
  connections_[static_cast<size_t>(it->descriptor())].reset();
}

// ---- housekeeping ----

namespace {
constexpr int64_t kLongestHandshakeMs = 10'000;
}  // namespace

void ClientServer::tend(int64_t period_ms) {
  constexpr size_t kAtLeast = 16;
  size_t share = std::max(connections_.size() * static_cast<size_t>(period_ms) / 1000 + 1, kAtLeast);
  for (share = std::min(share, connections_.size()); share > 0; share--) {
    if (next_to_tend_ >= connections_.size()) next_to_tend_ = 0;
    if (const auto& connection = connections_[next_to_tend_++]) look_after(*connection);
  }
  evict_clients();
  look_at_tls_files();
}

void ClientServer::look_after(ClientConnection& connection) {
  int64_t now = loop_.wall_ms(), idle_ms = int64_t{network_.idle_timeout_s} * 1000;
  Session& session = connection.session();
  if (connection.is_shaking_hands() && now - session.created_ms > kLongestHandshakeMs) session.doom();
  bool waits = session.parked || session.paused || session.monitoring || session.subscriptions;
  if (idle_ms && !waits && now - session.last_active_ms > idle_ms) {
    log(LogLevel::verbose, "Closing idle client");
    stats.idle_disconnections++;
    session.doom();
  }
  if (!session.out.empty()) add_to_flush(connection);  // soft limits run out without new replies, too
}

void ClientServer::count_memory(ClientConnection& connection) {
  const Session& session = connection.session();
  size_t bytes = session.no_evict || session.doomed ? 0 : session.memory_bytes();
  counted_memory_ += bytes - connection.counted_memory;
  connection.counted_memory = bytes;
}

void ClientServer::evict(ClientConnection& connection) {
  log(LogLevel::notice, "Evicting client: id=%llu addr=%s",
      static_cast<unsigned long long>(connection.session().id), connection.address().c_str());
  counted_memory_ -= std::exchange(connection.counted_memory, 0);
  stats.evicted_clients++;
  connection.session().doom();
}

// maxmemory-clients: the largest go first until the rest fits.
void ClientServer::evict_clients() {
  size_t limit = clients_memory_limit();
  if (limit == 0) return;
  std::vector<ClientConnection*> largest_first;
  for (const auto& connection : connections_) {
    if (!connection) continue;
    count_memory(*connection);
    if (connection->counted_memory) largest_first.push_back(connection.get());
  }
  if (counted_memory_ <= limit) return;
  std::sort(largest_first.begin(), largest_first.end(),
            [](const auto* a, const auto* b) { return a->counted_memory > b->counted_memory; });
  for (ClientConnection* connection : largest_first) {
    if (counted_memory_ <= limit) return;
    evict(*connection);
  }
}

}  // namespace vitrine
