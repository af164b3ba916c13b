#include "io/blocking_connection.h"

#include <poll.h>

#include <cerrno>

#include "io/socket.h"

namespace vitrine::net {

std::expected<BlockingConnection, std::string> BlockingConnection::open(const std::string& host, int port,
                                                                        int idle_ms) {
  auto fd = connect_tcp(host, port);
  if (!fd) return std::unexpected(fd.error());
  set_no_delay(fd->get(), true);
  BlockingConnection connection(std::move(*fd));
  if (!connection.wait_for(POLLOUT, idle_ms)) return std::unexpected("timeout");
  return connection;
}

bool BlockingConnection::wait_for(short events, int idle_ms) {
  pollfd waiting{fd_.get(), events, 0};
  int ready;
  do ready = poll(&waiting, 1, idle_ms);
  while (ready < 0 && errno == EINTR);
  timed_out_ = ready == 0;
  return ready > 0;
}

bool BlockingConnection::write_all(Bytes data, int idle_ms) {
  while (!data.empty()) {
    IoResult sent = write_some(fd_.get(), data);
    if (sent.status == Io::would_block && wait_for(POLLOUT, idle_ms)) continue;
    if (sent.status != Io::ok) return false;
    data.remove_prefix(sent.bytes);
  }
  return true;
}

bool BlockingConnection::read_line(std::string& line, int idle_ms) {
  size_t end;
  while ((end = unread_.find("\r\n")) == std::string::npos) {
    char room[4096];
    IoResult got = read_some(fd_.get(), room, sizeof room);
    if (got.status == Io::would_block && wait_for(POLLIN, idle_ms)) continue;
    if (got.status != Io::ok) return false;
    unread_.append(room, got.bytes);
  }
  line.assign(unread_, 0, end);
  unread_.erase(0, end + 2);
  return true;
}

}  // namespace vitrine::net
