// prefetch(p): asks the processor for the cache line at `p`; `p` need not be valid.
//
// Not __builtin_prefetch: GCC takes a function that does nothing but prefetch for one without effect and removes it.
#pragma once

namespace vitrine {

inline void prefetch(const void* p) { asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(p))); }

}  // namespace vitrine
