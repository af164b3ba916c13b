#include "store/database.h"
#include "store/hash.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "store/keyspace.h"
#include "store/rdb_types.h"

namespace vitrine {
namespace {

// A hash beside a std::map that says what it must hold.
class Twin {
 public:
  Twin(uint64_t seed, size_t entries, size_t value) : random_(seed) {
    limits_.hash_max_listpack_entries = entries;
    limits_.hash_max_listpack_value = value;
    object_ = Hash::make(context());
  }
  ~Twin() { kHashOps.destroy(object_); }

  // Starts anew as a hash whose field names are shared.
  void import(size_t fields) {
    kHashOps.destroy(object_);
    model_.clear();
    std::vector<std::string> names, values;
    for (size_t i = 0; i < fields; i++) {
      names.push_back("f" + std::to_string(i));
      values.push_back(random_.below(4) ? random_value().substr(0, 20) : random_value());
      model_[names[i]] = {values[i], kNoExpiry};
    }
    std::vector<Bytes> name_views(names.begin(), names.end()), value_views(values.begin(), values.end());
    FieldSetRef set(FieldSet::make(name_views));
    object_ = Hash::make_shared(*set, value_views, context());
    claimed_ = kNoExpiry;
  }
  bool shared() { return object_.encoding == 3; }
  // What a snapshot holds of it comes back.
  void check_snapshot() {
    uint8_t type = kHashOps.rdb_type(object_, rdb::kNewestVersion);
    RdbOutput out({.version = rdb::kNewestVersion});
    kHashOps.save(object_, type, out);
    RdbInput in(out.view());
    Value again = kHashOps.load(type, in, context());
    ASSERT_TRUE(again);
    for (auto& [name, m] : model_) {
      auto value = live(name) ? Hash(*again, context()).get(name) : std::nullopt;
      ASSERT_TRUE(!live(name) || value->str() == m.value);
    }
  }

  void step(size_t names) {
    std::string name = "f" + std::to_string(random_.below(names));
    if (random_.below(200) == 0) name += std::string(random_.below(400), 'n');
    uint64_t choice = random_.below(100);
    bool there = live(name);
    Hash hash = view();
    if (choice < 40) {
      std::string value = random_value();
      bool keep = random_.below(4) == 0;
      ASSERT_EQ(hash.set(name, value, keep), !there);
      int64_t at = there && keep ? model_[name].at_ms : kNoExpiry;
      model_[name] = {value, at};
    } else if (choice < 40 + erase_weight_) {
      ASSERT_EQ(hash.erase(name), there);
      if (there) model_.erase(name);
    } else if (choice < 85) {
      if (!there) return;
      int64_t at = random_.below(4) == 0 ? kNoExpiry : now_ms_ + 1 + static_cast<int64_t>(random_.below(300));
      hash.set_expiry(name, at);
      model_[name].at_ms = at;
    } else if (choice < 97) {
      auto value = hash.get(name);
      ASSERT_EQ(value.has_value(), there);
      if (there) {
        ASSERT_EQ(value->str(), model_[name].value);
        ASSERT_EQ(hash.expiry(name), model_[name].at_ms);
      } else {
        ASSERT_EQ(hash.expiry(name), Hash::kNoField);
      }
    } else if (choice < 99) {
      now_ms_ += static_cast<int64_t>(random_.below(20));
    } else {
      reclaim(random_.below(30) + 1);
    }
    if (random_.below(100) == 0) erase_weight_ = random_.below(3) * 22;
    if (object_.rescheduled) tell_index();
  }

  void check() {
    Hash hash = view();
    std::map<std::string, std::string> seen;
    hash.for_each([&](const PackedValue& f, const PackedValue& v) { seen[f.str()] = v.str(); });
    std::map<std::string, std::string> wanted;
    for (auto& [name, m] : model_)
      if (live(name)) wanted[name] = m.value;
    ASSERT_EQ(seen, wanted);
    ASSERT_EQ(hash.size(), wanted.size());
    if (!wanted.empty()) {
      auto pair = hash.random(random_);
      ASSERT_EQ(wanted.at(pair.field.str()), pair.value.str());
    }
    check_clone(wanted);
  }

  void check_clone(const std::map<std::string, std::string>& wanted) {
    Value copy(kHashOps.clone(object_));
    Hash hash(*copy, context());
    std::map<std::string, std::string> seen;
    hash.for_each([&](const PackedValue& f, const PackedValue& v) { seen[f.str()] = v.str(); });
    ASSERT_EQ(seen, wanted);
    for (auto& [name, value] : wanted) ASSERT_EQ(hash.expiry(name), model_[name].at_ms);
    ASSERT_EQ(kHashOps.earliest_expiry(*copy), earliest());
    if (!wanted.empty()) hash.erase(wanted.begin()->first);
  }

  // What the database does when a hint is due: removes, and takes note of the next moment.
  void reclaim(size_t steps) {
    int64_t claimed = claimed_;
    if (claimed == kNoExpiry || claimed > now_ms_) {
      ASSERT_EQ(kHashOps.remove_expired(object_, context(), steps, nullptr), 0u);
      return;
    }
    size_t removed = kHashOps.remove_expired(object_, context(), steps, nullptr);
    size_t due = 0;
    for (auto it = model_.begin(); it != model_.end();) {
      if (live(it->first)) {
        ++it;
        continue;
      }
      due++;
      it = view_raw_contains(it->first) ? std::next(it) : model_.erase(it);
    }
    ASSERT_TRUE(object_.rescheduled);
    tell_index();
    ASSERT_LE(removed, due);
    if (kHashOps.encoding_name(object_) != "hashtable") {
      ASSERT_EQ(removed, due);
    } else {
      ASSERT_EQ(removed, std::min(due, steps));
    }
  }

  Hash view() { return Hash(object_, context()); }
  Bytes encoding() const { return kHashOps.encoding_name(object_); }
  TypeContext context() const { return {now_ms_, &limits_}; }
  // Whenever something expires, a hint no later than that must have been given.
  void check_hint() {
    int64_t first = earliest();
    if (first == kNoExpiry) return;
    ASSERT_NE(claimed_, kNoExpiry);
    ASSERT_LE(claimed_, first);
  }

 private:
  struct Expected {
    std::string value;
    int64_t at_ms;
  };
  bool live(const std::string& name) const {
    auto it = model_.find(name);
    return it != model_.end() && (it->second.at_ms == kNoExpiry || it->second.at_ms > now_ms_);
  }
  int64_t earliest() const {
    int64_t first = kNoExpiry;
    for (auto& [name, m] : model_)
      if (m.at_ms != kNoExpiry && (first == kNoExpiry || m.at_ms < first)) first = m.at_ms;
    return first;
  }
  bool view_raw_contains(const std::string& name) {
    return Hash(object_, TypeContext{INT64_MIN, &limits_}).contains(name);
  }
  void tell_index() {
    claimed_ = kHashOps.earliest_expiry(object_);
    ASSERT_EQ(claimed_, earliest());
    object_.rescheduled = false;
  }
  std::string random_value() {
    switch (random_.below(4)) {
      case 0: return std::to_string(static_cast<int64_t>(random_.next()) >> random_.below(64));
      case 1: return std::string(random_.below(300), 'v');
      default: return std::string(random_.below(12), 'w');
    }
  }

  Random random_;
  EncodingLimits limits_;
  int64_t now_ms_ = 1'000'000, claimed_ = kNoExpiry;
  Object object_;
  std::map<std::string, Expected> model_;
  uint64_t erase_weight_ = 22;
};

TEST(Hash, AgreesWithModel) {
  for (uint64_t seed = 1; seed <= 30; seed++) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Twin pair(seed, seed % 3 ? 512 : 20, seed % 4 == 1 ? 1000 : seed % 2 ? 64 : 250);
    size_t names = seed % 5 ? 40 : 2000;
    for (int i = 0; i < 3000; i++) {
      pair.step(names);
      if (testing::Test::HasFatalFailure()) return;
      pair.check_hint();
      if (i % (names > 1000 ? 200 : 20) == 0) pair.check();
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Hash, AgreesWithModelWhereNamesAreShared) {
  memory::register_thread();
  size_t before = memory::used_bytes(), shared = 0, all = 0;
  for (uint64_t seed = 1; seed <= 400; seed++) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Twin pair(seed, seed % 3 ? 512 : 20, seed % 2 ? 64 : 250);
    size_t fields = 1 + seed % 30;
    for (int life = 0; life < 3; life++) {
      pair.import(fields);
      for (int i = 0; i < 30; i++) {
        pair.check();
        if (testing::Test::HasFatalFailure()) return;
        all++;
        shared += pair.shared();
        if (i % 10 == 0) pair.check_snapshot();
        pair.step(fields + fields / 8);
        if (testing::Test::HasFatalFailure()) return;
        pair.check_hint();
      }
    }
  }
  EXPECT_GT(shared, all / 40);
  EXPECT_LT(shared, all);
  EXPECT_EQ(memory::used_bytes(), before);
}

TEST(Hash, NamesAreSharedUntilTheFieldsAreOthers) {
  EncodingLimits limits;
  TypeContext context{1000, &limits};
  const Bytes names[] = {"name", "12", ""}, values[] = {"alice", "30", ""};
  FieldSetRef set(FieldSet::make(names));
  auto shared = [&] { return Value(Hash::make_shared(*set, values, context)); };
  Value a = shared(), b = shared();
  EXPECT_EQ(set->references(), 3u);
  EXPECT_EQ(kHashOps.encoding_name(*a), "listpack");
  EXPECT_EQ(kHashOps.memory(*a, 0), 32 + set->memory() / 3);
  Hash(*a, context).set("12", "31");
  Hash(*a, context).set_expiry("name", kNoExpiry);
  EXPECT_FALSE(Hash(*a, context).erase("13"));
  Value copy(kHashOps.clone(*a));
  EXPECT_EQ(set->references(), 4u);
  EXPECT_TRUE(Hash(*a, context).set("new", "field"));
  EXPECT_EQ(set->references(), 3u);
  EXPECT_EQ(Hash(*a, context).size(), 4u);
  EXPECT_EQ(Hash(*copy, context).get("12")->str(), "31");
  Hash(*b, context).set_expiry("12", 5000);
  EXPECT_EQ(kHashOps.encoding_name(*b), "listpackex");
  Hash(*copy, context).set("name", std::string(65, 'x'));
  EXPECT_EQ(kHashOps.encoding_name(*copy), "hashtable");
  EXPECT_EQ(set->references(), 1u);
  limits.hash_max_listpack_entries = 2;
  EXPECT_EQ(kHashOps.encoding_name(*shared()), "hashtable");
  EXPECT_EQ(set->references(), 1u);
}

EncodingLimits limits_of(size_t entries, size_t value) {
  EncodingLimits limits;
  limits.hash_max_listpack_entries = entries;
  limits.hash_max_listpack_value = value;
  return limits;
}

TEST(Hash, ChangesEncodingAtALoweredLimitWithAnyWrite) {
  EncodingLimits limits = limits_of(3, 8);
  TypeContext context{1000, &limits};
  Value value(Hash::make(context));
  Hash hash(*value, context);
  for (const char* name : {"a", "b", "c"}) hash.set(name, "1");
  limits.hash_max_listpack_entries = 2;
  EXPECT_EQ(kHashOps.encoding_name(*value), "listpack");
  hash.set("a", "9");
  EXPECT_EQ(kHashOps.encoding_name(*value), "hashtable");
  EXPECT_EQ(hash.get("a")->str(), "9");
}

TEST(Hash, ChangesEncodingAtTheLimits) {
  EncodingLimits limits = limits_of(3, 8);
  TypeContext context{1000, &limits};
  for (bool by_length : {false, true}) {
    Value value(Hash::make(context));
    Hash hash(*value, context);
    for (const char* name : {"a", "b", "12345678"}) hash.set(name, "12345678");
    EXPECT_EQ(kHashOps.encoding_name(*value), "listpack");
    hash.set_expiry("b", 2000);
    EXPECT_EQ(kHashOps.encoding_name(*value), "listpackex");
    EXPECT_EQ(hash.expiry("a"), kNoExpiry);
    if (by_length) hash.set("a", "123456789");
    else hash.set("d", "");
    EXPECT_EQ(kHashOps.encoding_name(*value), "hashtable");
    EXPECT_EQ(hash.expiry("b"), 2000);
    EXPECT_EQ(hash.size(), by_length ? 3u : 4u);
    hash.set_expiry("b", kNoExpiry);
    EXPECT_EQ(hash.expiry("b"), kNoExpiry);
  }
}

TEST(Hash, LongFieldsAndValues) {
  EncodingLimits limits;
  TypeContext context{1000, &limits};
  Value value(Hash::make(context));
  Hash hash(*value, context);
  for (size_t n : {0, 1, 64, 65, 254, 255, 256, 257, 70000, 3})
    for (size_t v : {0, 1, 255, 256, 5000000, 12}) {
      std::string field(n, 'f'), content(v, 'c');
      hash.set(field, content);
      EXPECT_EQ(hash.get(field)->str(), content);
      hash.set_expiry(field, 5000);
      EXPECT_EQ(hash.get(field)->str(), content);
      EXPECT_EQ(hash.expiry(field), 5000);
    }
  EXPECT_EQ(hash.size(), 10u);
}

TEST(Hash, ScanSeesWhatStays) {
  EncodingLimits limits;
  for (uint64_t seed = 1; seed <= 10; seed++) {
    Random random(seed);
    TypeContext context{1000, &limits};
    Value value(Hash::make(context));
    Hash hash(*value, context);
    for (int i = 0; i < 2000; i++) hash.set("stay" + std::to_string(i), "x");
    for (int i = 0; i < 2000 && seed % 2 == 0; i++) hash.set("new" + std::to_string(i), "x");
    std::set<std::string> seen;
    uint64_t cursor = 0;
    int added = 0;
    do {
      cursor = hash.scan(cursor, [&](const PackedValue& f, const PackedValue&) { seen.insert(f.str()); });
      for (int i = 0; i < 20; i++) {
        if (seed % 2) hash.set("new" + std::to_string(added++), "y");
        else hash.erase("new" + std::to_string(random.below(2000)));
      }
    } while (cursor);
    for (int i = 0; i < 2000; i++) ASSERT_TRUE(seen.contains("stay" + std::to_string(i))) << "seed " << seed;
  }
}

TEST(Hash, RandomIsUniform) {
  for (size_t fields : {10, 1000}) {
    EncodingLimits limits;
    TypeContext context{1000, &limits};
    Value value(Hash::make(context));
    Hash hash(*value, context);
    for (size_t i = 0; i < fields; i++) hash.set(std::to_string(i), "v");
    Random random(5);
    std::map<std::string, int> drawn;
    for (size_t i = 0; i < fields * 200; i++) drawn[hash.random(random).field.str()]++;
    ASSERT_EQ(drawn.size(), fields);
    for (auto& [name, n] : drawn) EXPECT_NEAR(n, 200, 90) << name;
  }
}

TEST(Hash, MemoryMeetsItsTargets) {
  EncodingLimits limits;
  TypeContext context{1000, &limits};
  Value large(Hash::make(context));
  Hash hash(*large, context);
  char field[32], content[32];
  constexpr size_t kFields = 100000;
  for (size_t i = 0; i < kFields; i++) {
    std::snprintf(field, sizeof field, "field:%010zu", i);
    std::snprintf(content, sizeof content, "value:%07zu", i);
    hash.set(field, content);
  }
#ifndef VITRINE_SANITIZED
  EXPECT_LE(kHashOps.memory(*large, 0), kFields * 46);
#endif
  EXPECT_NEAR(static_cast<double>(kHashOps.memory(*large, 0)), static_cast<double>(kHashOps.memory(*large, 50)), 1e5);
  Value small(Hash::make(context));
  std::vector<std::string> words;
  for (int i = 0; i < 5; i++) words.push_back("f" + std::to_string(i)), words.push_back("v0000" + std::to_string(i));
  std::vector<Bytes> pairs(words.begin(), words.end());
  Hash five(*small, context);
  five.reserve(pairs);
  for (size_t i = 0; i < 10; i += 2) five.set(pairs[i], pairs[i + 1]);
  EXPECT_LE(kHashOps.memory(*small, 0), 80u);
}

// The reclaimer, through the keyspace.
class HashExpiry : public testing::Test {
 protected:
  HashExpiry() : keyspace_(options_, 1'000'000, 7) {}
  void expire(Bytes key, Bytes field, int64_t at_ms) {
    uint64_t hash = hash_bytes(key);
    Entry* entry = keyspace_.find(0, key, hash, Keyspace::Touch::peek);
    Object object = entry->object();
    size_t length = kHashOps.length(object);
    Hash(object, keyspace_.context()).set_expiry(field, at_ms);
    keyspace_.write_back(0, entry, hash, object, length, "hexpire", EventClass::hash);
  }
  void create(Bytes key, size_t fields) {
    Value value(Hash::make(keyspace_.context()));
    Hash hash(*value, keyspace_.context());
    for (size_t i = 0; i < fields; i++) hash.set(std::to_string(i), "v");
    keyspace_.put(0, key, hash_bytes(key), std::move(value));
  }
  bool exists(Bytes key) { return keyspace_.find(0, key, hash_bytes(key), Keyspace::Touch::peek); }
  void pass(int64_t ms) {
    keyspace_.set_now(keyspace_.now_ms() + ms);
    while (keyspace_.expire_some(400) == 0) {
    }
  }

  Keyspace::Options options_;
  Keyspace keyspace_;
};

TEST_F(HashExpiry, RemovesFieldsAndThenTheKey) {
  for (size_t fields : {3, 2000}) {
    create("h", fields);
    for (size_t i = 0; i < fields; i++) expire("h", std::to_string(i), 1'000'000'000 + static_cast<int64_t>(i));
    EXPECT_EQ(keyspace_.database(0).field_expiring(), 1u);
    keyspace_.set_now(1'000'000'000 - 1);
    pass(0);
    uint64_t before = keyspace_.stats().expired_fields;
    pass(2);
    EXPECT_TRUE(exists("h"));
    pass(5000);
    EXPECT_EQ(keyspace_.stats().expired_fields - before, fields);
    EXPECT_FALSE(exists("h"));
    EXPECT_EQ(keyspace_.database(0).field_expiring(), 0u);
    keyspace_.set_now(1'000'000);
  }
}

TEST_F(HashExpiry, MillionsOfChangesLeaveFewHints) {
  create("h", 4);
  size_t bytes = keyspace_.database(0).index_bytes();
  for (int i = 0; i < 300000; i++) {
    expire("h", "1", 9'000'000'000 - i);
    if (i % 5000 == 0) pass(1);
  }
  EXPECT_LE(keyspace_.database(0).index_bytes(), bytes + 200'000);
  keyspace_.set_now(9'000'000'000);
  pass(100);
  EXPECT_EQ(keyspace_.stats().expired_fields, 1u);
}

// The index gives what is due beyond its reach early; then it must be told again.
TEST_F(HashExpiry, FarMomentsAreNotForgotten) {
  constexpr int64_t kDay = 86'400'000, kMoment = 365 * kDay;
  EncodingLimits limits;
  Value value(Hash::make({0, &limits}));
  Hash hash(*value, {0, &limits});
  hash.set("f", "v");
  hash.set_expiry("f", kMoment);
  EXPECT_EQ(kHashOps.earliest_expiry(*value), kMoment);
  value->rescheduled = false;
  EXPECT_EQ(kHashOps.remove_expired(*value, {198 * kDay, &limits}, 9, nullptr), 0u);
  EXPECT_TRUE(value->rescheduled);
  value->rescheduled = false;
  EXPECT_EQ(kHashOps.remove_expired(*value, {364 * kDay, &limits}, 9, nullptr), 0u);
  EXPECT_FALSE(value->rescheduled);
  EXPECT_EQ(kHashOps.remove_expired(*value, {kMoment, &limits}, 9, nullptr), 1u);
}

TEST_F(HashExpiry, FollowsAMovedValue) {
  create("h", 2);
  int64_t now = keyspace_.now_ms();
  expire("h", "0", now + 1000);
  expire("h", "1", now + 500);
  expire("h", "1", now + 2000);
  Entry* entry = keyspace_.find(0, "h", hash_bytes("h"), Keyspace::Touch::peek);
  Value value = keyspace_.take(0, entry, hash_bytes("h"));
  keyspace_.put(0, "g", hash_bytes("g"), std::move(value));
  expire("g", "1", now + 700);
  pass(750);
  EXPECT_EQ(keyspace_.stats().expired_fields, 1u);
  pass(300);
  EXPECT_EQ(keyspace_.stats().expired_fields, 2u);
  EXPECT_FALSE(exists("g"));
}

}  // namespace
}  // namespace vitrine
