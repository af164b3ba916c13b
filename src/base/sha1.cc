#include "base/sha1.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace vitrine {

namespace {

struct Sha1 {
  uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

  void block(const uint8_t* p) {
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
      w[i] = uint32_t{p[4 * i]} << 24 | uint32_t{p[4 * i + 1]} << 16 | uint32_t{p[4 * i + 2]} << 8 | p[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
      uint32_t f = i < 20 ? ((b & c) | (~b & d)) : i >= 40 && i < 60 ? ((b & c) | (b & d) | (c & d)) : (b ^ c ^ d);
      uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
      uint32_t next = std::rotl(a, 5) + f + e + k + w[i];
      e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
  }
};

}  // namespace

void sha1_hex(Bytes text, char (&out)[kSha1HexChars]) {
  Sha1 sha;
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  size_t left = text.size();
  for (; left >= 64; p += 64, left -= 64) sha.block(p);
  uint8_t tail[128] = {};
  if (left) std::memcpy(tail, p, left);
  tail[left] = 0x80;
  size_t padded = left < 56 ? 64 : 128;
  uint64_t bits = uint64_t{text.size()} * 8;
  for (size_t i = 0; i < 8; i++) tail[padded - 1 - i] = static_cast<uint8_t>(bits >> (8 * i));
  for (size_t at = 0; at < padded; at += 64) sha.block(tail + at);
  for (size_t i = 0; i < kSha1HexChars; i++)
    out[i] = "0123456789abcdef"[(sha.state[i / 8] >> (28 - 4 * (i % 8))) & 15];
}

std::string sha1_hex(Bytes text) {
  char hex[kSha1HexChars];
  sha1_hex(text, hex);
  return {hex, sizeof hex};
}

}  // namespace vitrine
