// The compact encodings of older snapshot files, read once and turned into ours. Bytes are untrusted.
//
//   ziplist  [bytes: u32][offset of the last entry: u32][count: u16, 65535 unknown] entry ... 0xff
//   entry    [size of the entry before: 1 byte, or 0xfe and u32][head][bytes]
//     head   00nnnnnn | 01nnnnnn +1 | 10000000 + 4: string of that many bytes (big endian)
//            0xc0 int16, 0xd0 int32, 0xe0 int64, 0xf0 int24, 0xfe int8, 0xf1 to 0xfd: 0 to 12
//   zipmap   [count, from 254 on unknown] { [length][field][length][unused: 1 byte][value] unused bytes }* 0xff
//     length one byte up to 253, or 254 and u32
#pragma once

#include <functional>

#include "ds/packed.h"

namespace vitrine {

// Each calls visit(const PackedValue&) for every element, for fields and values in turn, until it returns false.
// False when the bytes are broken, or `visit` said so; then some elements may have been visited.
using VisitElement = std::function<bool(const PackedValue&)>;
bool read_ziplist(Bytes data, const VisitElement& visit);
bool read_zipmap(Bytes data, const VisitElement& visit);

}  // namespace vitrine
