// The random numbers of math.random: the 48-bit linear congruential generator of POSIX' lrand48(), so that a script
// that sets a seed gets the same numbers on every machine.
#pragma once

#include <cstdint>

namespace vitrine {

class LuaRandom {
 public:
  void seed(uint32_t seed) { state_ = (uint64_t{seed} << 16) + 0x330e; }
  void seed_wide(uint64_t seed) { state_ = seed & kMask; }
  // 31 bits.
  uint32_t next() {
    state_ = (state_ * 0x5deece66dull + 0xb) & kMask;
    return static_cast<uint32_t>(state_ >> 17);
  }
  // In [0, 1).
  double real() { return static_cast<double>(next() % kMost) / kMost; }

 private:
  static constexpr uint64_t kMask = (uint64_t{1} << 48) - 1;
  static constexpr uint32_t kMost = 0x7fffffff;
  uint64_t state_ = 0x330e;
};

}  // namespace vitrine
