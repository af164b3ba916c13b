// LOLWUT's drawing: a cabinet of glass (a vitrine) divided at random into compartments, some of which hold something.
#pragma once

#include <cstdint>
#include <string>

namespace vitrine {

// The same for the same seed. Sizes are brought into [8, 160] columns and [4, 60] rows.
std::string draw_cabinet(uint64_t seed, int64_t columns, int64_t rows);

}  // namespace vitrine
