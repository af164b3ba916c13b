// CRC-64 as snapshot files use it: the polynomial of W. D. Jones, 0xad93d23594c935a9, bits reflected, start and end
// without inversion. crc64(0, "123456789") is 0xe9c6d914c4b8d9ca.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace vitrine {

// Of what `crc` stands for followed by `data`.
uint64_t crc64(uint64_t crc, Bytes data);

}  // namespace vitrine
