// ScoredMembers: the members of a large sorted set, by name and in order of score; one allocation per member.
//
//   table  HashTable of words ----+
//                                 +--> ZMember (score, length, bytes): ds/order_tree.h
//   tree   OrderTree of leaves ---+
//
// Both refer to the same records, which belong to this class: a member's bytes stand in memory once. A member of 17
// bytes takes 32 for its record, 9.5 in the table and 17 in the tree.
//
// Every ZMember given in must be one of ours; it dies when it is erased.
#pragma once

#include "base/hash.h"
#include "ds/hash_table.h"
#include "ds/order_tree.h"

namespace vitrine {

class ScoredMembers {
 public:
  struct Policy {
    static ZMember* member(Word w) { return reinterpret_cast<ZMember*>(w); }
    static uint64_t hash(Word w) { return hash_bytes(member(w)->bytes()); }
    static void prefetch(Word w) { vitrine::prefetch(member(w)); }
  };
  using Table = HashTable<Policy>;

  ScoredMembers() = default;
  ~ScoredMembers();
  ScoredMembers* clone() const;

  size_t size() const { return table_.size(); }
  const Table& table() const { return table_; }
  const OrderTree& tree() const { return tree_; }

  // Null if absent. `hash` is hash_bytes(member).
  ZMember* find(Bytes member, uint64_t hash) const {
    auto p = table_.find(hash, [member](Word w) { return same_bytes(Policy::member(w)->bytes(), member); });
    return p ? Policy::member(table_.at(p)) : nullptr;
  }
  ZMember* find(Bytes member) const { return find(member, hash_bytes(member)); }
  // REQUIRES: absent.
  void insert(Bytes member, uint64_t hash, double score);
  // As insert, where the new one comes last in order: loading and conversion.
  void append(Bytes member, double score);
  void set_score(ZMember* member, double score) { tree_.update(member, score); }
  void erase(ZMember* member);
  // Erases `count` members from this rank on. REQUIRES: there are as many.
  void erase_ranks(uint64_t first, uint64_t count);

  // Everything allocated, judged by `samples` members (0: all of them).
  size_t memory_bytes(size_t samples) const;

 private:
  static Word word(const ZMember* member) { return reinterpret_cast<Word>(member); }
  void forget(ZMember* member);

  Table table_;
  OrderTree tree_;
};

}  // namespace vitrine
