#include "console/value_memory.h"

#include "base/memory.h"
#include "store/string.h"

namespace vitrine {

size_t key_memory(const Database& database, const Entry& entry, size_t samples) {
  size_t bytes = memory::usable_size(&entry);
  if (!entry.inline_text()) bytes += type_ops(entry.type()).memory(entry.object(), samples);
  if (database.size()) bytes += database.table_bytes() / database.size();
  constexpr size_t kIndexItem = 8;
  if (entry.indexed()) bytes += kIndexItem;
  return bytes;
}

void for_each_part(const Entry& entry, const std::function<void(std::initializer_list<Bytes>)>& part) {
  if (entry.type() == Type::string) {
    char scratch[24];
    part({string_bytes(entry, scratch)});
  } else {
    type_ops(entry.type()).digest(entry.object(), part);
  }
}

}  // namespace vitrine
