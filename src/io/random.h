// True randomness, from the kernel: for seeds, ids and secrets. Everything else draws from base/random.h.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <sys/random.h>

#include "base/check.h"

namespace vitrine {

// Blocks only in the first moments after the machine has started.
inline void fill_random(char* to, size_t bytes) {
  while (bytes > 0) {
    // Pieces of 256 bytes are never interrupted.
    ssize_t n = getrandom(to, std::min<size_t>(bytes, 256), 0);
    CHECK(n > 0 || errno == EINTR);
    if (n <= 0) continue;
    to += n;
    bytes -= n;
  }
}

inline uint64_t random_seed() {
  uint64_t seed;
  fill_random(reinterpret_cast<char*>(&seed), sizeof seed);
  return seed;
}

// `digits` hexadecimal digits in lower case, such as the 40 of a run id.
inline std::string random_hex(size_t digits) {
  std::string out(digits, 0);
  fill_random(out.data(), digits);
  for (char& c : out) c = "0123456789abcdef"[c & 15];
  return out;
}

}  // namespace vitrine
