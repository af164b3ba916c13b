// What a stream remembers of its producers, so that an entry that is sent twice is added once (XADD IDMP): per producer
// the ids it gave to its last entries, and the ids under which the stream has them.
//
// A record is kept for `duration_s`, and a producer has `most` records at most: the oldest goes first. Producers lie in
// the order of their last record, so those to forget are found without a search. Moments are in ms since 1970.
//
//   saved    seconds, most, added, duplicates, n, (name, n, (id, ms, seq of the entry, until: 8 bytes)*)*
#pragma once

#include <functional>
#include <list>
#include <string>
#include <unordered_map>

#include "base/bytes.h"
#include "ds/id_tree.h"

namespace vitrine {

class RdbInput;
class RdbOutput;

class StreamProducers {
 public:
  static constexpr int64_t kMostSeconds = 86'400, kMostRecords = 10'000;

  // REQUIRES: both from 1 to the most there is.
  StreamProducers(int64_t duration_s, int64_t most) : duration_s_(duration_s), most_(most) {}
  StreamProducers(const StreamProducers& other) { *this = other; }
  StreamProducers& operator=(const StreamProducers& other);

  int64_t duration_s() const { return duration_s_; }
  int64_t most() const { return most_; }
  // Forgets all records if it changes anything.
  void configure(int64_t duration_s, int64_t most);

  // The entry that this producer has sent under this id, or null.
  const TimeId* find(Bytes producer, Bytes id, int64_t now_ms);
  // REQUIRES: find() has found none.
  void record(Bytes producer, Bytes id, TimeId entry, int64_t now_ms);
  // REQUIRES: a record() for that producer follows.
  void forget(Bytes producer, Bytes id);
  // Somebody was saved from adding an entry twice.
  void count_duplicate() { duplicates_++; }
  void forget_due(int64_t now_ms);
  // Calls visit(producer, id, entry) for each record, the oldest of a producer first.
  void for_each(const std::function<void(Bytes, Bytes, TimeId)>& visit) const;

  void save(RdbOutput& out) const;
  // False when what is read cannot be (and the input has failed). REQUIRES: nothing is remembered.
  bool load(RdbInput& in);

  size_t producers() const { return producers_.size(); }
  size_t records() const { return records_; }
  uint64_t added() const { return added_; }
  uint64_t duplicates() const { return duplicates_; }
  size_t memory() const;

 private:
  struct Record {
    std::string id;
    TimeId entry;
    int64_t until_ms;
  };
  struct Producer {
    std::string name;
    std::list<Record> records;             // the oldest first
    std::unordered_map<Bytes, std::list<Record>::iterator> by_id;
  };
  using Producers = std::list<Producer>;

  void drop_oldest(Producer& producer);
  void forget_due(Producer& producer, int64_t now_ms);
  void forget_silent(int64_t now_ms);
  // Null when there is one of that name.
  Producer* add_producer(Bytes name);
  static bool add_record(Producer& producer, Record record);
  void load_producer(RdbInput& in);

  int64_t duration_s_ = 0, most_ = 0;
  Producers producers_;                    // the one whose last record is the oldest first
  std::unordered_map<Bytes, Producers::iterator> by_name_;
  size_t records_ = 0;
  uint64_t added_ = 0, duplicates_ = 0;
};

}  // namespace vitrine
