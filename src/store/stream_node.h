// StreamNode: up to some hundred consecutive entries of a stream, packed into one allocation.
//
//   node     [header: 64 bytes][field]*            the field names of its first entry, which most entries share
//            [entry][entry] ...                    by growing id; those in front that were deleted are cut off
//   entry    [head][ms][seq][fields][value]*[backlen]
//
//   head     1 bit   deleted
//            1 bit   has the node's field names: `fields` is left out, and only values follow; else `fields` is their
//                    number (a number as below), and names and values follow in turn
//            3 bits  size of `ms`: 0 to 6 bytes, 7 meaning 8; it is the distance from the base's ms, little endian
//            3 bits  size of `seq`, likewise: in the base's ms the distance from its seq, else seq itself
//   values   elements as in ds/packed.h without their backlen: integers of 1 to 9 bytes, strings of 1, 2 or 5 bytes
//            and their text
//   backlen  the size of what precedes it in groups of 7 bits, to be read from behind, as in ds/packed.h
//
// An entry of two small numbers takes 6 to 8 bytes. The base is the id of the first entry the node ever had; it is the
// node's key in the stream's index and does not change.
//
// `listpack_bytes` is what the same node would take as a listpack of Redis: `stream-node-max-bytes` is measured so, and
// thus approximate trimming, which removes whole nodes, removes the same entries.
//
// A node is plain memory that its owner keeps by pointer; changes may move it.
#pragma once

#include <span>

#include "ds/id_tree.h"
#include "ds/packed.h"

namespace vitrine {

using StreamId = TimeId;

// An entry as it lies in a node. Valid until the node changes.
class StreamEntry {
 public:
  StreamId id() const { return id_; }
  bool deleted() const { return deleted_; }
  // How many pairs of name and value.
  size_t fields() const { return fields_; }
  bool has_node_names() const { return same_; }
  // Calls visit(const PackedValue& name, const PackedValue& value) for each pair.
  template <class Visit>
  void for_each(Visit visit) const;

 private:
  friend struct StreamNode;
  StreamId id_;
  uint32_t fields_ = 0;
  bool deleted_ = false;
  bool same_ = false;
  const uint8_t* start_ = nullptr;         // its head
  const uint8_t* names_ = nullptr;         // of the node, if same_
  const uint8_t* pairs_ = nullptr;
  mutable const uint8_t* end_ = nullptr;   // behind the last value, once somebody has been there
};

struct StreamNode {
  StreamId base;
  StreamId last;             // of the last entry appended, deleted or not
  uint32_t used;             // bytes, header included
  uint32_t capacity;
  uint32_t first_at;         // where the first entry starts that is not deleted
  uint32_t live;             // entries
  uint32_t deleted;          // entries behind first_at that are still there, marked
  uint32_t appended;         // entries it has ever had, as the limit of entries counts
  uint32_t element_bytes;    // of the listpack, without its head and its two counters
  uint32_t fields;           // of the first entry

  // With its first entry, or with none but its names (every other text is ignored).
  static StreamNode* make(StreamId base, std::span<const Bytes> pairs);
  static StreamNode* make_empty(StreamId base, std::span<const Bytes> pairs);
  void release();
  StreamNode* clone() const;

  // Whether an entry is small enough for any node.
  static bool may_hold(std::span<const Bytes> pairs);

  // Each returns where the node is now. REQUIRES: id > last, or nothing was appended yet; may_hold(pairs);
  // pairs.size() is even and borrows nothing from this node.
  StreamNode* append(StreamId id, std::span<const Bytes> pairs);
  // REQUIRES: the entry is of this node, not deleted, and not the only one.
  StreamNode* erase(const StreamEntry& entry);
  // The same for the first `n` entries, or for all. REQUIRES: n <= live.
  StreamNode* erase_front(uint32_t n);
  // Gives back the room behind the last entry.
  StreamNode* shrink_to_fit();

  // Fetches what a node of the usual size holds into the cache.
  void prefetch() const {
    constexpr size_t kUsual = 768;
    for (size_t i = 0; i < kUsual; i += 64) __builtin_prefetch(bytes() + i);
  }
  size_t listpack_bytes() const;
  // Calls visit(const PackedValue&) for each of the node's field names.
  template <class Visit>
  void for_each_name(Visit visit) const;

  // Positions: begin() is the first entry not deleted, end() lies behind the last. Marked entries lie between.
  const uint8_t* begin() const { return bytes() + first_at; }
  const uint8_t* end() const { return bytes() + used; }
  StreamEntry at(const uint8_t* position) const;
  const uint8_t* before(const uint8_t* position) const { return packed_detail::prev(position); }
  const uint8_t* after(const StreamEntry& entry) const;
  // The position of the first entry that is not below `id`; end() if there is none.
  const uint8_t* seek(StreamId id) const;

 private:
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this); }
  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this); }
  const uint8_t* names() const { return bytes() + sizeof(StreamNode); }
  StreamNode* reserve(size_t more_bytes);
  bool has_names(std::span<const Bytes> pairs) const;
  void skip_deleted();
  StreamNode* compact_if_sparse();
};
static_assert(sizeof(StreamNode) == 64);

namespace stream_detail {

// What follows the element at p, which has no backlen.
inline const uint8_t* skip(const uint8_t* p) {
  uint8_t head = *p;
  if (head < 0x80) return p + 1;
  if (head < 0xc0) return p + 1 + (head & 0x3f);
  if (head < 0xe0) return p + 2;
  if (head < 0xf0) return p + 2 + (size_t{head & 0x0fu} << 8 | p[1]);
  if (head > 0xf0) return p + (head == 0xf4 ? 9 : head - 0xf0 + 2);
  uint32_t n;
  std::memcpy(&n, p + 1, 4);
  return p + 5 + n;
}

}  // namespace stream_detail

template <class Visit>
void StreamNode::for_each_name(Visit visit) const {
  const uint8_t* p = names();
  for (uint32_t i = 0; i < fields; i++) {
    visit(packed_detail::read(p));
    p = stream_detail::skip(p);
  }
}

template <class Visit>
void StreamEntry::for_each(Visit visit) const {
  const uint8_t* p = pairs_;
  const uint8_t* name_at = names_;
  for (uint32_t i = 0; i < fields_; i++) {
    const uint8_t*& name = same_ ? name_at : p;
    PackedValue n = packed_detail::read(name);
    name = stream_detail::skip(name);
    PackedValue value = packed_detail::read(p);
    p = stream_detail::skip(p);
    visit(n, value);
  }
  end_ = p;
}

}  // namespace vitrine
