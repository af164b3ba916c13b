// MemoryExam: whether the memory of this machine keeps what is written to it (vitrine-server --test-memory): for those
// who suspect it after a crash that cannot be explained.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace vitrine {

class MemoryExam {
 public:
  struct Fault {
    size_t word;               // its index
    uint64_t written, read;
    const char* pattern;       // what was being written
  };

  explicit MemoryExam(std::span<uint64_t> words) : words_(words) {}

  // Writes each pattern over all of it and reads it back: addresses, chance and its complement, zeros, ones and both
  // checkerboards. The first fault, if there is one. `seed`: of chance, another one each time.
  std::optional<Fault> pass(uint64_t seed);

  // For tests: called between writing and reading.
  std::function<void(const char* pattern)> between;

 private:
  template <class Pattern>
  bool keeps(const char* name, Pattern pattern);

  std::span<uint64_t> words_;
  std::optional<Fault> fault_;
};

}  // namespace vitrine
