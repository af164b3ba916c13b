// FieldSet: names of fields, in an order of their own, that many hashes share (store/hash.h).
//
//   one block    [refs][count][bytes of the names][end of name 0: u32] ... [names] [slots: u16, a power of two]
//
// It counts who refers to it: hashes, also such as another thread frees, and the sessions that named it. A name is
// found by its hash in the slots (ordinal + 1, linear probing); few names are compared in turn and have no slots.
#pragma once

#include <atomic>
#include <map>
#include <span>
#include <utility>

#include "base/bytes.h"

namespace vitrine {

class FieldSet {
 public:
  static constexpr size_t kNone = SIZE_MAX;
  static constexpr size_t kMaxNames = 32'000;

  // Null if a name comes twice. REQUIRES: 0 < names.size() <= kMaxNames, less than 2 GB of names. The caller holds the
  // first reference.
  static FieldSet* make(std::span<const Bytes> names);
  void retain() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }
  size_t references() const { return refs_.load(std::memory_order_relaxed); }

  size_t count() const { return count_; }
  Bytes name(size_t i) const {
    uint32_t begin = i == 0 ? 0 : ends()[i - 1];
    return Bytes(names() + begin, ends()[i] - begin);
  }
  // The longest name's bytes.
  size_t longest() const { return longest_; }
  // Its place, or kNone.
  size_t find(Bytes name) const;
  size_t memory() const;

 private:
  static constexpr size_t kFew = 8;

  FieldSet(std::span<const Bytes> names, size_t bytes);
  static size_t slots_for(size_t count);
  static size_t size_of(size_t count, size_t name_bytes);
  void destroy();
  uint32_t* ends() const { return reinterpret_cast<uint32_t*>(const_cast<FieldSet*>(this) + 1); }
  char* names() const { return reinterpret_cast<char*>(ends() + count_); }
  uint16_t* slots() const { return reinterpret_cast<uint16_t*>(names() + (name_bytes_ + 1) / 2 * 2); }
  size_t hashed(Bytes name) const;

  std::atomic<uint32_t> refs_{1};
  uint32_t count_;
  uint32_t name_bytes_;
  uint32_t longest_ = 0;
};

// One reference to a FieldSet.
class FieldSetRef {
 public:
  FieldSetRef() = default;
  // Takes over the reference that FieldSet::make gave.
  explicit FieldSetRef(FieldSet* set) : set_(set) {}
  FieldSetRef(FieldSetRef&& other) noexcept : set_(std::exchange(other.set_, nullptr)) {}
  FieldSetRef& operator=(FieldSetRef&& other) noexcept {
    std::swap(set_, other.set_);
    return *this;
  }
  ~FieldSetRef() {
    if (set_) set_->release();
  }
  explicit operator bool() const { return set_; }
  FieldSet& operator*() const { return *set_; }
  FieldSet* operator->() const { return set_; }

 private:
  FieldSet* set_ = nullptr;
};

// Those of a session.
struct FieldSets {
  std::map<std::string, FieldSetRef, std::less<>> by_name;
};

}  // namespace vitrine
