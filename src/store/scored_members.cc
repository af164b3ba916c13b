#include "store/scored_members.h"

#include <algorithm>

namespace vitrine {

ScoredMembers::~ScoredMembers() {
  tree_.clear([](ZMember* m) { ZMember::destroy(m); });
}

ScoredMembers* ScoredMembers::clone() const {
  auto* copy = new ScoredMembers;
  OrderTree::for_each(tree_.begin(), tree_.count(), [&](double score, const ZMember* m) {
    copy->append(m->bytes(), score);
  });
  return copy;
}

void ScoredMembers::insert(Bytes member, uint64_t hash, double score) {
  ZMember* m = ZMember::create(member, score);
  table_.insert(hash, word(m));
  tree_.insert(m);
}

void ScoredMembers::append(Bytes member, double score) {
  ZMember* m = ZMember::create(member, score);
  table_.insert(hash_bytes(member), word(m));
  tree_.append(m);
}

// Leaves the table and dies. The tree does not know it any more.
void ScoredMembers::forget(ZMember* member) {
  Word w = word(member);
  auto p = table_.find(Policy::hash(w), [w](Word other) { return other == w; });
  CHECK(p);
  table_.erase(p);
  ZMember::destroy(member);
}

void ScoredMembers::erase(ZMember* member) {
  tree_.erase(member);
  forget(member);
}

void ScoredMembers::erase_ranks(uint64_t first, uint64_t count) {
  if (count == 0) return;
  tree_.erase_range(first, first + count - 1, [this](ZMember* m) { forget(m); });
}

size_t ScoredMembers::memory_bytes(size_t samples) const {
  size_t bytes = sizeof *this + table_.memory_bytes() + tree_.memory_bytes();
  if (size() == 0) return bytes;
  size_t looked_at = samples == 0 ? size() : std::min(samples, size()), members = 0;
  OrderTree::for_each(tree_.begin(), looked_at, [&](double, const ZMember* m) { members += m->memory_bytes(); });
  return bytes + members * size() / looked_at;
}

}  // namespace vitrine
