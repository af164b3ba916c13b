// Stream sockets: TCP over IPv4 and IPv6, and Unix. Everything made here is non-blocking and closed on exec.
//
// Errors of set-up are texts ready for the log, with the system's reason in them; errors of reading and writing are
// an IoResult, since they are met a million times a second. Names are written as clients see them: "127.0.0.1:6379",
// "[::1]:6379", "/run/x.sock:0".
#pragma once

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <sys/socket.h>
#include <sys/uio.h>
#include <vector>

#include "base/bytes.h"
#include "io/fd.h"
#include "io/system_call.h"

namespace vitrine::net {

// ---- reading and writing ----

enum class Io : uint8_t {
  ok,           // `bytes` moved: at least one
  would_block,  // nothing now; the event loop tells when
  closed,       // the peer ended the stream (reading), or is gone (writing)
  failed,       // `error` is the errno
};
struct IoResult {
  Io status;
  int error;     // errno when failed, or when closed by a reset; else 0
  size_t bytes;  // 0 unless ok
  bool filled = false;  // reading: as many bytes as there was room for, so more may wait
};

// REQUIRES: fd is a non-blocking socket; capacity (or the data) is not empty. Interruptions are retried inside. No
// call raises SIGPIPE. In a VITRINE_HARD build they move a few bytes at a time.
inline IoResult read_some(int fd, char* to, size_t capacity);
inline IoResult write_some(int fd, Bytes data);
// At most IOV_MAX (1024) pieces are taken; `bytes` may end inside any piece.
IoResult write_some(int fd, std::span<const iovec> pieces);

// ---- listening ----

struct Listener {
  Fd fd;
  std::string host;  // as configured, without the '-'; the path of a Unix socket
  int port = 0;      // the real one, also when 0 asked for any; 0 for Unix
  bool is_unix = false;
};

struct ListenOptions {
  int backlog = 511;
  int keepalive_s = 300;   // 0: none; accepted sockets inherit it
  uint32_t mark = 0;       // SO_MARK, 0: none
  bool multipath = false;  // Multipath TCP; plain TCP where the kernel has none
};

struct Listening {
  std::vector<Listener> listeners;    // empty and !failed: nothing that was asked for exists on this machine
  std::vector<std::string> warnings;  // lines for the log, in order, also of what was skipped or failed
  bool failed = false;                // an address that must be there could not be had; no listener is left open
};

// Listens on every address of a `bind` setting: names or addresses, "*" for all of IPv4, "::*" for all of IPv6. A
// leading '-' lets an address be missing on this machine; a protocol that the machine does not speak is skipped
// always; an address in use always fails. Port 0 takes any free port.
Listening listen_tcp(std::span<const std::string> addresses, int port, const ListenOptions& options);

// Replaces a socket file left behind, but never a file that is not a socket. `permissions` 0: as umask has it; `group`
// is a name or a number, empty: the process' own. The file stays when the listener is closed: remove_unix_socket is
// the owner's last act.
std::expected<Listener, std::string> listen_unix(const std::string& path, unsigned permissions,
                                                 const ListenOptions& options, const std::string& group = {});
void remove_unix_socket(const std::string& path);

// A line for the log when the kernel will cut the backlog down; else empty.
std::string backlog_warning(int backlog);

// ---- accepting and connecting ----

// The next waiting peer. TCP_NODELAY and keepalive are inherited from the listener. would_block when none waits;
// failed (with error EMFILE, ENFILE, ENOBUFS or ENOMEM) when the process cannot hold another one now.
struct Accepted {
  Io status;
  int error;
  Fd fd;
};
Accepted accept_one(int listener_fd);

// Starts a connection; it is made when the descriptor becomes writable and connect_error() answers 0. `host` may be
// a name: resolving it blocks. `source` is the local address to use, empty for any.
std::expected<Fd, std::string> connect_tcp(const std::string& host, int port, const std::string& source = {});
std::expected<Fd, std::string> connect_unix(const std::string& path);
// 0, or the errno of a connection that failed (also of any error pending on the socket). Reading it clears it.
int connect_error(int fd);

// ---- settings of one socket; errno, or 0 ----

int set_no_delay(int fd, bool on);
// First probe after `idle_s` of silence, then two more idle_s / 3 apart (at least 1 s); 0 turns probes off. On a
// listener: for those accepted from now on.
int set_keepalive(int fd, int idle_s);
int set_mark(int fd, uint32_t mark);
// "reno", "cubic" ...: one that the kernel allows.
int set_congestion_control(int fd, const char* name);
// Ends both directions at once without giving up the descriptor; reads and writes then say closed.
void shut_down(int fd);

// ---- who is there ----

// "?:0" when the socket is not connected.
std::string peer_name(int fd);
std::string local_name(int fd);
// "host:port", the host in brackets when it holds a colon.
std::string join_name(Bytes host, int port);
// The address alone ("::1"); the path for Unix; empty when not connected.
std::string peer_host(int fd);
std::string local_host(int fd);
int local_port(int fd);
bool is_unix(int fd);
// The peer is on this machine: 127.0.0.0/8 (also mapped into IPv6) or ::1. Unix sockets are not loopback.
bool is_loopback(int fd);

// ---- the two calls of every command, in line ----

namespace detail {

#ifdef VITRINE_HARD
constexpr size_t kMostAtOnce = 7;
#else
constexpr size_t kMostAtOnce = SSIZE_MAX;
#endif

// By errno, where `n` bytes say that none moved.
IoResult nothing_moved(ssize_t n);
inline IoResult outcome(ssize_t n) {
  return __builtin_expect(n > 0, 1) ? IoResult{Io::ok, 0, static_cast<size_t>(n)} : nothing_moved(n);
}

}  // namespace detail

inline IoResult read_some(int fd, char* to, size_t capacity) {
  capacity = std::min(capacity, detail::kMostAtOnce);
  ssize_t n;
  do n = system_call(SYS_recvfrom, fd, to, capacity, 0, nullptr, nullptr);
  while (n < 0 && errno == EINTR);
  IoResult result = detail::outcome(n);
  result.filled = result.bytes == capacity;
  return result;
}

inline IoResult write_some(int fd, Bytes data) {
  size_t bytes = std::min(data.size(), detail::kMostAtOnce);
  ssize_t n;
  do n = system_call(SYS_sendto, fd, data.data(), bytes, MSG_NOSIGNAL, nullptr, 0);
  while (n < 0 && errno == EINTR);
  return detail::outcome(n);
}

}  // namespace vitrine::net
