// Geohashes of 52 bits: a point as a number, so that near points have near numbers; the scores of geo indexes.
//
// The ranges of longitude and latitude are halved 26 times each; the bits that say which half are woven together, those
// of the longitude at the odd places (the highest of all), those of the latitude at the even ones:
//
//   ... lon lat lon lat      a cell of step s is the first 2 s bits: 2^s columns by 2^s rows
//
// The latitudes are those of the web's Mercator projection, +-85.05112878, so that the map is a square. A point on the
// upper end of a range gets a 27th bit there, as in Redis.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace vitrine::geo {

constexpr double kMaxLongitude = 180, kMaxLatitude = 85.05112878;
constexpr int kSteps = 26;

// In degrees.
struct Point {
  double longitude, latitude;
};
inline bool on_map(const Point& p) {
  return p.longitude >= -kMaxLongitude && p.longitude <= kMaxLongitude && p.latitude >= -kMaxLatitude &&
         p.latitude <= kMaxLatitude;
}

// A cell's place among the 2^step columns (from the west) and rows (from the south).
struct Cell {
  uint32_t column, row;
};
Cell cell_of(const Point& point, int step, double max_latitude = kMaxLatitude);
uint64_t weave(Cell cell);
Cell unweave(uint64_t hash);

// REQUIRES: on_map(point).
inline uint64_t encode(const Point& point) { return weave(cell_of(point, kSteps)); }
// The middle of the hash's cell.
Point decode(uint64_t hash);
// The same for a member's score, whatever it is.
Point decode_score(double score);
uint64_t hash_of_score(double score);

// As geohash.org writes it, with latitudes up to 90 degrees: eleven characters, of which 52 bits tell ten and no more.
constexpr int kTextLength = 11;
void write_text(const Point& point, char (&text)[kTextLength]);

}  // namespace vitrine::geo
