// What a command takes in RESP as clients send it:
//
//   *2\r\n$3\r\nGET\r\n$1\r\nk\r\n     GET k: 20 bytes
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/numbers.h"

namespace vitrine {

inline size_t request_size(std::span<const Bytes> argv) {
  auto header = [](size_t n) { return 3 + static_cast<size_t>(decimal_length(static_cast<uint64_t>(n))); };
  size_t bytes = header(argv.size());
  for (Bytes arg : argv) bytes += header(arg.size()) + arg.size() + 2;
  return bytes;
}

}  // namespace vitrine
