// Object: one value of one type in one encoding, as a plain word; Value: an Object that owns what it points to.
//
// A type (string, list, hash, set, sorted set, ...) is a class in a file of its own (`store/hash.h`) that views an
// Object: `Hash(object).set(field, value)`. It alone knows its encodings and what `word` means: mostly a pointer to one
// packed block or to a larger structure. Its row of TypeOps is all that the rest of the house knows of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

class RdbInput;
class RdbOutput;
class CommandMaker;
class Value;

enum class Type : uint8_t { string, list, set, zset, hash, stream, array };
constexpr int kTypes = 7;

struct Object {
  Type type = Type::string;
  uint8_t encoding = 0;   // private to the type, < 16
  bool rescheduled = false;  // set by a mutator that moved the earliest element expiry
  bool edited = false;    // a detached string that was last changed in place (see Entry::edited)
  uint32_t changes = 0;   // counted by every mutator, elements one by one; read by Edit when it closes
  uint64_t word = 0;

  static Object of(Type type, uint8_t encoding, uint64_t word) { return {type, encoding, false, false, 0, word}; }
  static Object of(Type type, uint8_t encoding, const void* p) {
    return of(type, encoding, reinterpret_cast<uint64_t>(p));
  }

  template <class T>
  T* as() const { return reinterpret_cast<T*>(word); }
  void point_to(const void* p) { word = reinterpret_cast<uint64_t>(p); }
};

struct EncodingLimits;

// What a type needs to know of the world while it is viewed: `Hash(object, context)`.
struct TypeContext {
  int64_t now_ms;                  // what expires until then has expired; frozen for the command
  const EncodingLimits* limits;
};

// What the rest of the house may ask of any type. One row per type, in store/types.cc.
struct TypeOps {
  Bytes name;                                              // as TYPE says
  void (*destroy)(Object&);                                // frees what it owns
  Object (*clone)(const Object&);                          // an independent copy
  Bytes (*encoding_name)(const Object&);                   // as OBJECT ENCODING says
  size_t (*length)(const Object&);                         // elements; 0 means that the key must go
  size_t (*memory)(const Object&, size_t samples);         // bytes allocated; samples 0 = visit all
  size_t (*free_effort)(const Object&);                    // allocations to free, for the choice of background freeing
  // The elements in an order-independent or ordered way for DEBUG DIGEST: calls `part` with each element's strings;
  // `ordered` types feed a running digest, others are xor-ed together.
  void (*digest)(const Object&, const std::function<void(std::initializer_list<Bytes>)>& part);
  bool ordered;
  // As a snapshot's value (wire/rdb_format.h): its type in a file of that version (or, if such a file cannot hold it, a
  // newer type, see rdb_version_of); its bytes under that type; and back. load() gives nothing when `in` has failed.
  uint8_t (*rdb_type)(const Object&, int version) = nullptr;
  void (*save)(const Object&, uint8_t rdb_type, RdbOutput& out) = nullptr;
  Value (*load)(uint8_t rdb_type, RdbInput& in, const TypeContext&) = nullptr;
  // As commands that make it again (store/rewrite.h); null: as a payload for RESTORE.
  void (*rewrite)(const Object&, CommandMaker&) = nullptr;
  // Only for types whose elements expire (else null): the earliest expiry (-1: none), of which the caller tells the
  // database's index; and the removal of elements that are due, at most `steps` of them, which counts `changes`, and
  // `rescheduled` when the index must be told again. The names of what was removed are added to `names` unless it is
  // null. all_expired: whether none is left that is not due.
  int64_t (*earliest_expiry)(const Object&) = nullptr;
  size_t (*remove_expired)(Object&, const TypeContext&, size_t steps, std::vector<std::string>* names) = nullptr;
  bool (*all_expired)(const Object&, int64_t now_ms) = nullptr;
};

const TypeOps& type_ops(Type type);

// An owning Object, for values on their way into or between keys.
class Value {
 public:
  Value() = default;
  explicit Value(Object o) : object_(o), owned_(true) {}
  Value(Value&& other) noexcept : object_(other.object_), owned_(other.owned_) { other.owned_ = false; }
  Value& operator=(Value&& other) noexcept {
    std::swap(object_, other.object_);
    std::swap(owned_, other.owned_);
    return *this;
  }
  ~Value() {
    if (owned_) type_ops(object_.type).destroy(object_);
  }

  Object& operator*() { return object_; }
  Object* operator->() { return &object_; }
  const Object* operator->() const { return &object_; }
  explicit operator bool() const { return owned_; }
  Object release() {
    owned_ = false;
    return object_;
  }

 private:
  Object object_;
  bool owned_ = false;
};

}  // namespace vitrine
