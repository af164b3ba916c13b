// BlockingConnection: a TCP connection to another server, for the one command that must not end before the other side
// has answered (MIGRATE). Everything else belongs on the loop.
//
// It waits at most `idle_ms` for any sign of life: for the connection to be made, for room to write, for bytes to
// read. A transfer that goes on may take longer than that in all.
#pragma once

#include <expected>
#include <string>

#include "base/bytes.h"
#include "io/fd.h"

namespace vitrine::net {

class BlockingConnection {
 public:
  // `host` may be a name; resolving it is not bounded by idle_ms. A refused connection shows in the first write.
  static std::expected<BlockingConnection, std::string> open(const std::string& host, int port, int idle_ms);

  // Both are false when the connection has failed, or time is up: then it is of no more use.
  bool write_all(Bytes data, int idle_ms);
  // The next line, without its end.
  bool read_line(std::string& line, int idle_ms);

  // What failed was the waiting.
  bool timed_out() const { return timed_out_; }

 private:
  explicit BlockingConnection(Fd fd) : fd_(std::move(fd)) {}
  bool wait_for(short events, int idle_ms);

  Fd fd_;
  std::string unread_;
  bool timed_out_ = false;
};

}  // namespace vitrine::net
