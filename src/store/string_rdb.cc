#include "store/rdb_types.h"
#include "store/string.h"

namespace vitrine {

uint8_t string_rdb_type(const Object&, int) { return rdb::kString; }

// Of detached values; those inside entries are written by save_value().
void save_string(const Object& o, uint8_t, RdbOutput& out) {
  char scratch[24];
  out.string(string_bytes(o, scratch));
}

Value load_string(uint8_t, RdbInput& in, const TypeContext&) {
  Bytes text = in.string();
  return in.failed() ? Value() : make_string(text);
}

}  // namespace vitrine
