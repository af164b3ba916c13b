#include "ds/array_slice.h"

#include <algorithm>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

namespace {

constexpr size_t kFarBytes = 8;  // an address
constexpr size_t kSmallest = 48;

// A small block grows in steps, a large one at once to what a full slice has.
size_t room_for(size_t needed) {
  if (needed <= kSmallest) return kSmallest;
  if (needed > ArraySlice::kFullBytes) return memory::good_size(needed);
  return std::min(memory::good_size(needed + needed / 8), ArraySlice::kFullBytes);
}

}  // namespace

size_t ArraySlice::width_of(uint64_t distance) {
  return distance <= UINT8_MAX ? 1 : distance <= UINT16_MAX ? 2 : distance <= UINT32_MAX ? 4 : 8;
}

ArraySlice ArraySlice::create() {
  ArraySlice slice;
  slice.block_ = static_cast<uint8_t*>(memory::allocate(kSmallest));
  std::memset(slice.block_, 0, kHeader);
  store(slice.block_ + 10, static_cast<uint16_t>(kSmallest / 16));
  return slice;
}

void ArraySlice::free() {
  free_far(0, count());
  free_block();
}

void ArraySlice::free_block() { memory::release(block_, room()); }

void ArraySlice::free_far(size_t from, size_t to) {
  if (far() == 0) return;
  size_t freed = 0;
  for (size_t i = from; i < to; i++) {
    if (!is_far(i)) continue;
    memory::release(load<void*>(data() + begin_of(i)));
    freed++;
  }
  set_far(far() - freed);
}

namespace {

char* make_far(Bytes value) {
  char* block = static_cast<char*>(memory::allocate(8 + value.size()));
  uint64_t n = value.size();
  std::memcpy(block, &n, 8);
  std::memcpy(block + 8, value.data(), n);
  return block;
}

}  // namespace

ArraySlice ArraySlice::clone() const {
  ArraySlice copy;
  copy.block_ = static_cast<uint8_t*>(memory::allocate(room()));
  std::memcpy(copy.block_, block_, room());
  if (far() > 0)
    for (size_t i = 0; i < count(); i++)
      if (is_far(i)) store(copy.data() + begin_of(i), make_far(value(i)));
  return copy;
}

size_t ArraySlice::memory() const {
  size_t bytes = room();
  if (far() > 0)
    for (size_t i = 0; i < count(); i++)
      if (is_far(i)) bytes += memory::usable_size(load<void*>(data() + begin_of(i)));
  return bytes;
}

template <class Delta>
size_t ArraySlice::lower_bound_of(uint64_t distance) const {
  if (distance > static_cast<Delta>(-1)) return count();
  constexpr size_t kStride = sizeof(Delta) + 2;
  const uint8_t* end = block_ + room();
  size_t low = 0, n = count();
  while (n > 0) {
    size_t half = n / 2;
    bool right = load<Delta>(end - (low + half + 1) * kStride) < distance;
    low = right ? low + half + 1 : low;
    n = right ? n - half - 1 : half;
  }
  return low;
}

size_t ArraySlice::lower_bound(uint64_t index) const {
  if (index <= base()) return 0;
  uint64_t distance = index - base();
  switch (width()) {
    case 0: return std::min(distance, uint64_t{count()});
    case 1: return lower_bound_of<uint8_t>(distance);
    case 2: return lower_bound_of<uint16_t>(distance);
    case 4: return lower_bound_of<uint32_t>(distance);
    default: return lower_bound_of<uint64_t>(distance);
  }
}

bool ArraySlice::fits(uint64_t index, size_t value_bytes) const {
  size_t n = count();
  if (n == kMaxCount) return false;
  size_t bytes = value_bytes > kInlineBytes ? kFarBytes : value_bytes;
  size_t w = width();
  if (n > 0) {
    uint64_t low = std::min(index, base()), high = std::max(index, last());
    if (w > 0 || high - low != n) w = std::max(w, width_of(high - low));
  }
  return kHeader + data_bytes() + bytes + (n + 1) * (w + 2) <= kFullBytes;
}

bool ArraySlice::fits(const ArraySlice& next) const {
  size_t n = count() + next.count();
  if (n > kMaxCount) return false;
  size_t w = std::max({width(), next.width(), width_of(next.last() - base())});
  return kHeader + data_bytes() + next.data_bytes() + n * (w + 2) <= kFullBytes;
}

void ArraySlice::write_entry(size_t i, uint64_t distance, uint16_t end) {
  uint8_t* p = entry(i);
  std::memcpy(p, &distance, width());
  store(p + width(), end);
}

void ArraySlice::rebuild(uint64_t base, size_t width, size_t room) {
  ArraySlice fresh;
  fresh.block_ = static_cast<uint8_t*>(memory::allocate(room));
  std::memcpy(fresh.block_, block_, kHeader + data_bytes());
  store(fresh.block_, base);
  store(fresh.block_ + 10, static_cast<uint16_t>(room / 16));
  fresh.block_[13] = static_cast<uint8_t>(width);
  if (width == this->width() && base == this->base()) {
    size_t table = count() * stride();
    std::memcpy(fresh.block_ + room - table, block_ + this->room() - table, table);
  } else {
    for (size_t i = 0; i < count(); i++) fresh.write_entry(i, index(i) - base, end_word(i));
  }
  free_block();
  block_ = fresh.block_;
}

void ArraySlice::make_room(size_t more) {
  size_t needed = used() + more;
  if (needed > room()) rebuild(base(), width(), room_for(needed));
}

// So that entries can say the index, too.
void ArraySlice::widen_for(uint64_t index, size_t at) {
  size_t n = count();
  if (n == 0) return store(block_, index);
  if (width() == 0) {
    if (at == n && index - base() == n) return;
    if (at == 0 && base() - index == 1) return store(block_, index);  // every entry names the next index, as it must
  }
  uint64_t low = std::min(index, base());
  size_t w = std::max(width(), width_of(std::max(index, last()) - low));
  if (low == base() && w == width()) return;
  size_t needed = kHeader + data_bytes() + n * (w + 2);
  rebuild(low, w, room_for(needed));
}

void ArraySlice::close_gaps() {
  size_t n = count();
  if (width() > 0 && n > 0 && last() - first() + 1 == n) rebuild(first(), 0, room_for(kHeader + data_bytes() + n * 2));
}

void ArraySlice::shift_data(size_t at, ptrdiff_t by) {
  uint8_t* from = data() + begin_of(at);
  size_t tail = data_bytes() - begin_of(at);
  if (tail > 0) std::memmove(from + by, from, tail);
  size_t w = width(), step = stride();
  uint8_t* p = entry(at) + w;
  for (size_t i = at, n = count(); i < n; i++, p -= step)
    store(p, static_cast<uint16_t>(load<uint16_t>(p) + by));
  set_data_bytes(data_bytes() + static_cast<size_t>(by));
}

ArraySlice::Item ArraySlice::item(size_t i) const {
  return {reinterpret_cast<const char*>(data() + begin_of(i)), end_of(i) - begin_of(i), is_far(i)};
}

void ArraySlice::insert_item(size_t at, uint64_t index, const Item& item) {
  widen_for(index, at);
  make_room(item.bytes + stride());
  size_t n = count(), begin = begin_of(at);
  if (at < n) {
    shift_data(at, static_cast<ptrdiff_t>(item.bytes));
    uint8_t* low = entry(n - 1);
    std::memmove(low - stride(), low, (n - at) * stride());
  } else {
    set_data_bytes(data_bytes() + item.bytes);
  }
  if (item.bytes > 0) std::memcpy(data() + begin, item.data, item.bytes);
  set_count(n + 1);
  uint16_t end = static_cast<uint16_t>(begin + item.bytes);
  write_entry(at, index - base(), item.far ? end | kFar : end);
  if (item.far) set_far(far() + 1);
}

void ArraySlice::insert(size_t at, uint64_t index, Bytes value) {
  if (value.size() > kInlineBytes) {
    const char* block = make_far(value);
    insert_item(at, index, {reinterpret_cast<const char*>(&block), kFarBytes, true});
  } else {
    insert_item(at, index, {value.data(), value.size(), false});
  }
  close_gaps();
}

void ArraySlice::replace(size_t at, Bytes value) {
  free_far(at, at + 1);
  const char* block = nullptr;
  Item fresh{value.data(), value.size(), value.size() > kInlineBytes};
  if (fresh.far) {
    block = make_far(value);
    fresh.data = reinterpret_cast<const char*>(&block);
    fresh.bytes = kFarBytes;
    set_far(far() + 1);
  }
  size_t begin = begin_of(at), old = end_of(at) - begin;
  if (fresh.bytes > old) make_room(fresh.bytes - old);
  if (fresh.bytes != old) {
    ptrdiff_t by = static_cast<ptrdiff_t>(fresh.bytes) - static_cast<ptrdiff_t>(old);
    at + 1 < count() ? shift_data(at + 1, by) : set_data_bytes(data_bytes() + static_cast<size_t>(by));
  }
  if (fresh.bytes > 0) std::memcpy(data() + begin, fresh.data, fresh.bytes);
  uint16_t end = static_cast<uint16_t>(begin + fresh.bytes);
  store<uint16_t>(entry(at) + width(), fresh.far ? end | kFar : end);
}

void ArraySlice::erase(size_t from, size_t to) {
  free_far(from, to);
  remove_items(from, to);
}

// What is far stays with whoever has it.
void ArraySlice::remove_items(size_t from, size_t to) {
  size_t n = count(), gone = to - from;
  if (gone == 0) return;
  if (width() == 0) {
    if (from == 0) store(block_, base() + gone);
    else if (to < n) rebuild(base(), width_of(n - 1), room_for(kHeader + data_bytes() + n * 3));
  }
  size_t bytes = end_of(to - 1) - begin_of(from);
  if (to < n) {
    shift_data(to, -static_cast<ptrdiff_t>(bytes));
    uint8_t* low = entry(n - 1);
    std::memmove(low + gone * stride(), low, (n - to) * stride());
  } else {
    set_data_bytes(data_bytes() - bytes);
  }
  set_count(n - gone);
  if (n == gone) return;
  close_gaps();
  if (room() > kSmallest && used() <= room() / 2) rebuild(base(), width(), room_for(used()));
}

ArraySlice ArraySlice::split(size_t at) {
  ArraySlice upper = create();
  size_t moved = 0;
  for (size_t i = at; i < count(); i++) {
    upper.insert_item(upper.count(), index(i), item(i));
    moved += is_far(i);
  }
  upper.close_gaps();
  set_far(far() - moved);
  remove_items(at, count());
  return upper;
}

void ArraySlice::merge(ArraySlice next) {
  for (size_t i = 0; i < next.count(); i++) insert_item(count(), next.index(i), next.item(i));
  close_gaps();
  next.free_block();
}

bool ArraySlice::sound() const {
  if (used() > room() || count() == 0) return false;
  size_t fars = 0;
  for (size_t i = 0; i < count(); i++) {
    if (i > 0 && index(i) <= index(i - 1)) return false;
    if (end_of(i) < begin_of(i) || end_of(i) - begin_of(i) > kInlineBytes) return false;
    fars += is_far(i);
  }
  bool dense = last() - first() + 1 == count();
  return fars == far() && end_of(count() - 1) == data_bytes() && dense == (width() == 0);
}

}  // namespace vitrine
