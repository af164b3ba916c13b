// What one key costs, and the strings that make up its value.
#pragma once

#include <functional>

#include "store/database.h"

namespace vitrine {

// Bytes of the entry, of what its value points to (sampling at most `samples` elements, 0: all), and its share of the
// table and of the expiry index.
size_t key_memory(const Database& database, const Entry& entry, size_t samples);

// Calls `part` with the strings of each element, as TypeOps::digest does, for any entry.
void for_each_part(const Entry& entry, const std::function<void(std::initializer_list<Bytes>)>& part);

}  // namespace vitrine
