// Hashing of keys and elements: xxHash's XXH3, seeded per process so that nobody can aim collisions at us.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"

namespace vitrine {

// Set once at start (random, or the `hash-seed` setting), before any table holds anything.
extern uint64_t hash_seed;

inline uint64_t hash_bytes(Bytes b) { return XXH3_64bits_withSeed(b.data(), b.size(), hash_seed); }

// For integers kept as integers (not equal to hash_bytes of their text).
inline uint64_t hash_word(uint64_t x) {
  x ^= hash_seed;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ull;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ull;
  x ^= x >> 32;
  return x;
}

}  // namespace vitrine
