// SHA-256 (FIPS 180-4) of a password, as ACL files and ACL LIST show it.
#pragma once

#include <string>

#include "base/bytes.h"

namespace vitrine {

// 64 hexadecimal digits in lower case.
std::string sha256_hex(Bytes text);

}  // namespace vitrine
