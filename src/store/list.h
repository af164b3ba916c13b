// Lists: items in the order in which they were pushed, at either end.
//
// Encodings:
//   listpack   the list fits one node as list-max-listpack-size says: one Packed block
//   quicklist  a PackedList of such nodes (ds/packed_list.h), compressed between the ends as list-compress-depth says
//
// A list becomes a quicklist with the push that would exceed the node, and a listpack again when removals have left one
// node of at most half the limit, so that a list near the limit is not converted back and forth.
//
// Values are read as PackedValue: an integer or a text, valid until the next change of the list. Items given to a
// change must not borrow from this same list.
#pragma once

#include <optional>
#include <span>

#include "ds/packed_list.h"
#include "store/keyspace.h"
#include "store/object.h"

namespace vitrine {

enum class End : uint8_t { left, right };

class List {
 public:
  static constexpr Type kType = Type::list;
  static constexpr EventClass kEvents = EventClass::list;
  enum Encoding : uint8_t { kPacked, kNodes };

  static Object make(const TypeContext&) { return Object::of(kType, kPacked, Packed::create().block()); }

  List(Object& object, const TypeContext& context) : object_(object), context_(context) {}

  // Whether values read may die as soon as another is read, because their node is compressed.
  bool lends_briefly() const { return object_.encoding == kNodes && nodes().limits().compress_depth > 0; }
  size_t size() const { return object_.encoding == kPacked ? packed().count() : nodes().size(); }

  // One after the other, so that the last one given stands outermost.
  void push(End end, std::span<const Bytes> items);
  void push(End end, Bytes item) { push(end, {&item, 1}); }
  // REQUIRES for both: as many items are there.
  PackedValue peek(End end) const;
  void pop(End end, size_t n = 1);

  // Counted from the end if negative; nothing if there is none.
  std::optional<PackedValue> at(int64_t index) const;
  // False when there is no such index.
  bool replace(int64_t index, Bytes item);
  // Next to the first item equal to `pivot`; false when there is none.
  bool insert(Bytes pivot, bool after, Bytes item);
  // Removes up to `most` items equal to this one, beginning at `from`; returns how many.
  size_t remove(Bytes item, size_t most, End from);
  // Keeps only n items from index on.
  void keep(size_t index, size_t n);

  // Calls visit(const PackedValue&) for n items from index on, or for those before it, index first. `visit` may return
  // false to stop. REQUIRES: they exist.
  template <class Visit>
  void for_each(size_t index, size_t n, Visit visit) const;
  template <class Visit>
  void for_each_backwards(size_t index, size_t n, Visit visit) const;

 private:
  Packed packed() const { return Packed(object_.as<uint8_t>()); }
  PackedList& nodes() const { return *object_.as<PackedList>(); }
  void keep_block(const Packed& block) { object_.point_to(block.block()); }
  void make_room(std::span<const Bytes> items);
  void become_nodes();
  void become_packed_if_small();

  Object& object_;
  const TypeContext context_;
};

extern const TypeOps kListOps;

// What the settings say for a list that is made now.
PackedList::Limits list_limits(const TypeContext& context);

namespace list_detail {

// visit(v), and whether to go on.
template <class Visit>
inline bool goes_on(Visit& visit, const PackedValue& v) {
  if constexpr (std::is_same_v<decltype(visit(v)), bool>) return visit(v);
  else return visit(v), true;
}

}  // namespace list_detail

template <class Visit>
void List::for_each(size_t index, size_t n, Visit visit) const {
  if (object_.encoding == kNodes)
    return nodes().for_each_while(index, n, [&](const PackedValue& v) { return list_detail::goes_on(visit, v); });
  if (n == 0) return;
  for (auto it = packed().at(static_cast<int64_t>(index)); n > 0; n--)
    if (!list_detail::goes_on(visit, it.take())) return;
}

template <class Visit>
void List::for_each_backwards(size_t index, size_t n, Visit visit) const {
  if (n == 0) return;
  if (object_.encoding == kNodes) {
    for (auto it = nodes().at(static_cast<int64_t>(index)); n > 0; n--, it.prev())
      if (!list_detail::goes_on(visit, it.value())) return;
    return;
  }
  auto it = packed().at(static_cast<int64_t>(index));
  while (list_detail::goes_on(visit, *it) && --n > 0) --it;
}

}  // namespace vitrine
