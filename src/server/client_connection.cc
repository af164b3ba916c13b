#include "server/client_connection.h"

#include <sys/epoll.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/log.h"
#include "base/memory.h"
#include "engine/session_words.h"
#include "io/socket.h"
#include "io/tls.h"
#include "server/client_server.h"

namespace vitrine {

ClientConnection::ClientConnection(ClientServer& server, int fd, std::string address, std::string local_address,
                                   bool unix_socket, std::unique_ptr<net::TlsStream> tls)
    : server_(server), fd_(fd), unix_socket_(unix_socket), shaking_hands_(tls), tls_(std::move(tls)),
      session_(&server.sessions().open(this, server.loop().wall_ms())), address_(std::move(address)),
      local_address_(std::move(local_address)) {
  server_.loop().watch(fd_, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, this);
}

ClientConnection::~ClientConnection() {
  server_.loop().forget(fd_);
  server_.session_ending(*session_);
  server_.sessions().close(session_->id);
  release_input();
  Fd closes(fd_);
}

void ClientConnection::on_ready(uint32_t events) {
  if (__builtin_expect(shaking_hands_, 0)) return server_.add_to_handshakes(*this);
  if ((events & EPOLLOUT) && !session_->out.empty()) schedule_flush();
  if ((events & (EPOLLERR | EPOLLHUP)) && session_->close_after_reply) return end();
  // What ends the stream may stand behind the bytes of this event, and is not told again.
  bool to_the_end = events & ~uint32_t{EPOLLIN | EPOLLOUT};
  // Under TLS reading may have waited for room to write.
  if (to_the_end || (events & EPOLLIN) || tls_) read_input(to_the_end);
}

void ClientConnection::shake_hands() {
  if (session_->doomed) return;
  switch (tls_->shake_hands()) {
    case net::TlsStream::Progress::waiting: return;
    case net::TlsStream::Progress::failed:
      log(LogLevel::verbose, "Error accepting a client connection: %s (addr=%s)", tls_->problem().c_str(),
          address_.c_str());
      return end();
    case net::TlsStream::Progress::done: break;
  }
  shaking_hands_ = false;
  server_.shook_hands(*this);
  read_input(true);   // what came behind the handshake is not told again
}

void ClientConnection::reserve_input(size_t bytes) {
  if (bytes <= input_capacity_) return;
  input_capacity_ = memory::good_size(bytes);
  input_ = static_cast<char*>(memory::reallocate(input_, input_capacity_));
}

void ClientConnection::release_input() {
  if (!input_) return;
  memory::release(input_);
  input_ = nullptr;
  input_size_ = input_capacity_ = 0;
}

void ClientConnection::read_input(bool to_the_end) {
  // While its last reply is on the way, what it sends is not read.
  if (!may_go_on()) return;
  // One of its commands is on the stack, and serves others meanwhile: its own input waits for the next turn.
  if (session_->running) return server_.add_to_unread(*this);
  std::span<char> room;
  if (input_size_ == 0) {
    room = server_.intake().room();
  } else {
    // Behind the part of a command that is already here; a large argument is read to its final size at once.
    size_t wanted = parser_.bytes_wanted() > input_size_ ? parser_.bytes_wanted() : 0;
    size_t step = std::max(wanted, input_size_ + Intake::kBufferBytes);
    reserve_input(std::max(std::min(step, input_size_ * 2 + (8u << 20)), input_size_ + 4096));
    room = {input_ + input_size_, input_capacity_ - input_size_};
  }
  net::IoResult got = tls_ ? tls_->read(room.data(), room.size()) : net::read_some(fd_, room.data(), room.size());
  if (got.status == net::Io::would_block) return;
  if (got.status == net::Io::closed && !got.error) return say_goodbye();
  if (got.status != net::Io::ok) return end();
  if (to_the_end || got.filled) server_.add_to_unread(*this);
  bytes_read_ += got.bytes;
  server_.stats.bytes_read += got.bytes;
  server_.stats.reads++;
  session_->last_active_ms = server_.loop().wall_ms();
  server_.intake().add(*this, {room.data() - input_size_, input_size_ + got.bytes});
}

// The client sends no more. It may still listen: what it was promised goes out first.
void ClientConnection::say_goodbye() {
  if (the_log().wants(LogLevel::verbose))
    log(LogLevel::verbose, "Client closed connection id=%llu addr=%s", static_cast<unsigned long long>(session_->id),
        address_.c_str());
  session_->close_after_reply = true;
  schedule_flush();
}

void ClientConnection::finish_input(Bytes rest) {
  bool visit = !session_->out.empty() || session_->doomed || session_->close_after_reply;
  if (visit || server_.clients_memory_limit()) server_.add_to_flush(*this);  // which counts its memory
  keep(rest);
  if (rest.empty()) return;
  // As in Redis the arguments that are whole do not count.
  size_t unparsed = input_size_ - std::min(parser_.bytes_parsed(), input_size_);
  if (unparsed <= static_cast<size_t>(server_.client_options().query_buffer_limit_bytes)) return;
  log(LogLevel::warning, "Closing client that reached max query buffer length: id=%llu addr=%s",
      static_cast<unsigned long long>(session_->id), address_.c_str());
  server_.stats.query_buffer_limit_disconnections++;
  end();
}

// To the front of the connection's own buffer.
void ClientConnection::move_to_input(Bytes rest) {
  if (rest.data() >= input_ && rest.data() < input_ + input_capacity_) {
    if (rest.data() != input_) std::memmove(input_, rest.data(), rest.size());
  } else {
    reserve_input(std::max(rest.size(), parser_.bytes_wanted() < (1u << 20) ? parser_.bytes_wanted() : 0));
    std::memcpy(input_, rest.data(), rest.size());
  }
  input_size_ = rest.size();
}

void ClientConnection::process_waiting() {
  if (input_size_ > 0 && may_run()) server_.intake().add(*this, {input_, input_size_});
}

bool ClientConnection::may_run() const {
  return !session_->parked && !session_->paused && may_go_on();
}

bool ClientConnection::may_go_on() const {
  return !session_->doomed && !session_->close_after_reply && !server_.closed_for_commands();
}

size_t ClientConnection::parse(Bytes data, size_t batch_end, CommandBatch& batch) {
  RespParser::Limits limits;
  limits.max_bulk_bytes = server_.client_options().max_bulk_bytes;
  limits.authenticated = session_->authenticated || server_.open_to_all();
  limits.batch_end = batch_end;
  return parser_.parse(data, limits, batch);
}

size_t ClientConnection::run(std::span<const Prepared> commands) {
  Dispatcher& dispatcher = server_.dispatcher();
  const int64_t& max_bulk_bytes = server_.client_options().max_bulk_bytes;
  const int64_t parsed_by = max_bulk_bytes;
  const bool authenticated = session_->authenticated;
  size_t ran = 0;
  bool goes_on = may_run();
  while (goes_on && ran < commands.size()) {
    auto outcome = dispatcher.run(*session_, commands[ran]);
    if (outcome != Dispatcher::Outcome::held) ran++;
    goes_on = outcome == Dispatcher::Outcome::done && may_go_on() && (has_little_output() || !over_output_limit());
    // What is behind it was parsed by limits that do not hold any more.
    if (__builtin_expect(max_bulk_bytes != parsed_by || session_->authenticated != authenticated, 0)) goes_on = false;
  }
  if (!goes_on) parser_.restart();
  else if (!parser_.error().empty()) on_protocol_error();
  return ran;
}

void ClientConnection::on_protocol_error() {
  session_->reply.error("ERR Protocol error: " + std::string(parser_.error()));
  session_->close_after_reply = true;
  server_.stats.protocol_errors++;
  log(LogLevel::verbose, "Protocol error (%s) from client: id=%llu addr=%s", std::string(parser_.error()).c_str(),
              static_cast<unsigned long long>(session_->id), address_.c_str());
}

namespace {

// A first buffer is free, as in Redis: a limit below it does not cut off everybody.
constexpr size_t kFreeOutput = 16 << 10;

}  // namespace

// True where over_output_limit() need not be asked: the common case, and cheap to tell.
bool ClientConnection::has_little_output() const {
  return session_->out.capacity() <= kFreeOutput && !server_.client_options().max_clients_memory &&
         !session_->soft_limit_since_ms;
}

// True when the client was cut off because it takes its replies too slowly.
bool ClientConnection::over_output_limit() {
  if (server_.client_options().max_clients_memory && !session_->no_evict && !session_->doomed) {
    size_t most = server_.clients_memory_limit();
    if (most && session_->out.capacity() > most) return server_.evict(*this), true;
  }
  const ClientOptions& options = server_.client_options();
  const OutputBufferLimit& limit = session_->subscriptions ? options.output_pubsub : options.output_normal;
  if (limit.hard_bytes == 0 && limit.soft_bytes == 0) return false;
  size_t held = session_->out.capacity() - std::min(session_->out.capacity(), kFreeOutput);
  bool hard = limit.hard_bytes && held >= limit.hard_bytes;
  bool soft = limit.soft_bytes && held >= limit.soft_bytes;
  if (!soft) session_->soft_limit_since_ms = 0;
  else if (!session_->soft_limit_since_ms) session_->soft_limit_since_ms = server_.loop().wall_ms();
  bool soft_over = soft && server_.loop().wall_ms() - session_->soft_limit_since_ms > limit.soft_s * 1000;
  if (!hard && !soft_over) return false;
  log(LogLevel::warning, "Client %s scheduled to be closed ASAP for overcoming of output buffer limits.",
      describe_client(*session_, server_.loop().wall_ms()).c_str());
  server_.stats.output_limit_disconnections++;
  end();
  return true;
}

void ClientConnection::schedule_flush() { server_.add_to_flush(*this); }
void ClientConnection::schedule_push() { server_.add_to_pushes(*this); }

void ClientConnection::resume() {
  session_->last_active_ms = server_.loop().wall_ms();  // waiting was not idling
  server_.add_to_resume(*this);
  schedule_flush();
}

[[gnu::always_inline]] inline net::IoResult ClientConnection::write_pending() {
  const OutputBuffer& out = session_->out;
  if (Bytes whole = out.whole(); !whole.empty() && !tls_) return net::write_some(fd_, whole);
  iovec room[64];
  std::span<const iovec> pieces{room, static_cast<size_t>(out.pieces(room, 64))};
  return tls_ ? tls_->write(pieces) : net::write_some(fd_, pieces);
}

bool ClientConnection::flush() {
  // More would keep the others waiting; the rest goes out in the next turns.
  constexpr size_t kMostPerTurn = 4 << 20;
  OutputBuffer& out = session_->out;
  size_t sent_bytes = 0;
  while (!session_->doomed && !out.empty()) {
    net::IoResult sent = write_pending();
    if (sent.status == net::Io::would_block) return !over_output_limit();
    if (sent.status != net::Io::ok) return false;
    sent_bytes += sent.bytes;
    bytes_written_ += sent.bytes;
    server_.stats.bytes_written += sent.bytes;
    server_.stats.writes++;
    session_->last_active_ms = server_.loop().wall_ms();
    out.consume(sent.bytes);
    if (sent_bytes >= kMostPerTurn && !out.empty()) {
      schedule_flush();
      return !over_output_limit();
    }
  }
  if (session_->doomed || session_->close_after_reply) return false;
  session_->soft_limit_since_ms = 0;
  return true;
}

}  // namespace vitrine
