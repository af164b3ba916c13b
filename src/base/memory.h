// Raw memory for containers and entries, over jemalloc.
//
// used_bytes() is exact and costs nothing on the hot path: jemalloc counts per thread what was allocated and
// freed, and hands out the addresses of those counters; we only add them up. Every thread that allocates calls
// register_thread() once. In sanitizer builds the sanitizer's own count is used.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vitrine::memory {

// At least `bytes` bytes, aligned to 16. Never null: running out of memory aborts with a report.
void* allocate(size_t bytes);
// REQUIRES: `p` came from allocate/reallocate. Null is ignored.
void release(void* p);
// As release; faster: `bytes` must be what was asked for at allocate (or its usable size).
void release(void* p, size_t bytes);
void* reallocate(void* p, size_t bytes);
// What the block really occupies (its size class).
size_t usable_size(const void* p);
// What allocate(bytes) would really occupy.
size_t good_size(size_t bytes);

// Bytes allocated and not freed in this process, summed over the registered threads (exact, any thread may ask).
size_t used_bytes();
void register_thread();

namespace detail {
extern constinit thread_local const volatile uint64_t* allocated_counter;
}
// What this thread has ever allocated, whatever was freed since: only grows. Two loads; REQUIRES: a registered thread
// (else always 0). While only this thread allocates, used_bytes() grows by no more than this does, so who has measured
// `room` bytes below a limit need not measure again before this has grown by `room`.
#ifdef VITRINE_SANITIZED
inline uint64_t allocated_here() { return used_bytes(); }  // falls, too; the conclusion holds
#else
inline uint64_t allocated_here() { return *detail::allocated_counter; }
#endif
// Lets the allocator return unused pages to the kernel from threads of its own (jemalloc-bg-thread).
void purge_in_background(bool on);

// From the allocator and the kernel: for INFO memory and MEMORY STATS. Refreshing costs microseconds.
struct Figures {
  size_t allocated = 0, active = 0, resident = 0, retained = 0, muzzy = 0;
  size_t process_resident = 0;  // RSS as the kernel says
};
Figures figures();
// Hands unused pages back to the kernel (MEMORY PURGE).
void purge();

}  // namespace vitrine::memory
