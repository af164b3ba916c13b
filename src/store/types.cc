// Every data type has one line here.
#include "base/check.h"
#include "store/array.h"
#include "store/hash.h"
#include "store/list.h"
#include "store/object.h"
#include "store/set.h"
#include "store/sorted_set.h"
#include "store/stream.h"
#include "store/string.h"

namespace vitrine {

const TypeOps& type_ops(Type type) {
  switch (type) {
    case Type::string: return kStringOps;
    case Type::list: return kListOps;
    case Type::hash: return kHashOps;
    case Type::set: return kSetOps;
    case Type::zset: return kSortedSetOps;
    case Type::stream: return kStreamOps;
    case Type::array: return kArrayOps;
    default: break;
  }
  CHECK(!"a type without operations");
  __builtin_unreachable();
}

}  // namespace vitrine
