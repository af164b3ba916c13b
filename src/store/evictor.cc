#include "store/evictor.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "base/memory.h"
#include "store/database.h"

namespace vitrine {

Evictor::Evictor(Keyspace& keyspace, const MemoryOptions& options, World world)
    : keyspace_(keyspace), options_(options), world_(std::move(world)), random_(keyspace.random().next()) {
  if (options_.maxmemory) checkpoint_ = 0;
}

// 0: as little as possible; 10, the default: half a millisecond; from there 15 % more each step; 100: no bound.
int64_t Evictor::command_budget_us() const {
  constexpr int64_t kUsEach = 50;
  int tenacity = options_.eviction_tenacity;
  if (tenacity >= 100) return INT64_MAX;
  if (tenacity <= 10) return kUsEach * tenacity;
  return static_cast<int64_t>(kUsEach * 10 * std::pow(1.15, tenacity - 10));
}

size_t Evictor::excess() const {
  if (options_.maxmemory == 0) return 0;
  size_t used = world_.used_bytes();
  return used > options_.maxmemory ? used - options_.maxmemory : 0;
}

Evictor::Outcome Evictor::relieve() {
  constexpr int64_t kPart = 10;
  int64_t whole = command_budget_us();
  if (whole == INT64_MAX) return relieve_for(whole);
  return relieve_for(std::max(whole - spent_us_, whole / kPart));
}

Evictor::Outcome Evictor::end_turn() {
  spent_us_ = 0;
  if (options_.maxmemory == 0) {
    checkpoint_ = UINT64_MAX;
    exceeding_since_us_ = 0;
    return Outcome::enough;
  }
  constexpr int64_t kSliceUs = 500;
  Outcome outcome = relieve_for(kSliceUs);
  spent_us_ = 0;
  return outcome;
}

Evictor::Outcome Evictor::relieve_for(int64_t budget_us) {
  if (options_.maxmemory == 0) return settle(0);
  auto counted = [this] {
    // Read first: what is freed between the two counts as used a moment longer, never as freed twice.
    size_t freeing = keyspace_.freeing_bytes(), used = world_.used_bytes();
    return used > freeing ? used - freeing : 0;
  };
  size_t used = counted();
  if (used <= options_.maxmemory) return settle(used);

  checkpoint_ = 0;
  int64_t start = world_.monotonic_us();
  if (!exceeding_since_us_) exceeding_since_us_ = start;
  if (options_.policy == EvictionPolicy::noeviction) return Outcome::failed;
  constexpr uint64_t kLookAtClock = 8;  // evictions
  Outcome outcome = Outcome::running;
  for (uint64_t n = 1; outcome == Outcome::running; n++) {
    if (!evict_one()) {
      outcome = Outcome::failed;
      break;
    }
    used = counted();
    if (used <= options_.maxmemory) outcome = settle(used);
    else if (n % kLookAtClock == 0 && world_.monotonic_us() - start >= budget_us) break;
  }
  if (outcome == Outcome::running) stats_.cut++;
  spent_us_ += world_.monotonic_us() - start;
  return outcome;
}

Evictor::Outcome Evictor::settle(size_t used) {
  if (exceeding_since_us_) {
    stats_.exceeded_us += world_.monotonic_us() - exceeding_since_us_;
    exceeding_since_us_ = 0;
  }
  checkpoint_ = options_.maxmemory ? memory::allocated_here() + (options_.maxmemory - used) : UINT64_MAX;
  return Outcome::enough;
}

bool Evictor::evict_one() {
  switch (options_.policy) {
    case EvictionPolicy::noeviction: return false;
    case EvictionPolicy::allkeys_random:
    case EvictionPolicy::volatile_random: return evict_random();
    default: return evict_ranked();
  }
}

bool Evictor::evict_random() {
  bool only_expiring = is_volatile(options_.policy);
  auto weight = [&](int db) {
    const Database& database = keyspace_.database(db);
    return only_expiring ? database.expiring() : database.size();
  };
  size_t total = 0;
  for (int db = 0; db < keyspace_.databases(); db++) total += weight(db);
  if (total == 0) return false;
  size_t nth = random_.below(total);
  int db = 0;
  for (; nth >= weight(db); db++) nth -= weight(db);
  Database& database = keyspace_.database(db);

  Entry* chosen = only_expiring ? database.random_expiring(random_)
                                : Database::Policy::entry(database.table().random(random_));
  keyspace_.evict(db, chosen, hash_bytes(chosen->key()));
  return true;
}

bool Evictor::evict_ranked() {
  if (pool_policy_ != options_.policy) {
    pooled_ = 0;
    pool_policy_ = options_.policy;
  }
  bool only_expiring = is_volatile(options_.policy);
  bool any = false;
  for (int db = 0; db < keyspace_.databases() && !any; db++) {
    const Database& database = keyspace_.database(db);
    any = only_expiring ? database.expiring() > 0 : database.size() > 0;
  }
  if (!any) return false;
  do gather();
  while (!evict_best());
  return true;
}

// A round of samples from every database.
void Evictor::gather() {
  size_t samples = static_cast<size_t>(options_.samples);
  for (int db = 0; db < keyspace_.databases(); db++) {
    Database& database = keyspace_.database(db);
    // Under LFU the surest find is not the best: it is always a new key, which has had no time for a second use. The
    // table shows whole buckets, of eight or nine keys, and for ten samples one of them hits more often than two.
    bool by_bucket = !is_volatile(options_.policy) || database.commonly_expiring();
    size_t want = is_lfu(options_.policy) && by_bucket ? (samples + 3) / 4 : samples;
    auto consider_each = [this, db](Entry* e) { consider(*e, db); };
    if (options_.policy == EvictionPolicy::volatile_ttl) database.sample_soonest(random_, want, consider_each);
    else if (is_volatile(options_.policy)) database.sample_expiring(random_, want, consider_each);
    else if (database.size() > 0) database.sample(random_, want, consider_each);
  }
}

uint64_t Evictor::score_of(const Entry& entry) const {
  int64_t now_ms = keyspace_.now_ms();
  if (options_.policy == EvictionPolicy::volatile_ttl) return UINT64_MAX - static_cast<uint64_t>(entry.expire_at_ms());
  uint32_t bits = keyspace_.access_of(entry);
  // Moments rather than durations, so that scores of different rounds compare.
  if (!is_lfu(options_.policy)) return UINT64_MAX - static_cast<uint64_t>(now_ms - access::lru_idle_ms(bits, now_ms));
  uint64_t counter = access::lfu_counter(bits, now_ms, keyspace_.options().lfu_decay_time);
  uint64_t age_minutes = (access::lfu_minutes(now_ms) - (bits >> 8)) & 0xffff;
  return (255 - counter) << 16 | age_minutes;
}

void Evictor::consider(const Entry& entry, int db) {
  uint64_t score = score_of(entry);
  if (pooled_ == kPool && score <= pool_[0].score) return;
  uint64_t hash = hash_bytes(entry.key());
  for (size_t i = 0; i < pooled_; i++)
    if (pool_[i].hash == hash && pool_[i].db == db) return;
  auto begin = pool_.begin(), end = begin + static_cast<long>(pooled_);
  auto place = std::lower_bound(begin, end, score, [](const Candidate& c, uint64_t s) { return c.score < s; });
  if (pooled_ < kPool) {
    std::move_backward(place, end, end + 1);
    pooled_++;
  } else {
    std::move(begin + 1, place, begin);  // the least of them falls out
    --place;
  }
  *place = {score, hash, db};
}

// Evicts the best candidate that is still as good as it was; false when the pool ran empty.
bool Evictor::evict_best() {
  while (pooled_ > 0) {
    Candidate best = pool_[--pooled_];
    if (best.db >= keyspace_.databases()) continue;
    Entry* found = nullptr;
    keyspace_.database(best.db).table().visit_matching(best.hash, [&](Word w) {
      Entry* e = Database::Policy::entry(w);
      if (hash_bytes(e->key()) == best.hash) found = e;
    });
    if (!found || (is_volatile(options_.policy) && !found->has_expiry())) continue;
    if (score_of(*found) < best.score) continue;
    keyspace_.evict(best.db, found, best.hash);
    return true;
  }
  return false;
}

}  // namespace vitrine
