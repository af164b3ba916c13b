#include "ds/int_set.h"

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

namespace {

size_t width_of(int64_t v) {
  if (v == static_cast<int16_t>(v)) return 2;
  return v == static_cast<int32_t>(v) ? 4 : 8;
}

void store(uint8_t* items, size_t width, size_t index, int64_t value) {
  std::memcpy(items + index * width, &value, width);
}

// Without branches on what is compared: the loop runs log2(n) times whatever is looked for.
template <class T>
size_t lower_bound_in(const uint8_t* items, size_t n, int64_t value) {
  size_t base = 0;
  while (n > 0) {
    size_t half = n / 2;
    T middle;
    std::memcpy(&middle, items + (base + half) * sizeof(T), sizeof(T));
    bool right = middle < value;
    base = right ? base + half + 1 : base;
    n = right ? n - half - 1 : half;
  }
  return base;
}

}  // namespace

IntSet IntSet::create() {
  IntSet set(static_cast<uint8_t*>(memory::allocate(memory::good_size(kHeader))));
  uint32_t width = 2;
  std::memcpy(set.block_, &width, 4);
  set.set_size(0);
  return set;
}

void IntSet::free(uint8_t* block) { memory::release(block); }

IntSet IntSet::clone() const {
  Bytes all = raw();
  IntSet copy(static_cast<uint8_t*>(memory::allocate(memory::good_size(all.size()))));
  std::memcpy(copy.block_, all.data(), all.size());
  return copy;
}

size_t IntSet::memory() const { return memory::usable_size(block_); }

size_t IntSet::lower_bound(int64_t value) const {
  switch (width()) {
    case 2: return lower_bound_in<int16_t>(block_ + kHeader, size(), value);
    case 4: return lower_bound_in<int32_t>(block_ + kHeader, size(), value);
    default: return lower_bound_in<int64_t>(block_ + kHeader, size(), value);
  }
}

bool IntSet::contains(int64_t value) const {
  if (width_of(value) > width()) return false;
  size_t i = lower_bound(value);
  return i < size() && at(i) == value;
}

void IntSet::grow_to(size_t bytes) {
  if (bytes > memory()) block_ = static_cast<uint8_t*>(memory::reallocate(block_, memory::good_size(bytes)));
}

// A value that needs more width lies before or behind all that are there.
void IntSet::widen(size_t new_width, int64_t value) {
  size_t n = size(), old_width = width();
  grow_to(kHeader + (n + 1) * new_width);
  uint8_t* items = block_ + kHeader;
  size_t shift = value < 0 ? 1 : 0;
  for (size_t i = n; i-- > 0;) {
    int64_t v = old_width == 2 ? int64_t{load<int16_t>(items + i * 2)} : int64_t{load<int32_t>(items + i * 4)};
    store(items, new_width, i + shift, v);
  }
  store(items, new_width, value < 0 ? 0 : n, value);
  uint32_t w = static_cast<uint32_t>(new_width);
  std::memcpy(block_, &w, 4);
  set_size(n + 1);
}

bool IntSet::insert(int64_t value) {
  size_t w = width(), n = size();
  CHECK(n < UINT32_MAX);
  if (width_of(value) > w) {
    widen(width_of(value), value);
    return true;
  }
  size_t i = n > 0 && at(n - 1) < value ? n : lower_bound(value);
  if (i < n && at(i) == value) return false;
  grow_to(kHeader + (n + 1) * w);
  uint8_t* items = block_ + kHeader;
  std::memmove(items + (i + 1) * w, items + i * w, (n - i) * w);
  store(items, w, i, value);
  set_size(n + 1);
  return true;
}

bool IntSet::erase(int64_t value) {
  if (width_of(value) > width()) return false;
  size_t i = lower_bound(value);
  if (i >= size() || at(i) != value) return false;
  erase_at(i);
  return true;
}

void IntSet::erase_at(size_t index, size_t erased) {
  size_t w = width(), n = size();
  CHECK(index <= n && erased <= n - index);
  uint8_t* items = block_ + kHeader;
  std::memmove(items + index * w, items + (index + erased) * w, (n - index - erased) * w);
  set_size(n - erased);
  size_t bytes = kHeader + (n - erased) * w;
  if (bytes <= memory() / 4 * 3 && memory::good_size(bytes) < memory())
    block_ = static_cast<uint8_t*>(memory::reallocate(block_, memory::good_size(bytes)));
}

bool IntSet::validate(Bytes data) {
  if (data.size() < kHeader) return false;
  const uint8_t* p = reinterpret_cast<const uint8_t*>(data.data());
  uint32_t w = load<uint32_t>(p), n = load<uint32_t>(p + 4);
  if (w != 2 && w != 4 && w != 8) return false;
  if (data.size() != kHeader + size_t{n} * w) return false;
  // The view is only read.
  IntSet set(const_cast<uint8_t*>(p));
  for (size_t i = 1; i < n; i++)
    if (set.at(i - 1) >= set.at(i)) return false;
  return true;
}

}  // namespace vitrine
