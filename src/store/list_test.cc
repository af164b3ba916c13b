#include "store/list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/random.h"
#include "store/encoding_limits.h"

namespace vitrine {
namespace {

// A list beside a std::deque that says what it must hold.
class Twin {
 public:
  explicit Twin(uint64_t seed, int64_t fill = -2, size_t plain = size_t{1} << 30) : random_(seed) {
    limits_.list_max_listpack_size = fill;
    limits_.quicklist_packed_threshold = plain;
    object_ = List::make(context());
  }
  ~Twin() { kListOps.destroy(object_); }

  // `growth`: percent of steps that add.
  void step(uint64_t growth, size_t longest) {
    object_.changes = 0;
    size_t before = model_.size();
    if (random_.below(100) < growth) add(longest);
    else if (random_.below(3) > 0) take();
    else change(longest);
    ASSERT_EQ(view().size(), model_.size());
    if (model_.size() != before) {
      ASSERT_GT(object_.changes, 0u);
    }
    if (model_.empty()) return start_anew();
    check_encoding();
    if (random_.below(20) == 0) check_ranges();
  }

  void check_all() {
    std::deque<std::string> seen;
    view().for_each(0, model_.size(), [&](const PackedValue& v) { seen.push_back(v.str()); });
    ASSERT_EQ(seen, model_);
    Value copy(kListOps.clone(object_));
    seen.clear();
    List(*copy, context()).for_each(0, model_.size(), [&](const PackedValue& v) { seen.push_back(v.str()); });
    ASSERT_EQ(seen, model_);
    ASSERT_EQ(kListOps.length(object_), model_.size());
  }

  size_t size() const { return model_.size(); }
  size_t conversions() const { return conversions_; }
  const Object& object() const { return object_; }

 private:
  TypeContext context() const { return {0, &limits_}; }
  List view() { return List(object_, context()); }
  // The keyspace removes a key whose list became empty.
  void start_anew() {
    kListOps.destroy(object_);
    object_ = List::make(context());
    encoding_ = object_.encoding;
  }
  End any_end() { return random_.below(2) ? End::left : End::right; }

  std::string random_item(size_t longest) {
    switch (random_.below(8)) {
      case 0: return (random_.below(2) ? "-" : "") + std::to_string(random_.next() >> (1 + random_.below(63)));
      case 1: return std::to_string(random_.below(20));
      case 2: return "";
      case 3: return std::string(random_.below(longest + 1), static_cast<char>('a' + random_.below(26)));
      default: return "item:" + std::to_string(random_.below(1000));
    }
  }
  // Mostly one that is there.
  std::string likely_item() {
    return model_.empty() || random_.below(5) == 0 ? random_item(20) : model_[random_.below(model_.size())];
  }

  void add(size_t longest) {
    if (random_.below(4) == 0) {
      std::string pivot = likely_item(), item = random_item(longest);
      bool after = random_.below(2);
      auto at = std::find(model_.begin(), model_.end(), pivot);
      bool found = at != model_.end();
      ASSERT_EQ(view().insert(pivot, after, item), found);
      if (found) model_.insert(after ? at + 1 : at, item);
      return;
    }
    std::vector<std::string> items(1 + (random_.below(3) ? 0 : random_.below(kMostPushed)));
    for (std::string& item : items) item = random_item(longest);
    std::vector<Bytes> views(items.begin(), items.end());
    End end = any_end();
    view().push(end, views);
    for (auto& item : items) end == End::left ? model_.push_front(item) : model_.push_back(item);
  }

  void take() {
    if (model_.empty()) return;
    size_t n = random_.below(4) ? 1 : random_.below(model_.size() + 1);
    if (n > 20 && random_.below(4)) n = 20;
    End end = any_end();
    ASSERT_EQ(view().peek(end).str(), end == End::left ? model_.front() : model_.back());
    view().pop(end, n);
    if (end == End::left) model_.erase(model_.begin(), model_.begin() + static_cast<ptrdiff_t>(n));
    else model_.erase(model_.end() - static_cast<ptrdiff_t>(n), model_.end());
  }

  void change(size_t longest) {
    switch (random_.below(4)) {
      case 0: return remove();
      case 1: return random_.below(8) == 0 ? keep() : void();
      default: return set(longest);
    }
  }

  void set(size_t longest) {
    int64_t size = static_cast<int64_t>(model_.size());
    int64_t index = static_cast<int64_t>(random_.below(model_.size() * 2 + 4)) - size - 2;
    std::string item = random_item(longest);
    bool there = index >= -size && index < size;
    ASSERT_EQ(view().replace(index, item), there) << index << " of " << size;
    if (there) model_[static_cast<size_t>(index < 0 ? index + size : index)] = item;
    ASSERT_EQ(view().at(index).has_value(), there);
    if (there) {
      ASSERT_EQ(view().at(index)->str(), item);
    }
  }

  void remove() {
    std::string item = likely_item();
    size_t most = random_.below(3) ? 1 + random_.below(3) : SIZE_MAX, removed = 0;
    End from = any_end();
    std::deque<std::string> left;
    if (from == End::right) std::reverse(model_.begin(), model_.end());
    for (auto& each : model_) {
      bool goes = each == item && removed < most;
      removed += goes;
      if (!goes) left.push_back(each);
    }
    if (from == End::right) std::reverse(left.begin(), left.end());
    model_ = left;
    ASSERT_EQ(view().remove(item, most, from), removed);
    ASSERT_EQ(object_.changes, removed);
  }

  void keep() {
    size_t index = random_.below(model_.size() + 1), n = random_.below(model_.size() - index + 1);
    view().keep(index, n);
    auto first = model_.begin() + static_cast<ptrdiff_t>(index);
    model_ = std::deque<std::string>(first, first + static_cast<ptrdiff_t>(n));
  }

  void check_ranges() {
    if (model_.empty()) return;
    size_t index = random_.below(model_.size()), n = random_.below(model_.size() - index + 1), i = index;
    view().for_each(index, n, [&](const PackedValue& v) { ASSERT_EQ(v.str(), model_[i++]); });
    ASSERT_EQ(i, index + n);
    size_t back = random_.below(index + 2), seen = 0;
    view().for_each_backwards(index, std::min(back, index + 1),
                              [&](const PackedValue& v) { ASSERT_EQ(v.str(), model_[index - seen++]); });
    ASSERT_EQ(seen, std::min(back, index + 1));
  }

  // A listpack holds what a node may hold; the heads of the items that came last do not count.
  void check_encoding() {
    if (object_.encoding != encoding_) conversions_++;
    encoding_ = object_.encoding;
    bool packed = kListOps.encoding_name(object_) == Bytes("listpack");
    ASSERT_EQ(packed, object_.encoding == List::kPacked);
    int64_t fill = limits_.list_max_listpack_size;
    if (packed && fill > 0) {
      ASSERT_LE(model_.size(), static_cast<size_t>(fill));
    }
    if (packed && fill < 0) {
      ASSERT_LE(Packed(object_.as<uint8_t>()).listpack_bytes(), (size_t{4096} << (-fill - 1)) + 10 * kMostPushed);
    }
  }

  static constexpr size_t kMostPushed = 12;

  Random random_;
  EncodingLimits limits_;
  Object object_;
  std::deque<std::string> model_;
  uint8_t encoding_ = List::kPacked;
  size_t conversions_ = 0;
};

struct Shape {
  int64_t fill;
  size_t plain, longest;
};

class ListModel : public testing::TestWithParam<Shape> {};

TEST_P(ListModel, BehavesAsADeque) {
  Shape shape = GetParam();
  for (uint64_t seed = 1; seed <= 8; seed++) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " fill " << shape.fill);
    Twin twin(seed, shape.fill, shape.plain);
    // Growth, a time of balance, shrinking to nothing, and again.
    for (uint64_t growth : {70, 45, 20, 60, 15}) {
      for (int i = 0; i < 1500; i++) {
        twin.step(growth, shape.longest);
        if (HasFatalFailure()) return;
      }
      twin.check_all();
    }
    // Where items are small to the node, the list has gone both ways.
    if (shape.fill == 4 || shape.longest > 1000) {
      EXPECT_GE(twin.conversions(), 2u);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(NodeSizes, ListModel,
                         testing::Values(Shape{-2, size_t{1} << 30, 300}, Shape{-1, size_t{1} << 30, 300},
                                         Shape{-5, size_t{1} << 30, 9000}, Shape{1, size_t{1} << 30, 30},
                                         Shape{4, size_t{1} << 30, 30}, Shape{128, size_t{1} << 30, 10000},
                                         Shape{-2, 64, 300}, Shape{-2, size_t{1} << 30, 20000}));

// ---- encodings ----

struct Plain {
  explicit Plain(int64_t fill = -2) {
    limits.list_max_listpack_size = fill;
    object = List::make({0, &limits});
  }
  ~Plain() { kListOps.destroy(object); }
  List view() { return List(object, {0, &limits}); }
  Bytes encoding() const { return kListOps.encoding_name(object); }
  void push(size_t n, Bytes item = "x") {
    for (size_t i = 0; i < n; i++) view().push(End::right, item);
  }

  EncodingLimits limits;
  Object object;
};

TEST(List, BecomesAQuicklistWithTheItemThatIsOneTooMany) {
  Plain list(128);
  list.push(128);
  EXPECT_EQ(list.encoding(), "listpack");
  list.push(1);
  EXPECT_EQ(list.encoding(), "quicklist");
}

TEST(List, BecomesAListpackAgainAtHalfOfTheLimit) {
  Plain list(128);
  list.push(129);
  list.view().pop(End::right, 64);
  EXPECT_EQ(list.encoding(), "quicklist");
  list.view().pop(End::right);
  EXPECT_EQ(list.encoding(), "listpack");
  EXPECT_EQ(list.view().size(), 64u);
}

TEST(List, CountsBytesWhereTheLimitIsASize) {
  Plain list(-1);
  std::string item(1000, 'v');
  list.push(4, item);
  EXPECT_EQ(list.encoding(), "listpack");
  list.push(1, item);
  EXPECT_EQ(list.encoding(), "quicklist");
}

TEST(List, HoldsItemsLargerThanANode) {
  Plain list;
  std::string huge(3 << 20, 'h');
  list.push(3, "small");
  list.view().push(End::left, huge);
  list.view().insert("small", false, huge + "2");
  EXPECT_EQ(list.encoding(), "quicklist");
  EXPECT_EQ(list.view().at(0)->str(), huge);
  EXPECT_EQ(list.view().at(1)->str(), huge + "2");
  EXPECT_TRUE(list.view().replace(0, "tiny"));
  EXPECT_EQ(list.view().remove(huge + "2", 1, End::right), 1u);
  EXPECT_EQ(list.encoding(), "listpack");
  EXPECT_EQ(list.view().size(), 4u);
}

TEST(List, AccountsForItsMemory) {
  Plain list;
  list.push(100000, "fifteen bytes..");
  size_t bytes = kListOps.memory(list.object, 0);
  EXPECT_LE(bytes, 100000 * 175 / 10);
  EXPECT_GE(bytes, 100000u * 17);
  list.view().keep(10, 5);
  EXPECT_LE(kListOps.memory(list.object, 0), 256u);
}

TEST(List, StopsWhenToldInBothDirections) {
  for (int64_t fill : {-2, 4}) {
    Plain list(fill);
    for (int i = 0; i < 100; i++) list.view().push(End::right, std::to_string(i));
    std::vector<int64_t> seen;
    auto visit = [&](const PackedValue& v) {
      seen.push_back(v.number);
      return seen.size() < 3;
    };
    list.view().for_each(50, 50, visit);
    EXPECT_EQ(seen, (std::vector<int64_t>{50, 51, 52}));
    seen.clear();
    list.view().for_each_backwards(2, 3, visit);
    EXPECT_EQ(seen, (std::vector<int64_t>{2, 1, 0}));
  }
}

}  // namespace
}  // namespace vitrine
