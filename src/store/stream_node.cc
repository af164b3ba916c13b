#include "store/stream_node.h"

#include <bit>

#include "base/check.h"
#include "base/memory.h"

namespace vitrine {

namespace {

constexpr uint8_t kDeleted = 0x80, kSame = 0x40;
constexpr size_t kMaxNode = size_t{1} << 31;

// How many bytes a distance takes, as the three bits of a head say it.
unsigned size_code(uint64_t n) {
  unsigned bytes = static_cast<unsigned>(std::bit_width(n) + 7) / 8;
  return bytes > 6 ? 7 : bytes;
}
unsigned code_bytes(unsigned code) { return code == 7 ? 8 : code; }

uint8_t* put_number(uint8_t* to, uint64_t n, unsigned code) {
  std::memcpy(to, &n, 8);
  return to + code_bytes(code);
}

uint64_t get_number(const uint8_t* p, unsigned bytes) {
  uint64_t n = 0;
  for (unsigned i = 0; i < bytes; i++) n |= uint64_t{p[i]} << (8 * i);
  return n;
}

uint8_t* put_element(uint8_t* to, const PackedItem& item) {
  if (!item.is_int() && item.text().size() < 64) {
    *to = static_cast<uint8_t>(0x80 | item.text().size());
    if (!item.text().empty()) std::memcpy(to + 1, item.text().data(), item.text().size());
    return to + 1 + item.text().size();
  }
  uint8_t head[9];
  size_t n = item.write_head(head);
  std::memcpy(to, head, n);
  if (item.is_int()) return to + n;
  std::memcpy(to + n, item.text().data(), item.text().size());
  return to + n + item.text().size();
}

unsigned backlen_bytes(size_t n) {
  return n < 1u << 7 ? 1 : n < 1u << 14 ? 2 : n < 1u << 21 ? 3 : n < 1u << 28 ? 4 : 5;
}

uint8_t* put_backlen(uint8_t* to, size_t n) {
  unsigned groups = backlen_bytes(n);
  for (unsigned i = groups; i-- > 0; n >>= 7) to[i] = static_cast<uint8_t>((n & 0x7f) | (i > 0 ? 0x80 : 0));
  return to + groups;
}

size_t number_size(uint64_t n) { return PackedItem::of(static_cast<int64_t>(n)).size(); }

// Of each text as an element, its backlen included.
size_t worst_size(std::span<const Bytes> texts) {
  size_t bytes = 0;
  for (Bytes t : texts) bytes += Packed::worst_size(t.size());
  return bytes;
}

}  // namespace

bool StreamNode::may_hold(std::span<const Bytes> pairs) {
  constexpr size_t kMost = size_t{1} << 30;              // as Redis
  return worst_size(pairs) < kMost;
}

StreamNode* StreamNode::make(StreamId base, std::span<const Bytes> pairs) {
  return make_empty(base, pairs)->append(base, pairs);
}

StreamNode* StreamNode::make_empty(StreamId base, std::span<const Bytes> pairs) {
  size_t room = sizeof(StreamNode) + worst_size(pairs) + 32;
  CHECK(room < kMaxNode);
  room = memory::good_size(room);
  auto* node = new (memory::allocate(room)) StreamNode{base, {}, 0, static_cast<uint32_t>(room), 0, 0, 0, 0, 0, 0};
  uint8_t* p = node->bytes() + sizeof(StreamNode);
  size_t element_bytes = number_size(pairs.size() / 2) + number_size(0);
  for (size_t i = 0; i < pairs.size(); i += 2) {
    PackedItem name(pairs[i]);
    p = put_element(p, name);
    element_bytes += name.size();
  }
  node->fields = static_cast<uint32_t>(pairs.size() / 2);
  node->used = node->first_at = static_cast<uint32_t>(p - node->bytes());
  node->element_bytes = static_cast<uint32_t>(element_bytes);
  return node;
}

void StreamNode::release() { memory::release(this, capacity); }

StreamNode* StreamNode::clone() const {
  size_t room = memory::good_size(used);
  auto* copy = static_cast<StreamNode*>(memory::allocate(room));
  std::memcpy(static_cast<void*>(copy), this, used);
  copy->capacity = static_cast<uint32_t>(room);
  return copy;
}

StreamNode* StreamNode::reserve(size_t more_bytes) {
  if (used + more_bytes <= capacity) return this;
  CHECK(used + more_bytes < kMaxNode);
  size_t room = memory::good_size(std::max<size_t>(used + more_bytes, size_t{capacity} * 2));
  auto* node = static_cast<StreamNode*>(memory::reallocate(this, room));
  node->capacity = static_cast<uint32_t>(room);
  return node;
}

StreamNode* StreamNode::shrink_to_fit() {
  size_t room = memory::good_size(used);
  if (room >= capacity) return this;
  auto* node = static_cast<StreamNode*>(memory::reallocate(this, room));
  node->capacity = static_cast<uint32_t>(room);
  return node;
}

bool StreamNode::has_names(std::span<const Bytes> pairs) const {
  if (pairs.size() != size_t{fields} * 2) return false;
  const uint8_t* p = names();
  for (size_t i = 0; i < pairs.size(); i += 2) {
    PackedValue v = packed_detail::read(p);
    if (v.is_int ? !v.equals(pairs[i]) : !same_bytes(v.text, pairs[i])) return false;
    p = stream_detail::skip(p);
  }
  return true;
}

StreamNode* StreamNode::append(StreamId id, std::span<const Bytes> pairs) {
  constexpr size_t kWorstHead = 1 + 8 + 8 + 9 + 5 + 8;
  StreamNode* node = reserve(kWorstHead + worst_size(pairs));
  bool same = node->has_names(pairs);
  uint64_t ms = id.ms - node->base.ms, seq = ms ? id.seq : id.seq - node->base.seq;
  unsigned ms_code = size_code(ms), seq_code = size_code(seq);
  uint8_t* start = node->bytes() + node->used;
  uint8_t* p = start;
  *p++ = static_cast<uint8_t>((same ? kSame : 0) | ms_code << 3 | seq_code);
  p = put_number(p, ms, ms_code);
  p = put_number(p, seq, seq_code);
  // As in Redis: flags, both distances and, at its end, the number of elements; with other names also their number.
  size_t count = pairs.size() / 2, elements = same ? count + 3 : count * 2 + 4;
  size_t listpack = number_size(0) + number_size(ms) + number_size(id.seq - node->base.seq) + number_size(elements);
  if (!same) {
    PackedItem number = PackedItem::of(static_cast<int64_t>(count));
    p = put_element(p, number);
    listpack += number.size();
  }
  for (size_t i = same ? 1 : 0; i < pairs.size(); i += same ? 2 : 1) {
    PackedItem item(pairs[i]);
    p = put_element(p, item);
    listpack += item.size();
  }
  p = put_backlen(p, static_cast<size_t>(p - start));
  node->used = static_cast<uint32_t>(p - node->bytes());
  node->element_bytes += static_cast<uint32_t>(listpack);
  node->last = id;
  node->live++;
  node->appended++;
  return node;
}

size_t StreamNode::listpack_bytes() const {
  constexpr size_t kListpackHeader = 7;
  return kListpackHeader + element_bytes + number_size(live) + number_size(appended - live);
}

StreamEntry StreamNode::at(const uint8_t* position) const {
  StreamEntry e;
  const uint8_t* p = position;
  uint8_t head = *p++;
  unsigned ms_bytes = code_bytes(head >> 3 & 7), seq_bytes = code_bytes(head & 7);
  uint64_t ms = get_number(p, ms_bytes), seq = get_number(p + ms_bytes, seq_bytes);
  p += ms_bytes + seq_bytes;
  e.id_ = {base.ms + ms, ms ? seq : base.seq + seq};
  e.deleted_ = head & kDeleted;
  e.same_ = head & kSame;
  e.start_ = position;
  e.names_ = names();
  e.fields_ = fields;
  if (!e.same_) {
    e.fields_ = static_cast<uint32_t>(packed_detail::read(p).number);
    p = stream_detail::skip(p);
  }
  e.pairs_ = p;
  return e;
}

const uint8_t* StreamNode::after(const StreamEntry& entry) const {
  const uint8_t* p = entry.end_;
  if (!p) {
    p = entry.pairs_;
    for (size_t n = entry.same_ ? entry.fields_ : size_t{entry.fields_} * 2; n > 0; n--) p = stream_detail::skip(p);
  }
  return p + backlen_bytes(static_cast<size_t>(p - entry.start_));
}

const uint8_t* StreamNode::seek(StreamId id) const {
  const uint8_t* p;
  // Backwards a step is cheap, for it passes over values unseen.
  if (id.ms > base.ms && (last.ms - base.ms) / 4 <= id.ms - base.ms) {
    for (p = end(); p != begin();) {
      const uint8_t* previous = before(p);
      if (at(previous).id() < id) break;
      p = previous;
    }
    return p;
  }
  for (p = begin(); p != end();) {
    StreamEntry e = at(p);
    if (e.id() >= id) break;
    p = after(e);
  }
  return p;
}

void StreamNode::skip_deleted() {
  const uint8_t* p = begin();
  while (p != end() && *p & kDeleted) {
    p = after(at(p));
    deleted--;
  }
  first_at = static_cast<uint32_t>(p - bytes());
}

StreamNode* StreamNode::erase(const StreamEntry& entry) {
  CHECK(live > 1);
  const_cast<uint8_t*>(entry.start_)[0] |= kDeleted;
  live--;
  deleted++;
  skip_deleted();
  return compact_if_sparse();
}

StreamNode* StreamNode::erase_front(uint32_t n) {
  CHECK(n <= live);
  const uint8_t* p = begin();
  for (live -= n; n > 0;) {
    if (*p & kDeleted) deleted--;
    else n--;
    p = after(at(p));
  }
  first_at = static_cast<uint32_t>(p - bytes());
  skip_deleted();
  return compact_if_sparse();
}

StreamNode* StreamNode::compact_if_sparse() {
  const size_t entries_at = [&] {
    const uint8_t* p = names();
    for (uint32_t i = 0; i < fields; i++) p = stream_detail::skip(p);
    return static_cast<size_t>(p - bytes());
  }();
  size_t gone = first_at - entries_at;
  bool many_marked = deleted > 16 && deleted > live;
  bool long_gap = gone > 256 && gone > (used - entries_at) / 2;
  if (!many_marked && !long_gap && live > 0) return this;
  uint8_t* to = bytes() + entries_at;
  const uint8_t* stop = end();
  for (const uint8_t* p = begin(); p != stop;) {
    const uint8_t* next = after(at(p));
    if (!(*p & kDeleted)) {
      size_t n = static_cast<size_t>(next - p);
      std::memmove(to, p, n);
      to += n;
    }
    p = next;
  }
  first_at = static_cast<uint32_t>(entries_at);
  used = static_cast<uint32_t>(to - bytes());
  deleted = 0;
  return shrink_to_fit();
}

}  // namespace vitrine
