#include "ds/hyperloglog.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "ds/hll_sparse.h"

namespace vitrine::hll {
namespace {

// What a sketch should hold: one rank for each register.
using Model = std::vector<uint8_t>;

Mark random_mark(Random& random, uint32_t registers, uint8_t ranks) {
  return {static_cast<uint32_t>(random.below(registers)), static_cast<uint8_t>(1 + random.below(ranks))};
}

Model model_of(const Registers& registers) { return Model(registers.ranks, registers.ranks + kRegisters); }

Model model_of(Bytes sketch) {
  auto registers = std::make_unique<Registers>();
  registers->clear();
  EXPECT_TRUE(registers->merge(sketch));
  return model_of(*registers);
}

// Read bit by bit.
uint8_t slow_get(Bytes packed, uint32_t index) {
  unsigned rank = 0;
  for (uint32_t i = 0; i < 6; i++) {
    uint32_t bit = index * 6 + i;
    rank |= (static_cast<uint8_t>(packed[bit / 8]) >> bit % 8 & 1u) << i;
  }
  return static_cast<uint8_t>(rank);
}

std::string sparse_of(std::initializer_list<int> runs) {
  std::string sketch(kHeader, '\0');
  write_header(sketch.data(), kSparse);
  for (int byte : runs) sketch += static_cast<char>(byte);
  return sketch;
}

TEST(HyperLogLog, MarksAsRedisDoes) {
  // Taken from PFDEBUG DECODE of Redis 7.0.15.
  struct Known {
    Bytes element;
    uint32_t index;
    uint8_t rank;
  };
  for (auto [element, index, rank] : {Known{"a", 12711, 2}, Known{"b", 15780, 1}, Known{"", 5938, 2},
                                      Known{"hello", 9216, 1}, Known{"eight by", 6374, 4},
                                      Known{"more than eight bytes", 28, 2}}) {
    Mark mark = mark_of(element);
    EXPECT_EQ(mark.index, index) << element;
    EXPECT_EQ(mark.rank, rank) << element;
  }
}

TEST(HyperLogLog, RanksAreDistributedByHalves) {
  std::map<int, int> ranks;
  for (int i = 0; i < 100'000; i++) {
    Mark mark = mark_of(std::to_string(i));
    ASSERT_LT(mark.index, kRegisters);
    ASSERT_TRUE(mark.rank >= 1 && mark.rank <= kMaxRank);
    ranks[mark.rank]++;
  }
  for (int rank = 1; rank <= 6; rank++) EXPECT_NEAR(ranks[rank], 100'000 >> rank, 1000) << rank;
}

TEST(HyperLogLog, PackedRegistersAgreeWithTheModel) {
  constexpr uint64_t kSeed = 21;
  Random random(kSeed);
  Model model(kRegisters, 0);
  std::string packed(kPackedBytes, '\0');
  auto registers = std::make_unique<Registers>();
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 3000; i++) {
      Mark mark = random_mark(random, kRegisters, 63);
      set(packed.data(), mark.index, mark.rank);
      model[mark.index] = mark.rank;
    }
    for (uint32_t i = 0; i < kRegisters; i++) {
      ASSERT_EQ(get(packed.data(), i), model[i]) << i << ", seed " << kSeed;
      ASSERT_EQ(slow_get(packed, i), model[i]) << i;
    }
    registers->clear();
    registers->merge_packed(packed.data());
    ASSERT_EQ(model_of(*registers), model);
    std::string again(kPackedBytes, 'x');
    registers->write_packed(again.data());
    ASSERT_EQ(again, packed);
    registers->clear();
    merge_packed_plainly(registers->ranks, packed.data());
    ASSERT_EQ(model_of(*registers), model);
    again.assign(kPackedBytes, 'x');
    write_packed_plainly(registers->ranks, again.data());
    ASSERT_EQ(again, packed);
    Histogram counted{};
    for (uint8_t rank : model) counted[rank]++;
    EXPECT_EQ(histogram(*registers), counted);
    EXPECT_EQ(histogram_of_packed(packed.data()), counted);
  }
}

TEST(HyperLogLog, MergingTakesTheHigherRank) {
  constexpr uint64_t kSeed = 22;
  Random random(kSeed);
  Model model(kRegisters, 0);
  auto registers = std::make_unique<Registers>();
  registers->clear();
  for (int round = 0; round < 10; round++) {
    std::string packed(kPackedBytes, '\0');
    for (int i = 0; i < 5000; i++) {
      Mark mark = random_mark(random, kRegisters, kMaxRank);
      set(packed.data(), mark.index, mark.rank);
    }
    for (uint32_t i = 0; i < kRegisters; i++) model[i] = std::max(model[i], slow_get(packed, i));
    registers->merge_packed(packed.data());
    ASSERT_EQ(model_of(*registers), model) << "seed " << kSeed;
  }
}

// Random marks in a sparse sketch: its registers are those of the model, its bytes only as many as the limit allows.
void raise_at_random(uint64_t seed, uint32_t registers, uint8_t ranks, size_t limit, int steps) {
  Random random(seed);
  Model model(kRegisters, 0);
  std::string sketch(SparseEdit(Bytes()).sketch());
  for (int i = 0; i < steps;) {
    // Several changes in one edit, then the bytes are read again.
    SparseEdit edit(sketch);
    for (uint64_t n = random.below(6); i < steps && n > 0; n--, i++) {
      Mark mark = random_mark(random, registers, ranks);
      auto outcome = edit.raise(mark, limit);
      if (model[mark.index] >= mark.rank) {
        ASSERT_EQ(outcome, SparseEdit::Outcome::unchanged) << "seed " << seed << ", step " << i;
      } else if (outcome == SparseEdit::Outcome::too_long) {
        ASSERT_TRUE(mark.rank > kMaxSparseRank || edit.sketch().size() + 4 > limit);
      } else {
        ASSERT_EQ(outcome, SparseEdit::Outcome::changed) << "seed " << seed << ", step " << i;
        model[mark.index] = mark.rank;
      }
    }
    sketch = std::string(edit.sketch());
    ASSERT_TRUE(looks_valid(sketch));
    ASSERT_LE(sketch.size(), std::max<size_t>(limit, 18));
    if (i % 10 == 0) {
      ASSERT_EQ(model_of(sketch), model) << "seed " << seed << ", step " << i;
    }
    i++;
  }
  ASSERT_EQ(model_of(sketch), model);
}

TEST(HyperLogLog, SparseAgreesWithTheModel) {
  raise_at_random(31, kRegisters, 32, SIZE_MAX, 3000);
  raise_at_random(32, 40, 3, SIZE_MAX, 1000);
  raise_at_random(33, 400, 5, SIZE_MAX, 2000);
  raise_at_random(34, kRegisters, kMaxRank, 3000, 3000);
  raise_at_random(35, 200, 4, 100, 1000);
  raise_at_random(36, kRegisters, 32, 0, 100);
}

// Runs of every kind in any order, where the second byte of a long run may look like the first of another.
std::string random_sketch(Random& random) {
  std::string sketch = sparse_of({});
  uint64_t long_ones = random.below(100);
  for (uint32_t left = kRegisters; left > 0;) {
    uint64_t longest = random.below(4) ? 300 : kRegisters;
    bool is_long = random.below(100) < long_ones, is_ranked = !is_long && random.below(2);
    uint32_t most = is_long ? static_cast<uint32_t>(longest) : is_ranked ? 4 : 64;
    uint32_t length = std::min(left, 1 + static_cast<uint32_t>(random.below(most)));
    uint32_t l = length - 1;
    if (is_long) sketch += static_cast<char>(0x40 | l >> 8);
    sketch += static_cast<char>(is_ranked ? 0x80 | random.below(32) << 2 | l : l);
    left -= length;
  }
  return sketch;
}

TEST(HyperLogLog, FindsRegistersInRunsOfAnyOrder) {
  for (uint64_t seed = 1; seed <= 300; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::string sketch = random_sketch(random);
    auto model = model_of(sketch);
    for (int i = 0; i < 20; i++) {
      SparseEdit edit(sketch);
      Mark mark{static_cast<uint32_t>(random.below(kRegisters)), static_cast<uint8_t>(1 + random.below(32))};
      bool lower = model[mark.index] < mark.rank;
      ASSERT_EQ(edit.raise(mark, SIZE_MAX), lower ? SparseEdit::Outcome::changed : SparseEdit::Outcome::unchanged);
      if (!lower) continue;
      auto raised = model;
      raised[mark.index] = mark.rank;
      ASSERT_EQ(model_of(std::string(edit.sketch())), raised);
    }
    // Cut or with a run too many, it is refused whatever is raised.
    for (const std::string& bad : {sketch.substr(0, sketch.size() - 1), sketch + '\0', sketch + "\x7f"}) {
      uint32_t first = 0;
      while (model[first] != 0) first++;
      ASSERT_EQ(SparseEdit(bad).raise({first, 1}, SIZE_MAX), SparseEdit::Outcome::corrupt);
    }
  }
}

TEST(HyperLogLog, EqualNeighboursAreJoined) {
  SparseEdit edit{Bytes()};
  for (uint32_t i : {5u, 7u, 6u, 8u, 9u}) edit.raise({i, 3}, SIZE_MAX);
  EXPECT_EQ(text_of_runs(body(edit.sketch())), "z:5 v:3,4 v:3,1 Z:16374");
  edit.raise({6, 32}, SIZE_MAX);
  EXPECT_EQ(text_of_runs(body(edit.sketch())), "z:5 v:3,1 v:32,1 v:3,3 Z:16374");
  EXPECT_EQ(edit.raise({6, 33}, SIZE_MAX), SparseEdit::Outcome::too_long);
  EXPECT_EQ(edit.raise({6, 31}, SIZE_MAX), SparseEdit::Outcome::unchanged);
}

TEST(HyperLogLog, RefusesCorruptSketches) {
  EXPECT_FALSE(looks_valid(""));
  EXPECT_FALSE(looks_valid("HYLL"));
  EXPECT_FALSE(looks_valid(std::string("HYLL") + std::string(12, '\0')));      // dense, without registers
  EXPECT_FALSE(looks_valid("HYLL\2" + std::string(11, '\0')));
  EXPECT_TRUE(looks_valid(std::string("HYLL") + std::string(kDenseBytes - 4, '\0')));
  EXPECT_FALSE(looks_valid(std::string("HYLL") + std::string(kDenseBytes - 3, '\0')));
  auto registers = std::make_unique<Registers>();
  for (const std::string& sketch :
       {sparse_of({}), sparse_of({0x7f}), sparse_of({0x7f, 0xfe}), sparse_of({0x7f, 0xff, 0}),
        sparse_of({0x7f, 0xfe, 0x81}), sparse_of({0x7f, 0xff, 0x7f, 0xff})}) {
    registers->clear();
    EXPECT_FALSE(registers->merge(sketch));
    Histogram unused;
    EXPECT_FALSE(histogram_of_runs(body(sketch), unused));
    EXPECT_EQ(SparseEdit(sketch).raise({3, 5}, SIZE_MAX), SparseEdit::Outcome::corrupt);
  }
  // Longer than any that is valid.
  std::string endless = sparse_of({}) + std::string(200'000, '\x40');
  EXPECT_EQ(SparseEdit(endless).raise({3, 5}, SIZE_MAX), SparseEdit::Outcome::corrupt);
}

TEST(HyperLogLog, KnowsItsEstimate) {
  std::string sketch = sparse_of({0x7f, 0xff});
  EXPECT_FALSE(estimate_is_known(sketch));
  remember_estimate(sketch.data(), 123456789012);
  EXPECT_TRUE(estimate_is_known(sketch));
  EXPECT_EQ(known_estimate(sketch), 123456789012u);
  forget_estimate(sketch.data());
  EXPECT_FALSE(estimate_is_known(sketch));
}

TEST(HyperLogLog, EstimatesAreNearTheTruth) {
  auto registers = std::make_unique<Registers>();
  registers->clear();
  EXPECT_EQ(estimate(histogram(*registers)), 0u);
  uint64_t next = 1;
  for (uint64_t n = 1; n <= 1'000'000; n++) {
    uint64_t element = n * 0x9e3779b97f4a7c15;
    Mark mark = mark_of({reinterpret_cast<const char*>(&element), 8});
    registers->ranks[mark.index] = std::max(registers->ranks[mark.index], mark.rank);
    if (n != next) continue;
    double error = static_cast<double>(estimate(histogram(*registers))) / static_cast<double>(n) - 1;
    EXPECT_LT(std::abs(error), n < 100 ? 0.001 : 0.03) << n;
    next = next * 3 + 1;
  }
}

TEST(HyperLogLog, ExtremeRegistersGiveANumber) {
  auto registers = std::make_unique<Registers>();
  std::memset(registers->ranks, kMaxRank, kRegisters);
  EXPECT_TRUE(possible(*registers));
  EXPECT_TRUE(possible(histogram(*registers)));
  EXPECT_EQ(estimate(histogram(*registers)), uint64_t{1} << 62);
  registers->ranks[77] = kMaxRank + 1;
  EXPECT_FALSE(possible(*registers));
  EXPECT_FALSE(possible(histogram(*registers)));
}

}  // namespace
}  // namespace vitrine::hll
