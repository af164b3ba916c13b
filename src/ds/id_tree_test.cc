#include "ds/id_tree.h"

#include <gtest/gtest.h>

#include <map>

#include "base/memory.h"
#include "base/random.h"

namespace vitrine {
namespace {

using Model = std::map<TimeId, uint64_t>;

void compare(const IdTree& tree, const Model& model) {
  ASSERT_TRUE(tree.sound());
  ASSERT_EQ(tree.size(), model.size());
  auto c = tree.first();
  for (const auto& [id, word] : model) {
    ASSERT_TRUE(c && c->id == id && c->word == word);
    ++c;
  }
  ASSERT_FALSE(c);
  c = tree.last();
  for (auto it = model.rbegin(); it != model.rend(); ++it, --c) ASSERT_TRUE(c && c->id == it->first);
  ASSERT_FALSE(c);
}

void look_around(const IdTree& tree, const Model& model, TimeId id) {
  auto after = model.lower_bound(id);
  auto c = tree.at_or_after(id);
  ASSERT_EQ(static_cast<bool>(c), after != model.end());
  ASSERT_TRUE(!c || c->id == after->first);
  auto before = model.upper_bound(id);
  c = tree.at_or_before(id);
  ASSERT_EQ(static_cast<bool>(c), before != model.begin());
  ASSERT_TRUE(!c || c->id == std::prev(before)->first);
  c = tree.find(id);
  ASSERT_EQ(static_cast<bool>(c), model.contains(id));
}

TEST(IdTree, FollowsAModel) {
  for (uint64_t seed = 1; seed <= 12; seed++) {
    SCOPED_TRACE(seed);
    Random random(seed);
    IdTree tree;
    Model model;
    uint64_t range = seed % 3 == 0 ? 300 : 20'000;
    // Grows and shrinks in turn, mostly at the ends or anywhere.
    for (int step = 0; step < 30'000; step++) {
      bool shrinking = (step / 5000) % 2 == 1;
      TimeId id{random.below(range) / 8, random.below(8)};
      uint64_t what = random.below(10);
      if (what < (shrinking ? 3u : 7u)) {
        if (seed % 2 == 0 && !model.empty()) id = model.rbegin()->first.next();
        ASSERT_EQ(tree.insert(id, random.next()), !model.contains(id));
        auto c = tree.find(id);
        ASSERT_TRUE(c);
        model[id] = c->word;
      } else if (what < 9) {
        if (!model.empty() && random.below(3) > 0) id = model.begin()->first;
        ASSERT_EQ(tree.erase(id), model.erase(id) == 1);
      } else {
        look_around(tree, model, id);
      }
      if (step % 997 == 0) compare(tree, model);
    }
    compare(tree, model);
    while (!model.empty()) {
      auto it = random.below(2) ? model.begin() : std::prev(model.end());
      ASSERT_TRUE(tree.erase(it->first));
      model.erase(it);
      if (model.size() % 500 == 0) compare(tree, model);
    }
    EXPECT_EQ(tree.memory(), 0u);
  }
}

TEST(IdTree, TakesLittleWhenFilledInOrder) {
  memory::register_thread();
  size_t before = memory::used_bytes();
  IdTree tree;
  for (uint64_t i = 0; i < 100'000; i++) tree.insert({i, 0}, i);
  EXPECT_LT(tree.memory(), 100'000 * 26u);
  EXPECT_EQ(memory::used_bytes() - before, tree.memory());
  tree.clear();
  EXPECT_EQ(memory::used_bytes(), before);
  tree.insert({1, 1}, uint64_t{7});
  EXPECT_LE(tree.memory(), 128u);
}

TEST(IdTree, HasExtremes) {
  IdTree tree;
  EXPECT_FALSE(tree.first());
  EXPECT_FALSE(tree.last());
  EXPECT_FALSE(tree.at_or_after(TimeId::min()));
  EXPECT_FALSE(tree.erase({1, 1}));
  tree.insert(TimeId::max(), uint64_t{1});
  tree.insert(TimeId::min(), uint64_t{2});
  EXPECT_EQ(tree.at_or_before(TimeId::max())->word, 1u);
  EXPECT_EQ(tree.at_or_before(TimeId::max().prev())->word, 2u);
  EXPECT_EQ((TimeId{1, UINT64_MAX}).next(), (TimeId{2, 0}));
  EXPECT_EQ((TimeId{2, 0}).prev(), (TimeId{1, UINT64_MAX}));
}

}  // namespace
}  // namespace vitrine
