// What every type of store/types.cc owes the rest of the house, shown on random values of it: it comes back from its
// snapshot as it was, a copy is independent, equal values have equal digests whatever their encodings, memory is
// accounted for, and no bytes make load() do anything but refuse or give a sound value.
//
// A type has one line in kKinds: how a random change of its content is made. Changes draw the same random numbers
// whatever the encoding, so one seed makes equal values under any limits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/memory.h"
#include "base/random.h"
#include "ds/packed_samples.h"
#include "store/array.h"
#include "store/encoding_limits.h"
#include "store/hash.h"
#include "store/list.h"
#include "store/rdb_values.h"
#include "store/set.h"
#include "store/sorted_set.h"
#include "store/stream.h"
#include "store/string.h"
#include "wire/rdb_format.h"

namespace vitrine {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;
constexpr size_t kLongest = 300;

// ---- one random change of each type ----

void change_string(Object& o, const TypeContext&, Random& random) {
  std::string text = sample_text(random);
  type_ops(Type::string).destroy(o);
  o = make_string(text).release();
}

void change_list(Object& o, const TypeContext& context, Random& random) {
  List list(o, context);
  std::string item = sample_text(random, kLongest);
  uint64_t choice = random.below(10), place = random.next();
  if (choice < 7 || list.size() == 0) list.push(choice < 4 ? End::right : End::left, item);
  else if (choice == 7) list.replace(static_cast<int64_t>(place % list.size()), item);
  else if (choice == 8) list.pop(End::left);
  else list.insert(list.at(static_cast<int64_t>(place % list.size()))->str(), true, item);
}

void change_set(Object& o, const TypeContext& context, Random& random) {
  bool number = random.below(2);
  std::string text = number ? std::to_string(random.below(60)) : sample_text(random, kLongest);
  PackedItem member(text);
  if (random.below(5)) Set(o, context).add(member);
  else Set(o, context).remove(member);
}

void change_sorted_set(Object& o, const TypeContext& context, Random& random) {
  std::string member = random.below(2) ? sample_text(random, kLongest) : "m" + std::to_string(random.below(60));
  double score = random.below(2) ? static_cast<double>(random.below(20)) : random.unit() * 1e9 - 5e8;
  if (random.below(50) == 0) score = random.below(2) ? INFINITY : -INFINITY;
  if (random.below(5)) SortedSet(o, context).set(member, score);
  else SortedSet(o, context).erase(member);
}

void change_hash(Object& o, const TypeContext& context, Random& random) {
  Hash hash(o, context);
  std::string field = random.below(4) ? "f" + std::to_string(random.below(60)) : sample_text(random, kLongest);
  std::string value = sample_text(random, kLongest);
  uint64_t choice = random.below(10);
  int64_t at_ms = kNow + 1 + static_cast<int64_t>(random.below(1'000'000));
  if (choice < 7) hash.set(field, value);
  else if (choice < 9) hash.erase(field);
  else if (hash.contains(field)) hash.set_expiry(field, at_ms);
}

void change_imported_hash(Object& o, const TypeContext& context, Random& random) {
  static constexpr Bytes kNames[] = {"name", "mail", "town"};
  std::string values[3];
  for (std::string& value : values) value = sample_text(random, 60);
  bool anew = type_ops(Type::hash).length(o) == 0 || random.below(8);
  if (!anew) return change_hash(o, context, random);
  FieldSetRef set(FieldSet::make(kNames));
  type_ops(Type::hash).destroy(o);
  o = Hash::make_shared(*set, std::vector<Bytes>(values, values + 3), context);
}

void change_group(const Stream& stream, StreamId id, Random& random) {
  std::string name = "group" + std::to_string(random.below(3)), reader = "reader" + std::to_string(random.below(3));
  int64_t at_ms = kNow - static_cast<int64_t>(random.below(1000));
  StreamGroup* group = stream.find_group(name);
  if (!group) group = stream.add_group(name, {}, 0);
  StreamConsumer* consumer = group->find_consumer(reader);
  if (!consumer) consumer = group->add_consumer(reader, at_ms);
  switch (random.below(6)) {
    case 0: group->acknowledge(id); break;
    case 1:
      if (group->find(id)) group->give_back(id);
      break;
    case 2:
      if (group->last_id < id) stream.pass(*group, id);
      break;
    default: group->assign(id, consumer, at_ms)->count_delivery();
  }
}

void change_stream(Object& o, const TypeContext& context, Random& random) {
  Stream stream(o, context);
  StreamId last = stream.last_id(), id{kNow + random.below(300), random.below(3)};
  std::string value = sample_text(random, kLongest), name = random.below(3) ? "name" : sample_text(random, 20);
  uint64_t choice = random.below(20);
  if (choice < 12) {
    if (id <= last) id = last.next();
    stream.append(id, std::vector<Bytes>{name, value, "level", "7"});
  } else if (choice < 14) {
    stream.erase(id);
  } else if (choice == 14) {
    stream.trim({.by = StreamTrim::By::length, .length = random.below(100)});
  } else if (choice == 15 && stream.contains(last) && !stream.producers().find("p", name + value, kNow)) {
    stream.producers().record("p", name + value, last, kNow);
  } else {
    change_group(stream, id, random);
  }
}

void change_array(Object& o, const TypeContext& context, Random& random) {
  Array array(o, context);
  uint64_t index = random.below(random.below(2) ? 100 : 1'000'000), choice = random.below(20);
  std::string value = sample_text(random, kLongest);
  if (choice < 10) array.set(index, value);
  else if (choice < 16) array.append(value);
  else if (choice < 18) array.erase_range(index, index + random.below(50));
  else if (choice == 18) array.seek(index);
  else if (index < 1000) array.make_ring(index + 1);
}

struct Kind {
  const char* name;
  Type type;
  Object (*make)(const TypeContext&);
  void (*change)(Object&, const TypeContext&, Random&);
};

const Kind kKinds[] = {
    {"string", Type::string, [](const TypeContext&) { return make_string("").release(); }, change_string},
    {"list", Type::list, List::make, change_list},
    {"set", Type::set, Set::make, change_set},
    {"zset", Type::zset, SortedSet::make, change_sorted_set},
    {"hash", Type::hash, Hash::make, change_hash},
    {"imported hash", Type::hash, Hash::make, change_imported_hash},
    {"stream", Type::stream, Stream::make, change_stream},
    {"array", Type::array, Array::make, change_array},
};

// ---- what they have in common ----

EncodingLimits tiny_limits() {
  EncodingLimits limits;
  limits.list_max_listpack_size = 4;
  limits.hash_max_listpack_entries = limits.set_max_listpack_entries = limits.zset_max_listpack_entries = 5;
  limits.set_max_intset_entries = 5;
  limits.hash_max_listpack_value = limits.set_max_listpack_value = limits.zset_max_listpack_value = 20;
  limits.stream_node_max_entries = 3;
  return limits;
}

EncodingLimits wide_limits() {
  EncodingLimits limits;
  limits.hash_max_listpack_entries = limits.set_max_listpack_entries = limits.zset_max_listpack_entries = 100'000;
  limits.hash_max_listpack_value = limits.set_max_listpack_value = limits.zset_max_listpack_value = 1 << 20;
  return limits;
}

class TypeConformance : public testing::TestWithParam<Kind> {
 protected:
  TypeConformance() { memory::register_thread(); }

  const Kind& kind() const { return GetParam(); }
  const TypeOps& ops() const { return type_ops(kind().type); }
  static TypeContext with(const EncodingLimits& limits) { return {kNow, &limits}; }

  Value make(uint64_t seed, const TypeContext& context, size_t changes) const {
    Value value(kind().make(context));
    Random random(seed);
    for (; changes > 0; changes--) kind().change(*value, context, random);
    return value;
  }
  // A value that is not empty.
  Value make(uint64_t seed, const TypeContext& context) const {
    Random random(seed);
    size_t changes = 1 + random.below(random.below(4) ? 30 : 400);
    Value value = make(seed, context, changes);
    while (ops().length(*value) == 0) kind().change(*value, context, random);
    return value;
  }

  // The parts that make the digest, in their order where the type is ordered.
  std::vector<std::string> content(const Object& o) const {
    std::vector<std::string> all;
    ops().digest(o, [&](std::initializer_list<Bytes> parts) {
      std::string one;
      for (Bytes part : parts) one += std::to_string(part.size()) + ":" + std::string(part);
      all.push_back(one);
    });
    if (!ops().ordered) std::sort(all.begin(), all.end());
    return all;
  }

  struct Saved {
    uint8_t type;
    std::string bytes;
  };
  Saved save(const Object& o, int version) const {
    RdbOutput out({.version = version});
    uint8_t type = ops().rdb_type(o, version);
    ops().save(o, type, out);
    return {type, std::string(out.view())};
  }
};

const char* const kSeedIs = "seed ";

TEST_P(TypeConformance, ComesBackFromItsSnapshot) {
  const EncodingLimits usual, tiny = tiny_limits();
  for (uint64_t seed = 1; seed <= 60; seed++) {
    SCOPED_TRACE(kSeedIs + std::to_string(seed));
    Value value = make(seed, with(seed % 2 ? usual : tiny));
    auto before = content(*value);
    for (int version : {rdb::kNewestVersion, rdb::kValkeyVersion, rdb::kBaseVersion}) {
      Saved saved = save(*value, version);
      EXPECT_EQ(type_of_rdb(saved.type), kind().type);
      for (const EncodingLimits* limits : {&usual, &tiny}) {
        RdbInput in(saved.bytes, version);
        Value again = load_value(saved.type, in, with(*limits));
        ASSERT_TRUE(again) << in.error();
        EXPECT_TRUE(in.at_end());
        EXPECT_EQ(ops().length(*again), ops().length(*value));
        if (rdb_version_of(saved.type) <= version || version == rdb::kNewestVersion) {
          ASSERT_EQ(content(*again), before) << "version " << version;
        }
        if (ops().earliest_expiry) {
          ASSERT_EQ(ops().earliest_expiry(*again), ops().earliest_expiry(*value));
        }
      }
    }
    EXPECT_EQ(content(*value), before) << "saving changes nothing";
  }
}

TEST_P(TypeConformance, CopiesAreIndependent) {
  const EncodingLimits usual, tiny = tiny_limits();
  for (uint64_t seed = 1; seed <= 60; seed++) {
    SCOPED_TRACE(kSeedIs + std::to_string(seed));
    TypeContext context = with(seed % 2 ? usual : tiny);
    Random random(seed + 1000);
    Value copy;
    std::vector<std::string> before;
    {
      Value value = make(seed, context);
      before = content(*value);
      copy = Value(ops().clone(*value));
      ASSERT_EQ(copy->encoding, value->encoding);
      ASSERT_EQ(content(*copy), before);
      Value second(ops().clone(*copy));
      for (int i = 0; i < 30; i++) kind().change(*second, context, random);
      ASSERT_EQ(content(*copy), before);
      for (int i = 0; i < 30; i++) kind().change(*value, context, random);
      ASSERT_EQ(content(*copy), before);
    }
    ASSERT_EQ(content(*copy), before) << "outlives what it is a copy of";
    for (int i = 0; i < 30; i++) kind().change(*copy, context, random);
  }
}

TEST_P(TypeConformance, EqualValuesHaveEqualDigests) {
  const EncodingLimits usual, tiny = tiny_limits(), wide = wide_limits();
  std::vector<std::vector<std::string>> seen;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    SCOPED_TRACE(kSeedIs + std::to_string(seed));
    size_t changes = 20 + seed * 5;
    auto first = content(*make(seed, with(usual), changes));
    ASSERT_EQ(content(*make(seed, with(tiny), changes)), first);
    ASSERT_EQ(content(*make(seed, with(wide), changes)), first);
    seen.push_back(first);
  }
  // Values of different content differ. A string may be the same twice: it is only its last change.
  std::sort(seen.begin(), seen.end());
  auto repeated = seen.end() - std::unique(seen.begin(), seen.end());
  EXPECT_LE(repeated, kind().type == Type::string ? 20 : 0);
}

TEST_P(TypeConformance, MemoryIsAccountedFor) {
  const EncodingLimits usual, tiny = tiny_limits();
  make(1, with(usual)), make(1, with(tiny));   // what is made once and for all
  for (uint64_t seed = 1; seed <= 60; seed++) {
    SCOPED_TRACE(kSeedIs + std::to_string(seed));
    TypeContext context = with(seed % 2 ? usual : tiny);
    size_t empty = memory::used_bytes();
    {
      Value value = make(seed, context);
      size_t held = memory::used_bytes() - empty, said = ops().memory(*value, 0);
      size_t sampled = ops().memory(*value, 5);
      EXPECT_GT(ops().free_effort(*value), 0u);
      EXPECT_FALSE(ops().encoding_name(*value).empty());
#ifndef VITRINE_SANITIZED
      // Standard containers are counted by what their nodes should take; fields' names may be others', too.
      EXPECT_LE(said, held + held / 20 + 64);
      EXPECT_GE(said + said / 10 + (kind().type == Type::hash ? 160 : 64), held);
      EXPECT_LE(sampled, 20 * held + 1000);
#else
      EXPECT_TRUE(held >= said || sampled > 0);
#endif
      Value copy(ops().clone(*value));
      Saved saved = save(*copy, rdb::kNewestVersion);
      RdbInput in(saved.bytes, rdb::kNewestVersion);
      Value again = load_value(saved.type, in, context);
    }
    ASSERT_EQ(memory::used_bytes(), empty);
  }
}

// Cut, with other bytes in the middle, with another piece of itself: whatever it is, it is refused or makes something
// that can be looked at, changed, saved and freed.
TEST_P(TypeConformance, DamagedBytesAreRefusedOrSound) {
  const EncodingLimits usual, tiny = tiny_limits();
  size_t empty = memory::used_bytes(), refused = 0, accepted = 0;
  for (uint64_t seed = 1; seed <= 400; seed++) {
    SCOPED_TRACE(kSeedIs + std::to_string(seed));
    Random random(seed);
    TypeContext context = with(seed % 2 ? usual : tiny);
    Saved saved = save(*make(seed % 40 + 1, context), random.below(2) ? rdb::kNewestVersion : rdb::kBaseVersion);
    std::string& bytes = saved.bytes;
    switch (random.below(4)) {
      case 0: bytes.resize(random.below(bytes.size() + 1)); break;
      case 1: bytes.insert(random.below(bytes.size() + 1), bytes.substr(random.below(bytes.size() + 1), 20)); break;
      default:
        for (uint64_t n = 1 + random.below(4); n > 0 && !bytes.empty(); n--)
          bytes[random.below(std::min<size_t>(bytes.size(), random.below(2) ? 20 : bytes.size()))] =
              static_cast<char>(random.next());
    }
    if (random.below(10) == 0)
      for (char& c : bytes) c = static_cast<char>(random.next());
    RdbInput in(bytes, rdb::kNewestVersion);
    Value value = load_value(saved.type, in, context);
    ASSERT_EQ(bool(value), !in.failed());
    if (!value) {
      EXPECT_FALSE(in.error().empty());
      refused++;
      continue;
    }
    accepted++;
    auto held = content(*value);
    save(*value, rdb::kNewestVersion);
    ASSERT_EQ(content(*Value(ops().clone(*value))), held);
    for (int i = 0; i < 20; i++) kind().change(*value, context, random);
  }
  EXPECT_GT(refused, 0u);
  EXPECT_GT(accepted, 0u);
  EXPECT_EQ(memory::used_bytes(), empty);
}

TEST_P(TypeConformance, RandomBytesUnderAnyTypeAreRefusedOrSound) {
  const EncodingLimits usual;
  for (uint64_t seed = 1; seed <= 3000; seed++) {
    SCOPED_TRACE(kSeedIs + std::to_string(seed));
    Random random(seed);
    std::string bytes(random.below(60), '\0');
    for (char& c : bytes) c = static_cast<char>(random.below(3) ? random.below(20) : random.next());
    uint8_t type = random.below(4) ? static_cast<uint8_t>(random.below(32)) : static_cast<uint8_t>(random.next());
    RdbInput in(bytes, rdb::kNewestVersion);
    Value value = load_value(type, in, with(usual));
    ASSERT_EQ(bool(value), !in.failed());
    if (!value || value->type != kind().type) continue;
    content(*value);
    save(*value, rdb::kNewestVersion);
    for (int i = 0; i < 20; i++) kind().change(*value, with(usual), random);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, TypeConformance, testing::ValuesIn(kKinds), [](const auto& each) {
  std::string name = each.param.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

TEST(TypeConformanceTable, HasALineForEveryType) {
  for (int type = 0; type < kTypes; type++) {
    EXPECT_TRUE(std::any_of(std::begin(kKinds), std::end(kKinds), [&](const Kind& kind) {
      return kind.type == static_cast<Type>(type);
    })) << type;
    EXPECT_TRUE(type_ops(static_cast<Type>(type)).load);
  }
}

}  // namespace
}  // namespace vitrine
