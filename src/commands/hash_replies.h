// A field or value of a hash as a reply.
#pragma once

#include "engine/edit.h"
#include "store/hash.h"

namespace vitrine {

inline void reply_value(Call& c, const PackedValue& value) {
  value.is_int ? c.reply.bulk_integer(value.number) : c.reply.bulk(value.text);
}
inline void reply_value(Call& c, const std::optional<PackedValue>& value) {
  value ? reply_value(c, *value) : c.reply.null();
}

}  // namespace vitrine
