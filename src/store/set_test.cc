#include "store/set.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/numbers.h"
#include "store/encoding_limits.h"

namespace vitrine {
namespace {

struct Held {
  EncodingLimits limits;
  TypeContext context{0, &limits};
  Value value{Set::make(context)};
  Set set() { return Set(*value, context); }
  Bytes encoding() { return kSetOps.encoding_name(*value); }
  std::set<std::string> contents() {
    std::set<std::string> all;
    set().for_each([&](const PackedValue& v) { EXPECT_TRUE(all.insert(v.str()).second) << v.str(); });
    return all;
  }
};

// Members that meet every form: small and large integers, what only looks like one, short, middling and long strings.
std::string any_member(Random& random, uint64_t range) {
  uint64_t n = random.below(range);
  switch (random.below(8)) {
    case 0: return std::to_string(n);
    case 1: return "-" + std::to_string(n + 1);
    case 2: return std::to_string((int64_t{1} << 46) - 2 + static_cast<int64_t>(n % 5));
    case 3: return std::to_string(INT64_MIN + static_cast<int64_t>(n % 3));
    case 4: return "0" + std::to_string(n);
    case 5: return std::string(n % 10, static_cast<char>('a' + n % 3));
    case 6: return "member:" + std::to_string(n);
    default: return std::string(250 + n % 10, 'x') + std::to_string(n);
  }
}

TEST(Set, BehavesAsASetInEveryEncoding) {
  for (uint64_t seed = 0; seed < 40; seed++) {
    Random random(seed);
    Held held;
    held.limits.set_max_intset_entries = seed % 4 ? 512 : 4;
    held.limits.set_max_listpack_entries = seed % 3 ? 128 : 3;
    std::set<std::string> model;
    uint64_t range = seed % 2 ? 20 : 3000;
    bool only_numbers = seed % 5 == 0;
    for (int step = 0; step < 3000; step++) {
      std::string member = only_numbers ? std::to_string(random.below(range)) : any_member(random, range);
      Set set = held.set();
      switch (random.below(step % 1000 < 700 ? 3 : 6)) {
        case 0:
        case 1: ASSERT_EQ(set.add(member), model.insert(member).second) << "seed " << seed << " " << member; break;
        case 2: ASSERT_EQ(set.contains(member), model.contains(member)) << "seed " << seed << " " << member; break;
        default: ASSERT_EQ(set.remove(member), model.erase(member) == 1) << "seed " << seed << " " << member; break;
      }
      ASSERT_EQ(set.size(), model.size());
    }
    ASSERT_EQ(held.contents(), model) << "seed " << seed;
    Value copy(kSetOps.clone(*held.value));
    for (const std::string& member : model) held.set().remove(member);
    EXPECT_EQ(held.set().size(), 0u);
    Set copied(*copy, held.context);
    EXPECT_EQ(copied.size(), model.size());
    for (const std::string& member : model) ASSERT_TRUE(copied.contains(member)) << member;
  }
}

TEST(Set, ChangesEncodingWhereTheLimitsSay) {
  Held held;
  for (int i = 0; i < 512; i++) held.set().add(std::to_string(i));
  EXPECT_EQ(held.encoding(), "intset");
  held.set().add("512");
  EXPECT_EQ(held.encoding(), "hashtable");

  Held text;
  text.set().add("1");
  text.set().add("word");
  EXPECT_EQ(text.encoding(), "listpack");
  for (int i = 0; text.set().size() < 128; i++) text.set().add(std::to_string(i));
  EXPECT_EQ(text.encoding(), "listpack");
  text.set().add("one more");
  EXPECT_EQ(text.encoding(), "hashtable");

  Held longer;
  longer.set().add(std::string(64, 'x'));
  EXPECT_EQ(longer.encoding(), "listpack");
  longer.set().add(std::string(65, 'x'));
  EXPECT_EQ(longer.encoding(), "hashtable");
}

TEST(Set, KeepsIntegersAndShortStringsWithoutAllocation) {
  memory::register_thread();
  Held held;
  held.set().expect(100000);
  size_t before = memory::used_bytes();
  for (int i = 0; i < 100000; i++) held.set().add(std::to_string(i * 7));
  size_t each = (memory::used_bytes() - before) / 100000;
  EXPECT_LE(each, 14u);
}

TEST(Set, SamplesAreDistinctAndCoverTheSet) {
  Random random(5);
  for (int size : {1, 5, 100, 1000}) {
    Held held;
    for (int i = 0; i < size; i++) held.set().add("m" + std::to_string(i));
    for (size_t count : {size_t{1}, size_t(size) / 4 + 1, size_t(size), size_t(size) * 2}) {
      std::set<std::string> seen;
      held.set().sample(count, random, [&](const PackedValue& v) { EXPECT_TRUE(seen.insert(v.str()).second); });
      EXPECT_EQ(seen.size(), std::min<size_t>(count, size));
      for (const std::string& member : seen) EXPECT_TRUE(held.set().contains(member));
    }
    std::map<std::string, int> hits;
    for (int i = 0; i < size * 200; i++) hits[held.set().random(random).str()]++;
    EXPECT_EQ(hits.size(), size_t(size));
  }
}

TEST(Set, ScanVisitsWhatStaysWhileOthersComeAndGo) {
  for (uint64_t seed = 0; seed < 20; seed++) {
    Random random(seed);
    Held held;
    std::set<std::string> staying, seen;
    for (int i = 0; i < 500; i++) {
      std::string member = "stay" + std::to_string(i);
      held.set().add(member);
      staying.insert(member);
    }
    for (int i = 0; i < 3000; i++) held.set().add("go" + std::to_string(i));
    uint64_t cursor = 0;
    do {
      cursor = held.set().scan(cursor, 10, [&](const PackedValue& v) { seen.insert(v.str()); });
      for (int i = 0; i < 30; i++) {
        std::string other = (seed % 2 ? "go" : "new") + std::to_string(random.below(20000));
        seed % 2 ? held.set().remove(other) : held.set().add(other);
      }
    } while (cursor);
    for (const std::string& member : staying) ASSERT_TRUE(seen.contains(member)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace vitrine
