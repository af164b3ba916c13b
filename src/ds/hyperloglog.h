// HyperLogLog sketches in Redis' byte format: about how many different elements were seen, to 0.81 %.
//
// An element's hash (MurmurHash64A) names one of 16384 registers, by its low 14 bits, and a rank: one more than the
// zeros that the other 50 bits end with. A register keeps the highest rank it was told (0: none). The number of
// elements follows from how many registers hold which rank.
//
//   +------+----------+--------+----------------------------+-----------+
//   | HYLL | encoding | unused | estimate: 8, little-endian | registers |
//   +------+----------+--------+----------------------------+-----------+
//      4      0 or 1      3      highest bit: out of date
//
//   0 dense   12288 bytes: six bits a register, the first in the lowest bits
//   1 sparse  runs of equal registers, see ds/hll_sparse.h
//
// Sources: Flajolet, Fusy, Gandouet, Meunier: "HyperLogLog: the analysis of a near-optimal cardinality estimation
// algorithm" (2007); Ertl: "New cardinality estimation algorithms for HyperLogLog sketches" (2017); for the format,
// S. Sanfilippo: "Redis new data structure: the HyperLogLog" (2014).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace vitrine::hll {

constexpr size_t kRegisters = 16384;
constexpr size_t kHeader = 16;
constexpr size_t kPackedBytes = kRegisters * 6 / 8;
constexpr size_t kDenseBytes = kHeader + kPackedBytes;
constexpr uint8_t kMaxRank = 51;

enum Encoding : uint8_t { kDense, kSparse };

// What an element says.
struct Mark {
  uint32_t index;
  uint8_t rank;  // 1 to kMaxRank
};
Mark mark_of(Bytes element);

// ---- the header ----

// Whether the header, and the size of a dense one, are as they must be. The functions below REQUIRE it.
bool looks_valid(Bytes sketch);
inline Encoding encoding(Bytes sketch) { return static_cast<Encoding>(sketch[4]); }
// The runs of a sparse one, or the packed registers of a dense one.
inline Bytes body(Bytes sketch) { return sketch.substr(kHeader); }
inline bool estimate_is_known(Bytes sketch) { return !(static_cast<uint8_t>(sketch[15]) & 0x80); }
uint64_t known_estimate(Bytes sketch);
void remember_estimate(char* sketch, uint64_t estimate);
inline void forget_estimate(char* sketch) { sketch[15] = static_cast<char>(static_cast<uint8_t>(sketch[15]) | 0x80); }
// A header that knows no estimate.
void write_header(char* sketch, Encoding encoding);

// ---- packed registers ----

inline uint8_t get(const char* packed, uint32_t index) {
  const uint8_t* p = reinterpret_cast<const uint8_t*>(packed) + index * 6 / 8;
  unsigned shift = index * 6 % 8;
  unsigned bits = p[0] >> shift;
  if (shift > 2) bits |= static_cast<unsigned>(p[1]) << (8 - shift);
  return bits & 63;
}
void set(char* packed, uint32_t index, uint8_t rank);

// ---- all registers, a byte each ----

struct Registers {
  alignas(64) uint8_t ranks[kRegisters];

  void clear() { std::memset(ranks, 0, sizeof ranks); }
  // Each register becomes the higher of both.
  void merge_packed(const char* packed);
  // False if the body of a sparse one is corrupt; then the registers are of no use.
  bool merge_runs(Bytes runs);
  bool merge(Bytes sketch);
  void write_packed(char* packed) const;
};

// As the members of Registers, which choose the fastest way that the processor knows at the first call.
void merge_packed_plainly(uint8_t* ranks, const char* packed);
void write_packed_plainly(const uint8_t* ranks, char* packed);

// ---- the estimate ----

// How many registers hold each rank.
using Histogram = std::array<uint32_t, 64>;
Histogram histogram(const Registers& registers);
Histogram histogram_of_packed(const char* packed);
// False if the runs are corrupt.
bool histogram_of_runs(Bytes runs, Histogram& histogram);

// Whether all ranks are such as elements have.
bool possible(const Registers& registers);
bool possible(const Histogram& histogram);
uint64_t estimate(const Histogram& histogram);

}  // namespace vitrine::hll
