// Evictor: who must go when memory is over `maxmemory`.
//
// Least recently used or modified and least frequently used keys are found by sampling, as the documentation of Redis
// describes its approximated LRU: each round looks at some random keys and keeps the best candidates seen so far in a
// pool, from which the best goes. Here a candidate is looked at again before it goes: one that was used meanwhile is
// spared. The pool holds hashes, not keys. Keys with an expiry are found through the expiry index when they are few
// (volatile-*), and volatile-ttl takes its candidates from the index's first slot.
//
// What counts is the memory used for data and clients, less what the background thread is about to free: so a huge
// value that goes does not take others with it. Accounting costs the common command one comparison: after each look,
// checkpoint() says how far memory::allocated_here() may grow before memory can be over the limit again.
//
// Time is bounded: a command may spend `maxmemory-eviction-tenacity` on it, what is left is done in later turns.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "store/keyspace.h"
#include "store/memory_options.h"

namespace vitrine {

class Evictor {
 public:
  // What it must know of the world above this room.
  struct World {
    std::function<size_t()> used_bytes;      // without what evicting itself makes grow: the log's buffer
    std::function<int64_t()> monotonic_us;
  };
  enum class Outcome : uint8_t {
    enough,    // memory is within the limit
    running,   // not yet, but keys are still there to go
    failed,    // nothing (more) may go
  };
  struct Stats {
    uint64_t cut = 0;          // rounds that ran out of time
    int64_t exceeded_us = 0;   // how long memory was above the limit, in all
  };

  // `options` outlive it.
  Evictor(Keyspace& keyspace, const MemoryOptions& options, World world);

  // Evicts until memory is within the limit, for the time one command may take for it. Within a turn of the loop, the
  // first has the whole of it, the later ones share as much again and then get a small part each.
  Outcome relieve();
  // A turn of the loop is over: a slice of what is left to do. Notices what other threads have allocated, too.
  Outcome end_turn();

  // While memory::allocated_here() is below this, memory is within the limit. UINT64_MAX: there is none.
  uint64_t checkpoint() const { return checkpoint_; }
  // Bytes above the limit; 0 when there is no limit.
  size_t excess() const;

  const Stats& stats() const { return stats_; }
  void reset_stats() { stats_ = {}; }
  // How long memory has been above the limit now; 0 when it is not.
  int64_t exceeding_us() const { return exceeding_since_us_ ? world_.monotonic_us() - exceeding_since_us_ : 0; }

 private:
  static constexpr size_t kPool = 16;
  struct Candidate {
    uint64_t score;   // the greater the sooner it goes
    uint64_t hash;
    int db;
  };

  int64_t command_budget_us() const;
  Outcome relieve_for(int64_t budget_us);
  Outcome settle(size_t used);
  bool evict_one();
  bool evict_random();
  bool evict_ranked();
  void gather();
  void consider(const Entry& entry, int db);
  uint64_t score_of(const Entry& entry) const;
  bool evict_best();

  Keyspace& keyspace_;
  const MemoryOptions& options_;
  const World world_;
  Random random_;
  std::array<Candidate, kPool> pool_;   // ascending scores
  size_t pooled_ = 0;
  EvictionPolicy pool_policy_ = EvictionPolicy::noeviction;   // whose scores stand in the pool
  uint64_t checkpoint_ = UINT64_MAX;
  int64_t spent_us_ = 0;                // in this turn
  int64_t exceeding_since_us_ = 0;
  Stats stats_;
};

}  // namespace vitrine
