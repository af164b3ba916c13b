// Areas on the globe: what lies within, how far from the middle, and which ranges of geohashes to look through.
//
// Distances are along great circles of a sphere (haversine formula), in metres. An area is covered by geohash cells:
// the one of its centre and the eight around, of a size that the area does not reach beyond them; where it surrounds a
// pole, whole rows of cells. Longitudes go on behind the date line, but for polygons, which are drawn on a flat map.
#pragma once

#include <optional>
#include <vector>

#include "ds/geohash.h"

namespace vitrine::geo {

double distance(const Point& a, const Point& b);

struct Area {
  enum class Shape : uint8_t { circle, box, polygon };
  Shape shape = Shape::circle;
  Point center{};
  double radius = 0;            // of a circle, metres
  double width = 0, height = 0;  // of a box, metres: the width is measured along each point's own latitude
  std::vector<Point> vertices;  // of a polygon; the last is joined with the first

  // The distance from the centre, if the point is inside.
  std::optional<double> find(const Point& point) const;
  // Sets the centre of a polygon: above the mean of its vertices, as points in space.
  void find_center();
};

// Hashes from `first` up to `behind`, that one excluded.
struct HashRange {
  uint64_t first, behind;
};
// No two of them meet. Where Redis finds the same points it also takes the cells in this order: the centre's, those to
// the north, south, east, west, north-east, north-west, south-east, south-west.
std::vector<HashRange> cover(const Area& area);

}  // namespace vitrine::geo
