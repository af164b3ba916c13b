// Commands on the positions of single members: GEOADD, GEODIST, GEOHASH, GEOPOS. A geo index is a sorted set whose
// scores are geohashes (ds/geohash.h). Searches are in geo_search.cc.
#include <cstdio>
#include <vector>

#include "base/numbers.h"
#include "commands/families.h"
#include "commands/geo_args.h"
#include "engine/command.h"
#include "store/sorted_set.h"

namespace vitrine {

double read_unit(Args& args) {
  struct Unit {
    Bytes name;
    double metres;
  };
  constexpr Unit kUnits[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};
  Bytes name = args.bytes();
  for (const Unit& unit : kUnits)
    if (equals_ignoring_case(name, unit.name)) return unit.metres;
  args.fail("ERR unsupported unit provided. please use M, KM, FT, MI");
  return 0;
}

geo::Point read_point(Args& args) {
  geo::Point point;
  point.longitude = args.real();
  point.latitude = args.real();
  if (args.failed() || geo::on_map(point)) return point;
  char text[800];
  std::snprintf(text, sizeof text, "ERR invalid longitude,latitude pair %f,%f", point.longitude, point.latitude);
  args.fail(text);
  return point;
}

void reply_distance(ReplyBuilder& reply, double distance) {
  char text[400];
  int length = std::snprintf(text, sizeof text, "%.4f", distance);
  reply.bulk({text, static_cast<size_t>(length)});
}

void reply_point(ReplyBuilder& reply, const geo::Point& point) {
  reply.array(2);
  for (double degrees : {point.longitude, point.latitude}) {
    std::string text = format_long_double(degrees);
    reply.protocol() == 3 ? reply.raw("," + text + "\r\n") : reply.bulk(text);
  }
}

namespace {

void geoadd(Call& c) {
  using Outcome = SortedSet::Outcome;
  Bytes key = c.args.bytes();
  SortedSet::AddRules rules;
  bool count_updates = false;
  while (c.args.more()) {
    if (c.args.accept("NX")) rules.only_new = true;
    else if (c.args.accept("XX")) rules.only_present = true;
    else if (c.args.accept("CH")) count_updates = true;
    else break;
  }
  size_t left = c.args.left();
  if (left == 0 || left % 3 != 0 || (rules.only_new && rules.only_present)) c.args.fail();
  struct Item {
    uint64_t hash;
    Bytes member;
  };
  std::vector<Item> items;
  while (c.args.more()) {
    geo::Point point = read_point(c.args);
    Bytes member = c.args.bytes();
    if (!c.args.failed()) items.push_back({geo::encode(point), member});
  }
  if (c.args.failed()) return;
  auto set = c.edit<SortedSet>(key, "zadd", rules.only_present ? Missing::skip : Missing::create);
  if (!set) return set.missing() ? c.reply.integer(0) : void();
  int64_t added = 0, updated = 0;
  for (const Item& item : items) {
    Outcome outcome = set->add(item.member, static_cast<double>(item.hash), rules).outcome;
    added += outcome == Outcome::added;
    updated += outcome == Outcome::updated;
  }
  c.reply.integer(count_updates ? added + updated : added);
}

void geodist(Call& c) {
  Bytes key = c.args.bytes(), from = c.args.bytes(), to = c.args.bytes();
  double metres = 1;
  if (c.args.left() > 1) c.args.fail();
  if (c.args.more()) metres = read_unit(c.args);
  if (!c.args.done()) return;
  auto set = c.read<SortedSet>(key);
  if (!set) return set.missing() ? c.reply.null() : void();
  auto a = set->score(from), b = set->score(to);
  if (!a || !b) return c.reply.null();
  reply_distance(c.reply, geo::distance(geo::decode_score(*a), geo::decode_score(*b)) / metres);
}

// Calls reply(score) for the members that are there, null() for others.
template <class Reply, class Null>
void for_members(Call& c, Reply reply, Null null) {
  auto members = c.args.argv().subspan(2);
  auto set = c.read<SortedSet>(c.args[1]);
  if (set.wrong_type()) return;
  c.reply.array(static_cast<int64_t>(members.size()));
  for (Bytes member : members) {
    auto score = set ? set->score(member) : std::nullopt;
    score ? reply(*score) : null();
  }
}

void geohash(Call& c) {
  auto reply = [&c](double score) {
    char text[geo::kTextLength];
    geo::write_text(geo::decode_score(score), text);
    c.reply.bulk({text, sizeof text});
  };
  for_members(c, reply, [&c] { c.reply.null(); });
}

void geopos(Call& c) {
  auto reply = [&c](double score) { reply_point(c.reply, geo::decode_score(score)); };
  for_members(c, reply, [&c] { c.reply.null_array(); });
}

constexpr CommandRow kRows[] = {
    {"geoadd", geoadd}, {"geodist", geodist}, {"geohash", geohash}, {"geopos", geopos}};

}  // namespace

void add_geo_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
