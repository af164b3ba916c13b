#include <cmath>

#include "store/old_encodings.h"
#include "store/rdb_types.h"
#include "store/sorted_set.h"

namespace vitrine {

namespace {

bool add(RdbInput& in, SortedSet& set, Bytes member, double score) {
  if (std::isnan(score)) return in.fail("a score that is not a number");
  auto outcome = set.add(member, score, {}).outcome;
  return outcome == SortedSet::Outcome::added || in.fail("a sorted set holds a member twice");
}

// As the oldest files have it: its length and its text, or one byte for what is not finite.
double read_text_score(RdbInput& in) {
  constexpr uint8_t kMinus = 255, kPlus = 254, kNan = 253;
  uint8_t length = in.byte();
  if (length == kMinus) return -INFINITY;
  if (length == kPlus) return INFINITY;
  if (length == kNan) return NAN;
  auto score = parse_double(in.raw(length));
  if (!score && !in.failed()) in.fail("a score that is not a number");
  return score.value_or(0);
}

bool add_members(RdbInput& in, SortedSet& set, bool text) {
  for (uint64_t n = in.length(); n > 0; n--) {
    Bytes member = in.string();
    double score = text ? read_text_score(in) : in.real();
    if (in.failed() || !add(in, set, member, score)) return false;
  }
  return !in.failed();
}

// Members and scores in turn, of a listpack or a ziplist.
class Pairs {
 public:
  Pairs(RdbInput& in, SortedSet& set) : in_(in), set_(set) {}

  bool take(const PackedValue& v) {
    is_score_ = !is_score_;
    if (is_score_) return member_ = v.str(), true;
    auto score = v.is_int ? std::optional<double>(static_cast<double>(v.number)) : parse_double(v.text);
    if (!score) return in_.fail("a score that is not a number");
    return add(in_, set_, member_, *score);
  }
  bool whole() const { return !is_score_; }

 private:
  RdbInput& in_;
  SortedSet& set_;
  std::string member_;
  bool is_score_ = false;
};

bool add_packed(RdbInput& in, SortedSet& set) {
  auto block = rdb_detail::read_listpack(in);
  if (!block) return false;
  Pairs pairs(in, set);
  Packed packed(block.get());
  for (auto at = packed.begin(); at != packed.end();)
    if (!pairs.take(at.take())) return false;
  return pairs.whole() || in.fail("a sorted set in a listpack with a part missing");
}

bool add_ziplist(RdbInput& in, SortedSet& set) {
  Bytes data = in.string();
  if (in.failed()) return false;
  Pairs pairs(in, set);
  bool sound = read_ziplist(data, [&](const PackedValue& v) { return pairs.take(v); });
  return (sound && pairs.whole()) || in.fail("a broken ziplist");
}

}  // namespace

uint8_t sorted_set_rdb_type(const Object& o, int) {
  return o.encoding == SortedSet::kPacked && o.word ? rdb::kZsetListpack : rdb::kZset;
}

// Highest first: so readers that build a list in order find the place at once.
void save_sorted_set(const Object& o, uint8_t type, RdbOutput& out) {
  if (type == rdb::kZsetListpack) return rdb_detail::write_listpack(Packed(o.as<uint8_t>()), out);
  Object object = o;
  SortedSet set(object, TypeContext{0, nullptr});
  out.length(set.size());
  set.for_each(set.ranks(0, set.size()), true, [&](const PackedValue& member, double score) {
    rdb_detail::write_value(member, out);
    out.real(score);
  });
}

Value load_sorted_set(uint8_t type, RdbInput& in, const TypeContext& context) {
  Value value(SortedSet::make(context));
  SortedSet set(*value, context);
  bool done;
  switch (type) {
    case rdb::kZsetListpack: done = add_packed(in, set); break;
    case rdb::kZsetZiplist: done = add_ziplist(in, set); break;
    default: done = add_members(in, set, type == rdb::kZsetText);
  }
  return done ? std::move(value) : Value();
}

}  // namespace vitrine
