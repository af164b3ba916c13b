// The 24 access bits of an entry: when it was last used (LRU) or changed (LRM), or how often it was used (LFU).
//
// LRU: a clock in units of 256 ms that wraps after 49 days. LFU: sixteen bits of minutes (of the last decay) and an
// eight-bit logarithmic counter, as the documentation of the `lfu-*` settings describes.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace vitrine::access {

constexpr int64_t kLruUnitMs = 256;
constexpr uint32_t kMask = 0xff'ffff;
constexpr uint8_t kLfuInitial = 5;

inline uint32_t lru_clock(int64_t now_ms) { return static_cast<uint32_t>(now_ms / kLruUnitMs) & kMask; }
inline int64_t lru_idle_ms(uint32_t bits, int64_t now_ms) {
  return static_cast<int64_t>((lru_clock(now_ms) - bits) & kMask) * kLruUnitMs;
}

// The bits of a key that was last used so long ago, as far as the clock reaches back.
inline uint32_t lru_bits_of_idle(int64_t idle_ms, int64_t now_ms) {
  int64_t units = idle_ms / kLruUnitMs + (idle_ms % kLruUnitMs != 0);
  return (lru_clock(now_ms) - static_cast<uint32_t>(units < kMask ? units : kMask)) & kMask;
}

inline uint32_t lfu_minutes(int64_t now_ms) { return static_cast<uint32_t>(now_ms / 60000) & 0xffff; }
inline uint32_t lfu_bits(int64_t now_ms, uint8_t counter) { return lfu_minutes(now_ms) << 8 | counter; }

// The counter after decay: one less for every `decay_minutes` since the last.
inline uint8_t lfu_counter(uint32_t bits, int64_t now_ms, int64_t decay_minutes) {
  uint8_t counter = bits & 255;
  if (decay_minutes <= 0) return counter;
  int64_t periods = ((lfu_minutes(now_ms) - (bits >> 8)) & 0xffff) / decay_minutes;
  return periods >= counter ? 0 : static_cast<uint8_t>(counter - periods);
}

// The counter after one more use: grows with probability 1 / ((counter - initial) * factor + 1).
inline uint8_t lfu_grown(uint8_t counter, int64_t log_factor, Random& random) {
  if (counter == 255) return 255;
  double over = counter > kLfuInitial ? counter - kLfuInitial : 0;
  return random.unit() < 1.0 / (over * static_cast<double>(log_factor) + 1) ? counter + 1 : counter;
}

// What one kind of bits says in terms of the other, when the policy has changed. An LRU moment becomes the counter of a
// new key that was last used then, and has decayed since; a counter becomes a moment in the minute of its last use, the
// earlier the smaller it is.
inline uint32_t lfu_of_lru(uint32_t bits, int64_t now_ms) {
  int64_t idle_ms = lru_idle_ms(bits, now_ms);
  return lfu_bits(idle_ms < now_ms ? now_ms - idle_ms : 0, kLfuInitial);
}
inline uint32_t lru_of_lfu(uint32_t bits, int64_t now_ms) {
  int64_t idle_ms = static_cast<int64_t>((lfu_minutes(now_ms) - (bits >> 8)) & 0xffff) * 60000;
  idle_ms += (255 - static_cast<int64_t>(bits & 255)) * kLruUnitMs;
  return lru_clock(idle_ms < now_ms ? now_ms - idle_ms : 0);
}

}  // namespace vitrine::access
