// For tests: texts around every limit of the packed format.
#pragma once

#include <string>

#include "base/random.h"

namespace vitrine {

inline std::string sample_integer(Random& random) {
  static constexpr int64_t kEdges[] = {0,     127,       128,       4095,       4096,       -4096,     -4097,
                                       32767, 32768,     -32768,    -32769,     8388607,    8388608,   -8388608,
                                       -8388609, 2147483647, 2147483648, -2147483648LL, -2147483649LL,
                                       INT64_MAX, INT64_MIN};
  switch (random.below(3)) {
    case 0: return std::to_string(kEdges[random.below(std::size(kEdges))]);
    case 1: return std::to_string(static_cast<int64_t>(random.below(1000)) - 200);
    default: return std::to_string(static_cast<int64_t>(random.next()) >> random.below(64));
  }
}

inline std::string sample_text(Random& random, size_t longest = 20000) {
  static const char* const kAlmostIntegers[] = {"", "-", "-0", "007", "+1", "1.0", " 1", "9223372036854775808",
                                                "-9223372036854775809", "18446744073709551616"};
  static constexpr size_t kLengths[] = {63, 64, 125, 126, 127, 128, 4095, 4096, 16378, 16379, 16384, 20000};
  size_t length = random.below(24);
  switch (random.below(12)) {
    case 0: case 1: case 2: case 3: return sample_integer(random);
    case 4: return kAlmostIntegers[random.below(std::size(kAlmostIntegers))];
    case 5: length = random.below(200); break;
    case 6: length = random.below(8) ? length : kLengths[random.below(std::size(kLengths))]; break;
    default: break;
  }
  std::string text(std::min(length, longest), 'x');
  for (size_t i = 0; i < std::min<size_t>(text.size(), 8); i++) text[i] = static_cast<char>(random.next());
  return text;
}

}  // namespace vitrine
