// What access control reads of the settings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vitrine {

enum class ChannelDefault : uint8_t { all, none };   // what a new user or selector may do with channels

struct AclOptions {
  // A `user` line of the configuration.
  struct UserLine {
    std::string name;
    std::vector<std::string> rules;
  };
  ChannelDefault pubsub_default = ChannelDefault::none;
  std::string file;                                  // aclfile; empty: users stand in the configuration
  int64_t log_max_len = 128;
  std::vector<UserLine> users;
};

}  // namespace vitrine
