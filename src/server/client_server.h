// ClientServer: the listening sockets and all client connections of a node: who may come in, and the work that is done
// for all of them once a turn.
#pragma once

#include <deque>
#include <expected>
#include <memory>
#include <vector>

#include "base/settings.h"
#include "engine/client_options.h"
#include "engine/dispatcher.h"
#include "io/event_loop.h"
#include "io/network_options.h"
#include "io/socket.h"
#include "server/client_connection.h"
#include "server/intake.h"

namespace vitrine {

struct TlsOptions;
namespace net {
class TlsContext;
}

class ClientServer {
 public:
  struct Stats {
    uint64_t connections = 0, rejected_connections = 0, bytes_read = 0, bytes_written = 0,
             reads = 0, writes = 0;
    uint64_t protocol_errors = 0, query_buffer_limit_disconnections = 0, output_limit_disconnections = 0;
    uint64_t idle_disconnections = 0, evicted_clients = 0, denied_by_protected_mode = 0;
  };

  ClientServer(EventLoop& loop, Dispatcher& dispatcher, const NetworkOptions& network, const ClientOptions& clients,
               const TlsOptions& tls);
  ~ClientServer();

  // Opens every listening socket; the text says which one failed and why.
  std::expected<void, std::string> listen();
  void stop_listening();
  // "tcp", "tls", "unix": of what kinds the listeners are.
  std::vector<std::string> listening_kinds() const;
  // "127.0.0.1:6379", of the first listener.
  std::string listening_at() const;

  // The start of a turn: reads on from those who had more to read than the last one's share, and runs it.
  void read_on() {
    if (!unread_list_.empty()) read_unread();
  }
  // Runs what was read in this turn.
  void run_input() { intake_->run(); }
  // A slice of the handshakes that can go on; a storm of them leaves most of the turn to others.
  void shake_hands();
  // From within a command that takes long: reads, runs and answers what others send, as far as the gates let it.
  void serve_aside();
  // The end of a turn: connections whose waiting commands may go on; then replies; then those that ended.
  void resume_waiting() {
    if (!resume_list_.empty()) resume_all();
  }
  void flush_all();
  // Asked before any reply leaves, by whichever door: false: none may.
  std::function<bool()> before_replies;
  // It listens at other addresses than before.
  std::function<void()> on_moved;
  // Something was written since, or there is more to read: the next turn must not wait.
  bool busy() const {
    return !flush_list_.empty() || !unread_list_.empty() || !handshake_list_.empty() || pushes_wait();
  }
  // Messages to a crowd are still on their way out.
  bool pushes_wait() const { return !push_list_.empty(); }
  // Every `period_ms`: a share of the clients, so that each is looked at once a second: idle? over an output limit for
  // too long? And the memory of them all.
  void tend(int64_t period_ms);
  // Makes the settings that need more than being read act when they change: port, bind, tcp-keepalive, maxclients.
  void follow(Settings& settings);
  // The server is about to end: no further command is taken.
  void close_for_commands() { closed_for_commands_ = true; }
  bool closed_for_commands() const { return closed_for_commands_; }

  // False while a password is set: clients begin unauthenticated.
  bool open_to_all() const { return dispatcher_.open_to_all(); }

  size_t connected() const { return connected_; }
  EventLoop& loop() { return loop_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  Sessions& sessions() { return dispatcher_.sessions(); }
  const ClientOptions& client_options() const { return clients_; }
  const NetworkOptions& network_options() const { return network_; }
  Intake& intake() { return *intake_; }
  // Told by a connection whose handshake is done: its certificate may name a user.
  void shook_hands(ClientConnection& connection);
  // Told by a connection that is being destroyed.
  void session_ending(Session& session);
  void add_to_flush(ClientConnection& connection) {
    if (!std::exchange(connection.in_flush_list, true)) flush_list_.push_back(&connection);
  }
  void add_to_pushes(ClientConnection& connection);
  void add_to_resume(ClientConnection& connection);
  void add_to_unread(ClientConnection& connection);
  void add_to_handshakes(ClientConnection& connection);
  // What maxmemory-clients comes to now, in bytes; 0: no limit.
  size_t clients_memory_limit() const { return max_clients_memory_bytes(clients_, memory_limit); }
  // Brings the sum of the clients' memory up to date with this one.
  void count_memory(ClientConnection& connection);
  void evict(ClientConnection& connection);
  uint64_t memory_limit = 0;   // maxmemory, for maxmemory-clients given as a share of it

  Stats stats;

 private:
  class Door;   // one listening socket
  enum class Kind : uint8_t { tcp, tls, unix };
  std::expected<void, std::string> listen_tcp(Kind kind);
  std::expected<void, std::string> listen_unix();
  void close_doors(Kind kind);
  // Reads certificates and keys anew; the error is for the log, and all stays as it was.
  std::expected<void, std::string> renew_tls();
  void follow_tls(Settings& settings);
  void look_at_tls_files();
  void limit_handshakes(SessionId newcomer);
  Refusal grow_to(uint32_t max_clients);
  void admit(Fd fd, Kind kind);
  // True when the newcomer was told why not (over TLS it is not told).
  bool refused(int fd, Kind kind);
  inline void flush(ClientConnection& connection);
  void read_unread();
  void resume_all();
  inline void flush_replies();
  // Sends to at most `most` of those who wait for pushes, until the moment `end` in ticks.
  void flush_pushes(size_t most, uint64_t end);
  void bury(ClientConnection& connection);
  void look_after(ClientConnection& connection);
  void evict_clients();

  EventLoop& loop_;
  Dispatcher& dispatcher_;
  const NetworkOptions& network_;
  const ClientOptions& clients_;
  const TlsOptions& tls_options_;
  std::unique_ptr<net::TlsContext> tls_;   // null: no TLS
  std::string tls_files_;                  // their fingerprint when they were read
  int64_t next_look_at_files_ms_ = 0;
  std::vector<std::unique_ptr<Door>> doors_;
  std::vector<std::unique_ptr<ClientConnection>> connections_;  // by descriptor
  size_t connected_ = 0;
  size_t next_to_tend_ = 0;         // a descriptor
  size_t counted_memory_ = 0;       // of all clients, kept only while maxmemory-clients is set
  std::vector<ClientConnection*> flush_list_, resume_list_, unread_list_, handshake_list_;
  std::vector<ClientConnection*> flushing_list_;   // empty but for its memory, outside flush_replies()
  std::deque<ClientConnection*> push_list_;    // null: has ended
  uint64_t pushes_served_ = 0;                 // those that stood before its first
  std::deque<SessionId> newcomers_;        // over TLS, oldest first; most have long shaken hands
  size_t shaking_hands_ = 0;
  bool closed_for_commands_ = false;
  std::unique_ptr<Intake> intake_, aside_;   // `aside_` is the one in use while serve_aside() runs
};

}  // namespace vitrine
