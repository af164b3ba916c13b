// Whatever bytes claim to be a snapshot, or one value of it: they are refused with a reason, or what they held can be
// written and read again without a difference.
//
//   0x00 to 0x1f  first byte: a value of that type, as RESTORE takes it, for a reader of Redis' versions
//   0x20 to 0x3f  the same for Valkey's
//   other         a whole file
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/log.h"
#include "persist/snapshot_reader.h"
#include "persist/snapshot_writer.h"
#include "store/database.h"
#include "store/rdb_values.h"

using namespace vitrine;

namespace {

constexpr int64_t kNow = 1'700'000'000'000;

std::string saved(const Object& object, int version) {
  RdbOutput out({version, false, false});
  const TypeOps& ops = type_ops(object.type);
  uint8_t type = ops.rdb_type(object, version);
  out.byte(type);
  ops.save(object, type, out);
  return std::string(out.view());
}

Value loaded(Bytes body, int version, const TypeContext& context) {
  RdbInput in(body, version);
  uint8_t type = in.byte();
  Value value = load_value(type, in, context);
  CHECK(bool(value) != in.failed());
  return value;
}

void try_value(Bytes body, int version) {
  EncodingLimits limits;
  limits.hash_max_listpack_entries = limits.set_max_listpack_entries = limits.zset_max_listpack_entries = 8;
  limits.stream_node_max_entries = 5;
  TypeContext context{kNow, &limits};
  Value value = loaded(body, version, context);
  if (!value || type_ops(value->type).length(*value) == 0) return;
  for (int as : {rdb::kNewestVersion, rdb::kValkeyVersion}) {
    std::string once = saved(*value, as);
    Value again = loaded(once, as, context);
    CHECK(again);
    CHECK(type_ops(again->type).length(*again) == type_ops(value->type).length(*value));
    // Tables walk in an order of their own: their bytes may come in another order, but not in another number.
    CHECK(saved(*again, as).size() == once.size());
  }
}

struct Collect : RdbOutput::Sink {
  std::string data;
  bool write(Bytes piece) override { return data += piece, true; }
};

void try_file(Bytes data) {
  Keyspace::Options options;
  Keyspace keyspace(options, kNow, 1), other(options, kNow, 1);
  RdbInput in(data);
  auto content = read_snapshot(in, keyspace, {.any_version = true, .checksum = false});
  if (!content) {
    CHECK(!content.error().empty());
    return;
  }
  Collect sink;
  CHECK(write_snapshot(keyspace, {.version = rdb::kNewestVersion, .functions = content->functions}, sink));
  RdbInput again(sink.data);
  auto same = read_snapshot(again, other, {});
  CHECK(same && same->keys == keyspace.total_keys() && same->functions == content->functions);
  CHECK(other.total_keys() == keyspace.total_keys());
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  the_log().options.level = LogLevel::nothing;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(reinterpret_cast<const char*>(data), size);
  if (size == 0) return 0;
  if (data[0] < 0x20) {
    try_value(bytes, rdb::kNewestVersion);
  } else if (data[0] < 0x40) {
    std::string body(bytes);
    body[0] = static_cast<char>(body[0] - 0x20);
    try_value(body, rdb::kValkeyVersion);
  } else {
    try_file(bytes);
  }
  return 0;
}
