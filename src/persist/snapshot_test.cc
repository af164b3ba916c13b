// Snapshots of whole keyspaces: what is written comes back, whatever the encodings; what is broken is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "persist/snapshot_reader.h"
#include "persist/snapshot_writer.h"
#include "store/database.h"
#include "store/hash.h"
#include "store/list.h"
#include "store/rdb_values.h"
#include "store/set.h"
#include "store/sorted_set.h"
#include "store/stream.h"
#include "store/string.h"

namespace vitrine {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

struct World {
  Keyspace::Options options;
  Keyspace keyspace{options, kNow, 1};

  Entry* put(int db, Bytes key, Object object, int64_t at_ms = kNoExpiry) {
    object.changes = 0;
    return keyspace.put(db, key, hash_bytes(key), Value(object), at_ms);
  }
  Entry* find(int db, Bytes key) {
    return keyspace.find(db, key, hash_bytes(key), Keyspace::Touch::peek);
  }
};

struct Collect : RdbOutput::Sink {
  std::string data;
  bool write(Bytes piece) override { return data += piece, true; }
};

std::string written(const World& world, const SnapshotFacts& facts = {}) {
  Collect sink;
  auto done = write_snapshot(world.keyspace, facts, sink);
  EXPECT_TRUE(done) << done.error();
  return sink.data;
}

// Everything that can be seen of a value, in one text.
std::string described(const Entry& e, const Keyspace& keyspace) {
  std::string text(type_ops(e.type()).name);
  text += ' ' + std::to_string(e.expire_at_ms()) + ' ';
  if (e.type() == Type::string) {
    char scratch[24];
    return text + std::string(string_encoding_name(e)) + ' ' + std::string(string_bytes(e, scratch));
  }
  Object o = e.object();
  text += std::string(type_ops(e.type()).encoding_name(o)) + ' ';
  std::vector<std::string> parts;
  type_ops(e.type()).digest(o, [&](std::initializer_list<Bytes> each) {
    std::string part;
    for (Bytes b : each) part += std::to_string(b.size()) + ':' + std::string(b);
    if (e.type() == Type::hash) part += std::to_string(Hash(o, keyspace.context()).expiry(*each.begin()));
    parts.push_back(part);
  });
  if (!type_ops(e.type()).ordered) std::ranges::sort(parts);
  for (const std::string& p : parts) text += p + ',';
  return text;
}

std::map<std::string, std::string> described(const World& world) {
  std::map<std::string, std::string> all;
  for (int db = 0; db < world.keyspace.databases(); db++)
    world.keyspace.database(db).table().for_each([&](Word w) {
      const Entry& e = *Database::Policy::entry(w);
      all[std::to_string(db) + ':' + std::string(e.key())] = described(e, world.keyspace);
    });
  return all;
}

std::string random_text(std::mt19937_64& rng) {
  switch (rng() % 6) {
    case 0: return std::to_string(static_cast<int64_t>(rng()) >> rng() % 64);
    case 1: return std::string(rng() % 100, 'x') + std::to_string(rng());
    case 2: return std::string(rng() % 3 == 0 ? rng() % 4000 : 70, static_cast<char>(rng()));
    default: {
      std::string s(rng() % 30, 0);
      for (char& c : s) c = static_cast<char>(rng());
      return s;
    }
  }
}

Object random_stream(std::mt19937_64& rng, const TypeContext& context, size_t n) {
  Object o = Stream::make(context);
  Stream stream(o, context);
  StreamId id{rng() >> rng() % 64, rng() >> rng() % 64};
  std::vector<StreamId> ids;
  for (size_t i = 0; i < n; i++) {
    if (rng() % 2) id = {id.ms + rng() % 1000 + 1, rng() % 3};
    else id.seq++;
    if (id <= stream.last_id() && i > 0) break;
    std::string a = random_text(rng), b = random_text(rng), c = random_text(rng);
    const Bytes usual[] = {"sensor", a, "n", b}, other[] = {c, a};
    rng() % 7 ? stream.append(id, usual) : stream.append(id, other);
    ids.push_back(id);
  }
  for (size_t i = 0; i < ids.size(); i++)
    if (rng() % 5 == 0) stream.erase(ids[i]);
  for (int g = 0; g < 2; g++) {
    StreamGroup* group = stream.add_group("g" + std::to_string(g), ids[rng() % ids.size()], g ? -1 : 5);
    StreamConsumer* consumers[] = {group->add_consumer("alice", kNow), group->add_consumer("b", kNow + 1)};
    for (StreamId each : ids) {
      if (rng() % 3) continue;
      group->assign(each, consumers[rng() % 2], kNow - 5)->deliveries = 3;
      if (rng() % 10 == 0) group->give_back(each);
    }
  }
  return o;
}

Object random_value(std::mt19937_64& rng, const TypeContext& context, int kind) {
  size_t n = 1 + rng() % (rng() % 4 == 0 ? 700 : 20);
  switch (kind) {
    case 0: return make_string(random_text(rng)).release();
    case 1: {
      Object o = List::make(context);
      for (size_t i = 0; i < n; i++) List(o, context).push(End::right, random_text(rng));
      return o;
    }
    case 2: {
      Object o = Set::make(context);
      bool numbers = rng() % 2;
      for (size_t i = 0; i < n; i++) Set(o, context).add(numbers ? std::to_string(rng() % 100000) : random_text(rng));
      return o;
    }
    case 3: {
      Object o = SortedSet::make(context);
      for (size_t i = 0; i < n; i++) {
        double score = static_cast<double>(static_cast<int64_t>(rng()) >> rng() % 64) / (rng() % 2 ? 1 : 1000);
        SortedSet(o, context).set(random_text(rng), rng() % 50 ? score : INFINITY);
      }
      return o;
    }
    case 4: return random_stream(rng, context, n);
    default: {
      Object o = Hash::make(context);
      Hash hash(o, context);
      bool expires = rng() % 2;
      for (size_t i = 0; i < n; i++) {
        std::string field = random_text(rng);
        hash.set(field, random_text(rng));
        if (expires && rng() % 3 == 0) hash.set_expiry(field, kNow + 1 + static_cast<int64_t>(rng() % 1000000));
      }
      return o;
    }
  }
}

void fill(World& world, std::mt19937_64& rng, int keys) {
  for (int i = 0; i < keys; i++) {
    int64_t at_ms = rng() % 3 ? kNoExpiry : kNow + 1 + static_cast<int64_t>(rng() % 100000000);
    world.put(static_cast<int>(rng() % 2 * 7), "key" + std::to_string(i) + random_text(rng),
              random_value(rng, world.keyspace.context(), static_cast<int>(rng() % 6)), at_ms);
  }
}

std::string read_into(World& world, Bytes data, SnapshotContent* content = nullptr, SnapshotRules rules = {}) {
  RdbInput in(data);
  auto read = read_snapshot(in, world.keyspace, rules);
  if (read && content) *content = *read;
  return read ? "" : read.error();
}

TEST(Snapshot, EverythingComesBackInEveryVersion) {
  for (uint64_t seed : {1, 2, 3}) {
    std::mt19937_64 rng(seed);
    World world;
    fill(world, rng, 300);
    for (SnapshotFacts facts : {SnapshotFacts{}, SnapshotFacts{.version = 12, .compress = false},
                                SnapshotFacts{.version = 80, .checksum = false}}) {
      World other;
      SnapshotContent content;
      ASSERT_EQ(read_into(other, written(world, facts), &content), "") << "seed " << seed;
      EXPECT_EQ(content.version, facts.version ? facts.version : rdb::kFieldExpiryVersion);
      EXPECT_EQ(content.valkey, facts.version == 80);
      EXPECT_EQ(content.keys, world.keyspace.total_keys());
      EXPECT_EQ(described(other), described(world)) << "seed " << seed << " version " << facts.version;
    }
  }
}

TEST(Snapshot, TheOldestVersionThatHoldsTheData) {
  World world;
  world.put(0, "a", make_string("1").release());
  EXPECT_TRUE(written(world).starts_with("REDIS0010"));
  Object o = Hash::make(world.keyspace.context());
  Hash(o, world.keyspace.context()).set("f", "v");
  Hash(o, world.keyspace.context()).set_expiry("f", kNow + 1000);
  world.put(3, "h", o);
  EXPECT_TRUE(written(world).starts_with("REDIS0012"));
  EXPECT_TRUE(written(world, {.version = 80}).starts_with("VALKEY080"));
  Collect sink;
  auto refused = write_snapshot(world.keyspace, {.version = 10}, sink);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), "'rdb-version 10' cannot hold the key 'h'");
}

TEST(Snapshot, WhatIsDueIsLeftOutOnBothSides) {
  World world;
  world.put(0, "stays", make_string("1").release());
  world.put(0, "goes", make_string("2").release(), kNow + 10);
  std::string data = written(world);
  World later;
  later.keyspace.set_now(kNow + 10);
  SnapshotContent content;
  EXPECT_EQ(read_into(later, data, &content), "");
  EXPECT_EQ(content.expired, 1u);
  EXPECT_EQ(later.keyspace.total_keys(), 1u);
  world.keyspace.set_now(kNow + 10);
  EXPECT_LT(written(world).size(), data.size());
}

TEST(Snapshot, UseOfKeysAndFunctionsComeBack) {
  for (bool lfu : {false, true}) {
    World world, other;
    world.options.lfu = other.options.lfu = lfu;
    Entry* e = world.put(0, "k", make_string("v").release());
    e->set_access(lfu ? access::lfu_bits(kNow, 77) : access::lru_clock(kNow - 100'000), lfu);
    std::vector<std::string> functions = {"#!lua name=x\n..."};
    std::string data = written(world, {.access = lfu ? SnapshotFacts::Access::frequency : SnapshotFacts::Access::idle,
                                       .functions = functions});
    SnapshotContent content;
    ASSERT_EQ(read_into(other, data, &content), "");
    EXPECT_EQ(content.functions, functions);
    uint32_t bits = other.find(0, "k")->access();
    if (lfu) EXPECT_EQ(bits & 255, 77u);
    else EXPECT_NEAR(static_cast<double>(access::lru_idle_ms(bits, kNow)), 100'000, 1'300);
  }
}

TEST(Snapshot, KeysThatAreThereAreRefusedOrReplaced) {
  World world;
  world.put(0, "k", make_string("new").release());
  std::string data = written(world);
  World other;
  other.put(0, "k", make_string("old").release());
  std::string error = read_into(other, data);
  EXPECT_NE(error.find("a key that stands there twice"), std::string::npos) << error;
  EXPECT_NE(error.find("the key 'k'"), std::string::npos) << error;
  EXPECT_EQ(other.find(0, "k")->text(), "old");
  EXPECT_EQ(read_into(other, data, nullptr, {.replace = true}), "");
  EXPECT_EQ(other.find(0, "k")->text(), "new");
}

TEST(Snapshot, BrokenFilesAreRefusedWithAReason) {
  World world;
  world.put(0, "key", make_string("value").release());
  std::string data = written(world);
  auto error_of = [](Bytes bytes) {
    World other;
    return read_into(other, bytes);
  };
  EXPECT_NE(error_of("").find("the data ends too early"), std::string::npos);
  EXPECT_NE(error_of("GARBAGE FILE").find("this is no snapshot"), std::string::npos);
  EXPECT_NE(error_of("REDIS0099" + data.substr(9)).find("can't handle RDB format version 0099"), std::string::npos);
  EXPECT_NE(error_of("REDIS0000" + data.substr(9)).find("there is no RDB format version"), std::string::npos);
  std::string flipped = data;
  flipped[data.size() - 12] ^= 1;
  EXPECT_NE(error_of(flipped).find("the checksum is wrong"), std::string::npos);
  for (size_t n = 0; n < data.size(); n++) EXPECT_NE(error_of(Bytes(data).substr(0, n)), "") << n;
  std::string far = std::string("REDIS0010\xfe\x1f\0\x01" "a\x01" "b\xff", 17) + std::string(8, 0);
  EXPECT_NE(error_of(far).find("keys of database 31, but 'databases' is 16"), std::string::npos);
  std::string module = std::string("REDIS0010\xfe\0\x07\x01" "a\x81", 14) + "12345678";
  EXPECT_NE(error_of(module).find("modules are not supported"), std::string::npos);
}

// Without its checksum every change of a byte reaches the readers of values: none may crash or read too far.
TEST(Snapshot, DamageNeverDoesHarm) {
  std::mt19937_64 rng(5);
  World world;
  fill(world, rng, 25);
  for (bool compress : {true, false}) {
    std::string data = written(world, {.compress = compress, .checksum = false});
    int refused = 0;
    for (int round = 0; round < 150; round++) {
      std::string damaged = data;
      for (size_t n = 1 + rng() % 3; n > 0; n--) damaged[rng() % damaged.size()] ^= static_cast<char>(1 << rng() % 8);
      if (rng() % 4 == 0) damaged.resize(rng() % damaged.size());
      World other;
      refused += read_into(other, damaged) != "";
      described(other);
    }
    EXPECT_GT(refused, 20);
  }
}

}  // namespace
}  // namespace vitrine
