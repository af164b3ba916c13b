#include "store/field_set.h"

#include <algorithm>
#include <bit>
#include <new>

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"

namespace vitrine {

size_t FieldSet::slots_for(size_t count) { return count <= kFew ? 0 : std::bit_ceil(count * 2); }

size_t FieldSet::size_of(size_t count, size_t name_bytes) {
  return sizeof(FieldSet) + count * sizeof(uint32_t) + (name_bytes + 1) / 2 * 2 + slots_for(count) * sizeof(uint16_t);
}

FieldSet::FieldSet(std::span<const Bytes> names, size_t bytes)
    : count_(static_cast<uint32_t>(names.size())), name_bytes_(static_cast<uint32_t>(bytes)) {
  char* to = this->names();
  for (size_t i = 0; i < count_; i++) {
    to = std::copy(names[i].begin(), names[i].end(), to);
    ends()[i] = static_cast<uint32_t>(to - this->names());
    longest_ = std::max(longest_, static_cast<uint32_t>(names[i].size()));
  }
  std::fill_n(slots(), slots_for(count_), uint16_t{0});
}

FieldSet* FieldSet::make(std::span<const Bytes> names) {
  CHECK(!names.empty() && names.size() <= kMaxNames);
  size_t bytes = 0;
  for (Bytes name : names) bytes += name.size();
  CHECK(bytes < size_t{1} << 31);
  auto* set = new (memory::allocate(size_of(names.size(), bytes))) FieldSet(names, bytes);
  size_t slots = slots_for(names.size());
  for (size_t i = 0; i < names.size(); i++) {
    size_t twin = slots ? set->find(names[i])
                        : static_cast<size_t>(std::find(names.begin(), names.begin() + static_cast<ptrdiff_t>(i),
                                                        names[i]) - names.begin());
    if (slots ? twin != kNone : twin < i) return set->destroy(), nullptr;
    if (!slots) continue;
    size_t at = hash_bytes(names[i]) & (slots - 1);
    while (set->slots()[at]) at = (at + 1) & (slots - 1);
    set->slots()[at] = static_cast<uint16_t>(i + 1);
  }
  return set;
}

size_t FieldSet::find(Bytes wanted) const {
  if (count_ > kFew) return hashed(wanted);
  for (size_t i = 0; i < count_; i++)
    if (same_bytes(name(i), wanted)) return i;
  return kNone;
}

size_t FieldSet::hashed(Bytes wanted) const {
  size_t mask = slots_for(count_) - 1;
  for (size_t at = hash_bytes(wanted) & mask; slots()[at]; at = (at + 1) & mask)
    if (same_bytes(name(slots()[at] - 1u), wanted)) return slots()[at] - 1u;
  return kNone;
}

size_t FieldSet::memory() const { return memory::good_size(size_of(count_, name_bytes_)); }

void FieldSet::destroy() { memory::release(this, size_of(count_, name_bytes_)); }

}  // namespace vitrine
