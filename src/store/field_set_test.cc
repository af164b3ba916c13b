#include "store/field_set.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/memory.h"

namespace vitrine {
namespace {

std::vector<std::string> some_names(size_t n) {
  std::vector<std::string> names;
  for (size_t i = 0; i < n; i++) names.push_back(i % 7 == 3 ? std::to_string(i) : "name-" + std::string(i % 50, 'x') +
                                                                                      std::to_string(i));
  return names;
}

TEST(FieldSet, FindsEveryNameAndNoOther) {
  memory::register_thread();
  for (size_t n : {1, 2, 7, 8, 9, 10, 100, 3000}) {
    SCOPED_TRACE(n);
    auto names = some_names(n);
    std::vector<Bytes> views(names.begin(), names.end());
    size_t before = memory::used_bytes();
    FieldSetRef set(FieldSet::make(views));
    ASSERT_TRUE(set);
    size_t held = memory::used_bytes() - before;
#ifdef VITRINE_SANITIZED
    held = memory::good_size(held);    // what is asked for counts, not what it takes
#endif
    EXPECT_EQ(set->memory(), held);
    EXPECT_EQ(set->count(), n);
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
      EXPECT_EQ(set->name(i), names[i]);
      EXPECT_EQ(set->find(names[i]), i);
      longest = std::max(longest, names[i].size());
    }
    EXPECT_EQ(set->longest(), longest);
    EXPECT_EQ(set->find("nosuch"), FieldSet::kNone);
    EXPECT_EQ(set->find(""), FieldSet::kNone);
    set = FieldSetRef();
    EXPECT_EQ(memory::used_bytes(), before);
  }
}

TEST(FieldSet, RefusesTwins) {
  for (size_t n : {2, 8, 9, 500}) {
    auto names = some_names(n);
    for (size_t twin = 1; twin < n; twin += 1 + n / 10) {
      std::vector<Bytes> views(names.begin(), names.end());
      views[twin] = views[twin - 1];
      EXPECT_EQ(FieldSet::make(views), nullptr);
    }
  }
}

TEST(FieldSet, LivesAsLongAsItsLastReference) {
  memory::register_thread();
  size_t before = memory::used_bytes();
  const Bytes names[] = {"a", ""};
  FieldSet* set = FieldSet::make(names);
  set->retain();
  set->release();
  EXPECT_EQ(set->references(), 1u);
  EXPECT_EQ(set->find(""), 1u);
  set->release();
  EXPECT_EQ(memory::used_bytes(), before);
}

}  // namespace
}  // namespace vitrine
