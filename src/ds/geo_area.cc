#include "ds/geo_area.h"

#include <algorithm>
#include <cmath>

namespace vitrine::geo {

namespace {

constexpr double kEarthRadius = 6372797.560856;
constexpr double kDegree = M_PI / 180;

double radians(double degrees) { return degrees * kDegree; }
double degrees(double radians) { return radians / kDegree; }

double distance_north(double from, double to) { return kEarthRadius * std::fabs(radians(to) - radians(from)); }

}  // namespace

double distance(const Point& a, const Point& b) {
  double v = std::sin((radians(b.longitude) - radians(a.longitude)) / 2);
  if (v == 0) return distance_north(a.latitude, b.latitude);
  double from = radians(a.latitude), to = radians(b.latitude), u = std::sin((to - from) / 2);
  return 2 * kEarthRadius * std::asin(std::sqrt(u * u + std::cos(from) * std::cos(to) * v * v));
}

// ---- inside ----

namespace {

// Whether a ray from the point to the east crosses the edges an odd number of times.
bool inside_polygon(const std::vector<Point>& vertices, const Point& p) {
  bool inside = false;
  for (size_t i = 0, j = vertices.size() - 1; i < vertices.size(); j = i++) {
    const Point &a = vertices[i], &b = vertices[j];
    if ((a.latitude > p.latitude) == (b.latitude > p.latitude)) continue;
    double part = (p.latitude - a.latitude) / (b.latitude - a.latitude);
    if (p.longitude < a.longitude + part * (b.longitude - a.longitude)) inside = !inside;
  }
  return inside;
}

}  // namespace

std::optional<double> Area::find(const Point& point) const {
  switch (shape) {
    case Shape::circle: {
      double d = distance(center, point);
      return d <= radius ? std::optional(d) : std::nullopt;
    }
    case Shape::box:
      if (distance_north(point.latitude, center.latitude) > height / 2) return std::nullopt;
      if (distance(point, {center.longitude, point.latitude}) > width / 2) return std::nullopt;
      break;
    case Shape::polygon:
      if (!inside_polygon(vertices, point)) return std::nullopt;
      break;
  }
  return distance(center, point);
}

void Area::find_center() {
  double x = 0, y = 0, z = 0;
  for (const Point& v : vertices) {
    double longitude = radians(v.longitude), latitude = radians(v.latitude);
    x += std::cos(latitude) * std::cos(longitude);
    y += std::cos(latitude) * std::sin(longitude);
    z += std::sin(latitude);
  }
  center = {degrees(std::atan2(y, x)), degrees(std::atan2(z, std::hypot(x, y)))};
}

// ---- covering ----

namespace {

// How far an area reaches, in degrees. West and east may be beyond the date line.
struct Bounds {
  double south, north, west, east;
  bool all_longitudes = false;
};

Bounds bounds_of_polygon(const std::vector<Point>& vertices) {
  Bounds b{90, -90, 180, -180};
  for (const Point& v : vertices) {
    b.south = std::min(b.south, v.latitude), b.north = std::max(b.north, v.latitude);
    b.west = std::min(b.west, v.longitude), b.east = std::max(b.east, v.longitude);
  }
  return b;
}

// What is within reach of the centre: up and down, and to the sides (an angle, in radians).
struct Reach {
  double up;
  double across;
};
Reach reach_of(const Area& area) {
  bool circle = area.shape == Area::Shape::circle;
  return {degrees((circle ? area.radius : area.height / 2) / kEarthRadius),
          (circle ? area.radius : area.width / 2) / kEarthRadius};
}

Bounds bounds_of(const Area& area) {
  if (area.shape == Area::Shape::polygon) return bounds_of_polygon(area.vertices);
  // A hair more than what is found, for what rounding does at the edges.
  constexpr double kSlack = 1e-7;
  auto [up, across] = reach_of(area);
  Bounds b{area.center.latitude - up - kSlack, area.center.latitude + up + kSlack, 0, 0};
  double highest = std::max(std::fabs(b.south), std::fabs(b.north)), sideways = 180;
  if (area.shape == Area::Shape::circle) {
    // Where a meridian touches the circle.
    double sine = std::sin(std::min(across, M_PI / 2)) / std::cos(radians(area.center.latitude));
    if (highest < 90 && sine < 1) sideways = degrees(std::asin(sine));
  } else {
    // Widest in degrees at the latitude nearest to a pole; no member is beyond the map.
    double sine = std::sin(std::min(across, M_PI) / 2) / std::cos(radians(std::min(highest, kMaxLatitude)));
    if (sine < 1) sideways = degrees(2 * std::asin(sine));
  }
  b.west = area.center.longitude - sideways - kSlack;
  b.east = area.center.longitude + sideways + kSlack;
  b.all_longitudes = sideways >= 180;
  return b;
}

// What Redis takes for the bounds, which decides on the size of cells: wider than true far from the poles, wrong near
// them.
Bounds bounds_as_redis(const Area& area) {
  if (area.shape == Area::Shape::polygon) return bounds_of_polygon(area.vertices);
  auto [up, across] = reach_of(area);
  const Point& c = area.center;
  double sideways = degrees(across / std::cos(radians(c.latitude < 0 ? c.latitude - up : c.latitude + up)));
  return {c.latitude - up, c.latitude + up, c.longitude - sideways, c.longitude + sideways};
}

// Redis' guess: cells about as high as the area is wide, larger in the north and the south.
int guess_step(double radius, double latitude) {
  constexpr double kHalfEquator = 20037726.37;
  if (radius == 0) return kSteps;
  int step = 1;
  for (; radius < kHalfEquator; radius *= 2) step++;
  step -= 2;
  double away = std::fabs(latitude);
  if (away > 66) step--;
  if (away > 80) step--;
  return std::clamp(step, 1, kSteps);
}

class Grid {
 public:
  explicit Grid(int step) : step_(step), cells_(uint32_t{1} << step) {}

  Cell cell(const Point& p) const {
    // A point on the upper edge of the map belongs to the last cell.
    Cell c = cell_of(p, step_);
    return {std::min(c.column, cells_ - 1), std::min(c.row, cells_ - 1)};
  }
  double west_of(int64_t column) const { return -kMaxLongitude + static_cast<double>(column) * 360 / cells_; }
  double south_of(int64_t row) const { return -kMaxLatitude + static_cast<double>(row) * 2 * kMaxLatitude / cells_; }
  int64_t count() const { return cells_; }

  bool rows_reach(const Bounds& b, Cell c) const {
    bool south = c.row <= 1 || south_of(int64_t{c.row} - 1) <= b.south;
    bool north = c.row + 2 >= cells_ || south_of(int64_t{c.row} + 2) >= b.north;
    return south && north;
  }
  bool columns_reach(const Bounds& b, Cell c) const {
    return cells_ <= 3 || (west_of(int64_t{c.column} - 1) <= b.west && west_of(int64_t{c.column} + 2) >= b.east);
  }
  // Whether the cells around go as far as this, those behind the edge of the map taken for where they are on it.
  bool reach_as_redis(const Bounds& b, Cell c) const {
    uint32_t last = cells_ - 1;
    return south_of(int64_t{(c.row + 1) & last} + 1) >= b.north && south_of((c.row - 1) & last) <= b.south &&
           west_of(int64_t{(c.column + 1) & last} + 1) >= b.east && west_of((c.column - 1) & last) <= b.west;
  }
  HashRange range(uint32_t column, uint32_t row) const {
    int below = 2 * (kSteps - step_);
    uint64_t hash = weave({column, row});
    return {hash << below, (hash + 1) << below};
  }

 private:
  int step_;
  uint32_t cells_;
};

// Members on the map's upper edges have hashes beyond all cells (see ds/geohash.h).
void add_edges(std::vector<HashRange>& ranges) {
  uint64_t end = uint64_t{1} << (2 * kSteps);
  ranges.push_back({end, end << 2});
}

std::vector<HashRange> cover_rows(const Bounds& b, int step) {
  Grid grid(std::min(step, 5));
  std::vector<HashRange> ranges;
  for (uint32_t row = 0; row < grid.count(); row++) {
    if (grid.south_of(row + 1) < b.south || grid.south_of(row) > b.north) continue;
    for (uint32_t column = 0; column < grid.count(); column++) ranges.push_back(grid.range(column, row));
  }
  add_edges(ranges);
  return ranges;
}

std::vector<HashRange> cover_around(const Point& center, const Bounds& b, int step) {
  Grid grid(step);
  Cell c = grid.cell(center);
  std::vector<HashRange> ranges;
  constexpr int kAround[9][2] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
  bool at_edge = false;
  for (auto [east, north] : kAround) {
    int64_t row = int64_t{c.row} + north, column = int64_t{c.column} + east;
    if (row < 0 || row >= grid.count()) continue;
    at_edge |= row == grid.count() - 1 || column >= grid.count() - 1 || column < 0;
    // Cells that the area does not touch, unless the map is too small for them to be told apart.
    if (grid.count() > 3) {
      if (grid.south_of(row) > b.north || grid.south_of(row + 1) < b.south) continue;
      if (grid.west_of(column) > b.east || grid.west_of(column + 1) < b.west) continue;
    }
    column = (column + grid.count()) % grid.count();
    HashRange range = grid.range(static_cast<uint32_t>(column), static_cast<uint32_t>(row));
    auto same = [&](const HashRange& other) { return other.first == range.first; };
    if (std::none_of(ranges.begin(), ranges.end(), same)) ranges.push_back(range);
  }
  if (at_edge) add_edges(ranges);
  return ranges;
}

}  // namespace

std::vector<HashRange> cover(const Area& area) {
  Bounds b = bounds_of(area);
  Point center = area.center;
  double radius = area.radius;
  if (area.shape == Area::Shape::box) {
    radius = std::sqrt(area.width / 2 * (area.width / 2) + area.height / 2 * (area.height / 2));
  } else if (area.shape == Area::Shape::polygon) {
    center = {(b.west + b.east) / 2, (b.south + b.north) / 2};
    radius = radians(std::max(b.east - b.west, b.north - b.south) / 2) * kEarthRadius;
  }
  int step = guess_step(radius, center.latitude);
  if (b.all_longitudes && step > 2) return cover_rows(b, step);
  if (b.all_longitudes) step = 1;
  if (step > 1 && !Grid(step).reach_as_redis(bounds_as_redis(area), Grid(step).cell(center))) step--;
  for (; step > 1; step--) {
    Grid grid(step);
    Cell c = grid.cell(center);
    if (grid.rows_reach(b, c) && grid.columns_reach(b, c)) break;
  }
  return cover_around(center, b, step);
}

}  // namespace vitrine::geo
