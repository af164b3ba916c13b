#include "store/rdb_values.h"

#include "base/check.h"
#include "store/string.h"

namespace vitrine {

uint8_t rdb_type_of(const Entry& entry, int version) {
  if (entry.type() == Type::string) return rdb::kString;
  return type_ops(entry.type()).rdb_type(entry.object(), version);
}

int rdb_version_of(uint8_t rdb_type) {
  switch (rdb_type) {
    case rdb::kHashMoments:
    case rdb::kHashListpackMoments:
    case rdb::kStreamProducers: return rdb::kFieldExpiryVersion;
    case rdb::kHashMomentsValkey: return rdb::kValkeyVersion;
    case rdb::kSetListpack:
    case rdb::kStream3: return rdb::kSetListpackVersion;
    default: return rdb::kBaseVersion;
  }
}

void save_value(const Entry& entry, uint8_t rdb_type, RdbOutput& out) {
  if (entry.type() != Type::string) return type_ops(entry.type()).save(entry.object(), rdb_type, out);
  if (entry.inline_text()) return out.string(entry.text());
  Object o = entry.object();
  if (o.encoding == kStringInt) return out.integer(static_cast<int64_t>(o.word));
  char scratch[24];
  out.string(string_bytes(o, scratch));
}

std::optional<Type> type_of_rdb(uint8_t rdb_type) {
  switch (rdb_type) {
    case rdb::kString: return Type::string;
    case rdb::kList:
    case rdb::kListZiplist:
    case rdb::kListZiplists:
    case rdb::kListListpacks: return Type::list;
    case rdb::kSet:
    case rdb::kSetIntset:
    case rdb::kSetListpack: return Type::set;
    case rdb::kZsetText:
    case rdb::kZset:
    case rdb::kZsetZiplist:
    case rdb::kZsetListpack: return Type::zset;
    case rdb::kHash:
    case rdb::kHashZipmap:
    case rdb::kHashZiplist:
    case rdb::kHashListpack:
    case rdb::kHashMomentsPreview:
    case rdb::kHashListpackMomentsPreview:
    case rdb::kHashMoments:
    case rdb::kHashListpackMoments: return Type::hash;
    case rdb::kStream:
    case rdb::kStream2:
    case rdb::kStream3:
    case rdb::kStreamProducers: return Type::stream;
    case rdb::kArray: return Type::array;
    default: return std::nullopt;
  }
}

namespace {

// A module's name stands in the upper 54 bits of its id, 6 bits a character.
std::string module_name(uint64_t id) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string name;
  for (int shift = 58; shift >= 10; shift -= 6) name += kLetters[id >> shift & 63];
  return name;
}

}  // namespace

Value load_value(uint8_t rdb_type, RdbInput& in, const TypeContext& context) {
  auto type = type_of_rdb(rdb_type);
  if (rdb_type == rdb::kModule || rdb_type == rdb::kModule2) {
    in.fail("a value of module '" + module_name(in.length()) + "': modules are not supported");
    return {};
  }
  if (!type) return in.fail("a value of the unknown type " + std::to_string(rdb_type)), Value();
  const TypeOps& ops = type_ops(*type);
  CHECK(ops.load);
  return ops.load(rdb_type, in, context);
}

bool skip_module_aux(RdbInput& in, std::string& module) {
  enum Part : uint64_t { kEndPart, kSigned, kUnsigned, kFloat, kDouble, kText };
  module = module_name(in.length());
  in.length();
  in.length();
  while (!in.failed()) {
    switch (in.length()) {
      case kEndPart: return !in.failed();
      case kSigned:
      case kUnsigned: in.length(); break;
      case kFloat: in.fixed32(); break;
      case kDouble: in.fixed64(); break;
      case kText: in.string(); break;
      default: return in.fail("an unknown part of a module's data");
    }
  }
  return false;
}

}  // namespace vitrine
