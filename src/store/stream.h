// Streams: entries of names and values under growing ids, and consumer groups that read them.
//
// One encoding ("stream"): a StreamData, whose address stays the same as long as the stream lives. Entries lie in
// StreamNodes (store/stream_node.h); an IdTree finds the node by the id it begins with, so that appending, reading a
// range and trimming cost the same at any length. A node whose last living entry is deleted is removed (trimming by id
// may leave one behind that is empty); an empty stream stays.
//
// What a group has pending is no part of the entries: XDEL and trimming leave it alone.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "store/keyspace.h"
#include "store/object.h"
#include "store/stream_groups.h"
#include "store/stream_node.h"
#include "store/stream_producers.h"

namespace vitrine {

struct StreamData {
  using Groups = std::map<std::string, std::unique_ptr<StreamGroup>, std::less<>>;

  IdTree nodes;                            // base id → StreamNode
  StreamNode* tail = nullptr;              // the last of them
  uint64_t length = 0;
  StreamId last_id;                        // the greatest ever; new ids lie above
  StreamId max_deleted_id;                 // the greatest that XDEL removed
  uint64_t entries_added = 0;              // ever
  Groups groups;
  std::unique_ptr<StreamProducers> producers;   // null until XCFGSET or XADD IDMP

  StreamData() = default;
  ~StreamData();
  StreamData(const StreamData&) = delete;
  StreamData& operator=(const StreamData&) = delete;
};

// The entries of a stream from `from` to `to`, both included, in order or (`reverse`) against it.
class StreamRange {
 public:
  StreamRange(const StreamData& stream, StreamId from, StreamId to, bool reverse = false);
  // The next one, or null. Valid until the next call, or until the stream changes.
  const StreamEntry* next() { return reverse_ ? previous_entry() : next_entry(); }

 private:
  const StreamEntry* next_entry();
  const StreamEntry* previous_entry();

  StreamId from_, to_;
  bool reverse_;
  IdTree::Cursor node_;
  const uint8_t* at_ = nullptr;            // forwards: of entry_ once there is one; backwards likewise
  bool started_ = false;                   // at_ has been given out
  StreamEntry entry_;
};

// What becomes of the pending entries of groups that refer to an entry about to be removed: they stay, or go with it,
// or keep the entry from being removed, as does a group that has not read it yet.
enum class StreamReferences : uint8_t { keep, remove, respect };

// How much goes: by length or by id, exactly or in whole nodes.
struct StreamTrim {
  enum class By : uint8_t { none, length, id };
  By by = By::none;
  StreamReferences references = StreamReferences::keep;
  bool approximate = false;
  uint64_t length = 0;
  StreamId id;
  uint64_t limit = 0;                      // entries to look at at most; 0: no limit
};

class Stream {
 public:
  static constexpr Type kType = Type::stream;
  static constexpr EventClass kEvents = EventClass::stream;

  static Object make(const TypeContext&) { return Object::of(kType, 0, new StreamData); }

  Stream(Object& object, const TypeContext& context) : object_(object), context_(context) {}

  // What has no rules of its own is read, and groups are changed, here.
  StreamData& data() const { return *object_.as<StreamData>(); }
  size_t size() const { return data().length; }
  StreamId last_id() const { return data().last_id; }
  // 0-0 when the stream is empty.
  StreamId first_id() const;
  bool contains(StreamId id) const;
  StreamRange range(StreamId from, StreamId to, bool reverse = false) const { return {data(), from, to, reverse}; }

  // REQUIRES: id > last_id(); StreamNode::may_hold(pairs), which are names and values in turn, at least one of each.
  void append(StreamId id, std::span<const Bytes> pairs);
  // False when there is no such entry. Pending entries stay.
  bool erase(StreamId id);
  // Whether a group has it pending or has not read it yet.
  bool is_referenced(StreamId id) const;
  // Takes it from whatever group has it pending; returns how many had.
  size_t remove_references(StreamId id) const;
  // Removes the oldest entries; returns how many went.
  uint64_t trim(const StreamTrim& trim);

  // Groups stand beside the content: to change them is no change of the object.
  StreamGroup* find_group(Bytes name) const;
  // Null when there is one already.
  StreamGroup* add_group(Bytes name, StreamId last_id, int64_t entries_read) const;
  bool remove_group(Bytes name) const;
  StreamProducers& producers() const;

  // How many entries up to `id` the stream has ever had, if that can be told; else StreamGroup::kUnknown.
  int64_t entries_up_to(StreamId id) const;
  // How many entries the group has not read yet, if that can be told. Right unless XSETID or ENTRIESREAD was wrong.
  std::optional<int64_t> lag_of(const StreamGroup& group) const;
  // The group reads this entry, the next one for it: its position and its count of entries follow.
  void pass(StreamGroup& group, StreamId id) const;

 private:
  void touch() { object_.changes++; }
  // A change left the node at `cursor` here, or (null) took its last entry.
  void settle(IdTree::Cursor cursor, StreamNode* node);
  bool node_has_room(const StreamNode& node, std::span<const Bytes> pairs) const;
  bool goes_whole(const StreamNode& node, const StreamTrim& trim) const;
  uint32_t count_below(const StreamNode& node, StreamId id) const;
  // Whether an entry behind `id` may have been deleted, so that counting does not give its place.
  bool has_holes_after(StreamId id) const;
  bool remove_entry(StreamId id);
  uint64_t trim_by_references(const StreamTrim& trim);

  Object& object_;
  const TypeContext context_;
};

extern const TypeOps kStreamOps;

}  // namespace vitrine
