// ClientServer: the listening sockets and all client connections of a node: who may come in, and the work that is done
// for all of them once a turn.
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/client_options.h"
#include "engine/dispatcher.h"
#include "io/event_loop.h"
#include "io/network_options.h"
#include "io/socket.h"
#include "server/client_connection.h"

namespace vitrine {

class ClientServer {
 public:
  static constexpr size_t kReadBytes = 64 * 1024;
  // Commands of a batch that are looked up, and whose memory is fetched, before the first of them runs.
  static constexpr size_t kAhead = 64;
  struct Ahead {
    std::array<std::span<const Bytes>, kAhead> commands;
    std::array<Prepared, kAhead> prepared;
  };
  struct Stats {
    uint64_t connections = 0, rejected_connections = 0, bytes_read = 0, bytes_written = 0,
             reads = 0, writes = 0;
    uint64_t protocol_errors = 0, query_buffer_limit_disconnections = 0, output_limit_disconnections = 0;
    uint64_t idle_disconnections = 0, evicted_clients = 0, denied_by_protected_mode = 0;
  };

  ClientServer(EventLoop& loop, Dispatcher& dispatcher, const NetworkOptions& network, const ClientOptions& clients);
  ~ClientServer();

  // Opens every listening socket; the text says which one failed and why.
  std::expected<void, std::string> listen();
  void stop_listening();
  // "127.0.0.1:6379", of the first listener.
  std::string listening_at() const;

  // The end of a turn: connections whose waiting commands may go on; then replies; then those that ended.
  void resume_waiting();
  void flush_all();
  // Something was written since.
  bool flush_due() const { return !flush_list_.empty(); }
  // A few times a second: idle clients, output limits over time, memory of all clients.
  void tend();

  // False while a password is set: clients begin unauthenticated.
  bool open_to_all() const { return dispatcher_.open_to_all(); }

  size_t connected() const { return connections_.size(); }
  EventLoop& loop() { return loop_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  Sessions& sessions() { return dispatcher_.sessions(); }
  const ClientOptions& client_options() const { return clients_; }
  const NetworkOptions& network_options() const { return network_; }
  std::span<char> read_buffer() { return {read_buffer_.get(), kReadBytes}; }
  CommandBatch& batch() { return batch_; }
  Ahead& ahead() { return ahead_; }
  // Told by a connection that is being destroyed.
  void session_ending(Session& session);
  void add_to_flush(ClientConnection& connection);
  void add_to_resume(ClientConnection& connection);
  uint64_t memory_limit = 0;   // maxmemory, for maxmemory-clients given as a share of it

  Stats stats;

 private:
  class Door;   // one listening socket
  void admit(Fd fd, bool unix_socket);
  // True when the newcomer was told why not.
  bool refused(int fd, bool unix_socket);
  void evict_clients();

  EventLoop& loop_;
  Dispatcher& dispatcher_;
  const NetworkOptions& network_;
  const ClientOptions& clients_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::unordered_map<int, std::unique_ptr<ClientConnection>> connections_;  // by descriptor
  std::vector<ClientConnection*> flush_list_, resume_list_;
  std::unique_ptr<char[]> read_buffer_;
  CommandBatch batch_;
  Ahead ahead_;
};

}  // namespace vitrine
