#include "store/sorted_set.h"

#include <cmath>

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "store/encoding_limits.h"
#include "store/rdb_types.h"
#include "store/rewrite.h"

namespace vitrine {

namespace {

// A score as an element of a block. Lives where it was made: the item borrows its text.
class ScoreItem {
 public:
  explicit ScoreItem(double score) : item_(Bytes()) {
    constexpr double kExact = 4503599627370496.0;  // whole numbers up to here, 2^52
    if (score >= -kExact && score <= kExact) {
      int64_t whole = static_cast<int64_t>(score);
      if (static_cast<double>(whole) == score) {
        item_ = PackedItem::of(whole);
        return;
      }
    }
    item_ = PackedItem(Bytes(text_, format_double(text_, score)));
  }
  ScoreItem(const ScoreItem&) = delete;
  operator const PackedItem&() const { return item_; }

 private:
  char text_[kDoubleChars];
  PackedItem item_;
};

}  // namespace

// ---- ranges ----

bool LexRange::starts_before(Bytes member) const {
  switch (min.kind) {
    case LexEnd::Kind::lowest: return true;
    case LexEnd::Kind::inclusive: return member >= min.text;
    case LexEnd::Kind::exclusive: return member > min.text;
    case LexEnd::Kind::highest: return false;
  }
  __builtin_unreachable();
}

bool LexRange::ends_after(Bytes member) const {
  switch (max.kind) {
    case LexEnd::Kind::lowest: return false;
    case LexEnd::Kind::inclusive: return member <= max.text;
    case LexEnd::Kind::exclusive: return member < max.text;
    case LexEnd::Kind::highest: return true;
  }
  __builtin_unreachable();
}

void SortedSet::Run::cut(uint64_t skipped, uint64_t most, bool reverse) {
  skipped = std::min(skipped, count);
  uint64_t kept = std::min(most, count - skipped);
  uint64_t behind = count - skipped - kept;
  count = kept;
  uint64_t at_front = reverse ? behind : skipped, at_back = reverse ? skipped : behind;
  if (at_front > 0) {
    first += at_front;
    low_ = {};
    packed_low_ = nullptr;
  }
  if (at_back > 0) high_ = {};
}

SortedSet::Run SortedSet::ranks(uint64_t first, uint64_t count) const {
  uint64_t n = size();
  Run run;
  run.first = std::min(first, n);
  run.count = std::min(count, n - run.first);
  return run;
}

SortedSet::Run SortedSet::run_between(OrderTree::Iterator low, OrderTree::Iterator behind) const {
  Run run;
  run.first = low.rank();
  if (behind.rank() <= low.rank()) return run;
  run.count = behind.rank() - low.rank();
  run.low_ = low;
  run.high_ = behind;
  run.high_.prev();
  return run;
}

template <class Range>
SortedSet::Run SortedSet::find_in_block(const Range& range) const {
  Run run;
  if (!object_.word) return run;
  Packed block = packed();
  char scratch[24];
  for (auto at = block.begin(), end = block.end(); at != end;) {
    const uint8_t* here = at.at();
    PackedValue member = at.take(), score = at.take();
    auto key = [&] {
      if constexpr (std::is_same_v<Range, ScoreRange>) return score_of(score);
      else return member.bytes(scratch);
    }();
    if (!range.ends_after(key)) break;
    if (run.count > 0) {
      run.count++;
    } else if (range.starts_before(key)) {
      run.packed_low_ = here;
      run.count = 1;
    } else {
      run.first++;
    }
  }
  return run;
}

SortedSet::Run SortedSet::find(const ScoreRange& range) const {
  using Bound = OrderTree::Bound;
  if (range.min > range.max) return Run();
  if (!is_tree()) return find_in_block(range);
  const OrderTree& tree = members()->tree();
  bool from_first = range.min == -HUGE_VAL && !range.min_open, to_last = range.max == HUGE_VAL && !range.max_open;
  auto low = from_first ? tree.begin()
                        : tree.lower_bound(range.min, range.min_open ? Bound::exclusive : Bound::inclusive);
  auto high = to_last ? tree.end()
                      : tree.lower_bound(range.max, range.max_open ? Bound::inclusive : Bound::exclusive);
  return run_between(low, high);
}

SortedSet::Run SortedSet::find(const LexRange& range) const {
  using Bound = OrderTree::Bound;
  using Kind = LexEnd::Kind;
  if (!is_tree()) return find_in_block(range);
  const OrderTree& tree = members()->tree();
  // Where the first one stands that is beyond this end; one that equals it is beyond unless it is `kept_back`.
  auto seek = [&](const LexEnd& end, Kind kept_back) {
    if (end.kind == Kind::lowest) return tree.begin();
    if (end.kind == Kind::highest) return tree.end();
    return tree.lower_bound(end.text, end.kind == kept_back ? Bound::exclusive : Bound::inclusive);
  };
  return run_between(seek(range.min, Kind::exclusive), seek(range.max, Kind::inclusive));
}

void SortedSet::erase(const Run& run) {
  if (run.count == 0) return;
  object_.changes += static_cast<uint32_t>(run.count);
  if (is_tree()) return members()->erase_ranks(run.first, run.count);
  Packed block = packed();
  block.erase_range(static_cast<int64_t>(2 * run.first), 2 * run.count);
  object_.point_to(block.block());
}

// ---- one member ----

size_t SortedSet::size() const {
  if (is_tree()) return members()->size();
  return object_.word ? packed().count() / 2 : 0;
}

std::optional<double> SortedSet::score(Bytes member) const {
  if (is_tree()) {
    const ZMember* m = members()->find(member);
    return m ? std::optional(m->score()) : std::nullopt;
  }
  if (!object_.word) return std::nullopt;
  Packed block = packed();
  auto at = find_packed(block, member);
  if (at == block.end()) return std::nullopt;
  return score_of(*at.next());
}

std::optional<SortedSet::Place> SortedSet::place(Bytes member) const {
  if (is_tree()) {
    const ZMember* m = members()->find(member);
    if (!m) return std::nullopt;
    return Place{members()->tree().rank_of(m), m->score()};
  }
  if (!object_.word) return std::nullopt;
  Packed block = packed();
  auto at = find_packed(block, member);
  if (at == block.end()) return std::nullopt;
  uint64_t rank = 0;
  for (auto i = block.begin(); i != at; i = i.next().next()) rank++;
  return Place{rank, score_of(*at.next())};
}

void SortedSet::prefetch(Bytes member) const {
  if (is_tree()) members()->table().prefetch_bucket(hash_bytes(member));
}

SortedSet::Added SortedSet::add(Bytes member, double score, const AddRules& rules) {
  uint64_t hash = 0;
  ZMember* found = nullptr;
  PackedIterator at;
  bool present = false;
  double old = 0;
  if (is_tree()) {
    hash = hash_bytes(member);
    found = members()->find(member, hash);
    if ((present = found)) old = found->score();
  } else if (object_.word) {
    Packed block = packed();
    at = find_packed(block, member);
    if ((present = at != block.end())) old = score_of(*at.next());
  }
  if (!present) {
    if (rules.only_present) return {Outcome::refused, 0};
    insert(member, hash, score);
    return {Outcome::added, score};
  }
  if (rules.only_new) return {Outcome::refused, old};
  if (rules.increment) {
    score += old;
    if (std::isnan(score)) return {Outcome::not_a_number, old};
  }
  if ((rules.only_less && score >= old) || (rules.only_greater && score <= old)) return {Outcome::refused, old};
  if (score == old) return {Outcome::unchanged, score};
  object_.changes++;
  if (found) members()->set_score(found, score);
  else move_packed(at, member, score);
  return {Outcome::updated, score};
}

void SortedSet::insert(Bytes member, uint64_t hash, double score) {
  object_.changes++;
  if (!is_tree()) {
    if (fits_packed(member)) return insert_packed(member, score);
    become_tree();
    hash = hash_bytes(member);
  }
  members()->insert(member, hash, score);
}

void SortedSet::expect(size_t count, size_t longest) {
  CHECK(size() == 0);
  const EncodingLimits& limits = *context_.limits;
  bool packed = count <= limits.zset_max_listpack_entries && longest <= limits.zset_max_listpack_value;
  if (!packed) become_tree();
}

void SortedSet::append(Bytes member, double score) {
  if (!is_tree()) return insert(member, 0, score);
  object_.changes++;
  members()->append(member, score);
}

bool SortedSet::fits_packed(Bytes member) const {
  const EncodingLimits& limits = *context_.limits;
  if (member.size() > limits.zset_max_listpack_value || size() >= limits.zset_max_listpack_entries) return false;
  return !object_.word || packed().would_fit(Packed::worst_size(member.size()) + Packed::worst_size(kDoubleChars));
}

void SortedSet::insert_packed(Bytes member, double score) {
  Packed block = object_.word ? packed() : Packed::create(member.size() + 8);
  ScoreItem score_item(score);
  // From the end, where scores that grow with time go.
  auto at = block.end();
  char scratch[24];
  for (auto begin = block.begin(); at != begin;) {
    auto score_at = at.prev(), member_at = score_at.prev();
    double other = score_of(*score_at);
    if (other < score || (other == score && (*member_at).bytes(scratch) < member)) break;
    at = member_at;
  }
  block.insert(at, PackedItem(member), score_item);
  object_.point_to(block.block());
}

// Gives the member at `at` another score, and its place.
void SortedSet::move_packed(PackedIterator at, Bytes member, double score) {
  Packed block = packed();
  auto stands_before = [&](PackedIterator other) {
    char scratch[24];
    double s = score_of(*other.next());
    return s < score || (s == score && (*other).bytes(scratch) < member);
  };
  auto before = at == block.begin() ? at : at.prev().prev(), after = at.next().next();
  if ((before == at || stands_before(before)) && (after == block.end() || !stands_before(after))) {
    block.replace(at.next(), ScoreItem(score));
    return object_.point_to(block.block());
  }
  block.erase(at, 2);
  object_.point_to(block.block());
  insert_packed(member, score);
}

bool SortedSet::erase(Bytes member) {
  if (is_tree()) {
    ZMember* m = members()->find(member);
    if (!m) return false;
    members()->erase(m);
  } else {
    if (!object_.word) return false;
    Packed block = packed();
    auto at = find_packed(block, member);
    if (at == block.end()) return false;
    block.erase(at, 2);
    object_.point_to(block.block());
  }
  object_.changes++;
  return true;
}

void SortedSet::become_tree() {
  if (is_tree()) return;
  auto* members = new ScoredMembers;
  char scratch[24];
  for_each([&](const PackedValue& member, double score) { members->append(member.bytes(scratch), score); });
  if (object_.word) Packed::free(object_.as<uint8_t>());
  object_.encoding = kTree;
  object_.point_to(members);
}

SortedSet::Scored SortedSet::random(Random& random) const {
  if (is_tree()) {
    const ZMember* m = ScoredMembers::Policy::member(members()->table().random(random));
    return {value_of(m), m->score()};
  }
  auto at = packed().at(static_cast<int64_t>(2 * random.below(size())));
  PackedValue member = at.take();
  return {member, score_of(*at)};
}

// ---- what the rest of the house asks ----

struct SortedSetOps {
  static void destroy(Object& o) {
    if (o.encoding == SortedSet::kTree) delete o.as<ScoredMembers>();
    else if (o.word) Packed::free(o.as<uint8_t>());
  }

  static Object clone(const Object& o) {
    Object copy = o;
    if (o.encoding == SortedSet::kTree) copy.point_to(o.as<ScoredMembers>()->clone());
    else if (o.word) copy.point_to(Packed(o.as<uint8_t>()).clone().block());
    return copy;
  }

  static Bytes encoding_name(const Object& o) { return o.encoding == SortedSet::kTree ? "skiplist" : "listpack"; }

  static size_t length(const Object& o) {
    if (o.encoding == SortedSet::kTree) return o.as<ScoredMembers>()->size();
    return o.word ? Packed(o.as<uint8_t>()).count() / 2 : 0;
  }

  static size_t memory_of(const Object& o, size_t samples) {
    if (o.encoding == SortedSet::kTree) return o.as<ScoredMembers>()->memory_bytes(samples);
    return o.word ? memory::usable_size(o.as<uint8_t>()) : 0;
  }

  static size_t free_effort(const Object& o) { return o.encoding == SortedSet::kTree ? length(o) : 1; }

  static void digest(const Object& o, const std::function<void(std::initializer_list<Bytes>)>& part) {
    Object object = o;
    char name[24], text[kDoubleChars];
    SortedSet(object, TypeContext{0, nullptr}).for_each([&](const PackedValue& member, double score) {
      part({member.bytes(name), Bytes(text, format_double(text, score))});
    });
  }

  static void rewrite(const Object& o, CommandMaker& maker) {
    digest(o, [&](std::initializer_list<Bytes> pair) { maker.item("ZADD", {pair.begin()[1], pair.begin()[0]}); });
  }
};

const TypeOps kSortedSetOps = {
    "zset", SortedSetOps::destroy, SortedSetOps::clone, SortedSetOps::encoding_name, SortedSetOps::length,
    SortedSetOps::memory_of, SortedSetOps::free_effort, SortedSetOps::digest, false,
    sorted_set_rdb_type, save_sorted_set, load_sorted_set,
    SortedSetOps::rewrite};

}  // namespace vitrine
