#include "io/socket.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "io/testing.h"

namespace vitrine::net {
namespace {

using testing_words::Folder;


bool wait_for(int fd, short events) {
  pollfd p{fd, events, 0};
  return poll(&p, 1, 5000) == 1;
}

Listening listen_on(std::vector<std::string> addresses, int port = 0) { return listen_tcp(addresses, port, {}); }

Fd accept_soon(int listener) {
  EXPECT_TRUE(wait_for(listener, POLLIN));
  Accepted a = accept_one(listener);
  EXPECT_EQ(a.status, Io::ok);
  return std::move(a.fd);
}

int get_int(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  getsockopt(fd, level, name, &value, &size);
  return value;
}

bool has_ipv6() { return listen_on({"::1"}).listeners.size() == 1; }

struct Line {
  Listening listening;
  Fd client, server;
  explicit Line(const std::string& host) : listening(listen_on({host})) {
    if (listening.listeners.empty()) return;
    const Listener& l = listening.listeners[0];
    auto made = connect_tcp(host, l.port);
    EXPECT_TRUE(made.has_value()) << made.error();
    client = std::move(*made);
    server = accept_soon(l.fd.get());
    EXPECT_TRUE(wait_for(client.get(), POLLOUT));
    EXPECT_EQ(connect_error(client.get()), 0);
  }
};

TEST(Socket, TcpCarriesBytesAndNamesBothEnds) {
  Line line("127.0.0.1");
  int port = line.listening.listeners[0].port;
  EXPECT_EQ(local_name(line.server.get()), "127.0.0.1:" + std::to_string(port));
  EXPECT_EQ(peer_name(line.client.get()), local_name(line.server.get()));
  EXPECT_EQ(peer_name(line.server.get()), local_name(line.client.get()));
  EXPECT_EQ(peer_host(line.server.get()), "127.0.0.1");
  EXPECT_EQ(local_port(line.server.get()), port);
  EXPECT_TRUE(is_loopback(line.server.get()));
  EXPECT_FALSE(is_unix(line.server.get()));

  char buffer[64];
  EXPECT_EQ(read_some(line.server.get(), buffer, sizeof buffer).status, Io::would_block);
  iovec pieces[3] = {{const_cast<char*>("hel"), 3}, {nullptr, 0}, {const_cast<char*>("lo"), 2}};
  size_t sent = 0;
  while (sent < 5) {
    int fd = line.client.get();
    IoResult w = sent == 0 ? write_some(fd, pieces) : write_some(fd, Bytes("hello").substr(sent));
    ASSERT_EQ(w.status, Io::ok);
    sent += w.bytes;
  }
  std::string got;
  while (got.size() < 5) {
    ASSERT_TRUE(wait_for(line.server.get(), POLLIN));
    IoResult r = read_some(line.server.get(), buffer, sizeof buffer);
    ASSERT_EQ(r.status, Io::ok);
    got.append(buffer, r.bytes);
  }
  EXPECT_EQ(got, "hello");
  line.client.reset();
  ASSERT_TRUE(wait_for(line.server.get(), POLLIN));
  EXPECT_EQ(read_some(line.server.get(), buffer, sizeof buffer).status, Io::closed);
}

TEST(Socket, AcceptedSocketsAreSetUp) {
  Line line("127.0.0.1");
  int fd = line.server.get();
  EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_KEEPIDLE), 300);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_KEEPINTVL), 100);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(set_keepalive(fd, 2), 0);
  EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_KEEPINTVL), 1);
  EXPECT_EQ(set_keepalive(fd, 1000000), 0) << "more than the kernel's most is cut";
  EXPECT_EQ(set_keepalive(fd, 0), 0);
  EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(accept_one(line.listening.listeners[0].fd.get()).status, Io::would_block);
}

TEST(Socket, AFullPipeWouldBlockAndAGonePeerIsClosed) {
  Line line("127.0.0.1");
  std::string chunk(1 << 16, 'x');
  IoResult w;
  size_t total = 0;
  do {
    w = write_some(line.server.get(), chunk);
    total += w.bytes;
  } while (w.status == Io::ok && total < (64u << 20));
  EXPECT_EQ(w.status, Io::would_block);
  // Closing with unread bytes resets the connection.
  line.client.reset();
  for (int i = 0; i < 100 && (w = write_some(line.server.get(), chunk)).status != Io::closed; i++) usleep(1000);
  EXPECT_EQ(w.status, Io::closed);
  char c;
  EXPECT_EQ(read_some(-1, &c, 1).status, Io::failed);
  EXPECT_EQ(read_some(-1, &c, 1).error, EBADF);
}

TEST(Socket, ShutDownEndsBothDirections) {
  Line line("127.0.0.1");
  shut_down(line.server.get());
  char c;
  EXPECT_EQ(read_some(line.server.get(), &c, 1).status, Io::closed);
  EXPECT_EQ(write_some(line.server.get(), "x").status, Io::closed);
  ASSERT_TRUE(wait_for(line.client.get(), POLLIN));
  EXPECT_EQ(read_some(line.client.get(), &c, 1).status, Io::closed);
}

TEST(Socket, SpeaksIpv6) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has no IPv6 loopback";
  Line line("::1");
  EXPECT_EQ(local_name(line.server.get()), "[::1]:" + std::to_string(line.listening.listeners[0].port));
  EXPECT_EQ(peer_host(line.server.get()), "::1");
  EXPECT_TRUE(is_loopback(line.server.get()));
  EXPECT_EQ(get_int(line.server.get(), IPPROTO_TCP, TCP_NODELAY), 1);
}

TEST(Listen, BothProtocolsShareOnePort) {
  Listening first = listen_on({"*"});
  ASSERT_EQ(first.listeners.size(), 1u);
  int port = first.listeners[0].port;
  first.listeners.clear();
  Listening both = listen_on({"*", "-::*"}, port);
  EXPECT_FALSE(both.failed);
  EXPECT_EQ(both.listeners.size(), has_ipv6() ? 2u : 1u);
  EXPECT_EQ(both.listeners[0].host, "*");
  if (has_ipv6()) {
    EXPECT_EQ(both.listeners[1].host, "::*");
    EXPECT_TRUE(connect_tcp("::1", port).has_value());
  }
  EXPECT_TRUE(connect_tcp("127.0.0.1", port).has_value());
}

TEST(Listen, NoAddressesMeansNowhere) {
  Listening nowhere = listen_on({}, 1);
  EXPECT_FALSE(nowhere.failed);
  EXPECT_TRUE(nowhere.listeners.empty() && nowhere.warnings.empty());
}

TEST(Listen, MultipathFallsBackToPlain) {
  Listening l = listen_tcp(std::vector<std::string>{"127.0.0.1"}, 0, {.multipath = true});
  ASSERT_EQ(l.listeners.size(), 1u);
  auto client = connect_tcp("127.0.0.1", l.listeners[0].port);
  ASSERT_TRUE(client.has_value());
  Fd server = accept_soon(l.listeners[0].fd.get());
  EXPECT_EQ(write_some(server.get(), "x").bytes, 1u);
}

TEST(Listen, AnAddressInUseFailsEvenWhenOptional) {
  Listening first = listen_on({"127.0.0.1"});
  int port = first.listeners[0].port;
  for (const char* address : {"127.0.0.1", "-127.0.0.1"}) {
    Listening again = listen_on({"127.0.0.2", address}, port);
    EXPECT_TRUE(again.failed);
    EXPECT_TRUE(again.listeners.empty());
    ASSERT_EQ(again.warnings.size(), 1u);
    EXPECT_EQ(again.warnings[0], "Warning: Could not create server TCP listening socket 127.0.0.1:" +
                                     std::to_string(port) + ": bind: Address already in use");
  }
  EXPECT_TRUE(listen_on({"127.0.0.2"}, port).listeners.size() == 1) << "nothing was left open";
}

TEST(Listen, AMissingAddressFailsUnlessOptional) {
  // 192.0.2.0/24 is set aside for documentation.
  Listening hard = listen_on({"192.0.2.77"}, 7);
  EXPECT_TRUE(hard.failed);
  EXPECT_EQ(hard.warnings.at(0), "Warning: Could not create server TCP listening socket 192.0.2.77:7: bind: "
                                 "Cannot assign requested address");
  Listening soft = listen_on({"-192.0.2.77", "127.0.0.1"});
  EXPECT_FALSE(soft.failed);
  EXPECT_EQ(soft.listeners.size(), 1u);
  EXPECT_EQ(soft.warnings.size(), 1u);
  Listening nothing = listen_on({"-192.0.2.77"});
  EXPECT_FALSE(nothing.failed);
  EXPECT_TRUE(nothing.listeners.empty());
  EXPECT_TRUE(listen_on({"-not a host name"}).failed);
}

TEST(Listen, UnixSocketsHavePermissionsAndReplaceOnlySockets) {
  Folder folder;
  std::string path = folder.path + "/s";
  auto first = listen_unix(path, 0700, {}, std::to_string(getgid()));
  ASSERT_TRUE(first.has_value()) << first.error();
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_TRUE(first->is_unix);
  first->fd.reset();  // left behind, as by a crash
  auto second = listen_unix(path, 0, {});
  ASSERT_TRUE(second.has_value()) << second.error();

  auto client = connect_unix(path);
  ASSERT_TRUE(client.has_value()) << client.error();
  Fd server = accept_soon(second->fd.get());
  EXPECT_EQ(peer_name(server.get()), path + ":0");
  EXPECT_EQ(local_name(server.get()), path + ":0");
  EXPECT_EQ(peer_name(client->get()), path + ":0");
  EXPECT_TRUE(is_unix(server.get()));
  EXPECT_FALSE(is_loopback(server.get()));
  EXPECT_EQ(write_some(server.get(), "x").bytes, 1u);
  remove_unix_socket(path);
  EXPECT_FALSE(std::filesystem::exists(path));

  std::string file = folder.path + "/precious";
  close(open(file.c_str(), O_CREAT | O_WRONLY, 0600));
  auto refused = listen_unix(file, 0, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), file + " is there already, and is no socket");
  remove_unix_socket(file);
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_EQ(listen_unix(folder.path + "/none/s", 0, {}).error(), "bind: No such file or directory");
  EXPECT_FALSE(listen_unix(std::string(300, 'x'), 0, {}).has_value());
  EXPECT_FALSE(connect_unix(folder.path + "/nobody").has_value());
  EXPECT_EQ(listen_unix(path, 0, {}, "no such group").error(), "no such group: no such group");
}

TEST(Connect, TellsOfRefusal) {
  int port = listen_on({"127.0.0.1"}).listeners[0].port;  // closed again at once
  auto fd = connect_tcp("127.0.0.1", port);
  if (fd) {
    ASSERT_TRUE(wait_for(fd->get(), POLLOUT));
    EXPECT_EQ(connect_error(fd->get()), ECONNREFUSED);
  } else {
    EXPECT_EQ(fd.error(), "connect: Connection refused");
  }
}

TEST(Connect, UsesTheSourceAddress) {
  Listening l = listen_on({"127.0.0.1"});
  auto fd = connect_tcp("127.0.0.1", l.listeners[0].port, "127.0.0.5");
  ASSERT_TRUE(fd.has_value()) << fd.error();
  EXPECT_EQ(local_host(fd->get()), "127.0.0.5");
  Fd server = accept_soon(l.listeners[0].fd.get());
  EXPECT_TRUE(is_loopback(server.get()));
}

TEST(Names, AreBracketedWhenTheyHoldColons) {
  EXPECT_EQ(join_name("10.0.0.1", 5), "10.0.0.1:5");
  EXPECT_EQ(join_name("::1", 6379), "[::1]:6379");
  EXPECT_EQ(join_name("/tmp/a:b", 0), "/tmp/a:b:0");
  Fd loose(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(peer_name(loose.get()), "?:0");
}

TEST(Backlog, WarnsOnlyAboveTheKernelsLimit) {
  EXPECT_EQ(backlog_warning(1), "");
  EXPECT_NE(backlog_warning(2'000'000'000).find("/proc/sys/net/core/somaxconn"), std::string::npos);
}

}  // namespace
}  // namespace vitrine::net
