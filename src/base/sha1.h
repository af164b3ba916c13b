// SHA-1 (FIPS 180-4): the names of scripts. Not for secrets.
#pragma once

#include "base/bytes.h"

namespace vitrine {

constexpr size_t kSha1HexChars = 40;
// In lower case, without a terminating zero.
void sha1_hex(Bytes text, char (&out)[kSha1HexChars]);
std::string sha1_hex(Bytes text);

}  // namespace vitrine
