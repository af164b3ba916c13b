// Elements of packed blocks and tables as bulk strings, for replies of whole collections.
#pragma once

#include "ds/packed.h"
#include "wire/bulk_writer.h"

namespace vitrine {

[[gnu::always_inline]] inline void write_packed(BulkWriter& out, const PackedValue& v) {
  v.is_int ? out.bulk_integer(v.number) : out.bulk(v.text);
}

}  // namespace vitrine
