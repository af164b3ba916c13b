// TLS over non-blocking sockets, by OpenSSL 3, seen from the server.
//
// A TlsContext is one configuration, with its certificate and keys; it is replaced as a whole when a setting or a file
// changes, and the streams that began with the old one go on with it. A TlsStream is one connection: it begins with a
// handshake and is then read and written like a socket. The socket itself belongs to the caller.
//
// The cost per message: one recv, one send, and no system call to learn that there is no more: as with plain sockets
// that are watched edge-triggered, a read that left room has taken all there was. What OpenSSL holds beyond that is
// given out before read() says that nothing is left, so nothing waits unseen.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/socket.h"

struct ssl_ctx_st;
struct ssl_st;

namespace vitrine {
struct TlsOptions;
}

namespace vitrine::net {

class TlsStream {
 public:
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Goes on with the handshake as far as what has arrived allows. failed: `problem()` says why.
  enum class Progress : uint8_t { done, waiting, failed };
  Progress shake_hands();
  const std::string& problem() const { return problem_; }

  // As net::read_some and net::write_some. `filled` also when the end of the stream is already known.
  // REQUIRES: the handshake is done; what was offered to write() once, and not taken, comes first in the next call.
  IoResult read(char* to, size_t capacity);
  IoResult write(std::span<const iovec> pieces);

  // The names in the client's certificate, which was verified; empty without one.
  bool has_client_certificate() const;
  std::string client_common_name() const;
  std::vector<std::string> client_uris() const;

 private:
  friend class TlsContext;
  struct Wire;                               // the socket, as OpenSSL sees it
  TlsStream(std::shared_ptr<ssl_ctx_st> context, int fd);
  IoResult outcome(int returned, size_t bytes);

  std::shared_ptr<ssl_ctx_st> context_;
  ssl_st* ssl_;
  std::unique_ptr<Wire> wire_;
  bool broken_ = false;                      // OpenSSL must not be asked again
  std::string problem_;
};

class TlsContext {
 public:
  // The error is a line for the log.
  static std::expected<std::unique_ptr<TlsContext>, std::string> make(const TlsOptions& options);

  std::unique_ptr<TlsStream> accept(int fd) const;

 private:
  explicit TlsContext(std::shared_ptr<ssl_ctx_st> context) : context_(std::move(context)) {}
  std::shared_ptr<ssl_ctx_st> context_;
};

// What the files of a configuration look like from outside; it changes when one of them is replaced.
std::string tls_files_fingerprint(const TlsOptions& options);

}  // namespace vitrine::net
