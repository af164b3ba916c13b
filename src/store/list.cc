#include "store/list.h"

#include "base/memory.h"
#include "store/encoding_limits.h"
#include "store/rdb_types.h"
#include "store/rewrite.h"

namespace vitrine {

PackedList::Limits list_limits(const TypeContext& context) {
  const EncodingLimits& limits = *context.limits;
  return PackedList::Limits::of(limits.list_max_listpack_size, limits.quicklist_packed_threshold,
                                static_cast<size_t>(limits.list_compress_depth));
}

void List::become_nodes() {
  PackedList* fresh = new PackedList(list_limits(context_));
  fresh->take_block(object_.as<uint8_t>());
  object_.encoding = kNodes;
  object_.point_to(fresh);
}

// Before items are added to a block.
void List::make_room(std::span<const Bytes> items) {
  Packed block = packed();
  size_t more = 0;
  for (Bytes item : items) more += item.size();
  if (list_limits(context_).exceeded(block.listpack_bytes() + more, block.count() + items.size()))
    return become_nodes();
  if (items.size() == 1) return;
  block.reserve(more + 2 * items.size());
  object_.point_to(block.block());
}

void List::become_packed_if_small() {
  if (object_.encoding != kNodes || nodes().node_count() != 1) return;
  if (list_limits(context_).exceeded(nodes().block_bytes() * 2, nodes().size() * 2)) return;
  PackedList* old = object_.as<PackedList>();
  object_.encoding = kPacked;
  object_.point_to(old->to_block());
  delete old;
}

void List::push(End end, std::span<const Bytes> items) {
  if (object_.encoding == kPacked) make_room(items);
  object_.changes += static_cast<uint32_t>(items.size());
  if (object_.encoding == kNodes) {
    PackedList& list = nodes();
    for (Bytes item : items) end == End::left ? list.push_front(item) : list.push_back(item);
    return;
  }
  Packed block = packed();
  for (Bytes item : items) end == End::left ? block.prepend(item) : block.append(item);
  keep_block(block);
}

PackedValue List::peek(End end) const {
  if (object_.encoding == kNodes) return end == End::left ? nodes().front() : nodes().back();
  return end == End::left ? packed().front() : packed().back();
}

void List::pop(End end, size_t n) {
  if (n == 0) return;
  object_.changes += static_cast<uint32_t>(n);
  if (object_.encoding == kPacked) {
    Packed block = packed();
    block.erase_range(end == End::left ? 0 : -static_cast<int64_t>(n), n);
    return keep_block(block);
  }
  PackedList& list = nodes();
  if (n > 1) list.erase_range(end == End::left ? 0 : list.size() - n, n);
  else end == End::left ? list.pop_front() : list.pop_back();
  become_packed_if_small();
}

std::optional<PackedValue> List::at(int64_t index) const {
  if (object_.encoding == kPacked) {
    Packed block = packed();
    auto it = block.at(index);
    return it == block.end() ? std::nullopt : std::optional(*it);
  }
  auto it = nodes().at(index);
  return it.valid() ? std::optional(it.value()) : std::nullopt;
}

bool List::replace(int64_t index, Bytes item) {
  if (object_.encoding == kPacked) {
    Packed block = packed();
    auto at = block.at(index);
    if (at == block.end()) return false;
    if (!list_limits(context_).exceeded(block.listpack_bytes() + item.size(), block.count())) {
      block.replace(at, item);
      keep_block(block);
      object_.changes++;
      return true;
    }
    become_nodes();
  }
  auto at = nodes().at(index);
  if (!at.valid()) return false;
  nodes().replace(at, item);
  object_.changes++;
  become_packed_if_small();
  return true;
}

bool List::insert(Bytes pivot, bool after, Bytes item) {
  PackedItem wanted(pivot);
  if (object_.encoding == kPacked) {
    Packed block = packed();
    if (block.find(wanted) == block.end()) return false;
    make_room({&item, 1});
  }
  if (object_.encoding == kPacked) {
    Packed block = packed();
    auto at = block.find(wanted);
    block.insert(after ? at.next() : at, item);
    keep_block(block);
    object_.changes++;
    return true;
  }
  auto it = nodes().begin();
  while (it.valid() && !wanted.matches(it.value())) it.next();
  if (!it.valid()) return false;
  after ? nodes().insert_after(it, item) : nodes().insert_before(it, item);
  object_.changes++;
  return true;
}

namespace {

size_t remove_from_nodes(PackedList& list, const PackedItem& wanted, size_t most, End from) {
  size_t removed = 0;
  if (from == End::left) {
    for (auto it = list.begin(); it.valid() && removed < most;) {
      if (wanted.matches(it.value())) it = list.erase(it), removed++;
      else it.next();
    }
    return removed;
  }
  auto it = list.end();
  for (it.prev(); it.valid() && removed < most; it.prev())
    if (wanted.matches(it.value())) it = list.erase(it), removed++;
  return removed;
}

size_t remove_from_block(Packed& block, const PackedItem& wanted, size_t most, End from) {
  size_t removed = 0;
  if (from == End::left) {
    for (auto it = block.find(wanted); it != block.end() && removed < most; it = block.find(wanted, it))
      it = block.erase(it), removed++;
    return removed;
  }
  for (auto it = block.end(); it != block.begin() && removed < most;) {
    --it;
    if (wanted.matches(*it)) it = block.erase(it), removed++;
  }
  return removed;
}

}  // namespace

size_t List::remove(Bytes item, size_t most, End from) {
  size_t removed;
  if (object_.encoding == kPacked) {
    Packed block = packed();
    removed = remove_from_block(block, item, most, from);
    object_.point_to(block.block());
  } else {
    removed = remove_from_nodes(nodes(), item, most, from);
    if (removed) become_packed_if_small();
  }
  object_.changes += static_cast<uint32_t>(removed);
  return removed;
}

void List::keep(size_t index, size_t n) {
  size_t behind = size() - index - n;
  object_.changes += static_cast<uint32_t>(index + behind);
  if (object_.encoding == kPacked) {
    Packed block = packed();
    if (behind) block.erase_range(-static_cast<int64_t>(behind), behind);
    if (index) block.erase_range(0, index);
    return keep_block(block);
  }
  if (behind) nodes().erase_range(index + n, behind);
  if (index) nodes().erase_range(0, index);
  become_packed_if_small();
}

// ---- the type's row ----

namespace {

void destroy(Object& o) {
  if (o.encoding == List::kPacked) Packed::free(o.as<uint8_t>());
  else delete o.as<PackedList>();
}

Object clone(const Object& o) {
  if (o.encoding == List::kPacked) return Object::of(Type::list, o.encoding, Packed(o.as<uint8_t>()).clone().block());
  return Object::of(Type::list, o.encoding, o.as<PackedList>()->clone().release());
}

Bytes encoding_name(const Object& o) { return o.encoding == List::kPacked ? "listpack" : "quicklist"; }

size_t length(const Object& o) {
  return o.encoding == List::kPacked ? Packed(o.as<uint8_t>()).count() : o.as<PackedList>()->size();
}

size_t memory_of(const Object& o, size_t) {
  return o.encoding == List::kPacked ? Packed(o.as<uint8_t>()).memory() : o.as<PackedList>()->memory_bytes();
}

size_t free_effort(const Object& o) { return o.encoding == List::kPacked ? 1 : o.as<PackedList>()->node_count(); }

void digest(const Object& o, const std::function<void(std::initializer_list<Bytes>)>& part) {
  Object copy = o;
  const EncodingLimits limits;
  List list(copy, {0, &limits});
  list.for_each(0, length(o), [&](const PackedValue& v) {
    char scratch[24];
    part({v.bytes(scratch)});
  });
}

void rewrite(const Object& o, CommandMaker& maker) {
  digest(o, [&](std::initializer_list<Bytes> item) { maker.item("RPUSH", item); });
}

}  // namespace

const TypeOps kListOps = {"list", destroy, clone, encoding_name, length, memory_of, free_effort, digest, true,
                         list_rdb_type, save_list, load_list, rewrite};

}  // namespace vitrine
