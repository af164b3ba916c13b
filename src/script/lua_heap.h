// LuaHeap: the memory of one interpreter, counted, with a limit while a script runs.
//
// Lua is refused what goes over the limit, and raises "not enough memory" in the script. What Lua has dropped but not
// yet collected counts: it collects when the heap has about doubled.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/memory.h"

namespace vitrine {

class LuaHeap {
 public:
  static void* resize(void* self, void* p, size_t old_bytes, size_t bytes) {
    return static_cast<LuaHeap*>(self)->resize(p, old_bytes, bytes);
  }
  size_t used_bytes() const { return used_; }
  // At most so much more than now. 0: no limit.
  void limit(size_t more_bytes) { most_ = more_bytes ? used_ + more_bytes : SIZE_MAX; }
  void unlimit() { most_ = SIZE_MAX; }

 private:
  void* resize(void* p, size_t old_bytes, size_t bytes) {
    if (!p) old_bytes = 0;
    if (bytes > old_bytes && bytes - old_bytes > most_ - used_ && most_ != SIZE_MAX) return nullptr;
    if (bytes > old_bytes && used_ > most_) return nullptr;
    used_ += bytes - old_bytes;
    if (bytes == 0) return memory::release(p, old_bytes), nullptr;
    return memory::reallocate(p, bytes);
  }

  size_t used_ = 0, most_ = SIZE_MAX;
};

}  // namespace vitrine
