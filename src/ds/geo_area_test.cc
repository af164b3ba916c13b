#include "ds/geo_area.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"

namespace vitrine::geo {
namespace {

constexpr double kKm = 1000;

Point random_point(Random& random, const Point& around, double spread) {
  Point p{around.longitude + (random.unit() * 2 - 1) * spread, around.latitude + (random.unit() * 2 - 1) * spread};
  while (p.longitude > kMaxLongitude) p.longitude -= 360;
  while (p.longitude < -kMaxLongitude) p.longitude += 360;
  p.latitude = std::clamp(p.latitude, -kMaxLatitude, kMaxLatitude);
  return p;
}

Area circle(Point center, double radius) {
  Area area;
  area.center = center;
  area.radius = radius;
  return area;
}
Area box(Point center, double width, double height) {
  Area area;
  area.shape = Area::Shape::box;
  area.center = center;
  area.width = width;
  area.height = height;
  return area;
}
Area polygon(std::vector<Point> vertices) {
  Area area;
  area.shape = Area::Shape::polygon;
  area.vertices = std::move(vertices);
  area.find_center();
  return area;
}

bool covered(const std::vector<HashRange>& ranges, uint64_t hash) {
  int times = 0;
  for (const HashRange& r : ranges) times += hash >= r.first && hash < r.behind;
  EXPECT_LE(times, 1);
  return times > 0;
}

// Every point inside must be in the ranges, which must not meet.
void check_cover(const Area& area, const std::vector<Point>& points) {
  auto ranges = cover(area);
  for (const Point& p : points) {
    uint64_t hash = encode(p);
    bool found = covered(ranges, hash);
    if (!area.find(decode(hash))) continue;
    ASSERT_TRUE(found) << p.longitude << ' ' << p.latitude << " around " << area.center.longitude << ' '
                       << area.center.latitude << ", shape " << static_cast<int>(area.shape) << ", radius "
                       << area.radius << ", width " << area.width << ", height " << area.height;
  }
}

TEST(Geo, HashesAndTextsAreKnown) {
  // From the documentation of GEOADD and GEOHASH.
  Point palermo{13.361389, 38.115556}, catania{15.087269, 37.502669};
  EXPECT_EQ(encode(palermo), 3479099956230698u);
  EXPECT_EQ(encode(catania), 3479447370796909u);
  Point decoded = decode(3479099956230698);
  EXPECT_DOUBLE_EQ(decoded.longitude, 13.36138933897018433);
  EXPECT_DOUBLE_EQ(decoded.latitude, 38.11555639549629859);
  char text[kTextLength];
  write_text(decoded, text);
  EXPECT_EQ(std::string(text, sizeof text), "sqc8b49rny0");
  EXPECT_NEAR(distance(decoded, decode(3479447370796909)), 166274.1516, 0.0001);
}

TEST(Geo, DecodedPointsAreNear) {
  constexpr uint64_t kSeed = 41;
  Random random(kSeed);
  for (int i = 0; i < 20'000; i++) {
    Point p = random_point(random, {0, 0}, 180), back = decode(encode(p));
    ASSERT_LT(std::fabs(p.longitude - back.longitude), 3e-6) << "seed " << kSeed;
    ASSERT_LT(std::fabs(p.latitude - back.latitude), 3e-6);
    Cell cell = cell_of(p, kSteps), woven = unweave(weave(cell));
    ASSERT_TRUE(cell.column == woven.column && cell.row == woven.row);
  }
}

TEST(Geo, EdgesOfTheMapStay) {
  for (double longitude : {-180.0, 180.0}) {
    for (double latitude : {-kMaxLatitude, kMaxLatitude}) {
      Point back = decode(encode({longitude, latitude}));
      EXPECT_NEAR(back.longitude, longitude, 3e-6);
      EXPECT_NEAR(back.latitude, latitude, 3e-6);
    }
  }
  EXPECT_TRUE(on_map({180, kMaxLatitude}));
  EXPECT_FALSE(on_map({180.1, 0}));
  EXPECT_FALSE(on_map({0, 85.06}));
}

TEST(Geo, AnyScoreCanBeDecoded) {
  for (double score : {-1.0, -1e300, 1e300, 0x1p63, 0x1p64, 0.5, double{INFINITY}, -double{INFINITY}})
    EXPECT_TRUE(on_map(decode_score(score))) << score;
}

TEST(Geo, DistancesAreThoseOfASphere) {
  constexpr double kQuarter = 6372797.560856 * M_PI / 2;
  EXPECT_NEAR(distance({0, 0}, {90, 0}), kQuarter, 1e-3);
  EXPECT_NEAR(distance({0, 0}, {180, 0}), 2 * kQuarter, 1e-3);
  EXPECT_NEAR(distance({10, -45}, {10, 45}), kQuarter, 1e-3);
  EXPECT_NEAR(distance({179, 60}, {-179, 60}), distance({-1, 60}, {1, 60}), 1e-6);
  EXPECT_EQ(distance({12, 34}, {12, 34}), 0);
}

TEST(Geo, PolygonsHoldWhatIsInside) {
  Area square = polygon({{0, 0}, {10, 0}, {10, 10}, {0, 10}});
  EXPECT_TRUE(square.find({5, 5}));
  EXPECT_FALSE(square.find({11, 5}));
  EXPECT_FALSE(square.find({5, -1}));
  EXPECT_NEAR(square.center.longitude, 5, 1e-9);
  // Not convex: an arrow that points to the east, its notch in the west.
  Area arrow = polygon({{0, 0}, {10, 5}, {0, 10}, {5, 5}});
  EXPECT_TRUE(arrow.find({6, 5}));
  EXPECT_FALSE(arrow.find({2, 5}));
}

TEST(Geo, PolygonsAreMeasuredFromTheirCenter) {
  // From Valkey's documentation of GEOSEARCH.
  Area area = polygon({{12.41098696654226, 38.05033923003755},
                       {15.107936245794182, 38.00616649901906},
                       {18.148439288534455, 38.63804787603499},
                       {17.80831874257693, 39.50316813110968},
                       {12.458468633214036, 38.57719533463012}});
  EXPECT_NEAR(area.find(decode(encode({13.361389, 38.115556}))).value_or(0), 166482.0159, 0.0001);
  EXPECT_NEAR(area.find(decode(encode({17.241510, 38.788135}))).value_or(0), 180861.7725, 0.0001);
  EXPECT_FALSE(area.find(decode(encode({15.087269, 37.502669}))));
}

// What covering finds is what looking at every point finds: everywhere, over the poles and the date line.
TEST(Geo, CoversEverythingInside) {
  constexpr uint64_t kSeed = 42;
  Random random(kSeed);
  const double spreads[] = {0.0001, 0.01, 1, 5, 20, 90, 180};
  const Point places[] = {{0, 0}, {180, 0}, {-180, 30}, {12, 85}, {-100, -85}, {179.999, 85}, {180, -84}, {50, 70}};
  for (int round = 0; round < 400; round++) {
    Point around = random.below(2) ? places[random.below(8)] : random_point(random, {0, 0}, 180);
    double spread = spreads[random.below(7)];
    std::vector<Point> points;
    for (int i = 0; i < 300; i++) points.push_back(random_point(random, around, spread));
    points.insert(points.end(), {{180, 10}, {-180, 10}, {5, kMaxLatitude}, {180, kMaxLatitude}});
    for (int i = 0; i < 5; i++) {
      Point center = random_point(random, around, spread);
      double size = spread * 222 * kKm * random.unit() * random.unit();
      check_cover(circle(center, size), points);
      check_cover(box(center, size * 2 * random.unit(), size * 2 * random.unit()), points);
      check_cover(box(center, size * 4, size / 10), points);
      std::vector<Point> vertices;
      for (uint64_t n = 3 + random.below(6); n > 0; n--) vertices.push_back(random_point(random, center, spread));
      check_cover(polygon(vertices), points);
      if (HasFatalFailure()) FAIL() << "seed " << kSeed << ", round " << round;
    }
  }
}

TEST(Geo, CoversLittleMore) {
  // A circle of one kilometre: nine cells or less, together of some square kilometres.
  auto ranges = cover(circle({13.4, 52.5}, kKm));
  EXPECT_LE(ranges.size(), 9u);
  uint64_t cells = 0;
  for (const HashRange& r : ranges) cells += r.behind - r.first;
  EXPECT_LT(static_cast<double>(cells) / 0x1p52, 1e-5);
  EXPECT_LE(cover(circle({0, 0}, 20'000 * kKm)).size(), 5u);
  // Extremes.
  EXPECT_FALSE(cover(circle({0, 0}, INFINITY)).empty());
  EXPECT_FALSE(cover(circle({0, 0}, 0)).empty());
  EXPECT_FALSE(cover(box({180, kMaxLatitude}, 1e300, 1e300)).empty());
}

}  // namespace
}  // namespace vitrine::geo
