// The sparse form of a HyperLogLog's registers (ds/hyperloglog.h): runs of equal ones, in order, 16384 in all.
//
//   00llllll            l + 1 registers of rank 0
//   01llllll llllllll   l + 1 registers of rank 0, the high bits of l first
//   1rrrrrll            l + 1 registers of rank r + 1
//
// To set one register splits a run in up to three. Then up to five runs around it are joined where neighbours hold
// the same rank and fit into one, exactly as Redis does it: the same elements in the same order give the same bytes.
#pragma once

#include <string>

#include "ds/hyperloglog.h"

namespace vitrine::hll {

constexpr uint8_t kMaxSparseRank = 32;

struct Run {
  uint32_t length;  // registers
  uint8_t rank;
  uint8_t bytes;    // 1 or 2; of the last byte of all, 2 means that the second is missing
};

inline Run read_run(const uint8_t* p, const uint8_t* end) {
  uint8_t b = *p;
  if (b & 0x80) return {(b & 3u) + 1, static_cast<uint8_t>((b >> 2 & 31) + 1), 1};
  if (b & 0x40) return {((b & 63u) << 8 | (p + 1 < end ? p[1] : 0u)) + 1, 0, 2};
  return {b + 1u, 0, 1};
}

// Calls visit(first, run) for each, from left to right. False, perhaps after some visits, unless the runs cover all
// registers and no more; no run visited reaches beyond the last register.
template <class Visit>
bool for_each_run(Bytes runs, Visit visit) {
  const uint8_t* p = reinterpret_cast<const uint8_t*>(runs.data());
  const uint8_t* end = p + runs.size();
  uint32_t first = 0;
  while (p < end) {
    Run run = read_run(p, end);
    if (p + run.bytes > end || run.length > kRegisters - first) return false;
    visit(first, run);
    first += run.length;
    p += run.bytes;
  }
  return first == kRegisters;
}

// As PFDEBUG DECODE shows them: "Z:12711 v:2,1 z:3".
std::string text_of_runs(Bytes runs);

// A sparse sketch that is changed outside of its string: it is copied in, and read out again.
class SparseEdit {
 public:
  enum class Outcome : uint8_t { unchanged, changed, too_long, corrupt };

  // Of a sketch that looks valid and is sparse, and outlives the edit: it is copied with the first change. Of no bytes:
  // an empty sketch.
  explicit SparseEdit(Bytes sketch);
  SparseEdit(const SparseEdit&) = delete;

  // Raises a register. `too_long`: nothing happens, for the rank has no sparse form, or the sketch would exceed
  // `max_bytes`. `corrupt`: nothing may be kept of what was changed.
  Outcome raise(Mark mark, size_t max_bytes);
  void forget_estimate();
  Bytes sketch() const { return {copied_ ? buffer_ : reinterpret_cast<const char*>(source_), size_}; }

 private:
  // No more than two bytes a register, and what one change may add for a moment.
  static constexpr size_t kRoom = kHeader + 2 * kRegisters + 8;

  // Where a run begins: in the sketch, and among the registers.
  struct Place {
    size_t at;
    uint32_t first;
  };

  const uint8_t* bytes() const { return copied_ ? reinterpret_cast<const uint8_t*>(buffer_) : source_; }
  Run run_at(size_t at) const { return read_run(bytes() + at, bytes() + size_); }
  void leap(uint32_t index, Place& place, Place& before) const;
  bool find(uint32_t index, Place& place, Place& before) const;
  bool complete_from(Place place) const;
  void copy();
  void join_from(size_t at);

  const uint8_t* source_ = nullptr;
  size_t size_;
  bool copied_ = false;
  bool checked_ = false;
  Place hint_{kHeader, 0};  // a run before which nothing is known; the next search may begin there
  char buffer_[kRoom];
};

}  // namespace vitrine::hll
