// Each operation alone, on trees of 17-byte members: 100 thousand and 1 million, inserted in random or ascending order.
#include "ds/order_tree.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "base/random.h"

namespace vitrine {
namespace {

enum Order : int64_t { random_scores, ascending_scores, equal_scores };

ZMember* make_member(uint64_t number, double score) {
  char bytes[32];
  int n = std::snprintf(bytes, sizeof bytes, "member:%010llu", static_cast<unsigned long long>(number));
  return ZMember::create(Bytes(bytes, n), score);
}

struct Filled {
  Filled(uint64_t n, Order order) {
    for (uint64_t i = 0; i < n; i++) {
      double score = order == random_scores ? random.unit() : order == ascending_scores ? static_cast<double>(i) : 0;
      members.push_back(make_member(i, score));
    }
    // In memory they stand in the order of arrival, which is not the order of bytes.
    if (order == equal_scores)
      for (uint64_t i = n - 1; i > 0; i--) std::swap(members[i], members[random.below(i + 1)]);
  }
  ~Filled() {
    for (ZMember* member : members) ZMember::destroy(member);
  }
  void fill() {
    for (ZMember* member : members) tree.insert(member);
  }
  ZMember* pick() { return members[random.below(members.size())]; }
  double bytes_per_member() const {
    return static_cast<double>(tree.memory_bytes()) / static_cast<double>(tree.count());
  }

  Random random{1};
  std::vector<ZMember*> members;
  OrderTree tree;
};

void fill(benchmark::State& state) {
  Filled filled(state.range(0), static_cast<Order>(state.range(1)));
  for (auto _ : state) {
    filled.tree.clear();
    filled.fill();
  }
  state.counters["bytes/member"] = filled.bytes_per_member();
  auto inserted = static_cast<double>(state.iterations() * state.range(0));
  state.counters["s/member"] =
      benchmark::Counter(inserted, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// A member leaves and comes back with the same score.
void erase_and_insert(benchmark::State& state) {
  Filled filled(state.range(0), static_cast<Order>(state.range(1)));
  filled.fill();
  for (auto _ : state) {
    ZMember* member = filled.pick();
    filled.tree.erase(member);
    filled.tree.insert(member);
  }
  state.counters["bytes/member"] = filled.bytes_per_member();
}

void update_far(benchmark::State& state) {
  Filled filled(state.range(0), random_scores);
  filled.fill();
  for (auto _ : state) filled.tree.update(filled.pick(), filled.random.unit());
  state.counters["bytes/member"] = filled.bytes_per_member();
}

void update_near(benchmark::State& state) {
  Filled filled(state.range(0), ascending_scores);
  filled.fill();
  for (auto _ : state) {
    ZMember* member = filled.pick();
    filled.tree.update(member, member->score() + 1.5);
  }
}

void rank(benchmark::State& state) {
  Filled filled(state.range(0), static_cast<Order>(state.range(1)));
  filled.fill();
  for (auto _ : state) benchmark::DoNotOptimize(filled.tree.rank_of(filled.pick()));
}

void range_of_ten(benchmark::State& state) {
  Filled filled(state.range(0), random_scores);
  filled.fill();
  size_t total = 0;
  for (auto _ : state) {
    OrderTree::for_each(filled.tree.at_rank(filled.random.below(state.range(0))), 10,
                        [&](double, const ZMember* member) { total += member->bytes().size(); });
  }
  benchmark::DoNotOptimize(total);
}

void walk_all(benchmark::State& state) {
  Filled filled(state.range(0), random_scores);
  filled.fill();
  size_t total = 0;
  for (auto _ : state) {
    OrderTree::for_each(filled.tree.begin(), filled.tree.count(),
                        [&](double, const ZMember* member) { total += member->bytes().size(); });
  }
  benchmark::DoNotOptimize(total);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void sizes_and_orders(benchmark::internal::Benchmark* bench) {
  for (int64_t n : {100'000, 1'000'000})
    for (int64_t order : {random_scores, ascending_scores, equal_scores}) bench->Args({n, order});
}

BENCHMARK(fill)->Apply(sizes_and_orders)->Unit(benchmark::kMillisecond)->MinTime(0.1);
BENCHMARK(erase_and_insert)->Apply(sizes_and_orders)->MinTime(0.1);
BENCHMARK(update_far)->Arg(100'000)->Arg(1'000'000)->MinTime(0.1);
BENCHMARK(update_near)->Arg(100'000)->Arg(1'000'000)->MinTime(0.1);
BENCHMARK(rank)->Apply(sizes_and_orders)->MinTime(0.1);
BENCHMARK(range_of_ten)->Arg(100'000)->Arg(1'000'000)->MinTime(0.1);
BENCHMARK(walk_all)->Arg(100'000)->Arg(1'000'000)->MinTime(0.1);

}  // namespace
}  // namespace vitrine
