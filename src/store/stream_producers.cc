#include "store/stream_producers.h"

#include "base/check.h"
#include "wire/rdb_input.h"
#include "wire/rdb_output.h"

namespace vitrine {

StreamProducers& StreamProducers::operator=(const StreamProducers& other) {
  if (this == &other) return *this;
  duration_s_ = other.duration_s_, most_ = other.most_;
  records_ = other.records_, added_ = other.added_, duplicates_ = other.duplicates_;
  by_name_.clear();
  producers_.clear();
  for (const Producer& p : other.producers_) {
    Producer& copy = producers_.emplace_back();
    copy.name = p.name;
    copy.records = p.records;
    for (auto r = copy.records.begin(); r != copy.records.end(); ++r) copy.by_id.emplace(r->id, r);
    by_name_.emplace(copy.name, std::prev(producers_.end()));
  }
  return *this;
}

void StreamProducers::configure(int64_t duration_s, int64_t most) {
  if (duration_s == duration_s_ && most == most_) return;
  duration_s_ = duration_s, most_ = most;
  by_name_.clear();
  producers_.clear();
  records_ = 0;
}

void StreamProducers::drop_oldest(Producer& producer) {
  producer.by_id.erase(producer.records.front().id);
  producer.records.pop_front();
  records_--;
}

void StreamProducers::forget_due(Producer& producer, int64_t now_ms) {
  while (!producer.records.empty() && producer.records.front().until_ms <= now_ms) drop_oldest(producer);
}

void StreamProducers::forget_due(int64_t now_ms) {
  for (Producer& p : producers_) forget_due(p, now_ms);
  forget_silent(now_ms);
}

// Those that have no record any more.
void StreamProducers::forget_silent(int64_t now_ms) {
  while (!producers_.empty()) {
    Producer& p = producers_.front();
    if (!p.records.empty() && p.records.back().until_ms > now_ms) return;
    records_ -= p.records.size();
    by_name_.erase(p.name);
    producers_.pop_front();
  }
}

const TimeId* StreamProducers::find(Bytes producer, Bytes id, int64_t now_ms) {
  forget_silent(now_ms);
  auto p = by_name_.find(producer);
  if (p == by_name_.end()) return nullptr;
  forget_due(*p->second, now_ms);
  auto record = p->second->by_id.find(id);
  return record == p->second->by_id.end() ? nullptr : &record->second->entry;
}

void StreamProducers::forget(Bytes producer, Bytes id) {
  auto p = by_name_.find(producer);
  if (p == by_name_.end()) return;
  auto found = p->second->by_id.find(id);
  if (found == p->second->by_id.end()) return;
  auto at = found->second;
  p->second->by_id.erase(found);   // its key lies in the record
  p->second->records.erase(at);
  records_--;
}

void StreamProducers::record(Bytes producer, Bytes id, TimeId entry, int64_t now_ms) {
  auto found = by_name_.find(producer);
  if (found != by_name_.end()) producers_.splice(producers_.end(), producers_, found->second);
  Producer& p = found != by_name_.end() ? *found->second : *add_producer(producer);
  while (static_cast<int64_t>(p.records.size()) >= most_) drop_oldest(p);
  CHECK(add_record(p, {std::string(id), entry, now_ms + duration_s_ * 1000}));
  records_++;
  added_++;
}

StreamProducers::Producer* StreamProducers::add_producer(Bytes name) {
  producers_.emplace_back().name = name;
  if (by_name_.emplace(producers_.back().name, std::prev(producers_.end())).second) return &producers_.back();
  producers_.pop_back();
  return nullptr;
}

bool StreamProducers::add_record(Producer& producer, Record record) {
  producer.records.push_back(std::move(record));
  if (producer.by_id.emplace(producer.records.back().id, std::prev(producer.records.end())).second) return true;
  producer.records.pop_back();
  return false;
}

void StreamProducers::for_each(const std::function<void(Bytes, Bytes, TimeId)>& visit) const {
  for (const Producer& p : producers_)
    for (const Record& r : p.records) visit(p.name, r.id, r.entry);
}

// ---- snapshots ----

void StreamProducers::save(RdbOutput& out) const {
  out.length(static_cast<uint64_t>(duration_s_)), out.length(static_cast<uint64_t>(most_));
  out.length(added_), out.length(duplicates_);
  out.length(producers_.size());
  for (const Producer& p : producers_) {
    out.string(p.name);
    out.length(p.records.size());
    for (const Record& r : p.records) {
      out.string(r.id);
      out.length(r.entry.ms), out.length(r.entry.seq);
      out.fixed64(static_cast<uint64_t>(r.until_ms));
    }
  }
}

bool StreamProducers::load(RdbInput& in) {
  uint64_t duration_s = in.length(), most = in.length();
  added_ = in.length(), duplicates_ = in.length();
  if (in.failed()) return false;
  if (duration_s < 1 || duration_s > kMostSeconds || most < 1 || most > kMostRecords)
    return in.fail("a stream that remembers producers for an impossible time or number");
  duration_s_ = static_cast<int64_t>(duration_s), most_ = static_cast<int64_t>(most);
  for (uint64_t n = in.length(); n > 0 && !in.failed(); n--) load_producer(in);
  return !in.failed();
}

void StreamProducers::load_producer(RdbInput& in) {
  Bytes name = in.string();
  if (in.failed()) return;
  Producer* producer = name.empty() ? nullptr : add_producer(name);
  if (!producer) return void(in.fail("a stream holds a producer twice, or one without a name"));
  uint64_t n = in.length();
  if (n > static_cast<uint64_t>(most_)) in.fail("a producer of a stream with too many records");
  for (; n > 0 && !in.failed(); n--) {
    Record record{std::string(in.string()), {}, 0};
    record.entry.ms = in.length(), record.entry.seq = in.length();
    record.until_ms = static_cast<int64_t>(in.fixed64());
    if (in.failed()) return;
    if (record.id.empty() || record.until_ms < 0 || !add_record(*producer, std::move(record)))
      return void(in.fail("a producer of a stream with a broken record"));
    records_++;
  }
}

size_t StreamProducers::memory() const {
  constexpr size_t kNode = 48;                           // of a list or table, about
  size_t bytes = sizeof *this;
  for (const Producer& p : producers_) {
    bytes += sizeof p + 2 * kNode + p.name.capacity();
    for (const Record& r : p.records) bytes += sizeof r + 2 * kNode + r.id.capacity();
  }
  return bytes;
}

}  // namespace vitrine
