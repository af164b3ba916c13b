// Array: values under indexes from 0 to 2^64 - 2, most of which may be empty, with a cursor where values are appended.
//
// One encoding ("sliced-array"): an ArrayData. Values live in a SparseArray; an array whose last value goes is gone.
//
// The cursor (`next`) is where the next append goes: 0 at first, kExhausted behind the last index. Appending moves it,
// setting and erasing does not. As a ring of `size` slots, appending wraps to 0 behind slot size - 1; the array
// remembers the size, and is laid anew when another one is asked for.
#pragma once

#include "ds/sparse_array.h"
#include "store/keyspace.h"
#include "store/object.h"

namespace vitrine {

struct ArrayData {
  SparseArray values;
  uint64_t next = 0;
  uint64_t ring = 0;  // slots of the ring; 0: it has never been one
};

class Array {
 public:
  static constexpr Type kType = Type::array;
  static constexpr EventClass kEvents = EventClass::array;
  static constexpr uint64_t kMaxIndex = SparseArray::kMaxIndex;
  static constexpr uint64_t kExhausted = kMaxIndex + 1;

  static Object make(const TypeContext&);

  Array(Object& object, const TypeContext&) : object_(object) {}

  const SparseArray& values() const { return data().values; }
  uint64_t next() const { return data().next; }

  // True if it was empty before.
  bool set(uint64_t index, Bytes value);
  // Erases [from, to]; returns how many there were.
  uint64_t erase_range(uint64_t from, uint64_t to);

  void seek(uint64_t next);
  bool can_append(uint64_t count) const { return count <= kExhausted - next(); }
  // Returns its index. REQUIRES: can_append(1).
  uint64_t append(Bytes value);
  // Makes it a ring of so many slots: what was appended last stays, as much as there is room for. Of an array that was
  // no ring, the slots up to the cursor count as appended last, those behind it as older.
  void make_ring(uint64_t size);
  // REQUIRES: make_ring.
  uint64_t append_to_ring(Bytes value);

 private:
  ArrayData& data() const { return *object_.as<ArrayData>(); }
  void lay_anew(uint64_t newest, uint64_t window, uint64_t kept);

  Object& object_;
};

extern const TypeOps kArrayOps;

}  // namespace vitrine
