// Searches in geo indexes: GEOSEARCH, GEOSEARCHSTORE, and the older GEORADIUS family.
#include <algorithm>
#include <vector>

#include "base/numbers.h"
#include "commands/families.h"
#include "commands/geo_args.h"
#include "commands/store_target.h"
#include "engine/command.h"
#include "store/sorted_set.h"

namespace vitrine {

namespace {

enum class Order : uint8_t { none, ascending, descending };

// What one of the commands takes.
struct Variant {
  Bytes name;
  bool search = false;    // GEOSEARCH and GEOSEARCHSTORE: the area is told by options
  bool member = false;    // GEORADIUSBYMEMBER: from a member, else from a point
  bool may_store = false;  // GEORADIUS, not GEORADIUS_RO
  bool stores = false;    // GEOSEARCHSTORE: to the first key
};

struct Query {
  geo::Area area;
  double metres = 1;  // in the unit that distances are told in
  bool has_center = false, has_shape = false;
  bool with_distance = false, with_hash = false, with_point = false;
  Order order = Order::none;
  int64_t count = 0;  // 0: all
  bool any = false;
  const Bytes* target = nullptr;
  bool store_distance = false;
};

class Reader {
 public:
  Reader(Call& c, const Variant& variant, const Read<SortedSet>& set, Query& query)
      : args_(c.args), variant_(variant), set_(set), q_(query) {}

  // Latches errors.
  void read() {
    if (variant_.member) read_center_member(args_.bytes());
    else if (!variant_.search) q_.area.center = read_point(args_);
    // Of a key that is missing Redis does not look at the radius, either.
    if (variant_.member && !set_) args_.take(2);
    else if (!variant_.search) read_circle();
    while (args_.more()) read_option();
    if (!args_.failed()) check();
  }

 private:
  void read_center_member(Bytes member) {
    if (args_.failed() || !set_) return;
    auto score = set_->score(member);
    if (!score) return args_.fail("ERR could not decode requested zset member");
    q_.area.center = geo::decode_score(*score);
  }

  double number(Bytes error) {
    double value = args_.real(error);
    return args_.failed() ? 0 : value;
  }

  void read_circle() {
    q_.area.shape = geo::Area::Shape::circle;
    double radius = number("ERR need numeric radius");
    if (radius < 0) args_.fail("ERR radius cannot be negative");
    q_.metres = read_unit(args_);
    q_.area.radius = radius * q_.metres;
  }

  void read_box() {
    q_.area.shape = geo::Area::Shape::box;
    double width = number("ERR need numeric width"), height = number("ERR need numeric height");
    if (width < 0 || height < 0) args_.fail("ERR height or width cannot be negative");
    q_.metres = read_unit(args_);
    q_.area.width = width * q_.metres;
    q_.area.height = height * q_.metres;
  }

  void read_polygon() {
    q_.area.shape = geo::Area::Shape::polygon;
    int64_t count = args_.integer();
    if (args_.failed()) return;
    if (count < 3) return args_.fail("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
    if (args_.left() / 2 < static_cast<uint64_t>(count)) return args_.fail();
    q_.area.vertices.clear();
    for (int64_t i = 0; i < count && !args_.failed(); i++) q_.area.vertices.push_back(read_point(args_));
    q_.metres = 1;
    q_.area.find_center();
  }

  bool is(geo::Area::Shape shape) const { return q_.has_shape && q_.area.shape == shape; }

  bool read_area_option() {
    using Shape = geo::Area::Shape;
    if (!from_point_ && !is(Shape::polygon) && args_.accept("FROMMEMBER", 1)) {
      read_center_member(args_.bytes());
      q_.has_center = from_member_ = true;
    } else if (!from_member_ && !is(Shape::polygon) && args_.accept("FROMLONLAT", 2)) {
      q_.area.center = read_point(args_);
      q_.has_center = from_point_ = true;
    } else if ((!q_.has_shape || is(Shape::circle)) && args_.accept("BYRADIUS", 2)) {
      read_circle();
      q_.has_shape = true;
    } else if ((!q_.has_shape || is(Shape::box)) && args_.accept("BYBOX", 3)) {
      read_box();
      q_.has_shape = true;
    } else if ((!q_.has_shape || is(Shape::polygon)) && !q_.has_center && args_.accept("BYPOLYGON", 1)) {
      read_polygon();
      q_.has_shape = true;
    } else {
      return false;
    }
    return true;
  }

  void read_option() {
    if (args_.accept("WITHDIST")) q_.with_distance = true;
    else if (args_.accept("WITHHASH")) q_.with_hash = true;
    else if (args_.accept("WITHCOORD")) q_.with_point = true;
    else if (args_.accept("ANY")) q_.any = true;
    else if (args_.accept("ASC")) q_.order = Order::ascending;
    else if (args_.accept("DESC")) q_.order = Order::descending;
    else if (args_.accept("COUNT", 1)) q_.count = read_count();
    else if (variant_.may_store && args_.accept("STORE", 1)) read_target(false);
    else if (variant_.may_store && args_.accept("STOREDIST", 1)) read_target(true);
    else if (variant_.stores && args_.accept("STOREDIST")) q_.store_distance = true;
    else if (!variant_.search || !read_area_option()) args_.fail();
  }

  int64_t read_count() {
    int64_t count = args_.integer();
    if (!args_.failed() && count <= 0) args_.fail("ERR COUNT must be > 0");
    return count;
  }

  void read_target(bool distance) {
    q_.target = &args_.argv()[args_.position()];
    q_.store_distance = distance;
    args_.bytes();
  }

  void fail(Bytes before, Bytes after) { args_.fail_formatted(std::string(before).append(after)); }

  void check() {
    if (q_.target && (q_.with_distance || q_.with_hash || q_.with_point))
      return fail(variant_.stores ? "ERR GEOSEARCHSTORE" : "ERR STORE option in GEORADIUS",
                  " is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
    bool polygon = is(geo::Area::Shape::polygon);
    if (variant_.search && !q_.has_center && !polygon)
      return fail("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ", variant_.name);
    if (variant_.search && !q_.has_shape)
      return fail("ERR exactly one of BYRADIUS and BYBOX can be specified for ", variant_.name);
    if (q_.any && q_.count == 0) args_.fail("ERR the ANY argument requires COUNT argument");
  }

  Args& args_;
  const Variant& variant_;
  const Read<SortedSet>& set_;
  Query& q_;
  bool from_member_ = false, from_point_ = false;
};

// ---- searching ----

struct Found {
  PackedValue member;
  double score;
  double distance;  // metres
  geo::Point point;
};

std::vector<Found> search(const SortedSet& set, const Query& q) {
  std::vector<Found> found;
  size_t most = q.any ? static_cast<size_t>(q.count) : SIZE_MAX;
  for (const geo::HashRange& hashes : geo::cover(q.area)) {
    ScoreRange range;
    range.min = static_cast<double>(hashes.first);
    range.max = static_cast<double>(hashes.behind);
    range.max_open = true;
    set.for_each(set.find(range), false, [&](const PackedValue& member, double score) {
      if (found.size() >= most) return;
      geo::Point point = geo::decode_score(score);
      if (auto distance = q.area.find(point)) found.push_back({member, score, *distance, point});
    });
    if (found.size() >= most) break;
  }
  return found;
}

// In the order of the reply, and no more than are wanted.
void arrange(std::vector<Found>& found, const Query& q) {
  auto nearer = [](const Found& a, const Found& b) { return a.distance < b.distance; };
  auto farther = [](const Found& a, const Found& b) { return a.distance > b.distance; };
  bool limited = q.count > 0 && static_cast<size_t>(q.count) < found.size();
  if (q.order == Order::descending) std::stable_sort(found.begin(), found.end(), farther);
  else if (q.order == Order::ascending || (q.count > 0 && !q.any))
    std::stable_sort(found.begin(), found.end(), nearer);
  if (limited) found.erase(found.begin() + q.count, found.end());
}

void reply_found(Call& c, const std::vector<Found>& found, const Query& q) {
  int parts = q.with_distance + q.with_hash + q.with_point;
  char number[24];
  c.reply.array(static_cast<int64_t>(found.size()));
  for (const Found& each : found) {
    if (parts > 0) c.reply.array(1 + parts);
    c.reply.bulk(each.member.bytes(number));
    if (q.with_distance) reply_distance(c.reply, each.distance / q.metres);
    if (q.with_hash) c.reply.integer(static_cast<int64_t>(each.score));
    if (q.with_point) reply_point(c.reply, each.point);
  }
}

void store_found(Call& c, const std::vector<Found>& found, const Query& q, Bytes event) {
  if (found.empty()) {
    remove_target(c, *q.target);
    return c.reply.integer(0);
  }
  TypeContext context = c.keyspace.context();
  Value value(SortedSet::make(context));
  SortedSet stored(*value, context);
  char number[24];
  size_t longest = 0;
  for (const Found& each : found) longest = std::max(longest, each.member.bytes(number).size());
  stored.expect(found.size(), longest);
  for (const Found& each : found)
    stored.set(each.member.bytes(number), q.store_distance ? each.distance / q.metres : each.score);
  c.put(*q.target, std::move(value), event, EventClass::zset);
  c.keyspace.stats().changes += found.size() - 1;   // announcing counts one
  c.reply.integer(static_cast<int64_t>(found.size()));
}

void run(Call& c, const Variant& variant) {
  Query q;
  if (variant.stores) q.target = &c.args.argv()[1], c.args.bytes();
  Bytes key = c.args.bytes();
  auto set = c.read<SortedSet>(key);
  if (set.wrong_type()) return;
  Reader(c, variant, set, q).read();
  if (c.args.failed()) return;
  std::vector<Found> found;
  if (set) {
    found = search(*set, q);
    arrange(found, q);
  }
  if (!q.target) return reply_found(c, found, q);
  store_found(c, found, q, variant.search ? "geosearchstore" : "georadiusstore");
}

void geosearch(Call& c) { run(c, {.name = "GEOSEARCH", .search = true}); }
void geosearchstore(Call& c) { run(c, {.name = "GEOSEARCHSTORE", .search = true, .stores = true}); }
void georadius(Call& c) { run(c, {.name = "GEORADIUS", .may_store = true}); }
void georadius_ro(Call& c) { run(c, {.name = "GEORADIUS_RO"}); }
void georadiusbymember(Call& c) { run(c, {.name = "GEORADIUSBYMEMBER", .member = true, .may_store = true}); }
void georadiusbymember_ro(Call& c) { run(c, {.name = "GEORADIUSBYMEMBER_RO", .member = true}); }

constexpr CommandRow kRows[] = {
    {"geosearch", geosearch},
    {"geosearchstore", geosearchstore},
    {"georadius", georadius},
    {"georadius_ro", georadius_ro},
    {"georadiusbymember", georadiusbymember},
    {"georadiusbymember_ro", georadiusbymember_ro},
};

}  // namespace

void add_geo_search_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
