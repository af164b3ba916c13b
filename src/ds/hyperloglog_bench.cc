// All registers of a HyperLogLog at once: merged, written and counted, with SIMD and without.
#include "ds/hyperloglog.h"

#include <benchmark/benchmark.h>

#include <memory>
#include <string>

namespace vitrine::hll {
namespace {

std::unique_ptr<Registers> registers_of(int elements) {
  auto registers = std::make_unique<Registers>();
  registers->clear();
  for (int i = 0; i < elements; i++) {
    Mark mark = mark_of(std::to_string(i));
    registers->ranks[mark.index] = std::max(registers->ranks[mark.index], mark.rank);
  }
  return registers;
}

std::string packed_of(const Registers& registers) {
  std::string packed(kPackedBytes, '\0');
  registers.write_packed(packed.data());
  return packed;
}

void merge(benchmark::State& state) {
  auto registers = registers_of(100'000);
  std::string packed = packed_of(*registers);
  for (auto _ : state) {
    if (state.range(0)) registers->merge_packed(packed.data());
    else merge_packed_plainly(registers->ranks, packed.data());
    benchmark::DoNotOptimize(registers->ranks[0]);
  }
}
BENCHMARK(merge)->ArgName("simd")->Arg(0)->Arg(1);

void write(benchmark::State& state) {
  auto registers = registers_of(100'000);
  std::string packed = packed_of(*registers);
  for (auto _ : state) {
    if (state.range(0)) registers->write_packed(packed.data());
    else write_packed_plainly(registers->ranks, packed.data());
    benchmark::DoNotOptimize(packed[0]);
  }
}
BENCHMARK(write)->ArgName("simd")->Arg(0)->Arg(1);

void count(benchmark::State& state) {
  std::string packed = packed_of(*registers_of(100'000));
  for (auto _ : state) benchmark::DoNotOptimize(estimate(histogram_of_packed(packed.data())));
}
BENCHMARK(count);

void mark(benchmark::State& state) {
  uint64_t n = 0;
  for (auto _ : state) benchmark::DoNotOptimize(mark_of({reinterpret_cast<const char*>(&++n), 8}));
}
BENCHMARK(mark);

}  // namespace
}  // namespace vitrine::hll
