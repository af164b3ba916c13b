#include "store/array.h"

#include <algorithm>

#include "base/memory.h"
#include "store/rdb_types.h"

namespace vitrine {

Object Array::make(const TypeContext&) { return Object::of(kType, 0, new ArrayData); }

bool Array::set(uint64_t index, Bytes value) {
  object_.changes++;
  return data().values.set(index, value);
}

uint64_t Array::erase_range(uint64_t from, uint64_t to) {
  uint64_t erased = data().values.erase_range(from, to);
  object_.changes += static_cast<uint32_t>(erased);
  return erased;
}

void Array::seek(uint64_t next) {
  object_.changes += data().next != next;
  data().next = next;
}

uint64_t Array::append(Bytes value) {
  uint64_t index = data().next++;
  set(index, value);
  return index;
}

uint64_t Array::append_to_ring(Bytes value) {
  uint64_t index = data().next % data().ring;
  set(index, value);
  data().next = index + 1 == data().ring ? 0 : index + 1;
  return index;
}

void Array::make_ring(uint64_t size) {
  ArrayData& d = data();
  uint64_t length = d.values.length(), was = d.ring;
  if (was == size || (was == 0 && d.next == 0)) {
    d.ring = size;
    if (length > size) erase_range(size, kMaxIndex);
    return;
  }
  object_.changes++;
  d.ring = size;
  uint64_t window = was > 0 && length <= was && d.next <= was ? was : std::max(length, d.next);
  uint64_t newest = d.next == 0 ? window : d.next;  // the slot behind it
  uint64_t kept = std::min(size, window);
  if (newest != window || kept < window) lay_anew(newest, window, kept);
  d.next = kept == size ? 0 : kept;
}

// The `kept` slots that end before `newest`, wrapping from 0 to the end of the window, become slots 0 to kept - 1.
void Array::lay_anew(uint64_t newest, uint64_t window, uint64_t kept) {
  SparseArray fresh;
  const SparseArray& old = data().values;
  auto copy = [&](uint64_t from, uint64_t to, uint64_t target) {
    for (auto c = old.at_or_after(from); c && c.index() < to; ++c) fresh.set(target + (c.index() - from), c.value());
  };
  uint64_t wrapped = kept > newest ? kept - newest : 0;
  copy(window - wrapped, window, 0);
  copy(newest - (kept - wrapped), newest, wrapped);
  data().values.swap(fresh);
}

namespace {

struct ArrayOps {
  static const ArrayData& data(const Object& o) { return *o.as<ArrayData>(); }

  static void destroy(Object& o) { delete o.as<ArrayData>(); }
  static Object clone(const Object& o) {
    Object copy = o;
    copy.point_to(new ArrayData(data(o)));
    return copy;
  }
  static Bytes encoding_name(const Object&) { return "sliced-array"; }
  static size_t length(const Object& o) { return data(o).values.count(); }
  static size_t memory_of(const Object& o, size_t samples) {
    return memory::usable_size(o.as<void>()) + data(o).values.memory(samples);
  }
  static size_t free_effort(const Object& o) {
    constexpr size_t kEnough = 4096;
    return data(o).values.allocations(kEnough);
  }
  static void digest(const Object& o, const std::function<void(std::initializer_list<Bytes>)>& part) {
    char text[kInt64Chars];
    auto digits = [&](uint64_t n) { return Bytes(text, format_uint64(text, n)); };
    part({digits(data(o).next)});
    part({digits(data(o).ring)});
    for (auto c = data(o).values.first(); c; ++c) part({digits(c.index()), c.value()});
  }
};

}  // namespace

const TypeOps kArrayOps = {
    "array", ArrayOps::destroy, ArrayOps::clone, ArrayOps::encoding_name, ArrayOps::length, ArrayOps::memory_of,
    ArrayOps::free_effort, ArrayOps::digest, true, array_rdb_type, save_array, load_array};

}  // namespace vitrine
