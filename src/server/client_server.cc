#include "server/client_server.h"

#include <algorithm>

#include "base/log.h"

namespace vitrine {

class ClientServer::Door final : public Watcher {
 public:
  Door(ClientServer& server, net::Listener listener) : server_(server), listener_(std::move(listener)) {
    server_.loop_.watch(listener_.fd.get(), EPOLLIN, this);
  }
  ~Door() {
    server_.loop_.forget(listener_.fd.get());
    if (listener_.is_unix) net::remove_unix_socket(listener_.host);
  }
  const net::Listener& listener() const { return listener_; }

  void on_ready(uint32_t) override {
    // A storm of newcomers must not keep those waiting who are already here.
    for (int i = 0; i < server_.network_.new_connections_per_turn; i++) {
      net::Accepted accepted = net::accept_one(listener_.fd.get());
      if (accepted.status == net::Io::would_block) return;
      if (accepted.status != net::Io::ok) {
        log(LogLevel::warning, "Error accepting a client connection: errno %d", accepted.error);
        return;
      }
      server_.admit(std::move(accepted.fd), listener_.is_unix);
    }
  }

 private:
  ClientServer& server_;
  net::Listener listener_;
};

ClientServer::ClientServer(EventLoop& loop, Dispatcher& dispatcher, const NetworkOptions& network,
                           const ClientOptions& clients)
    : loop_(loop), dispatcher_(dispatcher), network_(network), clients_(clients),
      read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBytes)) {}

ClientServer::~ClientServer() {
  stop_listening();
  connections_.clear();
}

std::expected<void, std::string> ClientServer::listen() {
  net::ListenOptions options;
  options.backlog = network_.tcp_backlog;
  options.keepalive_s = network_.tcp_keepalive_s;
  options.mark = network_.socket_mark;
  options.multipath = network_.multipath_tcp;
  std::vector<std::unique_ptr<Door>> doors;
  if (network_.port > 0 && !network_.bind.empty()) {
    net::Listening tcp = net::listen_tcp(network_.bind, network_.port, options);
    for (const std::string& warning : tcp.warnings) log(LogLevel::warning, "%s", warning.c_str());
    if (tcp.failed || tcp.listeners.empty())
      return std::unexpected("Failed listening on port " + std::to_string(network_.port) + " (tcp), aborting.");
    for (net::Listener& listener : tcp.listeners) doors.push_back(std::make_unique<Door>(*this, std::move(listener)));
  }
  if (!network_.unix_socket.empty()) {
    auto unix_listener =
        net::listen_unix(network_.unix_socket, static_cast<unsigned>(network_.unix_socket_permissions), options,
                         network_.unix_socket_group);
    if (!unix_listener) return std::unexpected("Failed opening Unix socket: " + unix_listener.error());
    doors.push_back(std::make_unique<Door>(*this, std::move(*unix_listener)));
  }
  if (doors.empty()) return std::unexpected("Configured to not listen anywhere, exiting.");
  doors_ = std::move(doors);
  return {};
}

void ClientServer::stop_listening() { doors_.clear(); }

std::string ClientServer::listening_at() const {
  for (const auto& door : doors_) {
    const net::Listener& l = door->listener();
    return l.is_unix ? l.host : net::join_name(l.host, l.port);
  }
  return "";
}

bool ClientServer::refused(int fd, bool unix_socket) {
  if (connections_.size() >= network_.max_clients) {
    net::write_some(fd, "-ERR max number of clients reached\r\n");
    stats.rejected_connections++;
    return true;
  }
  if (network_.protected_mode && open_to_all() && !unix_socket && !net::is_loopback(fd)) {
    net::write_some(
        fd,
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

void ClientServer::admit(Fd fd, bool unix_socket) {
  if (refused(fd.get(), unix_socket)) return;
  stats.connections++;
  std::string local = net::local_name(fd.get());
  std::string peer = unix_socket ? local : net::peer_name(fd.get());
  int number = fd.release();
  auto connection = std::make_unique<ClientConnection>(*this, number, std::move(peer), std::move(local), unix_socket);
  connection->session().authenticated = open_to_all();
  connections_[number] = std::move(connection);
}

void ClientServer::session_ending(Session& session) {
  dispatcher_.waiters().release(session);
  discard_transaction(session, dispatcher_.watches());
}

void ClientServer::add_to_flush(ClientConnection& connection) {
  if (std::exchange(connection.in_flush_list, true)) return;
  flush_list_.push_back(&connection);
}

void ClientServer::add_to_resume(ClientConnection& connection) {
  if (std::exchange(connection.in_resume_list, true)) return;
  resume_list_.push_back(&connection);
}

void ClientServer::resume_waiting() {
  // One pass: who resumes now may free others, whose turn comes with the next pass of the loop.
  std::vector<ClientConnection*> list;
  list.swap(resume_list_);
  for (ClientConnection* connection : list) {
    connection->in_resume_list = false;
    connection->process_waiting();
  }
}

void ClientServer::flush_all() {
  std::vector<ClientConnection*> list;
  list.swap(flush_list_);
  for (ClientConnection* connection : list) {
    connection->in_flush_list = false;
    if (connection->flush()) continue;
    if (connection->in_resume_list) std::erase(resume_list_, connection);
    connections_.erase(connection->descriptor());
  }
  if (flush_list_.empty()) {
    list.clear();
    flush_list_.swap(list);  // keeps the allocation
  }
}

void ClientServer::tend() {
  int64_t now = loop_.wall_ms(), idle_ms = int64_t{network_.idle_timeout_s} * 1000;
  for (auto& [fd, connection] : connections_) {
    Session& session = connection->session();
    if (idle_ms && !session.parked && !session.monitoring && now - session.last_active_ms > idle_ms) {
      stats.idle_disconnections++;
      session.doom();
    }
    if (!session.out.empty()) add_to_flush(*connection);  // soft limits run out without new replies, too
  }
  evict_clients();
}

// maxmemory-clients: the largest go first until the rest fits.
void ClientServer::evict_clients() {
  uint64_t limit = max_clients_memory_bytes(clients_, memory_limit);
  if (limit == 0) return;
  std::vector<std::pair<size_t, Session*>> sizes;
  size_t total = 0;
  for (auto& [fd, connection] : connections_) {
    Session& session = connection->session();
    if (session.no_evict || session.doomed) continue;
    sizes.push_back({session.memory_bytes(), &session});
    total += sizes.back().first;
  }
  if (total <= limit) return;
  std::sort(sizes.begin(), sizes.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (auto& [bytes, session] : sizes) {
    if (total <= limit) return;
    log(LogLevel::notice, "Evicting client: id=%llu addr=%s", static_cast<unsigned long long>(session->id),
               session->peer->address().c_str());
    total -= bytes;
    stats.evicted_clients++;
    session->doom();
  }
}

}  // namespace vitrine
