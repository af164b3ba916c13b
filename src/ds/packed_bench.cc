#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "ds/int_set.h"
#include "ds/packed_list.h"

namespace vitrine {
namespace {

std::vector<std::string> items(size_t n) {
  std::vector<std::string> all;
  for (size_t i = 0; i < n; i++) all.push_back("item:" + std::to_string(1000000000 + i));
  return all;
}

void PackedFind(benchmark::State& state) {
  auto all = items(static_cast<size_t>(state.range(0)));
  Packed packed = Packed::create();
  for (auto& text : all) packed.append(text, "value");
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(packed.find(all[i++ % all.size()], 1));
  Packed::free(packed.block());
}
BENCHMARK(PackedFind)->Arg(5)->Arg(32)->Arg(128);

void PackedFillFiveFields(benchmark::State& state) {
  for (auto _ : state) {
    Packed packed = Packed::create();
    for (const char* field : {"field1", "field2", "field3", "field4", "field5"}) packed.append(field, "value-01");
    Packed::free(packed.block());
  }
}
BENCHMARK(PackedFillFiveFields);

void ListPushFront(benchmark::State& state) {
  auto all = items(1024);
  PackedList list;
  size_t i = 0;
  for (auto _ : state) {
    list.push_front(all[i++ & 1023]);
    if (list.size() == 10000000) list.clear();
  }
}
BENCHMARK(ListPushFront);

void ListPushBack(benchmark::State& state) {
  auto all = items(1024);
  PackedList list;
  size_t i = 0;
  for (auto _ : state) {
    list.push_back(all[i++ & 1023]);
    if (list.size() == 10000000) list.clear();
  }
}
BENCHMARK(ListPushBack);

// One in at the head, one out at the tail.
void ListQueue(benchmark::State& state) {
  auto all = items(1024);
  PackedList list;
  for (int64_t n = 0; n < state.range(0); n++) list.push_front(all[n & 1023]);
  size_t i = 0;
  for (auto _ : state) {
    list.push_front(all[i++ & 1023]);
    benchmark::DoNotOptimize(list.back());
    list.pop_back();
  }
}
BENCHMARK(ListQueue)->Arg(10)->Arg(450)->Arg(100000);

void ListRange(benchmark::State& state) {
  auto all = items(1024);
  PackedList list;
  for (size_t n = 0; n < 100000; n++) list.push_back(all[n & 1023]);
  std::vector<char> out(state.range(0) * 32);
  for (auto _ : state) {
    char* to = out.data();
    list.for_each_range(1000, static_cast<size_t>(state.range(0)), [&](const PackedValue& v) {
      char scratch[24];
      Bytes b = v.bytes(scratch);
      to = std::copy(b.begin(), b.end(), to);
    });
    benchmark::DoNotOptimize(to);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ListRange)->Arg(100)->Arg(600);

// Random index, in a list of so many.
void ListIndex(benchmark::State& state) {
  auto all = items(1024);
  PackedList list;
  for (int64_t n = 0; n < state.range(0); n++) list.push_back(all[n & 1023]);
  Random random(1);
  for (auto _ : state) benchmark::DoNotOptimize(list.at(random.below(list.size())).value());
}
BENCHMARK(ListIndex)->Arg(1000)->Arg(1000000)->Arg(10000000);

void ListInsertInTheMiddle(benchmark::State& state) {
  auto all = items(1024);
  PackedList list;
  for (int64_t n = 0; n < state.range(0); n++) list.push_back(all[n & 1023]);
  Random random(1);
  for (auto _ : state) {
    list.insert_before(list.at(random.below(list.size())), all[random.below(1024)]);
    list.erase(list.at(random.below(list.size())));
  }
  state.counters["bytes per item"] = double(list.memory_bytes()) / double(list.size());
}
BENCHMARK(ListInsertInTheMiddle)->Arg(1000)->Arg(1000000);

void IntSetContains(benchmark::State& state) {
  IntSet set = IntSet::create();
  for (int i = 0; i < 512; i++) set.insert(i * 7);
  Random random(1);
  for (auto _ : state) benchmark::DoNotOptimize(set.contains(random.below(3584)));
  IntSet::free(set.block());
}
BENCHMARK(IntSetContains);

}  // namespace
}  // namespace vitrine
