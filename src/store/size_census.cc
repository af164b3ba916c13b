#include "store/size_census.h"

#include "store/string.h"

namespace vitrine {

size_t SizeCensus::size_of(const Entry& entry) {
  return entry.type() == Type::string ? string_length(entry) : type_ops(entry.type()).length(entry.object());
}

}  // namespace vitrine
