#include "ds/geohash.h"

#include <algorithm>

namespace vitrine::geo {

namespace {

// The bits of `x` at the even places.
uint64_t spread(uint32_t x) {
  uint64_t b = x;
  b = (b | b << 16) & 0x0000ffff0000ffff;
  b = (b | b << 8) & 0x00ff00ff00ff00ff;
  b = (b | b << 4) & 0x0f0f0f0f0f0f0f0f;
  b = (b | b << 2) & 0x3333333333333333;
  return (b | b << 1) & 0x5555555555555555;
}

uint32_t gather(uint64_t b) {
  b &= 0x5555555555555555;
  b = (b | b >> 1) & 0x3333333333333333;
  b = (b | b >> 2) & 0x0f0f0f0f0f0f0f0f;
  b = (b | b >> 4) & 0x00ff00ff00ff00ff;
  b = (b | b >> 8) & 0x0000ffff0000ffff;
  return static_cast<uint32_t>(b | b >> 16);
}

uint32_t place(double value, double max, int step) {
  return static_cast<uint32_t>((value + max) / (max + max) * static_cast<double>(uint64_t{1} << step));
}

double middle(uint32_t place, double max) {
  constexpr double kCells = uint64_t{1} << kSteps;
  double low = -max + place * 1.0 / kCells * (max + max), high = -max + (place + 1.0) / kCells * (max + max);
  return std::clamp((low + high) / 2, -max, max);
}

}  // namespace

Cell cell_of(const Point& point, int step, double max_latitude) {
  return {place(point.longitude, kMaxLongitude, step), place(point.latitude, max_latitude, step)};
}

uint64_t weave(Cell cell) { return spread(cell.row) | spread(cell.column) << 1; }
Cell unweave(uint64_t hash) { return {gather(hash >> 1), gather(hash)}; }

Point decode(uint64_t hash) {
  Cell cell = unweave(hash);
  return {middle(cell.column, kMaxLongitude), middle(cell.row, kMaxLatitude)};
}

// As x86-64 converts a double to an unsigned number, which is what Redis does with scores that are no geohashes.
uint64_t hash_of_score(double score) {
  if (score >= 0x1p64) return 0;
  if (score >= 0) return static_cast<uint64_t>(score);
  return score > -0x1p63 ? static_cast<uint64_t>(static_cast<int64_t>(score)) : uint64_t{1} << 63;
}

Point decode_score(double score) { return decode(hash_of_score(score)); }

void write_text(const Point& point, char (&text)[kTextLength]) {
  constexpr char kAlphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
  uint64_t hash = weave(cell_of(point, kSteps, 90));
  for (int i = 0; i < kTextLength - 1; i++) text[i] = kAlphabet[hash >> (2 * kSteps - 5 * (i + 1)) & 31];
  text[kTextLength - 1] = kAlphabet[0];
}

}  // namespace vitrine::geo
