#include "wire/crc64.h"

#include <array>
#include <cstring>

namespace vitrine {

namespace {

constexpr uint64_t kReflected = 0x95ac9329ac4bc9b5;
constexpr int kLanes = 16;  // bytes taken at once

struct Tables {
  // [lane][byte]: what a byte that many places before the end of a step contributes.
  std::array<std::array<uint64_t, 256>, kLanes> lane{};

  constexpr Tables() {
    for (unsigned byte = 0; byte < 256; byte++) {
      uint64_t crc = byte;
      for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? kReflected : 0);
      lane[0][byte] = crc;
    }
    for (int i = 1; i < kLanes; i++)
      for (unsigned byte = 0; byte < 256; byte++)
        lane[i][byte] = lane[i - 1][byte] >> 8 ^ lane[0][lane[i - 1][byte] & 255];
  }
};
const Tables tables;

}  // namespace

uint64_t crc64(uint64_t crc, Bytes data) {
  const auto& lane = tables.lane;
  const char* p = data.data();
  size_t n = data.size();
  for (; n >= kLanes; n -= kLanes, p += kLanes) {
    uint64_t a, b;
    std::memcpy(&a, p, 8);
    std::memcpy(&b, p + 8, 8);
    a ^= crc;
    crc = 0;
    for (int i = 0; i < 8; i++) {
      crc ^= lane[15 - i][a >> 8 * i & 255];
      crc ^= lane[7 - i][b >> 8 * i & 255];
    }
  }
  for (; n > 0; n--, p++) crc = crc >> 8 ^ lane[0][(crc ^ static_cast<uint8_t>(*p)) & 255];
  return crc;
}

}  // namespace vitrine
