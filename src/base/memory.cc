#include "base/memory.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <mutex>
#include <unistd.h>
#include <vector>

#include "base/check.h"

#ifdef VITRINE_SANITIZED
#include <malloc.h>
extern "C" size_t __sanitizer_get_current_allocated_bytes() __attribute__((weak));
#else
#include <jemalloc/jemalloc.h>

// jemalloc reads this at its start. A slab costs it 128 bytes of its own, which for one-page slabs of 32-byte regions
// is a byte a region, and of 128-byte regions four: slabs as large as their bitmap allows (512 regions) make that
// a quarter of a byte. A slab of the nodes of lists and arrays, 8 KB each, would hold a single one; now it holds four.
extern "C" {
const char* malloc_conf =
    "slab_sizes:1-16:2|17-32:4|33-48:6|49-64:8|65-80:10|81-96:12|97-112:14|113-128:16|129-160:20|161-192:24|"
    "193-224:28|225-256:32|7169-8192:8";
}
#endif

namespace vitrine::memory {

namespace {

[[noreturn]] void out_of_memory(size_t bytes) {
  std::fprintf(stderr, "Out of memory: allocating %zu bytes failed\n", bytes);
  std::abort();
}

size_t process_resident_bytes() {
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[128];
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  unsigned long size = 0, resident = 0;
  if (std::sscanf(text, "%lu %lu", &size, &resident) != 2) return 0;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

#ifdef VITRINE_SANITIZED

void* allocate(size_t bytes) {
  void* p = std::malloc(bytes ? bytes : 1);
  if (!p) out_of_memory(bytes);
  return p;
}
void release(void* p) { std::free(p); }
void release(void* p, size_t) { std::free(p); }
void* reallocate(void* p, size_t bytes) {
  void* q = std::realloc(p, bytes ? bytes : 1);
  if (!q) out_of_memory(bytes);
  return q;
}
size_t usable_size(const void* p) { return p ? malloc_usable_size(const_cast<void*>(p)) : 0; }
size_t good_size(size_t bytes) { return (bytes + 15) & ~size_t{15}; }
size_t used_bytes() {
  return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
}
void register_thread() {}
void purge_in_background(bool) {}
Figures figures() {
  Figures f;
  f.allocated = f.active = used_bytes();
  f.resident = f.process_resident = process_resident_bytes();
  return f;
}
void purge() {}

#else

namespace {

struct ThreadCounters {
  const volatile uint64_t* allocated;
  const volatile uint64_t* deallocated;
};

std::mutex registry_mutex;
std::vector<ThreadCounters>& registry() {
  static std::vector<ThreadCounters> counters;
  return counters;
}
uint64_t ended_allocated = 0, ended_deallocated = 0;  // what threads that have ended leave behind

// Freed pages wait for the allocator's own thread to give them back. By default a free block that grows beyond 8 MB,
// because what lies beside it is freed, goes back to the kernel at once, which takes the thread that freed it half a
// millisecond and more, again and again while a large table shrinks.
void leave_purging_to_others() {
  unsigned arena = 0;
  size_t size = sizeof arena;
  CHECK(mallctl("thread.arena", &arena, &size, nullptr, 0) == 0);
  char name[64];
  std::snprintf(name, sizeof name, "arena.%u.oversize_threshold", arena);
  size_t never = SIZE_MAX >> 1;
  mallctl(name, nullptr, nullptr, &never, sizeof never);
}

// Adds this thread's counters to the registry; folds them into the totals when the thread ends.
struct Registration {
  ThreadCounters counters{};
  Registration() {
    size_t size = sizeof(uint64_t*);
    uint64_t* pointer = nullptr;
    CHECK(mallctl("thread.allocatedp", &pointer, &size, nullptr, 0) == 0);
    counters.allocated = pointer;
    CHECK(mallctl("thread.deallocatedp", &pointer, &size, nullptr, 0) == 0);
    counters.deallocated = pointer;
    leave_purging_to_others();
    std::lock_guard lock(registry_mutex);
    registry().push_back(counters);
  }
  ~Registration() {
    std::lock_guard lock(registry_mutex);
    ended_allocated += *counters.allocated;
    ended_deallocated += *counters.deallocated;
    std::erase_if(registry(), [&](const ThreadCounters& c) { return c.allocated == counters.allocated; });
  }
};

size_t read_size(const char* name) {
  size_t value = 0, size = sizeof value;
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

}  // namespace

// malloc() and free() are jemalloc's own, and take half the time of mallocx() and dallocx().
void* allocate(size_t bytes) {
  void* p = std::malloc(bytes ? bytes : 1);
  if (__builtin_expect(!p, 0)) out_of_memory(bytes);
  return p;
}
void release(void* p) { std::free(p); }
void release(void* p, size_t bytes) {
  if (p) sdallocx(p, bytes ? bytes : 1, 0);
}
void* reallocate(void* p, size_t bytes) {
  if (!p) return allocate(bytes);
  void* q = rallocx(p, bytes ? bytes : 1, 0);
  if (__builtin_expect(!q, 0)) out_of_memory(bytes);
  return q;
}
size_t usable_size(const void* p) { return p ? sallocx(p, 0) : 0; }
size_t good_size(size_t bytes) { return nallocx(bytes ? bytes : 1, 0); }

namespace {
constinit const volatile uint64_t none_allocated = 0;
}
constinit thread_local const volatile uint64_t* detail::allocated_counter = &none_allocated;

void register_thread() {
  thread_local Registration registration;
  detail::allocated_counter = registration.counters.allocated;
}

void purge_in_background(bool on) { mallctl("background_thread", nullptr, nullptr, &on, sizeof on); }

size_t used_bytes() {
  std::lock_guard lock(registry_mutex);
  // Freed first: a block moving between threads then counts as used rather than as less than nothing.
  uint64_t freed = ended_deallocated, taken = ended_allocated;
  for (const ThreadCounters& c : registry()) freed += *c.deallocated;
  for (const ThreadCounters& c : registry()) taken += *c.allocated;
  return taken > freed ? taken - freed : 0;
}

Figures figures() {
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, size);
  Figures f;
  f.allocated = read_size("stats.allocated");
  f.active = read_size("stats.active");
  f.resident = read_size("stats.resident");
  f.retained = read_size("stats.retained");
  f.process_resident = process_resident_bytes();
  return f;
}

void purge() {
  char name[64];
  std::snprintf(name, sizeof name, "arena.%u.purge", static_cast<unsigned>(MALLCTL_ARENAS_ALL));
  mallctl(name, nullptr, nullptr, nullptr, 0);
}

#endif

}  // namespace vitrine::memory
