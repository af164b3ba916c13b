// What eviction, expiry and freeing read. What the keyspace itself reads (databases, LFU, encoding limits) stands in
// Keyspace::Options.
#pragma once

#include <cstdint>

namespace vitrine {

enum class EvictionPolicy {
  volatile_lru,
  volatile_lfu,
  volatile_lrm,
  volatile_random,
  volatile_ttl,
  allkeys_lru,
  allkeys_lfu,
  allkeys_lrm,
  allkeys_random,
  noeviction
};

inline bool is_lfu(EvictionPolicy p) { return p == EvictionPolicy::volatile_lfu || p == EvictionPolicy::allkeys_lfu; }
// Least recently modified: as LRU, but reading does not count.
inline bool is_lrm(EvictionPolicy p) { return p == EvictionPolicy::volatile_lrm || p == EvictionPolicy::allkeys_lrm; }
// Only keys with a time to live may go.
inline bool is_volatile(EvictionPolicy p) { return p <= EvictionPolicy::volatile_ttl; }

struct MemoryOptions {
  uint64_t maxmemory = 0;                    // bytes; 0: no limit
  EvictionPolicy policy = EvictionPolicy::noeviction;
  int samples = 5;
  int eviction_tenacity = 10;                // 0..100: how long one command may spend on eviction
  int expire_effort = 1;                     // 1..10
  bool active_rehashing = true;
  bool lazy_eviction = false, lazy_expire = false, lazy_server_del = false, lazy_user_del = false,
       lazy_user_flush = false;              // lazyfree-lazy-*
  bool jemalloc_background_thread = true;
};

}  // namespace vitrine
