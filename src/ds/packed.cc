#include "ds/packed.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

static_assert(std::endian::native == std::endian::little, "blocks are read in place");

namespace {

constexpr uint8_t kString32 = 0xf0, kInt16 = 0xf1, kInt24 = 0xf2, kInt32 = 0xf3, kInt64 = 0xf4, kListpackEnd = 0xff;

size_t backlen_size(size_t n) {
  if (n < 1u << 7) return 1;
  if (n < 1u << 14) return 2;
  if (n < 1u << 21) return 3;
  return n < 1u << 28 ? 4 : 5;
}

uint8_t* write_backlen(uint8_t* to, size_t n) {
  size_t groups = backlen_size(n);
  for (size_t i = groups; i-- > 0; n >>= 7) to[i] = static_cast<uint8_t>((n & 0x7f) | (i > 0 ? 0x80 : 0));
  return to + groups;
}

bool is_string(uint8_t head) { return (head & 0xc0) == 0x80 || (head & 0xf0) == 0xe0 || head == kString32; }

// Size of the head: what must be readable before body_size may be asked; 0 if there is no such head.
size_t head_size(uint8_t head) {
  if (head < 0xc0) return 1;
  if (head < 0xf0) return 2;
  switch (head) {
    case kString32: return 5;
    case kInt16: return 3;
    case kInt24: return 4;
    case kInt32: return 5;
    case kInt64: return 9;
    default: return 0;
  }
}

uint32_t load_length32(const uint8_t* p) {
  uint32_t n;
  std::memcpy(&n, p + 1, 4);
  return n;
}

// Bytes of the string at p; 0 for integers.
size_t text_size(const uint8_t* p) {
  uint8_t head = *p;
  if ((head & 0xc0) == 0x80) return head & 0x3f;
  if ((head & 0xf0) == 0xe0) return size_t(head & 0x0f) << 8 | p[1];
  return head == kString32 ? load_length32(p) : 0;
}

// Head and payload.
size_t body_size(const uint8_t* p) { return head_size(*p) + text_size(p); }

template <class T>
int64_t load_int(const uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

int64_t read_int(const uint8_t* p) {
  uint8_t head = *p;
  if (head < 0x80) return head;
  if (head < 0xe0) return int64_t((head & 0x1f) << 8 | p[1]) - ((head & 0x10) ? 8192 : 0);
  switch (head) {
    case kInt16: return load_int<int16_t>(p + 1);
    case kInt24: return (p[1] | p[2] << 8 | p[3] << 16) - ((p[3] & 0x80) ? 1 << 24 : 0);
    case kInt32: return load_int<int32_t>(p + 1);
    default: return load_int<int64_t>(p + 1);
  }
}

template <class T>
bool fits(int64_t v) {
  return v == static_cast<T>(v);
}

size_t int_size(int64_t v) {
  if (v >= 0 && v < 128) return 1;
  if (v >= -4096 && v < 4096) return 2;
  if (fits<int16_t>(v)) return 3;
  if (v >= -(1 << 23) && v < 1 << 23) return 4;
  return fits<int32_t>(v) ? 5 : 9;
}

// Writes the whole integer without its backlen; returns its size.
size_t write_int(uint8_t* to, int64_t v) {
  size_t size = int_size(v);
  switch (size) {
    case 1: to[0] = static_cast<uint8_t>(v); return 1;
    case 2:
      to[0] = static_cast<uint8_t>(0xc0 | ((v >> 8) & 0x1f));
      to[1] = static_cast<uint8_t>(v);
      return 2;
    case 3: to[0] = kInt16; break;
    case 4: to[0] = kInt24; break;
    case 5: to[0] = kInt32; break;
    default: to[0] = kInt64;
  }
  std::memcpy(to + 1, &v, size - 1);
  return size;
}

// The next element's end if one that is well-formed stands at p, else null.
const uint8_t* sound_element(const uint8_t* p, const uint8_t* end) {
  size_t left = end - p;
  size_t head = head_size(*p);
  if (head == 0 || head > left) return nullptr;
  size_t body = head + text_size(p);
  size_t groups = backlen_size(body);
  if (body > left || groups > left - body) return nullptr;
  uint8_t expected[5];
  write_backlen(expected, body);
  return std::memcmp(expected, p + body, groups) == 0 ? p + body + groups : nullptr;
}

// REQUIRES: the element is sound.
bool is_shortest(const uint8_t* p) {
  uint8_t head = *p;
  if (!is_string(head)) return int_size(read_int(p)) == head_size(head);
  size_t size = text_size(p);
  if (head == kString32 ? size < 4096 : head >= 0xe0 && size < 64) return false;
  return size > kInt64Chars || !parse_int64(packed_detail::read(p).text);
}

}  // namespace

void PackedItem::read_number() {
  if (std::optional<int64_t> n = parse_int64(text_)) {
    number_ = *n;
    is_int_ = true;
  }
}

size_t PackedItem::write_head(uint8_t (&head)[9]) const {
  if (is_int_) return write_int(head, number_);
  size_t n = text_.size();
  if (n < 64) {
    head[0] = static_cast<uint8_t>(0x80 | n);
    return 1;
  }
  if (n < 4096) {
    head[0] = static_cast<uint8_t>(0xe0 | n >> 8);
    head[1] = static_cast<uint8_t>(n);
    return 2;
  }
  head[0] = kString32;
  uint32_t n32 = static_cast<uint32_t>(n);
  std::memcpy(head + 1, &n32, 4);
  return 5;
}

size_t PackedItem::long_size() const {
  if (is_int_) return int_size(number_) + 1;
  size_t body = text_.size() + (text_.size() < 64 ? 1 : text_.size() < 4096 ? 2 : 5);
  return body + backlen_size(body);
}

uint8_t* PackedItem::write_long(uint8_t* to) const {
  uint8_t head[9];
  size_t n = write_head(head);
  std::memcpy(to, head, n);
  if (!is_int_) {
    std::memcpy(to + n, text_.data(), text_.size());
    n += text_.size();
  }
  return write_backlen(to + n, n);
}

namespace packed_detail {

const uint8_t* next_long(const uint8_t* p) {
  size_t body = body_size(p);
  return p + body + backlen_size(body);
}

const uint8_t* prev_long(const uint8_t* p) {
  size_t body = 0;
  for (int shift = 0;; shift += 7) {
    uint8_t group = *--p;
    body |= size_t(group & 0x7f) << shift;
    if (!(group & 0x80)) return p - body;
  }
}

PackedValue read_long(const uint8_t* p) {
  if (!is_string(*p)) return {true, read_int(p), {}};
  return {false, 0, Bytes(reinterpret_cast<const char*>(p) + head_size(*p), text_size(p))};
}

const uint8_t* find(const uint8_t* p, const uint8_t* end, const PackedItem& item, size_t skip) {
  uint8_t head[9];
  size_t head_bytes = item.write_head(head);
  Bytes text = item.is_int() ? Bytes("") : item.text();
  uint8_t first = head[0];
  while (p < end) {
    if (*p == first && std::memcmp(p, head, head_bytes) == 0 &&
        (text.empty() || std::memcmp(p + head_bytes, text.data(), text.size()) == 0))
      return p;
    p = next(p);
    for (size_t i = 0; i < skip && p < end; i++) p = next(p);
  }
  return nullptr;
}

bool validate(const uint8_t* p, const uint8_t* end, size_t& count) {
  for (count = 0; p < end; count++) {
    const uint8_t* following = sound_element(p, end);
    if (!following || !is_shortest(p)) return false;
    p = following;
  }
  return true;
}

}  // namespace packed_detail

Packed Packed::create(size_t reserved_bytes) {
  CHECK(reserved_bytes <= kMaxBytes - kHeader);
  Packed p(static_cast<uint8_t*>(memory::allocate(memory::good_size(kHeader + reserved_bytes))));
  p.clear();
  return p;
}

void Packed::free(uint8_t* block) { memory::release(block); }

Packed Packed::clone() const {
  size_t used = bytes_used();
  Packed copy(static_cast<uint8_t*>(memory::allocate(memory::good_size(used))));
  std::memcpy(copy.block_, block_, used);
  return copy;
}

size_t Packed::memory() const { return memory::usable_size(block_); }

size_t Packed::walk_count() const {
  size_t n = 0;
  for (Iterator i = begin(), stop = end(); i != stop; ++i) n++;
  // What is known again is written down: no change of value.
  Packed(block_).set_count(n);
  return n;
}

Packed::Iterator Packed::at(int64_t index) const {
  int64_t n = static_cast<int64_t>(count());
  if (index < 0) index += n;
  if (index < 0 || index >= n) return end();
  if (index <= n / 2) {
    Iterator i = begin();
    while (index-- > 0) ++i;
    return i;
  }
  Iterator i = end();
  while (index++ < n) --i;
  return i;
}

// Makes room for `inserted` bytes in the place of `removed` ones; returns where. Capacity follows the size classes of
// the allocator, which are geometric: appending costs a constant number of copies per byte.
uint8_t* Packed::splice(size_t offset, size_t removed, size_t inserted) {
  size_t used = bytes_used(), after = used - removed + inserted;
  CHECK(after <= kMaxBytes);
  if (after > used && after > memory())
    block_ = static_cast<uint8_t*>(memory::reallocate(block_, memory::good_size(after)));
  if (removed != inserted)
    std::memmove(block_ + offset + inserted, block_ + offset + removed, used - offset - removed);
  set_used(after);
  if (after < used && after <= memory() / 4 * 3) shrink_to_fit();
  return block_ + offset;
}

void Packed::reserve(size_t more_bytes) {
  size_t wanted = bytes_used() + more_bytes;
  CHECK(wanted <= kMaxBytes);
  if (wanted > memory()) block_ = static_cast<uint8_t*>(memory::reallocate(block_, memory::good_size(wanted)));
}

void Packed::shrink_to_fit() {
  size_t size = memory::good_size(bytes_used());
  if (size < memory()) block_ = static_cast<uint8_t*>(memory::reallocate(block_, size));
}

void Packed::clear() {
  set_used(kHeader);
  set_count(0);
}

void Packed::append(const PackedItem& item) {
  item.write(splice(bytes_used(), 0, item.size()));
  add_count(1);
}

void Packed::append(const PackedItem& first, const PackedItem& second) {
  second.write(first.write(splice(bytes_used(), 0, first.size() + second.size())));
  add_count(2);
}

Packed::Iterator Packed::insert(Iterator at, std::span<const PackedItem> items) {
  size_t bytes = 0;
  for (const PackedItem& item : items) bytes += item.size();
  uint8_t* to = splice(at.at() - block_, 0, bytes);
  Iterator placed(to);
  for (const PackedItem& item : items) to = item.write(to);
  add_count(items.size());
  return placed;
}

Packed::Iterator Packed::replace(Iterator at, const PackedItem& item) {
  size_t old_size = at.next().at() - at.at();
  uint8_t* to = splice(at.at() - block_, old_size, item.size());
  item.write(to);
  return Iterator(to);
}

Packed::Iterator Packed::erase(Iterator at, size_t n) {
  size_t erased = 0;
  Iterator stop = at;
  for (Iterator last = end(); erased < n && stop != last; erased++) ++stop;
  uint8_t* to = splice(at.at() - block_, stop.at() - at.at(), 0);
  subtract_count(erased);
  return Iterator(to);
}

size_t Packed::erase_range(int64_t index, size_t n) {
  size_t before = count();
  if (index < 0) index = std::max<int64_t>(0, index + static_cast<int64_t>(before));
  if (static_cast<size_t>(index) >= before) return 0;
  n = std::min(n, before - static_cast<size_t>(index));
  if (n == before) {
    clear();
    shrink_to_fit();
  } else {
    erase(at(index), n);
  }
  return n;
}

void Packed::append_all(Packed other) { append_run(other.run(), other.count()); }

void Packed::append_run(Bytes run, size_t count) {
  if (run.empty()) return;
  std::memcpy(splice(bytes_used(), 0, run.size()), run.data(), run.size());
  add_count(count);
}

bool Packed::validate(Bytes data) {
  const uint8_t* p = reinterpret_cast<const uint8_t*>(data.data());
  if (data.size() < kHeader || data.size() > kMaxBytes || load32(p) != data.size()) return false;
  size_t claimed = load16(p + 4), count = 0;
  if (!packed_detail::validate(p + kHeader, p + data.size(), count)) return false;
  return claimed == kUnknown || claimed == count;
}

uint8_t* Packed::import_listpack(Bytes data) {
  const uint8_t* p = reinterpret_cast<const uint8_t*>(data.data());
  if (data.size() <= kHeader || data.size() > kMaxBytes || load32(p) != data.size()) return nullptr;
  const uint8_t* end = p + data.size() - 1;
  size_t claimed = load16(p + 4), count = 0;
  if (*end != kListpackEnd) return nullptr;
  Packed packed = create(data.size() - kHeader - 1);
  const uint8_t* at = p + kHeader;
  while (at && at < end) {
    const uint8_t* following = sound_element(at, end);
    if (following) {
      PackedValue v = packed_detail::read(at);
      packed.append(PackedItem::of(v));
    }
    at = following;
    count++;
  }
  if (at == end && (claimed == kUnknown || claimed == count)) {
    packed.shrink_to_fit();
    return packed.block();
  }
  free(packed.block());
  return nullptr;
}

void Packed::write_listpack(char* out) const {
  uint32_t total = static_cast<uint32_t>(listpack_bytes());
  std::memcpy(out, block_, bytes_used());
  std::memcpy(out, &total, 4);
  out[bytes_used()] = static_cast<char>(kListpackEnd);
}

}  // namespace vitrine
