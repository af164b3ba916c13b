// What the network room reads: where to listen and how to treat the sockets. Defaults stand here; the rows of the
// settings table point here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vitrine {

struct NetworkOptions {
  int port = 6379;                                // 0: no TCP
  std::vector<std::string> bind = {"*", "-::*"};  // '-' before an address: may be missing; empty: listen nowhere
  int tcp_backlog = 511;
  int tcp_keepalive_s = 300;
  std::string unix_socket;                        // a path; empty: none
  int unix_socket_permissions = 0;                // 0: as the process' umask says
  std::string unix_socket_group;
  int idle_timeout_s = 0;                         // 0: never
  uint32_t max_clients = 10000;
  bool protected_mode = true;
  uint32_t socket_mark = 0;                       // SO_MARK; 0: none
  std::string bind_source_address;                // for connections that we open
  int new_connections_per_turn = 10;
  bool multipath_tcp = false;

  static constexpr int kMostAddresses = 16;
};

}  // namespace vitrine
