#include "store/stream.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/memory.h"
#include "store/encoding_limits.h"
#include "store/rdb_types.h"

namespace vitrine {

StreamData::~StreamData() {
  for (auto c = nodes.first(); c; ++c) c->as<StreamNode>()->release();
}

// ---- ranges ----

StreamRange::StreamRange(const StreamData& stream, StreamId from, StreamId to, bool reverse)
    : from_(from), to_(to), reverse_(reverse) {
  if (from > to || stream.length == 0) return;
  node_ = stream.nodes.at_or_before(reverse ? to : from);
  if (node_) node_->as<StreamNode>()->prefetch();
  if (!reverse) {
    if (!node_) node_ = stream.nodes.first();
    at_ = node_->as<StreamNode>()->seek(from);
  } else if (node_) {
    const StreamNode* node = node_->as<StreamNode>();
    at_ = to >= node->last ? node->end() : node->seek(to.next());
  }
}

const StreamEntry* StreamRange::next_entry() {
  while (node_) {
    const StreamNode* node = node_->as<StreamNode>();
    if (started_) at_ = node->after(entry_), started_ = false;
    if (at_ == node->end()) {
      ++node_;
      if (node_) at_ = node_->as<StreamNode>()->begin();
      continue;
    }
    entry_ = node->at(at_);
    started_ = true;
    if (entry_.deleted()) continue;
    if (entry_.id() > to_) return node_ = {}, nullptr;
    return &entry_;
  }
  return nullptr;
}

const StreamEntry* StreamRange::previous_entry() {
  while (node_) {
    const StreamNode* node = node_->as<StreamNode>();
    if (at_ == node->begin()) {
      --node_;
      if (node_) at_ = node_->as<StreamNode>()->end();
      continue;
    }
    at_ = node->before(at_);
    entry_ = node->at(at_);
    if (entry_.deleted()) continue;
    if (entry_.id() < from_) return node_ = {}, nullptr;
    return &entry_;
  }
  return nullptr;
}

StreamId Stream::first_id() const {
  StreamRange range(data(), StreamId::min(), StreamId::max());
  const StreamEntry* e = range.next();
  return e ? e->id() : StreamId{};
}

bool Stream::contains(StreamId id) const { return StreamRange(data(), id, id).next(); }

// ---- appending ----

bool Stream::node_has_room(const StreamNode& node, std::span<const Bytes> pairs) const {
  const EncodingLimits& limits = *context_.limits;
  constexpr size_t kMost = size_t{1} << 30;
  size_t most = limits.stream_node_max_bytes;
  if (most == 0 || most > kMost) most = kMost;
  if (limits.stream_node_max_entries > 0 && node.appended >= static_cast<uint64_t>(limits.stream_node_max_entries))
    return false;
  size_t bytes = node.listpack_bytes();
  for (Bytes text : pairs) bytes += text.size();
  return bytes < most;
}

void Stream::append(StreamId id, std::span<const Bytes> pairs) {
  StreamData& s = data();
  CHECK(id > s.last_id || (s.entries_added == 0 && s.length == 0));
  // The last entries of the tail may have been deleted, and XSETID may have gone back behind them.
  if (s.tail && id > s.tail->last && node_has_room(*s.tail, pairs)) {
    StreamNode* node = s.tail->append(id, pairs);
    if (node != s.tail) settle(s.nodes.last(), node);
  } else {
    if (s.tail) settle(s.nodes.last(), s.tail->shrink_to_fit());
    s.tail = StreamNode::make(id, pairs);
    s.nodes.insert(id, s.tail);
  }
  s.length++;
  s.entries_added++;
  s.last_id = id;
  touch();
}

void Stream::settle(IdTree::Cursor cursor, StreamNode* node) {
  StreamData& s = data();
  bool is_tail = s.tail == cursor->as<StreamNode>();
  if (node) {
    cursor->word = reinterpret_cast<uint64_t>(node);
    if (is_tail) s.tail = node;
    return;
  }
  cursor->as<StreamNode>()->release();
  s.nodes.erase(cursor->id);
  if (is_tail) s.tail = s.nodes.empty() ? nullptr : s.nodes.last()->as<StreamNode>();
}

// ---- removing ----

bool Stream::erase(StreamId id) {
  if (!remove_entry(id)) return false;
  data().max_deleted_id = std::max(data().max_deleted_id, id);
  return true;
}

bool Stream::remove_entry(StreamId id) {
  StreamData& s = data();
  auto cursor = s.nodes.at_or_before(id);
  if (!cursor) return false;
  StreamNode* node = cursor->as<StreamNode>();
  const uint8_t* at = node->seek(id);
  if (at == node->end()) return false;
  StreamEntry entry = node->at(at);
  if (entry.id() != id || entry.deleted()) return false;
  settle(cursor, node->live > 1 ? node->erase(entry) : nullptr);
  s.length--;
  touch();
  return true;
}

bool Stream::goes_whole(const StreamNode& node, const StreamTrim& trim) const {
  return trim.by == StreamTrim::By::length ? size() - node.live >= trim.length : node.last < trim.id;
}

uint32_t Stream::count_below(const StreamNode& node, StreamId id) const {
  uint32_t n = 0;
  for (const uint8_t* p = node.begin(); p != node.end();) {
    StreamEntry e = node.at(p);
    if (e.id() >= id) break;
    n += !e.deleted();
    p = node.after(e);
  }
  return n;
}

uint64_t Stream::trim(const StreamTrim& trim) {
  if (trim.references != StreamReferences::keep) return trim_by_references(trim);
  StreamData& s = data();
  uint64_t before = s.length;
  // By id, nodes without a live entry go as well.
  while (trim.by == StreamTrim::By::length ? s.length > trim.length : !s.nodes.empty()) {
    auto cursor = s.nodes.first();
    StreamNode* node = cursor->as<StreamNode>();
    if (trim.limit && before - s.length + node->live > trim.limit) break;
    if (goes_whole(*node, trim)) {
      s.length -= node->live;
      settle(cursor, nullptr);
      continue;
    }
    if (trim.approximate) break;
    uint64_t n = trim.by == StreamTrim::By::length ? s.length - trim.length : count_below(*node, trim.id);
    // As in Redis, the node stays even when it is empty now: approximate trimming goes by nodes.
    if (n > 0) settle(cursor, node->erase_front(static_cast<uint32_t>(n)));
    s.length -= n;
    break;
  }
  if (s.length != before) touch();
  return before - s.length;
}

uint64_t Stream::trim_by_references(const StreamTrim& trim) {
  const bool respect = trim.references == StreamReferences::respect, by_length = trim.by == StreamTrim::By::length;
  std::vector<StreamId> gone;
  bool left_some = false, done = false;
  uint64_t seen = 0;
  // What a group has not read yet stays, and so does all behind it.
  StreamId read_by_all = StreamId::max();
  if (respect)
    for (const auto& [name, group] : data().groups) read_by_all = std::min(read_by_all, group->last_id);
  for (auto c = data().nodes.first(); c && !done && c->id <= read_by_all; ++c) {
    const StreamNode& node = *c->as<StreamNode>();
    uint64_t left = size() - gone.size();
    bool whole = by_length ? left >= trim.length + node.live : node.last < trim.id;
    if (trim.approximate && !whole) break;
    seen += node.live;
    if (trim.limit && seen > trim.limit) break;
    for (const uint8_t* p = node.begin(); p != node.end();) {
      StreamEntry e = node.at(p);
      p = node.after(e);
      if (e.deleted()) continue;
      done = by_length ? size() - gone.size() <= trim.length : e.id() >= trim.id;
      if (done) break;
      if (respect && is_referenced(e.id())) left_some = true;
      else gone.push_back(e.id());
    }
  }
  for (StreamId id : gone) {
    remove_entry(id);
    if (!respect) remove_references(id);
  }
  // What was left makes holes of what went behind it.
  if (left_some && !gone.empty()) data().max_deleted_id = std::max(data().max_deleted_id, gone.back());
  return gone.size();
}

// ---- groups ----

bool Stream::is_referenced(StreamId id) const {
  for (const auto& [name, group] : data().groups)
    if (group->last_id < id || group->find(id)) return true;
  return false;
}

size_t Stream::remove_references(StreamId id) const {
  size_t n = 0;
  for (const auto& [name, group] : data().groups) n += group->acknowledge(id);
  return n;
}

StreamGroup* Stream::find_group(Bytes name) const {
  auto it = data().groups.find(name);
  return it == data().groups.end() ? nullptr : it->second.get();
}

StreamGroup* Stream::add_group(Bytes name, StreamId last_id, int64_t entries_read) const {
  auto [it, fresh] = data().groups.try_emplace(std::string(name));
  if (!fresh) return nullptr;
  it->second = std::make_unique<StreamGroup>(last_id, entries_read);
  return it->second.get();
}

bool Stream::remove_group(Bytes name) const {
  auto it = data().groups.find(name);
  if (it == data().groups.end()) return false;
  data().groups.erase(it);
  return true;
}

StreamProducers& Stream::producers() const {
  std::unique_ptr<StreamProducers>& producers = data().producers;
  const EncodingLimits& limits = *context_.limits;
  if (!producers)
    producers = std::make_unique<StreamProducers>(limits.stream_idmp_duration_s, limits.stream_idmp_maxsize);
  return *producers;
}

int64_t Stream::entries_up_to(StreamId id) const {
  const StreamData& s = data();
  int64_t added = static_cast<int64_t>(s.entries_added), length = static_cast<int64_t>(s.length);
  if (added == 0) return 0;
  if (s.length == 0 && id <= s.last_id) return added;
  if (id >= s.last_id) return id == s.last_id ? added : StreamGroup::kUnknown;
  StreamId first = first_id();
  // Only a stream without holes among its entries tells where its first one stands.
  if (s.max_deleted_id == StreamId{} || s.max_deleted_id < first) {
    if (id < first) return added - length;
    if (id == first) return added - length + 1;
  }
  return StreamGroup::kUnknown;
}

bool Stream::has_holes_after(StreamId id) const {
  const StreamData& s = data();
  return s.length > 0 && id < s.max_deleted_id;
}

void Stream::pass(StreamGroup& group, StreamId id) const {
  // What was removed between its last entry and this one was not counted.
  bool gap = has_holes_after(group.last_id) || group.last_id < first_id();
  if (group.entries_read != StreamGroup::kUnknown && !gap) group.entries_read++;
  else if (data().entries_added) group.entries_read = entries_up_to(id);
  group.last_id = id;
}

std::optional<int64_t> Stream::lag_of(const StreamGroup& group) const {
  int64_t added = static_cast<int64_t>(data().entries_added), length = static_cast<int64_t>(data().length);
  if (added == 0 || length == 0) return 0;
  StreamId first = first_id();
  if (group.last_id < first && data().max_deleted_id < first) return length;
  if (group.entries_read != StreamGroup::kUnknown && !has_holes_after(group.last_id)) return added - group.entries_read;
  int64_t read = entries_up_to(group.last_id);
  if (read == StreamGroup::kUnknown) return std::nullopt;
  return added - read;
}

// ---- what the house asks ----

namespace {

void destroy(Object& o) { delete o.as<StreamData>(); }

Object clone(const Object& o) {
  const StreamData& s = *o.as<StreamData>();
  auto* copy = new StreamData;
  for (auto c = s.nodes.first(); c; ++c) {
    copy->tail = c->as<StreamNode>()->clone();
    copy->nodes.insert(c->id, copy->tail);
  }
  copy->length = s.length;
  copy->last_id = s.last_id;
  copy->max_deleted_id = s.max_deleted_id;
  copy->entries_added = s.entries_added;
  for (const auto& [name, group] : s.groups) copy->groups[name] = group->clone();
  if (s.producers) copy->producers = std::make_unique<StreamProducers>(*s.producers);
  return Object::of(Type::stream, 0, copy);
}

Bytes encoding_name(const Object&) { return "stream"; }

// An empty stream is a value like any other: its key stays.
size_t length(const Object& o) { return std::max<size_t>(1, o.as<StreamData>()->length); }

size_t memory_of(const Object& o, size_t samples) {
  const StreamData& s = *o.as<StreamData>();
  size_t bytes = memory::usable_size(&s) + s.nodes.memory(), seen = 0, node_bytes = 0;
  for (auto c = s.nodes.first(); c && (samples == 0 || seen < samples); ++c, seen++)
    node_bytes += c->as<StreamNode>()->capacity;
  if (seen) bytes += node_bytes * s.nodes.size() / seen;
  for (const auto& [name, group] : s.groups) bytes += group->memory() + name.capacity() + 64;
  if (s.producers) bytes += s.producers->memory();
  return bytes;
}

size_t free_effort(const Object& o) {
  const StreamData& s = *o.as<StreamData>();
  size_t n = s.nodes.size();
  for (const auto& [name, group] : s.groups) n += 1 + group->pending().size();
  if (s.producers) n += s.producers->records();
  return n;
}

void digest(const Object& o, const std::function<void(std::initializer_list<Bytes>)>& part) {
  const StreamData& s = *o.as<StreamData>();
  auto words = [&](std::initializer_list<uint64_t> numbers) {
    part({Bytes(reinterpret_cast<const char*>(numbers.begin()), numbers.size() * 8)});
  };
  StreamRange range(s, StreamId::min(), StreamId::max());
  while (const StreamEntry* e = range.next()) {
    words({e->id().ms, e->id().seq});
    e->for_each([&](const PackedValue& name, const PackedValue& value) {
      char a[24], b[24];
      part({name.bytes(a), value.bytes(b)});
    });
  }
  words({s.last_id.ms, s.last_id.seq, s.max_deleted_id.ms, s.max_deleted_id.seq, s.entries_added});
  for (const auto& [name, group] : s.groups) {
    part({name});
    words({group->last_id.ms, group->last_id.seq, static_cast<uint64_t>(group->entries_read)});
    for (auto c = group->pending().first(); c; ++c) {
      const StreamNack& nack = StreamGroup::nack_at(c);
      words({c->id.ms, c->id.seq, static_cast<uint64_t>(nack.delivered_ms), static_cast<uint64_t>(nack.deliveries)});
      part({nack.consumer ? Bytes(nack.consumer->name()) : Bytes()});
    }
  }
  if (!s.producers) return;
  words({static_cast<uint64_t>(s.producers->duration_s()), static_cast<uint64_t>(s.producers->most())});
  s.producers->for_each([&](Bytes producer, Bytes id, StreamId entry) {
    part({producer, id});
    words({entry.ms, entry.seq});
  });
}

}  // namespace

const TypeOps kStreamOps = {"stream", destroy, clone, encoding_name, length, memory_of, free_effort, digest, true,
                            stream_rdb_type, save_stream, load_stream};

}  // namespace vitrine
