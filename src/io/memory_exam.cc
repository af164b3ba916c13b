#include "io/memory_exam.h"

#include "base/random.h"

namespace vitrine {

// `pattern` makes a function that gives the words in their order.
template <class Pattern>
bool MemoryExam::keeps(const char* name, Pattern pattern) {
  auto written = pattern();
  for (uint64_t& word : words_) word = written(&word);
  if (between) between(name);
  asm volatile("" : : "r"(words_.data()) : "memory");   // what is read comes from memory
  auto expected = pattern();
  for (size_t i = 0; i < words_.size(); i++) {
    uint64_t wanted = expected(&words_[i]), read = words_[i];
    if (read == wanted) continue;
    fault_ = {i, wanted, read, name};
    return false;
  }
  return true;
}

std::optional<MemoryExam::Fault> MemoryExam::pass(uint64_t seed) {
  auto address = [] { return [](const uint64_t* word) { return reinterpret_cast<uint64_t>(word); }; };
  auto chance = [seed](uint64_t mask) {
    return [seed, mask] {
      return [random = Random(seed), mask](const uint64_t*) mutable { return random.next() ^ mask; };
    };
  };
  auto same = [](uint64_t value) { return [value] { return [value](const uint64_t*) { return value; }; }; };
  constexpr uint64_t kEvenBits = 0x5555555555555555;
  fault_.reset();
  keeps("addresses", address) && keeps("chance", chance(0)) && keeps("chance, complemented", chance(~uint64_t{0})) &&
      keeps("zeros", same(0)) && keeps("ones", same(~uint64_t{0})) && keeps("even bits", same(kEvenBits)) &&
      keeps("odd bits", same(~kEvenBits));
  return fault_;
}

}  // namespace vitrine
