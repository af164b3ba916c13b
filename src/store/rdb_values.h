// Values of any type to and from snapshot bytes (wire/rdb_format.h), through the types' rows.
#pragma once

#include <optional>

#include "store/entry.h"
#include "store/object.h"
#include "wire/rdb_input.h"
#include "wire/rdb_output.h"

namespace vitrine {

// Under which type (rdb::ValueType) an entry's value is written for readers of that version. It may be newer than they
// know: compare rdb_version_of().
uint8_t rdb_type_of(const Entry& entry, int version);
// The first version whose readers know the type.
int rdb_version_of(uint8_t rdb_type);
// The bytes of the value, under the type that rdb_type_of has chosen.
void save_value(const Entry& entry, uint8_t rdb_type, RdbOutput& out);

// Our type that such values have; nothing for modules' and for what is not known.
std::optional<Type> type_of_rdb(uint8_t rdb_type);
// Reads the value that follows; none when `in` has failed (an unknown type is a failure). It may be empty: length 0.
Value load_value(uint8_t rdb_type, RdbInput& in, const TypeContext& context);

// Steps over what a module keeps apart from values; true if it was there in full.
bool skip_module_aux(RdbInput& in, std::string& module);

}  // namespace vitrine
