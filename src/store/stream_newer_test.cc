// Against models: trimming that minds what groups refer to, the order of what is pending by age, what is remembered of
// producers.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "base/random.h"
#include "store/encoding_limits.h"
#include "store/stream.h"

namespace vitrine {
namespace {

struct Held {
  EncodingLimits limits;
  Object object = Stream::make({0, &limits});
  ~Held() { kStreamOps.destroy(object); }
  Stream view() { return Stream(object, {0, &limits}); }
};

// ---- trimming ----

struct GroupModel {
  StreamId last;
  std::set<StreamId> pending;
};

struct TrimModel {
  Held held;
  std::set<StreamId> entries;
  std::map<std::string, GroupModel> groups;

  bool is_referenced(StreamId id) const {
    for (const auto& [name, group] : groups)
      if (group.last < id || group.pending.contains(id)) return true;
    return false;
  }

  // Exactly, entry by entry.
  uint64_t trim(const StreamTrim& trim) {
    uint64_t n = 0;
    for (auto it = entries.begin(); it != entries.end();) {
      if (trim.by == StreamTrim::By::length ? entries.size() <= trim.length : *it >= trim.id) break;
      if (trim.references == StreamReferences::respect && is_referenced(*it)) {
        ++it;
        continue;
      }
      if (trim.references == StreamReferences::remove)
        for (auto& [name, group] : groups) group.pending.erase(*it);
      it = entries.erase(it);
      n++;
    }
    return n;
  }

  void compare() {
    Stream stream = held.view();
    ASSERT_EQ(stream.size(), entries.size());
    StreamRange range = stream.range(StreamId::min(), StreamId::max());
    for (StreamId id : entries) {
      const StreamEntry* e = range.next();
      ASSERT_TRUE(e && e->id() == id);
      ASSERT_EQ(stream.is_referenced(id), is_referenced(id));
    }
    for (const auto& [name, group] : groups) {
      ASSERT_EQ(stream.find_group(name)->pending().size(), group.pending.size());
      for (StreamId id : group.pending) ASSERT_TRUE(stream.find_group(name)->find(id));
    }
  }
};

void random_step(TrimModel& m, Random& random) {
  Stream stream = m.held.view();
  std::string name = std::string(1, static_cast<char>('a' + random.below(2)));
  StreamGroup* group = stream.find_group(name);
  switch (random.below(6)) {
    case 0:
    case 1:
      for (size_t n = random.below(40); n > 0; n--) {
        Bytes pair[] = {"f", "v"};
        StreamId id = {stream.last_id().ms + 1, random.below(5)};
        stream.append(id, pair);
        m.entries.insert(id);
      }
      break;
    case 2:
      if (!group && random.below(3) == 0) stream.add_group(name, {}, 0), m.groups[name];
      else if (group && random.below(10) == 0) stream.remove_group(name), m.groups.erase(name);
      break;
    case 3:
      if (!group) break;
      for (size_t n = random.below(40); n > 0; n--) {
        auto next = m.entries.upper_bound(group->last_id);
        if (next == m.entries.end()) break;
        stream.pass(*group, *next);
        m.groups[name].last = *next;
        if (random.below(3) && group->add_pending(*next, 0, 1)) m.groups[name].pending.insert(*next);
      }
      break;
    case 4:
      if (!group) break;
      for (size_t n = random.below(30); n > 0 && !m.groups[name].pending.empty(); n--) {
        auto& pending = m.groups[name].pending;
        auto id = std::next(pending.begin(), static_cast<long>(random.below(pending.size())));
        group->acknowledge(*id);
        pending.erase(id);
      }
      break;
    default: {
      StreamTrim trim{.by = random.below(2) ? StreamTrim::By::length : StreamTrim::By::id};
      trim.references = random.below(2) ? StreamReferences::respect : StreamReferences::remove;
      trim.length = m.entries.size() - std::min<uint64_t>(m.entries.size(), random.below(60));
      trim.id = {random.below(stream.last_id().ms + 2), random.below(3)};
      trim.approximate = random.below(2);
      if (!trim.approximate) {
        ASSERT_EQ(stream.trim(trim), m.trim(trim));
        break;
      }
      // Whole nodes only: what goes is the beginning of what would go, and no more than may be looked at.
      trim.limit = random.below(2) ? 1 + random.below(100) : 0;
      uint64_t before = m.entries.size(), gone = stream.trim(trim);
      ASSERT_TRUE(trim.limit == 0 || gone <= trim.limit);
      trim.by = StreamTrim::By::length, trim.length = before - gone;
      ASSERT_EQ(m.trim(trim), gone);
    }
  }
}

TEST(StreamReferences, AreMindedAsAModelDoes) {
  for (uint64_t seed = 1; seed <= 60; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    TrimModel m;
    m.held.limits.stream_node_max_entries = static_cast<int64_t>(1 + random.below(20));
    for (int step = 0; step < 80; step++) {
      ASSERT_NO_FATAL_FAILURE(random_step(m, random));
      ASSERT_NO_FATAL_FAILURE(m.compare());
    }
  }
}

// ---- by age ----

TEST(StreamGroup, KnowsWhatIsPendingByAge) {
  for (uint64_t seed = 1; seed <= 30; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    StreamGroup group({}, 0);
    std::map<StreamId, std::pair<int64_t, std::string>> model;   // moment, consumer
    const bool early = random.below(2);
    if (early) group.by_age();
    for (int64_t now = 1; now < 400; now++) {
      StreamId id{random.below(50), 0};
      std::string name = std::string(1, static_cast<char>('a' + random.below(3)));
      switch (random.below(5)) {
        case 0:
          if (!model.contains(id)) break;
          group.give_back(id);
          model[id] = {0, ""};
          break;
        case 1: ASSERT_EQ(group.acknowledge(id), model.erase(id) > 0); break;
        case 2:
          if (random.below(10) || !group.find_consumer(name)) break;
          group.remove_consumer(group.find_consumer(name));
          std::erase_if(model, [&](const auto& item) { return item.second.second == name; });
          break;
        case 3:
          if (StreamNack* nack = group.find(id)) group.deliver_again(id, *nack, now), model[id].first = now;
          break;
        default: {
          StreamConsumer* consumer = group.find_consumer(name);
          group.assign(id, consumer ? consumer : group.add_consumer(name, now), now);
          model[id] = {now, name};
        }
      }
      if (now % 50) continue;
      std::set<StreamGroup::Aged> wanted;
      for (const auto& [at, item] : model) wanted.insert({item.first, at});
      ASSERT_EQ(group.by_age(), wanted);
      auto copy = group.clone();
      ASSERT_EQ(copy->by_age(), wanted);
      for (const auto& [its_name, consumer] : copy->consumers()) {
        auto n = std::ranges::count_if(model, [&](const auto& item) { return item.second.second == its_name; });
        ASSERT_EQ(consumer->pending().size(), static_cast<size_t>(n));
      }
    }
  }
}

// ---- producers ----

TEST(StreamProducers, AreRememberedAsAModelDoes) {
  for (uint64_t seed = 1; seed <= 60; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    struct Record {
      std::string id;
      TimeId entry;
      int64_t until_ms;
    };
    std::map<std::string, std::deque<Record>> model;
    StreamProducers producers(100, 100);
    int64_t now = 1'000'000, duration_s = 100;
    size_t most = 100, added = 0;
    for (int step = 0; step < 600; step++) {
      now += static_cast<int64_t>(random.below(4) ? random.below(100) : random.below(5000));
      if (random.below(150) == 0) {
        int64_t was_s = duration_s;
        size_t was = most;
        duration_s = 1 + static_cast<int64_t>(random.below(5)), most = 1 + random.below(10);
        producers.configure(duration_s, static_cast<int64_t>(most));
        if (was_s != duration_s || was != most) model.clear();
      }
      std::string name = "p" + std::to_string(random.below(6)), id = std::to_string(random.below(20));
      std::deque<Record>& records = model[name];
      while (!records.empty() && records.front().until_ms <= now) records.pop_front();
      auto known = std::ranges::find(records, id, &Record::id);
      const TimeId* found = producers.find(name, id, now);
      ASSERT_EQ(found != nullptr, known != records.end());
      if (found) {
        ASSERT_TRUE(*found == known->entry);
        continue;
      }
      if (random.below(4) == 0) continue;
      TimeId entry{random.next(), random.next()};
      producers.record(name, id, entry, now);
      records.push_back({id, entry, now + duration_s * 1000});
      if (records.size() > most) records.pop_front();
      ASSERT_EQ(producers.added(), ++added);
      if (step % 20) continue;
      producers.forget_due(now);
      size_t n = 0, alive = 0;
      for (auto& [other, list] : model) {
        std::erase_if(list, [&](const Record& r) { return r.until_ms <= now; });
        n += list.size();
        alive += !list.empty();
      }
      StreamProducers copy(producers);
      ASSERT_EQ(copy.records(), n);
      ASSERT_EQ(copy.producers(), alive);
      ASSERT_EQ(copy.memory() > sizeof copy, n > 0);
    }
  }
}

}  // namespace
}  // namespace vitrine
