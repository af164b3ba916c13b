#include "store/stream.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/memory.h"
#include "base/random.h"
#include "store/encoding_limits.h"
#include "store/rdb_types.h"

namespace vitrine {
namespace {

using Texts = std::vector<std::string>;
using Model = std::map<StreamId, Texts>;

struct Held {
  EncodingLimits limits;
  Object object = Stream::make({0, &limits});
  ~Held() { kStreamOps.destroy(object); }
  Stream view() { return Stream(object, {0, &limits}); }
};

void append(Stream stream, StreamId id, const Texts& texts) {
  std::vector<Bytes> pairs(texts.begin(), texts.end());
  stream.append(id, pairs);
}

Texts texts_of(const StreamEntry& e) {
  Texts out;
  e.for_each([&](const PackedValue& name, const PackedValue& value) {
    out.push_back(name.str());
    out.push_back(value.str());
  });
  EXPECT_EQ(out.size(), e.fields() * 2);
  return out;
}

std::string digest_of(const Object& object) {
  std::string all;
  kStreamOps.digest(object, [&](std::initializer_list<Bytes> parts) {
    for (Bytes part : parts) all += part, all += '\n';
  });
  return all;
}

std::string random_text(Random& random) {
  switch (random.below(8)) {
    case 0: return std::to_string(static_cast<int64_t>(random.next()));
    case 1: return std::to_string(random.below(200));
    case 2: return std::to_string(-static_cast<int64_t>(random.below(70000)));
    case 3: return std::string(random.below(200), 'v');
    case 4: return random.below(40) == 0 ? std::string(random.below(9000), 'w') : "";
    case 5: return "0" + std::to_string(random.below(50));
    default: return "value" + std::to_string(random.below(100));
  }
}

Texts random_pairs(Random& random) {
  Texts out;
  bool usual = random.below(4) > 0;
  size_t n = usual ? 2 : 1 + random.below(5);
  for (size_t i = 0; i < n; i++) {
    out.push_back(usual ? "field" + std::to_string(i) : random_text(random));
    out.push_back(random_text(random));
  }
  return out;
}

void compare_range(Stream stream, const Model& model, StreamId from, StreamId to) {
  auto low = model.lower_bound(from), high = from > to ? low : model.upper_bound(to);
  StreamRange range = stream.range(from, to);
  for (auto it = low; it != high; ++it) {
    const StreamEntry* e = range.next();
    ASSERT_TRUE(e && e->id() == it->first);
    // Some are passed over unread.
    ASSERT_TRUE(it->first.seq % 3 == 0 || texts_of(*e) == it->second);
  }
  ASSERT_FALSE(range.next());
  range = stream.range(from, to, true);
  for (auto it = high; it != low;) {
    const StreamEntry* e = range.next();
    ASSERT_TRUE(e && e->id() == (--it)->first);
    ASSERT_EQ(texts_of(*e), it->second);
  }
  ASSERT_FALSE(range.next());
}

void compare(Stream stream, const Model& model) {
  ASSERT_EQ(stream.size(), model.size());
  ASSERT_TRUE(stream.data().nodes.sound());
  ASSERT_EQ(stream.first_id(), model.empty() ? StreamId{} : model.begin()->first);
  compare_range(stream, model, StreamId::min(), StreamId::max());
}

StreamId some_id(const Model& model, Random& random) {
  if (model.empty() || random.below(8) == 0) return {random.below(3000), random.below(4)};
  auto it = model.lower_bound({random.below(model.rbegin()->first.ms + 1), random.below(3)});
  return it == model.end() ? model.begin()->first : it->first;
}

void random_trim(Stream stream, Model& model, Random& random) {
  StreamTrim trim;
  trim.approximate = random.below(2);
  trim.limit = trim.approximate && random.below(2) ? 1 + random.below(300) : 0;
  trim.by = random.below(2) ? StreamTrim::By::length : StreamTrim::By::id;
  trim.length = model.size() - std::min<uint64_t>(model.size(), random.below(random.below(8) ? 5 : 400));
  auto it = model.begin();
  for (uint64_t n = random.below(random.below(8) ? 5 : 400); n > 0 && it != model.end(); n--) ++it;
  if (it != model.end()) trim.id = it->first;
  uint64_t wanted = trim.by == StreamTrim::By::length
                        ? model.size() - trim.length
                        : static_cast<uint64_t>(std::distance(model.begin(), model.lower_bound(trim.id)));
  uint64_t gone = stream.trim(trim);
  ASSERT_TRUE(trim.approximate ? gone <= wanted : gone == wanted);
  ASSERT_TRUE(trim.limit == 0 || gone <= trim.limit);
  model.erase(model.begin(), std::next(model.begin(), static_cast<long>(gone)));
}

void run_model(uint64_t seed) {
  Random random(seed);
  Held held;
  held.limits.stream_node_max_entries = seed % 3 == 0 ? 0 : seed % 3 == 1 ? 5 : 100;
  held.limits.stream_node_max_bytes = seed % 4 == 0 ? 0 : 4096;
  Model model;
  StreamId last;
  for (int step = 0; step < 12'000; step++) {
    Stream stream = held.view();
    uint64_t what = random.below(100), busy = step / 3000 % 2 ? 30 : 70;
    if (what < busy) {
      uint64_t far = random.below(50) ? 3 : uint64_t{1} << random.below(40);
      last = random.below(3) ? StreamId{last.ms + 1 + random.below(far), random.below(30) ? 0 : random.below(far)}
                             : StreamId{last.ms, last.seq + 1 + random.below(far)};
      model[last] = random_pairs(random);
      append(stream, last, model[last]);
    } else if (what < 90) {
      StreamId id = some_id(model, random);
      ASSERT_EQ(stream.contains(id), model.contains(id));
      ASSERT_EQ(stream.erase(id), model.erase(id) == 1);
    } else if (what < 94) {
      random_trim(stream, model, random);
    } else if (what < 99) {
      StreamId from = some_id(model, random);
      compare_range(stream, model, from, {from.ms + random.below(40), random.below(9)});
    } else if (step % 500 == 0) {
      compare(stream, model);
    }
  }
  compare(held.view(), model);
  Object copy = kStreamOps.clone(held.object);
  compare(Stream(copy, {0, &held.limits}), model);
  while (!model.empty()) {
    ASSERT_TRUE(held.view().erase(model.begin()->first));
    model.erase(model.begin());
  }
  compare(held.view(), model);
  EXPECT_EQ(held.view().data().nodes.memory(), 0u);
  EXPECT_GT(Stream(copy, {0, &held.limits}).data().entries_added, 0u);
  kStreamOps.destroy(copy);
}

TEST(Stream, FollowsAModel) {
  for (uint64_t seed = 1; seed <= 24; seed++) {
    SCOPED_TRACE(seed);
    ASSERT_NO_FATAL_FAILURE(run_model(seed));
  }
}

TEST(Stream, TakesLittleMemory) {
  memory::register_thread();
  size_t before = memory::used_bytes();
  {
    Held held;
    constexpr size_t kEntries = 100'000;
    for (uint64_t i = 0; i < kEntries; i++)
      append(held.view(), {1'700'000'000'000 + i / 3, i % 3},
             {"a", std::to_string(i % 100), "b", std::to_string(i % 90)});
    size_t used = memory::used_bytes() - before;
    EXPECT_LT(static_cast<double>(used) / kEntries, 8.5);
    EXPECT_NEAR(static_cast<double>(kStreamOps.memory(held.object, 0)), static_cast<double>(used), 4096);
  }
  EXPECT_EQ(memory::used_bytes(), before);
}

TEST(Stream, GivesMemoryBackWhenEntriesGo) {
  Held held;
  for (uint64_t i = 1; i <= 10'000; i++) append(held.view(), {i, 0}, {"field", std::string(20, 'x')});
  size_t full = kStreamOps.memory(held.object, 0);
  for (uint64_t i = 1; i <= 10'000; i++)
    ASSERT_TRUE(i % 8 == 0 || held.view().erase({i, 0}));
  EXPECT_LT(kStreamOps.memory(held.object, 0), full / 2);
}

TEST(Stream, KeepsExtremeIds) {
  Held held;
  append(held.view(), {0, 1}, {"f", "1"});
  append(held.view(), {5, UINT64_MAX}, {"f", "2"});
  append(held.view(), {UINT64_MAX, 0}, {"g", ""});
  append(held.view(), StreamId::max(), {"f", "-9223372036854775808"});
  Model model{{{0, 1}, {"f", "1"}}, {{5, UINT64_MAX}, {"f", "2"}}, {{UINT64_MAX, 0}, {"g", ""}},
              {StreamId::max(), {"f", "-9223372036854775808"}}};
  compare(held.view(), model);
  compare_range(held.view(), model, StreamId::max(), StreamId::max());
  compare_range(held.view(), model, {6, 0}, {5, 0});
}

// ---- groups ----

TEST(StreamGroup, SharesOnePendingRecord) {
  memory::register_thread();
  size_t before = memory::used_bytes();
  {
    StreamGroup group({0, 0}, 0);
    StreamConsumer *a = group.add_consumer("a", 1), *b = group.add_consumer("b", 1);
    for (uint64_t i = 1; i <= 100; i++) group.assign({i, 0}, a, 5)->deliveries = 1;
    EXPECT_EQ(a->pending().size(), 100u);
    group.assign({7, 0}, b, 9)->deliveries++;
    EXPECT_EQ(group.find({7, 0})->consumer, b);
    EXPECT_EQ(group.find({7, 0})->deliveries, 2);
    EXPECT_EQ(a->pending().size(), 99u);
    EXPECT_EQ(&StreamGroup::nack_at(b->pending().first()), group.find({7, 0}));
    EXPECT_TRUE(group.acknowledge({7, 0}));
    EXPECT_FALSE(group.acknowledge({7, 0}));
    EXPECT_EQ(b->pending().size(), 0u);
    group.give_back({8, 0});
    EXPECT_EQ(group.find({8, 0})->consumer, nullptr);
    auto copy = group.clone();
    group.remove_consumer(a);
    EXPECT_EQ(group.pending().size(), 1u);
    EXPECT_EQ(copy->pending().size(), 99u);
    EXPECT_EQ(copy->find_consumer("a")->pending().size(), 98u);
    EXPECT_EQ(copy->find({9, 0})->consumer, copy->find_consumer("a"));
    EXPECT_EQ(group.find_consumer("a"), nullptr);
  }
  EXPECT_EQ(memory::used_bytes(), before);
}

TEST(Stream, CountsWhatAGroupHasRead) {
  Held held;
  EXPECT_EQ(held.view().entries_up_to({0, 0}), 0);
  for (uint64_t i = 1; i <= 10; i++) append(held.view(), {i, 0}, {"f", "v"});
  EXPECT_EQ(held.view().entries_up_to({0, 5}), 0);
  EXPECT_EQ(held.view().entries_up_to({1, 0}), 1);
  EXPECT_EQ(held.view().entries_up_to({4, 0}), StreamGroup::kUnknown);
  EXPECT_EQ(held.view().entries_up_to({10, 0}), 10);
  EXPECT_EQ(held.view().entries_up_to({11, 0}), StreamGroup::kUnknown);
  held.view().erase({5, 0});
  EXPECT_EQ(held.view().entries_up_to({1, 0}), StreamGroup::kUnknown);
}

TEST(Stream, TellsTheLagRightOrNotAtAll) {
  for (uint64_t seed = 1; seed <= 200; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Held held;
    Stream stream = held.view();
    StreamGroup group({0, 0}, StreamGroup::kUnknown);
    uint64_t next = 1, told = 0, deletes = random.below(4), trims = random.below(3);
    for (int step = 0; step < 300; step++) {
      uint64_t what = random.below(20);
      if (what < 8) append(stream, {next++, 0}, {"f", "v"});
      else if (what < 8 + deletes) stream.erase({random.below(next), 0});
      else if (what < 11 + trims) stream.trim({.by = StreamTrim::By::length, .length = random.below(20)});
      else if (StreamRange rest = stream.range(group.last_id.next(), StreamId::max()); const auto* e = rest.next())
        stream.pass(group, e->id());
      StreamRange rest = stream.range(group.last_id.next(), StreamId::max());
      auto lag = stream.lag_of(group);
      int64_t true_lag = 0;
      while (rest.next()) true_lag++;
      ASSERT_EQ(lag.value_or(true_lag), true_lag) << "at " << step;
      told += lag == true_lag;
    }
    ASSERT_TRUE(deletes > 0 || told == 300u);
    ASSERT_GE(told, 50u);
  }
}

// ---- snapshots ----

std::string saved(const Object& object, int version) {
  RdbOutput out({.version = version});
  kStreamOps.save(object, kStreamOps.rdb_type(object, version), out);
  return std::string(out.view());
}

void fill_randomly(Held& held, Random& random) {
  Stream stream = held.view();
  held.limits.stream_node_max_entries = static_cast<int64_t>(random.below(30));
  uint64_t ms = 1'700'000'000'000;
  for (size_t n = 0, most = random.below(300); n < most; n++)
    append(stream, {ms += random.below(3) * 1000, n}, random_pairs(random));
  for (size_t n = random.below(50); n > 0; n--) {
    StreamRange range = stream.range({1'700'000'000'000 + random.below(300) * 1000, 0}, StreamId::max());
    if (const StreamEntry* e = range.next()) stream.erase(e->id());
  }
  if (random.below(3) == 0) stream.trim({.by = StreamTrim::By::id, .id = {ms - random.below(90'000), 0}});
  for (size_t g = random.below(3); g > 0; g--) {
    StreamGroup* group = stream.add_group("group" + std::to_string(g), StreamId::min(), StreamGroup::kUnknown);
    for (size_t n = random.below(4); n > 0; n--)
      group->add_consumer("consumer" + std::to_string(n), 1000 + static_cast<int64_t>(n));
    StreamRange range = stream.range(StreamId::min(), StreamId::max());
    while (const StreamEntry* e = range.next()) {
      if (random.below(5) == 0) break;
      stream.pass(*group, e->id());
      auto* consumer = group->find_consumer("consumer" + std::to_string(random.below(4)));
      group->add_pending(e->id(), static_cast<int64_t>(random.below(10'000)), static_cast<int64_t>(random.below(5)));
      if (consumer) group->assign(e->id(), consumer, 77);
    }
  }
  if (random.below(2)) return;
  StreamProducers& producers = stream.producers();
  producers.configure(1 + static_cast<int64_t>(random.below(100)), 1 + static_cast<int64_t>(random.below(20)));
  for (size_t n = random.below(60); n > 0; n--) {
    std::string producer = "producer" + std::to_string(random.below(5)), id = std::to_string(random.below(30));
    if (producers.find(producer, id, 5000)) producers.count_duplicate();
    else producers.record(producer, id, {random.next(), random.next()}, 5000);
  }
}

TEST(Stream, ComesBackFromSnapshots) {
  for (uint64_t seed = 1; seed <= 100; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Held held;
    fill_randomly(held, random);
    for (int version : {rdb::kBaseVersion, rdb::kSetListpackVersion}) {
      std::string data = saved(held.object, version);
      RdbInput in(data);
      Value value = kStreamOps.load(kStreamOps.rdb_type(held.object, version), in, {0, &held.limits});
      ASSERT_TRUE(value) << in.error();
      ASSERT_TRUE(in.at_end());
      ASSERT_EQ(saved(*value, version), data);
      ASSERT_EQ(digest_of(*value), digest_of(held.object));
      // It goes on as the first one does.
      Stream again(*value, {0, &held.limits});
      append(again, again.last_id().next(), {"f", "v"});
    }
  }
}

TEST(Stream, RefusesDamagedSnapshots) {
  for (uint64_t seed = 1; seed <= 40; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Held held;
    fill_randomly(held, random);
    std::string data = saved(held.object, rdb::kSetListpackVersion);
    uint8_t type = kStreamOps.rdb_type(held.object, rdb::kSetListpackVersion);
    for (int round = 0; round < 60; round++) {
      std::string damaged = data;
      for (size_t n = 1 + random.below(3); n > 0; n--)
        damaged[random.below(damaged.size())] ^= static_cast<char>(1 << random.below(8));
      if (random.below(4) == 0) damaged.resize(random.below(damaged.size()));
      RdbInput in(damaged);
      Value value = kStreamOps.load(type, in, {0, &held.limits});
      ASSERT_EQ(!value, in.failed());
      if (value) digest_of(*value);
    }
  }
}

TEST(Stream, GoesBackBehindDeletedEntries) {
  // XSETID may set the last id back to below what was deleted.
  Held held;
  append(held.view(), {1, 1}, {"f", "v"});
  append(held.view(), {9, 1}, {"f", "v"});
  held.view().erase({9, 1});
  held.view().data().last_id = {8, 0};
  append(held.view(), {8, 1}, {"f", "w"});
  append(held.view(), {8, 2}, {"f", "x"});
  Model model = {{{1, 1}, {"f", "v"}}, {{8, 1}, {"f", "w"}}, {{8, 2}, {"f", "x"}}};
  compare_range(held.view(), model, StreamId::min(), StreamId::max());
  EXPECT_FALSE(held.view().contains({9, 1}));
  EXPECT_TRUE(held.view().erase({8, 1}));
}

// A node stays when its last entry goes alone; trimming by id takes it along later, although nothing is left to trim.
TEST(Stream, TrimmingByIdTakesEmptyNodesAlong) {
  Held held;
  Stream stream = held.view();
  append(stream, {330, 0}, {"a", "1"}), append(stream, {531, 0}, {"a", "1"});
  EXPECT_TRUE(stream.erase({531, 0}));
  StreamTrim trim;
  trim.by = StreamTrim::By::id, trim.id = {509, 0};
  EXPECT_EQ(stream.trim(trim), 1u);
  EXPECT_EQ(stream.data().nodes.size(), 1u);
  trim.id = {580, 2};
  EXPECT_EQ(stream.trim(trim), 0u);
  EXPECT_EQ(stream.data().nodes.size(), 0u);
}

}  // namespace
}  // namespace vitrine
