#include "io/socket.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"

namespace vitrine::net {

namespace {

int set_int(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : errno;
}

}  // namespace

IoResult detail::nothing_moved(ssize_t n) {
  if (n == 0) return {Io::closed, 0, 0};
  int error = errno;
  if (error == EAGAIN || error == EWOULDBLOCK) return {Io::would_block, 0, 0};
  if (error == ECONNRESET || error == EPIPE) return {Io::closed, error, 0};
  return {Io::failed, error, 0};
}

IoResult write_some(int fd, std::span<const iovec> pieces) {
#ifdef VITRINE_HARD
  for (const iovec& piece : pieces)
    if (piece.iov_len) return write_some(fd, Bytes(static_cast<const char*>(piece.iov_base), piece.iov_len));
#endif
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = std::min<size_t>(pieces.size(), IOV_MAX);
  ssize_t n;
  do n = system_call(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return detail::outcome(n);
}

// accept4 reports errors that belong to the peer that went away meanwhile: the next one may be well.
Accepted accept_one(int listener_fd) {
  for (;;) {
    int fd = accept4(listener_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return {Io::ok, 0, Fd(fd)};
    switch (errno) {
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
      case ENETDOWN:
      case ENOPROTOOPT:
      case EHOSTDOWN:
      case ENONET:
      case EHOSTUNREACH:
      case EOPNOTSUPP:
      case ENETUNREACH: continue;
      case EAGAIN: return {Io::would_block, 0, Fd()};
      default: return {Io::failed, errno, Fd()};
    }
  }
}

int connect_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

int set_no_delay(int fd, bool on) { return set_int(fd, IPPROTO_TCP, TCP_NODELAY, on); }

int set_keepalive(int fd, int idle_s) {
  if (int error = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, idle_s > 0)) return error;
  if (idle_s <= 0) return 0;
  // The kernel takes no longer idle time than this.
  constexpr int kLongestIdle_s = 32767;
  int idle = std::min(idle_s, kLongestIdle_s);
  if (int error = set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle)) return error;
  if (int error = set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::max(idle / 3, 1))) return error;
  return set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

int set_mark(int fd, uint32_t mark) { return set_int(fd, SOL_SOCKET, SO_MARK, static_cast<int>(mark)); }

int set_congestion_control(int fd, const char* name) {
  return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, static_cast<socklen_t>(std::strlen(name))) == 0 ? 0 : errno;
}

void shut_down(int fd) { shutdown(fd, SHUT_RDWR); }

namespace {

using NameCall = int (*)(int, sockaddr*, socklen_t*);

struct Name {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  bool known = false;

  Name(int fd, NameCall call) { known = call(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0; }
  int family() const { return known ? storage.ss_family : AF_UNSPEC; }
  const sockaddr_in& v4() const { return reinterpret_cast<const sockaddr_in&>(storage); }
  const sockaddr_in6& v6() const { return reinterpret_cast<const sockaddr_in6&>(storage); }

  std::string host() const {
    char text[INET6_ADDRSTRLEN] = "";
    if (family() == AF_INET) inet_ntop(AF_INET, &v4().sin_addr, text, sizeof text);
    if (family() == AF_INET6) inet_ntop(AF_INET6, &v6().sin6_addr, text, sizeof text);
    if (family() == AF_UNIX) {
      const auto& un = reinterpret_cast<const sockaddr_un&>(storage);
      size_t room = size > offsetof(sockaddr_un, sun_path) ? size - offsetof(sockaddr_un, sun_path) : 0;
      return std::string(un.sun_path, strnlen(un.sun_path, std::min(room, sizeof un.sun_path)));
    }
    return text;
  }
  int port() const {
    if (family() == AF_INET) return ntohs(v4().sin_port);
    if (family() == AF_INET6) return ntohs(v6().sin6_port);
    return 0;
  }
};

Name peer(int fd) {
  Name name(fd, getpeername);
  // A client of a Unix socket has no name of its own: the socket's path stands for it.
  if (name.family() == AF_UNIX && name.host().empty()) return Name(fd, getsockname);
  return name;
}
Name local(int fd) {
  Name name(fd, getsockname);
  if (name.family() == AF_UNIX && name.host().empty()) return Name(fd, getpeername);
  return name;
}

std::string text_of(const Name& name) {
  return name.family() == AF_UNSPEC ? "?:0" : join_name(name.host(), name.port());
}

}  // namespace

std::string join_name(Bytes host, int port) {
  bool bracket = host.find(':') != Bytes::npos && !host.starts_with('/');
  std::string out;
  out.reserve(host.size() + 8);
  if (bracket) out += '[';
  out += host;
  if (bracket) out += ']';
  out += ':';
  out += std::to_string(port);
  return out;
}

std::string peer_name(int fd) { return text_of(peer(fd)); }
std::string local_name(int fd) { return text_of(local(fd)); }
std::string peer_host(int fd) { return peer(fd).host(); }
std::string local_host(int fd) { return local(fd).host(); }
int local_port(int fd) { return local(fd).port(); }
bool is_unix(int fd) { return Name(fd, getsockname).family() == AF_UNIX; }

bool is_loopback(int fd) {
  Name name(fd, getpeername);
  if (name.family() == AF_INET) return (ntohl(name.v4().sin_addr.s_addr) >> 24) == 127;
  if (name.family() != AF_INET6) return false;
  const in6_addr& address = name.v6().sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

}  // namespace vitrine::net
