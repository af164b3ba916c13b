// What the types' rows of TypeOps name for snapshots, a file each: string_rdb.cc, list_rdb.cc, set_rdb.cc, hash_rdb.cc,
// sorted_set_rdb.cc, stream_rdb.cc, array_rdb.cc; and what those share.
#pragma once

#include <memory>

#include "ds/packed.h"
#include "store/object.h"
#include "wire/rdb_input.h"
#include "wire/rdb_output.h"

namespace vitrine {

uint8_t string_rdb_type(const Object&, int version);
void save_string(const Object&, uint8_t rdb_type, RdbOutput& out);
Value load_string(uint8_t rdb_type, RdbInput& in, const TypeContext&);

uint8_t list_rdb_type(const Object&, int version);
void save_list(const Object&, uint8_t rdb_type, RdbOutput& out);
Value load_list(uint8_t rdb_type, RdbInput& in, const TypeContext&);

uint8_t set_rdb_type(const Object&, int version);
void save_set(const Object&, uint8_t rdb_type, RdbOutput& out);
Value load_set(uint8_t rdb_type, RdbInput& in, const TypeContext&);

uint8_t hash_rdb_type(const Object&, int version);
void save_hash(const Object&, uint8_t rdb_type, RdbOutput& out);
Value load_hash(uint8_t rdb_type, RdbInput& in, const TypeContext&);

uint8_t sorted_set_rdb_type(const Object&, int version);
void save_sorted_set(const Object&, uint8_t rdb_type, RdbOutput& out);
Value load_sorted_set(uint8_t rdb_type, RdbInput& in, const TypeContext&);

uint8_t stream_rdb_type(const Object&, int version);
void save_stream(const Object&, uint8_t rdb_type, RdbOutput& out);
Value load_stream(uint8_t rdb_type, RdbInput& in, const TypeContext&);

uint8_t array_rdb_type(const Object&, int version);
void save_array(const Object&, uint8_t rdb_type, RdbOutput& out);
Value load_array(uint8_t rdb_type, RdbInput& in, const TypeContext&);

namespace rdb_detail {

struct FreePacked {
  void operator()(uint8_t* block) const { Packed::free(block); }
};
using OwnedPacked = std::unique_ptr<uint8_t, FreePacked>;

// A string holding a listpack. Null when it does not: `in` has failed then.
inline OwnedPacked read_listpack(RdbInput& in) {
  Bytes data = in.string();
  if (in.failed()) return nullptr;
  OwnedPacked block(Packed::import_listpack(data));
  if (!block) in.fail("a broken listpack");
  return block;
}

inline void write_listpack(const Packed& packed, RdbOutput& out) {
  size_t bytes = packed.listpack_bytes();
  packed.write_listpack(out.scratch(bytes));
  out.string_from_scratch(bytes);
}

inline void write_value(const PackedValue& v, RdbOutput& out) {
  v.is_int ? out.integer(v.number) : out.string(v.text);
}

}  // namespace rdb_detail

}  // namespace vitrine
