// KeyHashes: which keys of a file there were already, known by their hashes: 16 to 32 bytes a key. Two keys that have
// the same hash of 64 bits would be taken for one: among a hundred million keys that happens once in 3000 files.
#pragma once

#include <cstdint>
#include <vector>

#include "base/hash.h"

namespace vitrine {

class KeyHashes {
 public:
  // False: it was there.
  bool add(uint64_t db, Bytes key) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    constexpr uint64_t kSpread = 0x9e3779b97f4a7c15;
    uint64_t hash = hash_bytes(key) ^ (db * kSpread);
    if (!place(hash ? hash : 1)) return false;
    count_++;
    return true;
  }

 private:
  bool place(uint64_t hash) {
    size_t mask = slots_.size() - 1, i = hash & mask;
    while (slots_[i] && slots_[i] != hash) i = (i + 1) & mask;
    bool is_new = slots_[i] == 0;
    slots_[i] = hash;
    return is_new;
  }
  void grow() {
    std::vector<uint64_t> old(slots_.empty() ? 1024 : 2 * slots_.size());
    old.swap(slots_);
    for (uint64_t hash : old)
      if (hash) place(hash);
  }

  std::vector<uint64_t> slots_;        // 0: free
  size_t count_ = 0;
};

}  // namespace vitrine
