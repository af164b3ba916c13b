// Sorted sets: distinct members with scores, in order of score, then of bytes.
//
// Encodings:
//   listpack   one packed block (ds/packed.h): member, score, member, score ... in order (no block while empty). A
//              score is an integer where it is whole (so -0 becomes 0, as in Redis), else the shortest text that reads
//              back ("0.5", "inf"). At most zset-max-listpack-entries members of at most zset-max-listpack-value bytes.
//   skiplist   ScoredMembers (store/scored_members.h), a hash table and a B+ tree; the name is what clients know for it
// A sorted set becomes a skiplist when a new member exceeds the limits, and never goes back.
//
// Members are read as PackedValue: an integer or a text, valid until the next change of the set. Ranks count from 0 at
// the lowest score. REQUIRES everywhere: scores are not NaN.
#pragma once

#include <algorithm>
#include <optional>

#include "base/random.h"
#include "ds/order_tree.h"
#include "ds/packed.h"
#include "store/keyspace.h"
#include "store/scored_members.h"

namespace vitrine {

// Scores between two ends, each of them included or not.
struct ScoreRange {
  double min = 0, max = 0;
  bool min_open = false, max_open = false;

  bool starts_before(double score) const { return min_open ? score > min : score >= min; }
  bool ends_after(double score) const { return max_open ? score < max : score <= max; }
};

// An end of a range of members by their bytes, as ZRANGEBYLEX takes it: "-", "+", "[text" or "(text".
struct LexEnd {
  enum class Kind : uint8_t { lowest, inclusive, exclusive, highest };
  Kind kind = Kind::lowest;
  Bytes text;
};
struct LexRange {
  LexEnd min, max;

  bool starts_before(Bytes member) const;
  bool ends_after(Bytes member) const;
};

class SortedSet {
 public:
  static constexpr Type kType = Type::zset;
  static constexpr EventClass kEvents = EventClass::zset;
  enum Encoding : uint8_t { kPacked, kTree };

  struct Scored {
    PackedValue member;
    double score;
  };
  struct Place {
    uint64_t rank;
    double score;
  };

  // What add() does with a member that is there or is not.
  struct AddRules {
    bool only_new = false, only_present = false;    // NX, XX
    bool only_greater = false, only_less = false;   // GT, LT: as to members that are there
    bool increment = false;                         // the score is added to the present one
  };
  enum class Outcome : uint8_t { refused, unchanged, updated, added, not_a_number };  // refused: by a rule
  struct Added {
    Outcome outcome;
    double score;  // the member's now, unless refused
  };

  // Neighbours: `count` members from rank `first` on. Valid until the set changes.
  class Run {
   public:
    uint64_t first = 0, count = 0;

    // Without the first `skipped` members, and at most `most` of the others; counted from the end if `reverse`.
    void cut(uint64_t skipped, uint64_t most, bool reverse);

   private:
    friend class SortedSet;
    // Where the first and the last stand, if that was found on the way (else false or null).
    OrderTree::Iterator low_, high_;
    const uint8_t* packed_low_ = nullptr;
  };

  static Object make(const TypeContext&) { return Object::of(kType, kPacked, nullptr); }

  SortedSet(Object& object, const TypeContext& context) : object_(object), context_(context) {}

  size_t size() const;
  bool is_tree() const { return object_.encoding == kTree; }

  // ---- one member ----
  std::optional<double> score(Bytes member) const;
  bool contains(Bytes member) const { return score(member).has_value(); }
  std::optional<Place> place(Bytes member) const;
  Added add(Bytes member, double score, const AddRules& rules);
  // Whatever was there before.
  void set(Bytes member, double score) { add(member, score, AddRules()); }
  // Changes the encoding only.
  void become_tree();
  // Prepares an empty one for so many members, the longest of so many bytes.
  void expect(size_t count, size_t longest);
  // As set(), for members that come in order. REQUIRES: absent, and behind all that are there.
  void append(Bytes member, double score);
  bool erase(Bytes member);
  // Fetches from memory what the functions above will look at.
  void prefetch(Bytes member) const;

  // ---- ranges ----
  // Cut to what there is.
  Run ranks(uint64_t first, uint64_t count) const;
  Run find(const ScoreRange& range) const;
  // Where scores differ, the run is some run.
  Run find(const LexRange& range) const;
  void erase(const Run& run);
  // Calls visit(const PackedValue& member, double score) in order, or from the highest down.
  template <class Visit>
  void for_each(const Run& run, bool reverse, Visit visit) const;
  template <class Visit>
  void for_each(Visit visit) const { for_each(ranks(0, size()), false, visit); }

  // ---- without order ----
  // A uniformly random member. REQUIRES: size() > 0.
  Scored random(Random& random) const;
  // Calls visit(member, score) for the members of one step of a scan and returns the next cursor, 0 at the end. A small
  // set is visited whole in one step, whatever the cursor.
  template <class Visit>
  uint64_t scan(uint64_t cursor, Visit visit) const;

 private:
  friend struct SortedSetOps;

  ScoredMembers* members() const { return object_.as<ScoredMembers>(); }
  Packed packed() const { return Packed(object_.as<uint8_t>()); }
  bool has_block() const { return !is_tree() && object_.word; }
  static double score_of(const PackedValue& v) {
    return v.is_int ? static_cast<double>(v.number) : *parse_double(v.text);
  }
  static PackedValue value_of(const ZMember* m) { return {false, 0, m->bytes()}; }

  PackedIterator find_packed(Packed block, Bytes member) const { return block.find(PackedItem(member), 1); }
  bool fits_packed(Bytes member) const;
  void insert_packed(Bytes member, double score);
  void move_packed(PackedIterator at, Bytes member, double score);
  void insert(Bytes member, uint64_t hash, double score);
  template <class Range>
  Run find_in_block(const Range& range) const;
  Run run_between(OrderTree::Iterator low, OrderTree::Iterator behind) const;

  Object& object_;
  TypeContext context_;
};

extern const TypeOps kSortedSetOps;

template <class Visit>
void SortedSet::for_each(const Run& run, bool reverse, Visit visit) const {
  if (run.count == 0) return;
  if (is_tree()) {
    auto from = reverse ? run.high_ : run.low_;
    if (!from) from = members()->tree().at_rank(reverse ? run.first + run.count - 1 : run.first);
    auto each = [&](double score, const ZMember* m) { visit(value_of(m), score); };
    return OrderTree::for_each(from, run.count, each, reverse);
  }
  Packed block = packed();
  uint64_t left = run.count;
  if (reverse) {
    auto at = block.at(static_cast<int64_t>(2 * (run.first + run.count) - 1));
    while (true) {
      auto member = at.prev();
      visit(*member, score_of(*at));
      if (--left == 0) return;
      at = member.prev();
    }
  }
  auto at = run.packed_low_ ? PackedIterator(run.packed_low_) : block.at(static_cast<int64_t>(2 * run.first));
  for (; left > 0; left--) {
    PackedValue member = at.take();
    visit(member, score_of(at.take()));
  }
}

template <class Visit>
uint64_t SortedSet::scan(uint64_t cursor, Visit visit) const {
  if (!is_tree()) return for_each(visit), 0;
  return members()->table().scan(cursor, [&](Word w) {
    const ZMember* m = ScoredMembers::Policy::member(w);
    visit(value_of(m), m->score());
  });
}

}  // namespace vitrine
