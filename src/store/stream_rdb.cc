// A stream in snapshots: its nodes as listpacks by the ids they begin with, its counters, its groups.
//
//   listpack  live, deleted, n, n names, 0; then per entry: flags, ms, seq, [n, (name, value)* | value*], elements
//
// `ms` and `seq` are distances from the node's id; flag 1: deleted; flag 2: has the node's names. Ids outside listpacks
// are 16 bytes, big endian, or two lengths. What is remembered of producers follows at the end, in a type of our own.
#include <cstring>
#include <vector>

#include "store/rdb_types.h"
#include "store/stream.h"

namespace vitrine {

namespace {

constexpr int64_t kDeleted = 1, kSameNames = 2;
constexpr size_t kIdBytes = 16;
// Entries that are pending but nobody's stand under a consumer without a name: older readers want one for each.
constexpr Bytes kNobody = "";

// ---- writing ----

void write_id_bytes(StreamId id, RdbOutput& out) {
  uint64_t parts[] = {__builtin_bswap64(id.ms), __builtin_bswap64(id.seq)};
  out.raw(Bytes(reinterpret_cast<const char*>(parts), kIdBytes));
}

void write_id(StreamId id, RdbOutput& out) {
  out.length(id.ms);
  out.length(id.seq);
}

// Deleted entries are not written.
void write_node(const StreamNode& node, RdbOutput& out) {
  Packed block = Packed::create(node.listpack_bytes());
  std::vector<PackedItem> items;
  auto number = [&](uint64_t n) { items.push_back(PackedItem::of(static_cast<int64_t>(n))); };
  number(node.live), number(0), number(node.fields);
  node.for_each_name([&](const PackedValue& name) { items.push_back(PackedItem::of(name)); });
  number(0);
  block.insert(block.end(), items);
  for (const uint8_t* p = node.begin(); p != node.end();) {
    StreamEntry e = node.at(p);
    if (e.deleted()) {
      p = node.after(e);
      continue;
    }
    items.clear();
    bool same = e.has_node_names();
    number(same ? kSameNames : 0), number(e.id().ms - node.base.ms), number(e.id().seq - node.base.seq);
    if (!same) number(e.fields());
    e.for_each([&](const PackedValue& name, const PackedValue& value) {
      if (!same) items.push_back(PackedItem::of(name));
      items.push_back(PackedItem::of(value));
    });
    number(items.size());
    block.insert(block.end(), items);
    p = node.after(e);
  }
  rdb_detail::write_listpack(block, out);
  Packed::free(block.block());
}

std::vector<StreamId> pending_of_nobody(const StreamGroup& group) {
  std::vector<StreamId> ids;
  for (auto p = group.pending().first(); p; ++p)
    if (!StreamGroup::nack_at(p).consumer) ids.push_back(p->id);
  return ids;
}

void write_consumer_head(Bytes name, int64_t seen_ms, int64_t active_ms, uint8_t type, RdbOutput& out) {
  out.string(name);
  out.fixed64(static_cast<uint64_t>(seen_ms));
  if (type >= rdb::kStream3) out.fixed64(static_cast<uint64_t>(active_ms));
}

void write_group(const StreamGroup& group, uint8_t type, RdbOutput& out) {
  write_id(group.last_id, out);
  if (type >= rdb::kStream2) out.length(static_cast<uint64_t>(group.entries_read));
  out.length(group.pending().size());
  for (auto p = group.pending().first(); p; ++p) {
    const StreamNack& nack = StreamGroup::nack_at(p);
    write_id_bytes(p->id, out);
    out.fixed64(static_cast<uint64_t>(nack.delivered_ms));
    out.length(static_cast<uint64_t>(nack.deliveries));
  }
  std::vector<StreamId> nobodys = pending_of_nobody(group);
  const StreamConsumer* unnamed = group.find_consumer(kNobody);
  bool invented = !nobodys.empty() && !unnamed;
  out.length(group.consumers().size() + invented);
  for (const auto& [name, consumer] : group.consumers()) {
    bool takes_them = consumer.get() == unnamed;
    write_consumer_head(name, consumer->seen_ms, consumer->active_ms, type, out);
    out.length(consumer->pending().size() + (takes_them ? nobodys.size() : 0));
    for (auto p = consumer->pending().first(); p; ++p) write_id_bytes(p->id, out);
    if (takes_them)
      for (StreamId id : nobodys) write_id_bytes(id, out);
  }
  if (!invented) return;
  write_consumer_head(kNobody, 0, -1, type, out);
  out.length(nobodys.size());
  for (StreamId id : nobodys) write_id_bytes(id, out);
}

// ---- reading ----

StreamId id_from(Bytes bytes) {
  uint64_t parts[2];
  std::memcpy(parts, bytes.data(), kIdBytes);
  return {__builtin_bswap64(parts[0]), __builtin_bswap64(parts[1])};
}

StreamId read_id_bytes(RdbInput& in) {
  Bytes bytes = in.raw(kIdBytes);
  return in.failed() ? StreamId() : id_from(bytes);
}

StreamId read_id(RdbInput& in) {
  uint64_t ms = in.length();
  return {ms, in.length()};
}

// The elements of a node's listpack, as texts that live as long as the reader has not been reset.
class NodeReader {
 public:
  NodeReader(RdbInput& in, const Packed& packed) : in_(in), at_(packed.begin()), end_(packed.end()) {}

  bool more() const { return at_ != end_; }
  int64_t number() {
    if (!more()) return in_.fail("a node of a stream with a part missing"), 0;
    PackedValue v = at_.take();
    if (!v.is_int) in_.fail("a node of a stream with a text where a number belongs");
    return v.number;
  }
  // A count of things to come; each is an element at least.
  size_t count() {
    int64_t n = number();
    if (n < 0 || n > kMost) return in_.fail("a node of a stream with an impossible count"), 0;
    return static_cast<size_t>(n);
  }
  PackedValue value() {
    if (!more()) return in_.fail("a node of a stream with a part missing"), PackedValue();
    return at_.take();
  }

 private:
  static constexpr int64_t kMost = int64_t{1} << 30;
  RdbInput& in_;
  PackedIterator at_, end_;
};

class StreamReader {
 public:
  StreamReader(RdbInput& in, uint8_t type, Stream stream) : in_(in), type_(type), stream_(stream) {}

  bool read() {
    for (uint64_t n = in_.length(); n > 0 && !in_.failed(); n--) read_node();
    StreamData& s = stream_.data();
    if (!in_.failed() && in_.length() != s.length) in_.fail("a stream with another number of entries than it says");
    StreamId last = s.last_id;
    s.last_id = read_id(in_);
    if (!in_.failed() && s.last_id < last) in_.fail("a stream with an entry behind its last id");
    s.entries_added = s.length;
    if (type_ >= rdb::kStream2) {
      read_id(in_);                                      // of the first entry, which we know
      s.max_deleted_id = read_id(in_);
      s.entries_added = in_.length();
    }
    for (uint64_t n = in_.length(); n > 0 && !in_.failed(); n--) read_group();
    if (type_ == rdb::kStreamProducers && !in_.failed()) stream_.producers().load(in_);
    return !in_.failed();
  }

 private:
  void read_node() {
    Bytes key = in_.string();
    if (in_.failed()) return;
    if (key.size() != kIdBytes) return void(in_.fail("a node of a stream without an id"));
    StreamId base = id_from(key);
    auto block = rdb_detail::read_listpack(in_);
    if (!block) return;
    NodeReader reader(in_, Packed(block.get()));
    size_t live = reader.count(), deleted = reader.count();
    names_.clear();
    for (size_t n = reader.count(); n > 0 && !in_.failed(); n--) names_.push_back(reader.value());
    if (reader.number() != 0) in_.fail("a node of a stream without an end of its names");
    if (in_.failed() || live == 0) return;
    if (!first_ && base <= stream_.last_id()) return void(in_.fail("nodes of a stream out of order"));
    add_entries(reader, base, live, deleted);
  }

  void add_entries(NodeReader& reader, StreamId base, size_t live, size_t deleted) {
    StreamData& s = stream_.data();
    pairs_.clear();
    for (const PackedValue& name : names_) pairs_.push_back(name), pairs_.push_back(PackedValue());
    StreamNode* node = StreamNode::make_empty(base, texts());
    size_t gone_entries = 0;
    while (reader.more() && !in_.failed()) {
      bool gone;
      StreamId id = read_entry(reader, base, gone);
      if (in_.failed()) break;
      if (!first_ && id <= s.last_id) {
        in_.fail("entries of a stream out of order");
        break;
      }
      first_ = false;
      s.last_id = id;
      if (gone) gone_entries++;
      else if (auto pairs = texts(); !pairs.empty()) node = node->append(id, pairs);
    }
    if (!in_.failed() && (node->live != live || gone_entries != deleted))
      in_.fail("a node of a stream that miscounts its entries");
    if (in_.failed()) return node->release();
    node->appended = static_cast<uint32_t>(live + deleted);
    s.length += node->live;
    s.tail = node->shrink_to_fit();
    s.nodes.insert(base, s.tail);
  }

  // Its names and values go into pairs_.
  StreamId read_entry(NodeReader& reader, StreamId base, bool& gone) {
    int64_t flags = reader.number();
    uint64_t ms = static_cast<uint64_t>(reader.number()), seq = static_cast<uint64_t>(reader.number());
    bool same = flags & kSameNames;
    gone = flags & kDeleted;
    pairs_.clear();
    size_t fields = same ? names_.size() : reader.count();
    for (size_t i = 0; i < fields && !in_.failed(); i++) {
      pairs_.push_back(same ? names_[i] : reader.value());
      pairs_.push_back(reader.value());
    }
    reader.number();                                     // how many elements it has, to go backwards
    if (fields == 0 && !gone) in_.fail("an entry of a stream without fields");
    StreamId id{base.ms + ms, base.seq + seq};
    if (id < base) in_.fail("entries of a stream out of order");
    return id;
  }

  // pairs_ as texts; valid until the next call.
  std::span<const Bytes> texts() {
    digits_.resize(pairs_.size());
    texts_.clear();
    for (size_t i = 0; i < pairs_.size(); i++) texts_.push_back(pairs_[i].bytes(digits_[i].text));
    if (!StreamNode::may_hold(texts_)) in_.fail("an entry of a stream that is too large"), texts_.clear();
    return texts_;
  }

  void read_group() {
    std::string name(in_.string());
    StreamId last = read_id(in_);
    int64_t entries_read = type_ >= rdb::kStream2 ? static_cast<int64_t>(in_.length()) : stream_.entries_up_to(last);
    if (in_.failed()) return;
    StreamGroup* group = stream_.add_group(name, last, entries_read);
    if (!group) return void(in_.fail("a stream holds a group twice"));
    for (uint64_t n = in_.length(); n > 0 && !in_.failed(); n--) {
      StreamId id = read_id_bytes(in_);
      int64_t delivered_ms = static_cast<int64_t>(in_.fixed64());
      uint64_t deliveries = in_.length();
      if (!in_.failed() && !group->add_pending(id, delivered_ms, static_cast<int64_t>(deliveries)))
        in_.fail("a group holds a pending entry twice");
    }
    for (uint64_t n = in_.length(); n > 0 && !in_.failed(); n--) read_consumer(*group);
  }

  void read_consumer(StreamGroup& group) {
    std::string name(in_.string());
    int64_t seen_ms = static_cast<int64_t>(in_.fixed64());
    int64_t active_ms = type_ >= rdb::kStream3 ? static_cast<int64_t>(in_.fixed64()) : seen_ms;
    if (in_.failed()) return;
    if (group.find_consumer(name)) return void(in_.fail("a group holds a consumer twice"));
    bool nobody = name == kNobody && seen_ms == 0;
    StreamConsumer* consumer = nobody ? nullptr : group.add_consumer(name, seen_ms);
    if (consumer) consumer->active_ms = active_ms;
    for (uint64_t n = in_.length(); n > 0 && !in_.failed(); n--) {
      StreamId id = read_id_bytes(in_);
      StreamNack* nack = group.find(id);
      if (in_.failed()) return;
      if (!nack || nack->consumer) return void(in_.fail("a consumer holds a pending entry that is not its group's"));
      if (consumer) group.assign(id, consumer, nack->delivered_ms);
    }
  }

  struct Digits {
    char text[24];
  };

  RdbInput& in_;
  const uint8_t type_;
  Stream stream_;
  bool first_ = true;                      // no entry was read yet
  std::vector<PackedValue> names_, pairs_;
  std::vector<Digits> digits_;
  std::vector<Bytes> texts_;
};

}  // namespace

uint8_t stream_rdb_type(const Object& o, int version) {
  if (o.as<StreamData>()->producers) return rdb::kStreamProducers;
  return version >= rdb::kSetListpackVersion ? rdb::kStream3 : rdb::kStream2;
}

void save_stream(const Object& o, uint8_t type, RdbOutput& out) {
  Object object = o;
  Stream stream(object, TypeContext{0, nullptr});
  const StreamData& s = stream.data();
  uint64_t nodes = 0;
  for (auto c = s.nodes.first(); c; ++c) nodes += c->as<StreamNode>()->live > 0;
  out.length(nodes);
  for (auto c = s.nodes.first(); c; ++c) {
    if (c->as<StreamNode>()->live == 0) continue;
    out.length(kIdBytes);
    write_id_bytes(c->id, out);
    write_node(*c->as<StreamNode>(), out);
  }
  out.length(s.length);
  write_id(s.last_id, out);
  if (type >= rdb::kStream2) {
    write_id(stream.first_id(), out);
    write_id(s.max_deleted_id, out);
    out.length(s.entries_added);
  }
  out.length(s.groups.size());
  for (const auto& [name, group] : s.groups) {
    out.string(name);
    write_group(*group, type, out);
  }
  if (type == rdb::kStreamProducers) s.producers->save(out);
}

Value load_stream(uint8_t type, RdbInput& in, const TypeContext& context) {
  Value value(Stream::make(context));
  StreamReader reader(in, type, Stream(*value, context));
  return reader.read() ? std::move(value) : Value();
}

}  // namespace vitrine
