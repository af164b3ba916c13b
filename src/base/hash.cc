#include "base/hash.h"

namespace vitrine {

uint64_t hash_seed = 0x9e3779b97f4a7c15ull;

}  // namespace vitrine
