// SizeCensus: how many values of each type there are of about which size, counted with every change, so that it can be
// told at once (INFO keysizes). The size of a string is its bytes, that of any other value its elements.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "store/entry.h"

namespace vitrine {

class SizeCensus {
 public:
  // Bin 0 is for what is empty, bin n for sizes from 2^(n-1) up to 2^n - 1, the last for all that is larger.
  static constexpr size_t kBins = 40;
  static size_t bin_of(size_t size) { return std::min<size_t>(std::bit_width(size), kBins - 1); }
  static size_t size_of(const Entry& entry);

  void add(const Entry& entry) { count(entry.type(), size_of(entry))++; }
  // REQUIRES: the value is still there.
  void remove(const Entry& entry) { count(entry.type(), size_of(entry))--; }
  void move(Type type, size_t from, size_t to) {
    count(type, from)--;
    count(type, to)++;
  }
  uint64_t in_bin(Type type, size_t bin) const { return counts_[static_cast<size_t>(type)][bin]; }

 private:
  uint64_t& count(Type type, size_t size) { return counts_[static_cast<size_t>(type)][bin_of(size)]; }

  std::array<std::array<uint64_t, kBins>, kTypes> counts_{};
};

}  // namespace vitrine
