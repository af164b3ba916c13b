// FieldTable: the fields of a large hash, one small allocation each, in a hash table; and, once a field has an expiry,
// the heap that knows which is due first.
//
//   field  | flags | name length | value length | expiry: 8, heap index: 4 | name | value |
//              1       1 or 8        1 or 8        if it expires
//
// A name of 16 bytes with a value of 13 takes 32 bytes. The lengths are wide when either exceeds 255. A field never
// moves by itself: FieldTable replaces it when its size class changes, in table and heap.
#pragma once

#include <cstring>
#include <memory>

#include "base/hash.h"
#include "ds/deadline_heap.h"
#include "ds/hash_table.h"
#include "store/entry.h"

namespace vitrine {

class Field {
 public:
  static Field* create(Bytes name, Bytes value, int64_t expire_at_ms = kNoExpiry);
  static void destroy(Field* field) { memory::release(field, memory::good_size(field->size())); }

  Bytes name() const { return {data(), name_length()}; }
  Bytes value() const { return {data() + name_length(), value_length()}; }
  bool expires() const { return flags_ & kExpires; }
  int64_t expire_at_ms() const {
    if (!expires()) return kNoExpiry;
    int64_t at;
    std::memcpy(&at, bytes() + lengths_end(), 8);
    return at;
  }
  // REQUIRES: expires().
  void overwrite_expiry(int64_t at_ms) { std::memcpy(bytes() + lengths_end(), &at_ms, 8); }
  uint32_t heap_index() const {
    uint32_t index;
    std::memcpy(&index, bytes() + lengths_end() + 8, 4);
    return index;
  }
  void set_heap_index(uint32_t index) { std::memcpy(bytes() + lengths_end() + 8, &index, 4); }

  // Changes the value without moving, if it can.
  bool overwrite_value(Bytes value);
  // Bytes asked from the allocator, before rounding to a size class.
  size_t size() const { return header() + name_length() + value_length(); }

 private:
  static constexpr uint8_t kWide = 1, kExpires = 2;

  bool wide() const { return flags_ & kWide; }
  size_t lengths_end() const { return wide() ? 17 : 3; }
  size_t header() const { return lengths_end() + (expires() ? 12 : 0); }
  size_t length_at(size_t i) const {
    if (__builtin_expect(!wide(), 1)) return bytes()[1 + i];
    uint64_t n;
    std::memcpy(&n, bytes() + 1 + 8 * i, 8);
    return n;
  }
  void set_lengths(size_t name, size_t value);
  size_t name_length() const { return length_at(0); }
  size_t value_length() const { return length_at(1); }
  const char* data() const { return reinterpret_cast<const char*>(bytes() + header()); }
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this); }
  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this); }

  uint8_t flags_;
};

class FieldTable {
 public:
  struct Policy {
    static Field* field(Word w) { return reinterpret_cast<Field*>(w); }
    static uint64_t hash(Word w) { return hash_bytes(field(w)->name()); }
    static void prefetch(Word w) { vitrine::prefetch(field(w)); }
    static void moved(void* what, uint32_t index) { static_cast<Field*>(what)->set_heap_index(index); }
  };
  using Table = HashTable<Policy>;
  using Heap = DeadlineHeap<Policy>;

  FieldTable() = default;
  ~FieldTable();
  FieldTable* clone() const;

  size_t size() const { return table_.size(); }
  const Table& table() const { return table_; }
  size_t expiring() const { return heap_ ? heap_->size() : 0; }
  // kNoExpiry: no field expires.
  int64_t earliest() const { return expiring() ? heap_->front().at_ms : kNoExpiry; }
  size_t count_due(int64_t now_ms) const { return heap_ ? heap_->count_due(now_ms) : 0; }
  bool all_due(int64_t now_ms) const {
    return expiring() == size() && earliest() <= now_ms && heap_->all_due(now_ms);
  }
  // REQUIRES: expiring() > 0.
  Field* first_due() const { return static_cast<Field*>(heap_->front().what); }

  // Expired or not; null if absent.
  Field* find(Bytes name) const {
    auto p = position(name, hash_bytes(name));
    return p ? Policy::field(table_.at(p)) : nullptr;
  }
  // REQUIRES: absent.
  void insert(Bytes name, Bytes value, int64_t expire_at_ms = kNoExpiry);
  // Both give a present field another value or expiry; it may move.
  Field* set_value(Field* field, Bytes value);
  Field* set_expiry(Field* field, int64_t at_ms);
  void erase(Field* field);

  // Everything allocated, from `samples` fields (0: all of them).
  size_t memory_bytes(size_t samples) const;

  // The moment that the database's index of due hashes was last told of (see TypeOps::earliest_expiry).
  int64_t claimed_ms = kNoExpiry;

 private:
  Table::Position position(Bytes name, uint64_t hash) const {
    return table_.find(hash, [name](Word w) { return Policy::field(w)->name() == name; });
  }
  Field* replace(Field* old, Bytes value, int64_t expire_at_ms);
  void schedule(Field* field);
  void unschedule(Field* field);

  Table table_;
  std::unique_ptr<Heap> heap_;
};

}  // namespace vitrine
