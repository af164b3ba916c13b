// ClientConnection: one client's byte stream and its session: reads, parses, runs whole batches, sends replies.
//
// Input is read into a buffer shared by all connections (server/intake.h) and parsed there; only what is left of a
// command that has not arrived whole is kept in a buffer of the connection's own. So an idle client holds neither input
// nor output memory.
//
// Readiness is told once, when it comes (edge-triggered): what is left in the socket, to read or to write, is taken up
// again in the next turn, until the kernel says that there is no more.
//
// A connection whose command waits (parked for a key, held by CLIENT PAUSE) keeps the commands behind it unparsed until
// resume().
#pragma once

#include <memory>
#include <span>
#include <sys/uio.h>

#include "engine/dispatcher.h"
#include "io/event_loop.h"
#include "wire/resp_parser.h"

namespace vitrine {

class ClientServer;
namespace net {
class TlsStream;
struct IoResult;
}

class ClientConnection final : public Watcher, public Peer {
 public:
  // `tls` is null for a plain stream.
  ClientConnection(ClientServer& server, int fd, std::string address, std::string local_address, bool unix_socket,
                   std::unique_ptr<net::TlsStream> tls = nullptr);
  ~ClientConnection();

  Session& session() { return *session_; }

  void on_ready(uint32_t events) override;
  // Goes on with the handshake of a TLS stream, which comes before anything else.
  void shake_hands();
  bool is_shaking_hands() const { return shaking_hands_; }
  const net::TlsStream& tls() const { return *tls_; }
  // Reads on where the last turn left off.
  void read_on() { read_input(true); }
  // Sends what is pending; false when the connection has ended and must be destroyed.
  bool flush();
  // Goes on with input that waited. Called at the end of a turn.
  void process_waiting();

  // The steps of Intake. False while what was sent must wait, or will never run.
  bool may_run() const;
  // Appends whole commands to `batch`, up to `batch_end` of them in all; returns the bytes they take.
  size_t parse(Bytes data, size_t batch_end, CommandBatch& batch);
  // Runs commands that parse() yielded; returns how many before one that must wait, the end of this client, or a change
  // of the limits by which they were parsed: then the rest is to be parsed once more.
  size_t run(std::span<const Prepared> commands);
  // What parse() has yielded and nobody ran is parsed once more.
  void parse_again() { parser_.restart(); }
  // The end of this arrival: keeps what was not run.
  void finish_input(Bytes rest);

  // Peer
  std::string address() const override { return address_; }
  std::string local_address() const override { return local_address_; }
  int descriptor() const override { return fd_; }
  size_t input_bytes() const override { return input_size_; }
  size_t input_capacity() const override { return input_capacity_; }
  uint64_t bytes_read() const override { return bytes_read_; }
  uint64_t bytes_written() const override { return bytes_written_; }
  bool is_unix_socket() const override { return unix_socket_; }
  void schedule_flush() override;
  void schedule_push() override;
  void resume() override;

  // Set while the connection stands in the server's lists of this turn.
  bool in_flush_list = false, in_resume_list = false, in_unread_list = false, in_handshake_list = false;
  uint64_t push_place = 0;     // which one it is of all that ever stood in the list of pushes, from 1; 0: not there
  // What the server has counted of this client's memory.
  size_t counted_memory = 0;

 private:
  bool may_go_on() const;
  void read_input(bool to_the_end);
  inline net::IoResult write_pending();
  void say_goodbye();
  // Keeps what was not consumed of this arrival.
  void keep(Bytes rest) {
    if (!rest.empty()) move_to_input(rest);
    else if (input_) release_input();
  }
  void move_to_input(Bytes rest);
  void reserve_input(size_t bytes);
  void release_input();
  void on_protocol_error();
  bool has_little_output() const;
  bool over_output_limit();
  void end() { session_->doomed = true, schedule_flush(); }

  ClientServer& server_;
  const int fd_;
  const bool unix_socket_;
  bool shaking_hands_;
  const std::unique_ptr<net::TlsStream> tls_;
  Session* session_;
  size_t input_size_ = 0, input_capacity_ = 0;
  char* input_ = nullptr;      // unconsumed bytes, the first is the first of a command
  uint64_t bytes_read_ = 0, bytes_written_ = 0;
  RespParser parser_;
  const std::string address_, local_address_;
};

}  // namespace vitrine
