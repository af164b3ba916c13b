// Members of sorted sets as replies.
#pragma once

#include "engine/edit.h"
#include "store/sorted_set.h"

namespace vitrine {

// How members stand in an array: alone, each followed by its score, or in an array of two with its score.
enum class ScoredShape : uint8_t { members, flat, pairs };

// What WITHSCORES asks for: clients of RESP3 get pairs.
inline ScoredShape scored_shape(const Call& c, bool with_scores) {
  if (!with_scores) return ScoredShape::members;
  return c.reply.protocol() == 3 ? ScoredShape::pairs : ScoredShape::flat;
}

inline void reply_member(Call& c, const PackedValue& member) {
  member.is_int ? c.reply.bulk_integer(member.number) : c.reply.bulk(member.text);
}

// The head of an array of `count` members, and each of them.
inline void reply_scored_head(Call& c, uint64_t count, ScoredShape shape) {
  c.reply.array(static_cast<int64_t>(shape == ScoredShape::flat ? 2 * count : count));
}
inline void reply_scored(Call& c, const PackedValue& member, double score, ScoredShape shape) {
  if (shape == ScoredShape::pairs) c.reply.array(2);
  reply_member(c, member);
  if (shape != ScoredShape::members) c.reply.real(score);
}

// Neighbours, streamed from the set.
void reply_run(Call& c, const SortedSet& set, const SortedSet::Run& run, bool reverse, ScoredShape shape);

}  // namespace vitrine
