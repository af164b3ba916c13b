// What the engine reads about clients: their limits and their password.
#pragma once

#include <cstdint>
#include <string>

#include "engine/acl_options.h"

namespace vitrine {

// A client whose replies wait for more than `hard_bytes`, or for more than `soft_bytes` during `soft_s` seconds, is
// closed. 0: no limit.
struct OutputBufferLimit {
  uint64_t hard_bytes = 0, soft_bytes = 0;
  int64_t soft_s = 0;
  bool operator==(const OutputBufferLimit&) const = default;
};

struct ClientOptions {
  OutputBufferLimit output_normal;
  OutputBufferLimit output_replica{uint64_t{256} << 20, uint64_t{64} << 20, 60};
  OutputBufferLimit output_pubsub{uint64_t{32} << 20, uint64_t{8} << 20, 60};
  int64_t query_buffer_limit_bytes = int64_t{1} << 30;
  int64_t max_bulk_bytes = int64_t{512} << 20;     // proto-max-bulk-len
  int64_t max_clients_memory = 0;                  // maxmemory-clients: 0 none, > 0 bytes, < 0 per cent of maxmemory
  int64_t tracking_table_max_keys = 1000000;       // 0: no limit
  std::string password;                            // requirepass, the default user's; empty: none
  AclOptions acl;
};

// The limit of maxmemory-clients in bytes; 0: none.
inline uint64_t max_clients_memory_bytes(const ClientOptions& options, uint64_t maxmemory) {
  // With less than this nobody could talk to the server any more, not even to say so.
  constexpr uint64_t kLeast = 128 << 10;
  int64_t given = options.max_clients_memory;
  uint64_t limit = given >= 0 ? static_cast<uint64_t>(given) : maxmemory / 100 * static_cast<uint64_t>(-given);
  return limit && limit < kLeast ? kLeast : limit;
}

}  // namespace vitrine
