// Packed: a sequence of byte strings and integers in one allocation. Small hashes, sets, sorted sets and lists, the
// nodes of long lists and of streams are blocks of this kind.
//
//   block    [used bytes: u32][count: u16] element element ...            header included in `used`, little endian
//   element  [head][payload][backlen]
//
//   head                               payload                    meaning
//   0vvvvvvv                                                      integer 0..127
//   10nnnnnn                           n bytes                    string of 0..63
//   110vvvvv vvvvvvvv                                             integer of 13 bits, two's complement, high part first
//   1110nnnn nnnnnnnn                  n bytes                    string of 64..4095, high part first
//   11110000 + n in 4 bytes            n bytes                    longer string
//   11110001, 0010, 0011, 0100         2, 3, 4, 8 bytes           integer of 16, 24, 32, 64 bits
//
// `backlen` is the size of head + payload in groups of 7 bits, to be read from its last byte towards the front (a set
// high bit means that one more group lies before): one byte up to 127. So the block is walked in both directions.
// Elements are those of the published listpack format; listpack adds a final byte 0xff, which we spare.
//
// Invariants: a string that reads as a canonical int64 (numbers.h) is stored as an integer; every element has the
// shortest form. Hence equal values have equal bytes, and find() compares bytes. A count of 65535 says "65535 or more,
// or not known": then count() walks.
//
// A block is a plain pointer from memory::allocate, which its owner keeps; Packed is a view of it that goes into
// registers. After any change the owner takes the pointer back, for the block may have moved:
//
//   Packed packed(object.as<uint8_t>());
//   packed.append("field", "value");
//   object.point_to(packed.block());
//
// Iterators and PackedValues point into the block and die with any change of it.
#pragma once

#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/numbers.h"

namespace vitrine {

// An element as read.
struct PackedValue {
  bool is_int = false;
  int64_t number = 0;  // if is_int
  Bytes text;          // if not

  // Its text; `scratch` holds the digits.
  Bytes bytes(char (&scratch)[24]) const {
    return is_int ? Bytes(scratch, format_int64(scratch, number)) : text;
  }
  // How many bytes its text has.
  size_t length() const { return is_int ? decimal_length(number) : text.size(); }
  bool equals(Bytes other) const {
    return is_int ? parse_int64(other) == std::optional<int64_t>(number) : text == other;
  }
  std::optional<int64_t> as_int64() const { return is_int ? std::optional<int64_t>(number) : parse_int64(text); }
  std::string str() const {
    char scratch[24];
    return std::string(bytes(scratch));
  }
};

// An element to be written or looked for: the text is examined once, here. Borrows the text.
class PackedItem {
 public:
  PackedItem(Bytes text) : text_(text) {
    if (text.size() - 1 < kInt64Chars && (is_digit(text[0]) || text[0] == '-')) read_number();
  }
  PackedItem(const char* text) : PackedItem(Bytes(text)) {}
  PackedItem(const std::string& text) : PackedItem(Bytes(text)) {}
  static PackedItem of(int64_t number) { return PackedItem(number, Number()); }
  static PackedItem of(const PackedValue& v) { return v.is_int ? of(v.number) : PackedItem(v.text); }

  bool is_int() const { return is_int_; }
  int64_t number() const { return number_; }
  // Empty for items made of a number.
  Bytes text() const { return text_; }
  bool matches(const PackedValue& v) const {
    if (v.is_int) return is_int_ && number_ == v.number;
    return from_number_ ? v.as_int64() == std::optional<int64_t>(number_) : text_ == v.text;
  }
  // Size as an element, and the element itself. Returns its end.
  size_t size() const {
    if (!is_int_ && text_.size() < 64) return text_.size() + 2;
    return long_size();
  }
  uint8_t* write(uint8_t* to) const {
    if (!is_int_ && text_.size() < 64) {
      size_t n = text_.size();
      *to = static_cast<uint8_t>(0x80 | n);
      if (n > 0) std::memcpy(to + 1, text_.data(), n);
      to[n + 1] = static_cast<uint8_t>(n + 1);
      return to + n + 2;
    }
    return write_long(to);
  }
  // Head (and all of an integer) as in an element; returns its size.
  size_t write_head(uint8_t (&head)[9]) const;

 private:
  struct Number {};
  PackedItem(int64_t number, Number) : number_(number), is_int_(true), from_number_(true) {}
  static bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }
  void read_number();
  size_t long_size() const;
  uint8_t* write_long(uint8_t* to) const;

  Bytes text_;
  int64_t number_ = 0;
  bool is_int_ = false;
  bool from_number_ = false;
};

namespace packed_detail {

const uint8_t* next_long(const uint8_t* p);
const uint8_t* prev_long(const uint8_t* p);
PackedValue read_long(const uint8_t* p);

[[gnu::always_inline]] inline const uint8_t* next(const uint8_t* p) {
  uint8_t head = *p;
  // Integers below 128 and strings below 64 without a branch between them.
  if (__builtin_expect(head < 0xc0, 1)) return p + 2 + (head & 0x3f & -(head >> 7));
  return next_long(p);
}

// REQUIRES: an element ends at p.
inline const uint8_t* prev(const uint8_t* p) {
  if (__builtin_expect(p[-1] < 0x80, 1)) return p - 1 - p[-1];
  return prev_long(p);
}

[[gnu::always_inline]] inline PackedValue read(const uint8_t* p) {
  uint8_t head = *p;
  if ((head & 0xc0) == 0x80) return {false, 0, Bytes(reinterpret_cast<const char*>(p + 1), head & 0x3f)};
  if (head < 0x80) return {true, head, {}};
  return read_long(p);
}

// The first element equal to `item` among every (skip + 1)th of the run; null if there is none.
const uint8_t* find(const uint8_t* from, const uint8_t* end, const PackedItem& item, size_t skip);
// Whether the run is a sequence of well-formed elements, in shortest form. Reads nothing outside.
bool validate(const uint8_t* from, const uint8_t* end, size_t& count);

}  // namespace packed_detail

class PackedIterator {
 public:
  PackedIterator() = default;
  explicit PackedIterator(const uint8_t* at) : at_(at) {}
  PackedValue operator*() const { return packed_detail::read(at_); }
  PackedIterator& operator++() {
    at_ = packed_detail::next(at_);
    return *this;
  }
  PackedIterator& operator--() {
    at_ = packed_detail::prev(at_);
    return *this;
  }
  PackedIterator next() const { return PackedIterator(packed_detail::next(at_)); }
  PackedIterator prev() const { return PackedIterator(packed_detail::prev(at_)); }
  // Reads and goes on.
  [[gnu::always_inline]] PackedValue take() {
    PackedValue v = packed_detail::read(at_);
    at_ = packed_detail::next(at_);
    return v;
  }
  bool operator==(const PackedIterator&) const = default;
  const uint8_t* at() const { return at_; }

 private:
  const uint8_t* at_ = nullptr;
};

class Packed {
 public:
  using Iterator = PackedIterator;
  static constexpr size_t kHeader = 6;
  static constexpr size_t kMaxBytes = size_t{1} << 30;

  // A view of a block; the owner keeps the pointer.
  explicit Packed(uint8_t* block) : block_(block) {}
  uint8_t* block() const { return block_; }

  // Empty, with room for so many bytes of elements.
  static Packed create(size_t reserved_bytes = 0);
  static void free(uint8_t* block);
  Packed clone() const;

  size_t bytes_used() const { return load32(block_); }
  // What it occupies.
  size_t memory() const;
  size_t count() const {
    size_t n = load16(block_ + 4);
    return __builtin_expect(n != kUnknown, 1) ? n : walk_count();
  }
  bool empty() const { return bytes_used() == kHeader; }

  // Elements, front to back. --end() is the last one.
  Iterator begin() const { return Iterator(block_ + kHeader); }
  Iterator end() const { return Iterator(block_ + bytes_used()); }
  // REQUIRES: not empty.
  PackedValue front() const { return *begin(); }
  PackedValue back() const { return *end().prev(); }
  // Counted from the end if negative; end() if there is none.
  Iterator at(int64_t index) const;
  // The first element equal to the item from `from` on, looking at every (skip + 1)th; end() if there is none.
  Iterator find(const PackedItem& item, Iterator from, size_t skip = 0) const {
    const uint8_t* p = packed_detail::find(from.at(), block_ + bytes_used(), item, skip);
    return p ? Iterator(p) : end();
  }
  Iterator find(const PackedItem& item, size_t skip = 0) const { return find(item, begin(), skip); }
  // The bytes of all elements, without the header.
  Bytes run() const { return Bytes(reinterpret_cast<const char*>(block_) + kHeader, bytes_used() - kHeader); }

  // Changes. REQUIRES: items do not borrow from this block; the result would_fit.
  bool would_fit(size_t more_bytes) const { return more_bytes <= kMaxBytes - bytes_used(); }
  // Also for a text of which only the length is known: the most an element of it can take.
  static constexpr size_t worst_size(size_t text_bytes) { return text_bytes + 10; }
  void reserve(size_t more_bytes);
  void shrink_to_fit();
  void clear();
  void append(const PackedItem& item);
  void append(const PackedItem& first, const PackedItem& second);
  void prepend(const PackedItem& item) { insert(begin(), {&item, 1}); }
  // Inserts before `at` (end() is allowed); returns where the first one now stands.
  Iterator insert(Iterator at, std::span<const PackedItem> items);
  Iterator insert(Iterator at, const PackedItem& item) { return insert(at, std::span(&item, 1)); }
  Iterator insert(Iterator at, const PackedItem& first, const PackedItem& second) {
    const PackedItem items[] = {first, second};
    return insert(at, items);
  }
  // Puts another element in its place; returns where it now stands.
  Iterator replace(Iterator at, const PackedItem& item);
  // Erases up to n elements from `at` on; returns what follows them.
  Iterator erase(Iterator at, size_t n = 1);
  // The same by index (from the end if negative); returns how many went.
  size_t erase_range(int64_t index, size_t n);
  // All elements of another block behind ours.
  void append_all(Packed other);
  // Elements as they are in memory: `run` of another block, or of a list's node.
  void append_run(Bytes run, size_t count);

  // Whether `data` is all of a block and sound in every byte; untrusted bytes must pass this before anything else.
  static bool validate(Bytes data);
  // To and from the listpack format of snapshot files. Import takes untrusted bytes, also such as are sound but not in
  // shortest form; null if they are broken. `listpack_bytes` is the size of what write_listpack writes.
  static uint8_t* import_listpack(Bytes data);
  size_t listpack_bytes() const { return bytes_used() + 1; }
  void write_listpack(char* out) const;

 private:
  static constexpr size_t kUnknown = 65535;
  static uint32_t load32(const uint8_t* p) {
    uint32_t v;
    std::memcpy(&v, p, 4);
    return v;
  }
  static uint16_t load16(const uint8_t* p) {
    uint16_t v;
    std::memcpy(&v, p, 2);
    return v;
  }
  void set_used(size_t bytes) {
    uint32_t v = static_cast<uint32_t>(bytes);
    std::memcpy(block_, &v, 4);
  }
  void set_count(size_t n) {
    uint16_t v = static_cast<uint16_t>(n < kUnknown ? n : kUnknown);
    std::memcpy(block_ + 4, &v, 2);
  }
  // Nothing is known after 65535 until somebody counts.
  void add_count(size_t n) {
    if (size_t c = load16(block_ + 4); c != kUnknown) set_count(c + n);
  }
  void subtract_count(size_t n) {
    if (size_t c = load16(block_ + 4); c != kUnknown) set_count(c - n);
  }
  size_t walk_count() const;
  uint8_t* splice(size_t offset, size_t removed, size_t inserted);

  uint8_t* block_;
};

}  // namespace vitrine
