#include "ds/packed.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/memory.h"
#include "ds/packed_samples.h"

namespace vitrine {
namespace {

using Model = std::vector<std::string>;

// A block that is freed at the end of its test.
struct Owned {
  Packed packed = Packed::create();
  Owned() = default;
  explicit Owned(Packed p) : packed(p) {}
  ~Owned() { Packed::free(packed.block()); }
  Owned(const Owned&) = delete;
};

Model forwards(const Packed& packed) {
  Model all;
  for (PackedValue v : packed) all.push_back(v.str());
  return all;
}

Model backwards(const Packed& packed) {
  Model all;
  for (auto i = packed.end(); i != packed.begin();) all.push_back((*--i).str());
  return {all.rbegin(), all.rend()};
}

Bytes whole(const Packed& packed) {
  return Bytes(reinterpret_cast<const char*>(packed.block()), packed.bytes_used());
}

void expect_same(const Packed& packed, const Model& model) {
  ASSERT_EQ(packed.count(), model.size());
  ASSERT_EQ(packed.empty(), model.empty());
  ASSERT_EQ(forwards(packed), model);
  ASSERT_EQ(backwards(packed), model);
  ASSERT_TRUE(Packed::validate(whole(packed)));
}

void change_one(Packed& packed, Model& model, Random& random) {
  size_t n = model.size(), index = random.below(n + 1);
  std::string text = sample_text(random), other = sample_text(random);
  switch (random.below(n > 60 ? 12 : 8)) {
    case 0:
      packed.append(text);
      model.push_back(text);
      break;
    case 1:
      packed.prepend(text);
      model.insert(model.begin(), text);
      break;
    case 2:
      packed.append(text, other);
      model.insert(model.end(), {text, other});
      break;
    case 3:
    case 4: {
      auto at = packed.insert(packed.at(index), text, other);
      ASSERT_EQ((*at).str(), text);
      model.insert(model.begin() + index, {text, other});
      break;
    }
    case 5:
    case 6:
      if (index == n) break;
      ASSERT_EQ((*packed.replace(packed.at(index), text)).str(), text);
      model[index] = text;
      break;
    case 7: {
      if (index == n) break;
      auto next = packed.erase(packed.at(static_cast<int64_t>(index) - static_cast<int64_t>(n)));
      model.erase(model.begin() + index);
      ASSERT_TRUE(next == packed.at(index));
      break;
    }
    default: {
      size_t erased = std::min<size_t>(random.below(20), n - index);
      ASSERT_EQ(packed.erase_range(index, erased), erased);
      model.erase(model.begin() + index, model.begin() + index + erased);
    }
  }
}

TEST(Packed, BehavesAsAVector) {
  for (uint64_t seed = 0; seed < 40; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Owned owned;
    Model model;
    for (int i = 0; i < 150; i++) {
      ASSERT_NO_FATAL_FAILURE(change_one(owned.packed, model, random));
      ASSERT_NO_FATAL_FAILURE(expect_same(owned.packed, model));
    }
  }
}

TEST(Packed, FindsWhatIsThereAndNothingElse) {
  Random random(3);
  for (int round = 0; round < 60; round++) {
    Owned owned;
    Model model;
    for (size_t i = 0, n = random.below(60); i < n; i++) model.push_back(sample_text(random, 300));
    for (const std::string& text : model) owned.packed.append(text);
    Model wanted = model;
    for (int i = 0; i < 20; i++) wanted.push_back(sample_text(random, 300));
    size_t skip = random.below(3);
    for (const std::string& text : wanted) {
      size_t expected = 0;
      while (expected < model.size() && model[expected] != text) expected += skip + 1;
      ASSERT_TRUE(owned.packed.find(text, skip) == owned.packed.at(expected)) << text << " skip " << skip;
    }
  }
}

TEST(Packed, ItemsAndValuesCompareAsTheirTexts) {
  Random random(11);
  Owned owned;
  for (int i = 0; i < 20000; i++) {
    std::string a = sample_text(random, 100), b = sample_text(random, 100);
    owned.packed.clear();
    owned.packed.append(a);
    PackedValue v = owned.packed.front();
    ASSERT_EQ(v.is_int, parse_int64(a).has_value()) << a;
    ASSERT_EQ(v.as_int64(), parse_int64(a)) << a;
    ASSERT_EQ(v.length(), a.size());
    ASSERT_EQ(PackedItem(a).size(), owned.packed.bytes_used() - Packed::kHeader);
    ASSERT_LE(PackedItem(a).size(), Packed::worst_size(a.size()));
    for (const std::string& text : {a, b}) {
      ASSERT_EQ(v.equals(text), text == a) << a << " / " << text;
      ASSERT_EQ(PackedItem(text).matches(v), text == a) << a << " / " << text;
      ASSERT_EQ(PackedItem(text).matches({false, 0, a}), text == a) << a << " / " << text;
    }
    if (v.is_int) {
      ASSERT_TRUE(PackedItem::of(v.number).matches(v));
      ASSERT_TRUE(PackedItem::of(v.number).matches({false, 0, a}));
      ASSERT_FALSE(PackedItem::of(v.number ^ 1).matches({false, 0, a}));
    }
  }
}

TEST(Packed, IntegersTakeFewBytes) {
  const std::pair<const char*, size_t> sizes[] = {
      {"0", 2},           {"127", 2},          {"128", 3},         {"-1", 3},
      {"4095", 3},        {"4096", 4},         {"-4096", 3},       {"-4097", 4},
      {"32768", 5},       {"8388607", 5},      {"8388608", 6},     {"2147483647", 6},
      {"2147483648", 10}, {"-2147483649", 10}, {"", 2},            {"x", 3},
  };
  for (auto [text, size] : sizes) EXPECT_EQ(PackedItem(text).size(), size) << text;
}

TEST(Packed, FiveSmallFieldsTakeOneBlockOf96Bytes) {
  Owned owned;
  for (int i = 0; i < 5; i++) owned.packed.append("field" + std::to_string(i), "value-0" + std::to_string(i));
  EXPECT_EQ(owned.packed.bytes_used(), 96u);
  EXPECT_LE(memory::good_size(owned.packed.bytes_used()), 96u);
  EXPECT_LE(owned.packed.memory(), 96u);
}

TEST(Packed, CountsBeyondWhatTheHeaderHolds) {
  Owned owned;
  for (int i = 0; i < 65600; i++) owned.packed.append(PackedItem::of(i & 127));
  EXPECT_EQ(owned.packed.count(), 65600u);
  EXPECT_EQ((*owned.packed.at(65599)).number, 65599 & 127);
  EXPECT_EQ(owned.packed.erase_range(10, 100), 100u);
  EXPECT_EQ(owned.packed.count(), 65500u);
  owned.packed.append("x");
  EXPECT_EQ(owned.packed.count(), 65501u);
  EXPECT_TRUE(Packed::validate(whole(owned.packed)));
}

TEST(Packed, CopiesJoinsAndGivesMemoryBack) {
  Owned a, b;
  for (int i = 0; i < 100; i++) a.packed.append("a" + std::to_string(i));
  for (int i = 0; i < 50; i++) b.packed.prepend("b" + std::to_string(i));
  Owned copy(a.packed.clone());
  a.packed.append_all(b.packed);
  Model expected = forwards(copy.packed), tail = forwards(b.packed);
  expected.insert(expected.end(), tail.begin(), tail.end());
  expect_same(a.packed, expected);
  EXPECT_EQ(copy.packed.count(), 100u);
  EXPECT_EQ(a.packed.erase_range(-140, 1000), 140u);
  EXPECT_EQ(a.packed.count(), 10u);
  EXPECT_LE(a.packed.memory(), 2 * memory::good_size(a.packed.bytes_used()));
  EXPECT_EQ(a.packed.erase_range(0, 10), 10u);
  EXPECT_EQ(a.packed.bytes_used(), Packed::kHeader);
  EXPECT_EQ(a.packed.erase_range(0, 10), 0u);
  EXPECT_TRUE(a.packed.would_fit(Packed::kMaxBytes - Packed::kHeader));
  EXPECT_FALSE(a.packed.would_fit(Packed::kMaxBytes - Packed::kHeader + 1));
}

TEST(Packed, ValidateLetsThroughOnlyWhatCanBeWalked) {
  // A byte changed anywhere either breaks the block or leaves one that can be walked both ways.
  Random random(5);
  for (int round = 0; round < 300; round++) {
    Owned owned;
    for (int i = 0; i < 6; i++) owned.packed.append(sample_text(random, 150));
    std::string bytes(whole(owned.packed));
    EXPECT_FALSE(Packed::validate(bytes + "x"));
    EXPECT_FALSE(Packed::validate(Bytes(bytes).substr(0, bytes.size() - 1)));
    bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
    // On the heap and of exact size, so that a sanitizer sees every byte read beyond.
    std::vector<uint8_t> exact(bytes.begin(), bytes.end());
    if (!Packed::validate(Bytes(reinterpret_cast<char*>(exact.data()), exact.size()))) continue;
    Packed changed(exact.data());
    Model all = forwards(changed);
    EXPECT_EQ(all, backwards(changed));
    EXPECT_EQ(all.size(), changed.count());
  }
}

TEST(Packed, ValidateRefusesLongerForms) {
  auto block = [](std::string elements, int count) {
    std::string header(6, 0);
    header[0] = static_cast<char>(6 + elements.size());
    header[4] = static_cast<char>(count);
    return header + elements;
  };
  EXPECT_TRUE(Packed::validate(block(std::string("\x81x\x02", 3), 1)));
  EXPECT_TRUE(Packed::validate(block("", 0)));
  EXPECT_FALSE(Packed::validate(block(std::string("\x81x\x02", 3), 2)));
  EXPECT_FALSE(Packed::validate(block(std::string("\x81x\x03", 3), 1)));            // wrong backlen
  EXPECT_FALSE(Packed::validate(block(std::string("\x81" "7\x02", 3), 1)));         // an integer as text
  EXPECT_FALSE(Packed::validate(block(std::string("\xc0\x07\x02", 3), 1)));         // 7 in two bytes
  EXPECT_FALSE(Packed::validate(block(std::string("\xe0\x01x\x03", 4), 1)));        // a long head
  EXPECT_FALSE(Packed::validate(block(std::string("\xf0\xff\xff\xff\xff\x05", 6), 1)));
  EXPECT_FALSE(Packed::validate(block(std::string("\xff", 1), 1)));
  EXPECT_FALSE(Packed::validate(""));
}

TEST(Packed, GoesThroughListpackAndBack) {
  Random random(9);
  for (int round = 0; round < 100; round++) {
    Owned owned;
    for (size_t i = 0, n = random.below(30); i < n; i++) owned.packed.append(sample_text(random));
    std::string listpack(owned.packed.listpack_bytes(), 0);
    owned.packed.write_listpack(listpack.data());
    uint8_t* block = Packed::import_listpack(listpack);
    ASSERT_NE(block, nullptr);
    Owned copy{Packed(block)};
    ASSERT_EQ(whole(copy.packed), whole(owned.packed));
    EXPECT_EQ(Packed::import_listpack(Bytes(listpack).substr(1)), nullptr);
  }
  // Sound, but "7" is text and the length is unknown.
  Packed packed(Packed::import_listpack(Bytes("\x0a\x00\x00\x00\xff\xff\x81" "7\x02\xff", 10)));
  Owned owned(packed);
  EXPECT_TRUE(owned.packed.front().is_int);
  EXPECT_EQ(owned.packed.count(), 1u);
}

}  // namespace
}  // namespace vitrine
