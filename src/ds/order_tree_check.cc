// OrderTree::check: every invariant, looked at. For tests.
#include "base/check.h"
#include "base/memory.h"
#include "ds/order_tree.h"
#include "ds/order_tree_nodes.h"

namespace vitrine {

using namespace order_tree_detail;

void OrderTree::check() const {
  if (!root_) {
    CHECK(!first_ && !last_ && count_ == 0 && height_ == 0 && node_bytes_ == 0);
    return;
  }
  CHECK(count_ > 0 && !first_->prev && !last_->next);
  size_t bytes = 0;
  check_below(root_, height_, count_, first_->score(0), first_->member(0), bytes);
  CHECK(bytes == node_bytes_);
  CHECK(height_ == 0 || static_cast<const Inner*>(root_)->size > 1);
  uint64_t seen = 0;
  const ZMember* before = nullptr;
  for (const Leaf* leaf = first_; leaf; leaf = leaf->next) {
    CHECK(leaf->next ? leaf->next->prev == leaf : leaf == last_);
    for (unsigned i = 0; i < leaf->size; i++, seen++) {
      const ZMember* member = leaf->member(i);
      CHECK(member->score() == leaf->score(i));
      if (before) {
        CHECK(before->score() < member->score() ||
              (before->score() == member->score() && before->bytes() < member->bytes()));
      }
      before = member;
    }
  }
  CHECK(seen == count_);
}

void OrderTree::check_below(const void* node, unsigned height, uint64_t count, double score, const ZMember* member,
                            size_t& bytes) const {
  if (height == 0) {
    auto* leaf = static_cast<const Leaf*>(node);
    CHECK(leaf->size == count && leaf->size > 0 && leaf->size <= leaf->capacity);
    CHECK(leaf->score(0) == score && leaf->member(0) == member);
    CHECK(height_ == 0 || leaf->capacity == kLeafCapacity);
    bytes += memory::good_size(leaf_bytes(leaf->capacity));
    return;
  }
  auto* inner = static_cast<const Inner*>(node);
  CHECK(inner->size > 0 && inner->size <= inner->capacity && inner->count() == count);
  CHECK(inner->score(0) == score && inner->member(0) == member);
  CHECK(node == root_ || inner->capacity == kInnerCapacity);
  bytes += memory::good_size(inner_bytes(inner->capacity));
  for (unsigned i = 0; i < inner->size; i++)
    check_below(inner->children()[i], height - 1, inner->counts()[i], inner->score(i), inner->member(i), bytes);
}

}  // namespace vitrine
