// The set-up half of socket.h: names resolved, sockets bound, listened on and connected.
#include "io/socket.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace vitrine::net {

namespace {

// Why a step failed: `code` is an errno, or 0 for a reason that has none (a name that does not resolve).
struct Failure {
  int code = 0;
  std::string text;
};

Failure failure(const char* step, int code) { return {code, std::string(step) + ": " + std::strerror(code)}; }

using Resolved = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

std::expected<Resolved, Failure> resolve(const std::string& host, int port, bool passive) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
  const char* node = host.c_str();
  if (host == "*") hints.ai_family = AF_INET, node = nullptr;
  if (host == "::*") hints.ai_family = AF_INET6, node = nullptr;
  addrinfo* list = nullptr;
  int rc = getaddrinfo(node, std::to_string(port).c_str(), &hints, &list);
  if (rc == EAI_SYSTEM) return std::unexpected(failure("getaddrinfo", errno));
  if (rc == EAI_ADDRFAMILY) return std::unexpected(Failure{EAFNOSUPPORT, gai_strerror(rc)});
  if (rc != 0) return std::unexpected(Failure{0, gai_strerror(rc)});
  return Resolved(list, &freeaddrinfo);
}

#ifndef IPPROTO_MPTCP
constexpr int IPPROTO_MPTCP = 262;
#endif

std::expected<Fd, Failure> open_socket(const addrinfo& address, bool multipath = false) {
  constexpr int kType = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  Fd fd;
  if (multipath) fd.reset(socket(address.ai_family, kType, IPPROTO_MPTCP));
  if (!fd) fd.reset(socket(address.ai_family, kType, 0));
  if (!fd) return std::unexpected(failure("socket", errno));
  return fd;
}

std::expected<Fd, Failure> listen_at(const addrinfo& address, const ListenOptions& options) {
  auto fd = open_socket(address, options.multipath);
  if (!fd) return fd;
  int raw = fd->get();
  int on = 1;
  if (address.ai_family == AF_INET6 && setsockopt(raw, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
    return std::unexpected(failure("setsockopt", errno));
  if (setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    return std::unexpected(failure("setsockopt SO_REUSEADDR", errno));
  if (options.mark)
    if (int error = set_mark(raw, options.mark)) return std::unexpected(failure("setsockopt SO_MARK", error));
  // Accepted sockets inherit these two, which saves five system calls for every client.
  set_no_delay(raw, true);
  set_keepalive(raw, options.keepalive_s);
  if (bind(raw, address.ai_addr, address.ai_addrlen) != 0) return std::unexpected(failure("bind", errno));
  if (listen(raw, options.backlog) != 0) return std::unexpected(failure("listen", errno));
  return fd;
}

std::expected<Fd, Failure> listen_host(const std::string& host, int port, const ListenOptions& options) {
  auto addresses = resolve(host, port, true);
  if (!addresses) return std::unexpected(addresses.error());
  Failure last{EADDRNOTAVAIL, "no address"};
  for (const addrinfo* a = addresses->get(); a; a = a->ai_next) {
    auto fd = listen_at(*a, options);
    if (fd) return fd;
    last = fd.error();
  }
  return std::unexpected(last);
}

bool is_protocol_missing(int code) {
  return code == ENOPROTOOPT || code == EPROTONOSUPPORT || code == ESOCKTNOSUPPORT || code == EPFNOSUPPORT ||
         code == EAFNOSUPPORT;
}

}  // namespace

Listening listen_tcp(std::span<const std::string> addresses, int port, const ListenOptions& options) {
  Listening result;
  for (const std::string& address : addresses) {
    bool optional = address.starts_with('-');
    std::string host = address.substr(optional ? 1 : 0);
    auto fd = listen_host(host, port, options);
    if (fd) {
      int real_port = local_port(fd->get());
      result.listeners.push_back({std::move(*fd), host, real_port, false});
      continue;
    }
    const Failure& why = fd.error();
    result.warnings.push_back("Warning: Could not create server TCP listening socket " +
                              host + ":" + std::to_string(port) + ": " + why.text);
    if (is_protocol_missing(why.code) || (optional && why.code == EADDRNOTAVAIL)) continue;
    result.listeners.clear();
    result.failed = true;
    return result;
  }
  return result;
}

namespace {

std::expected<sockaddr_un, std::string> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return std::unexpected("path of a Unix socket must have 1 to " + std::to_string(sizeof address.sun_path - 1) +
                           " bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Fd unix_socket() { return Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

}  // namespace

void remove_unix_socket(const std::string& path) {
  struct stat info;
  if (lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) unlink(path.c_str());
}

namespace {

// The number of a group given by name or number.
std::expected<gid_t, std::string> find_group(const std::string& name) {
  if (name.find_first_not_of("0123456789") == std::string::npos)
    return static_cast<gid_t>(std::strtoul(name.c_str(), nullptr, 10));
  char buffer[16384];
  group entry{};
  group* found = nullptr;
  if (getgrnam_r(name.c_str(), &entry, buffer, sizeof buffer, &found) != 0 || !found)
    return std::unexpected("no such group: " + name);
  return entry.gr_gid;
}

std::expected<void, std::string> set_access(const char* path, unsigned permissions, const std::string& group_name) {
  if (!group_name.empty()) {
    auto gid = find_group(group_name);
    if (!gid) return std::unexpected(gid.error());
    if (chown(path, static_cast<uid_t>(-1), *gid) != 0) return std::unexpected(failure("chown", errno).text);
  }
  if (permissions && chmod(path, permissions) != 0) return std::unexpected(failure("chmod", errno).text);
  return {};
}

}  // namespace

std::expected<Listener, std::string> listen_unix(const std::string& path, unsigned permissions,
                                                 const ListenOptions& options, const std::string& group) {
  auto address = unix_address(path);
  if (!address) return std::unexpected(address.error());
  Fd fd = unix_socket();
  if (!fd) return std::unexpected(failure("socket", errno).text);
  remove_unix_socket(path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    if (errno == EADDRINUSE) return std::unexpected(path + " is there already, and is no socket");
    return std::unexpected(failure("bind", errno).text);
  }
  // Before listening, that is before anybody can connect.
  auto access = set_access(path.c_str(), permissions, group);
  if (!access) return std::unexpected(access.error());
  if (listen(fd.get(), options.backlog) != 0) return std::unexpected(failure("listen", errno).text);
  return Listener{std::move(fd), path, 0, true};
}

std::string backlog_warning(int backlog) {
  constexpr const char* kPath = "/proc/sys/net/core/somaxconn";
  Fd fd(open(kPath, O_RDONLY | O_CLOEXEC));
  char text[32] = "";
  if (!fd || read(fd.get(), text, sizeof text - 1) <= 0) return {};
  int limit = std::atoi(text);
  if (limit <= 0 || limit >= backlog) return {};
  return "WARNING: The TCP backlog setting of " + std::to_string(backlog) + " cannot be enforced because " + kPath +
         " is set to the lower value of " + std::to_string(limit) + ".";
}

namespace {

std::expected<Fd, Failure> connect_to(const addrinfo& address, const std::string& source) {
  auto fd = open_socket(address);
  if (!fd) return fd;
  if (!source.empty()) {
    auto from = resolve(source, 0, true);
    if (!from) return std::unexpected(from.error());
    const addrinfo* a = from->get();
    while (a && a->ai_family != address.ai_family) a = a->ai_next;
    if (!a) return std::unexpected(Failure{EADDRNOTAVAIL, "bind: no source address of that family"});
    if (bind(fd->get(), a->ai_addr, a->ai_addrlen) != 0) return std::unexpected(failure("bind", errno));
  }
  set_no_delay(fd->get(), true);
  if (connect(fd->get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS)
    return std::unexpected(failure("connect", errno));
  return fd;
}

}  // namespace

std::expected<Fd, std::string> connect_tcp(const std::string& host, int port, const std::string& source) {
  auto addresses = resolve(host, port, false);
  if (!addresses) return std::unexpected(addresses.error().text);
  std::string last = "no address";
  for (const addrinfo* a = addresses->get(); a; a = a->ai_next) {
    auto fd = connect_to(*a, source);
    if (fd) return std::move(*fd);
    last = fd.error().text;
  }
  return std::unexpected(last);
}

std::expected<Fd, std::string> connect_unix(const std::string& path) {
  auto address = unix_address(path);
  if (!address) return std::unexpected(address.error());
  Fd fd = unix_socket();
  if (!fd) return std::unexpected(failure("socket", errno).text);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 && errno != EAGAIN)
    return std::unexpected(failure("connect", errno).text);
  return fd;
}

}  // namespace vitrine::net
