#include "store/string.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "store/rdb_types.h"

namespace vitrine {

Blob* Blob::create(size_t size) {
  Blob* blob = static_cast<Blob*>(memory::allocate(sizeof(Blob) + size));
  blob->size = size;
  return blob;
}

Blob* Blob::create(Bytes content) {
  Blob* blob = create(content.size());
  std::memcpy(blob->data(), content.data(), content.size());
  return blob;
}

void Blob::destroy(Blob* blob) { memory::release(blob); }

Blob* Blob::resized(Blob* blob, size_t size) {
  size_t room = memory::usable_size(blob) - sizeof(Blob);
  size_t old = blob->size;
  if (size > room) {
    // Grown in proportion, so that a million appends cost a handful of copies; at most 1 MB of slack.
    size_t slack = old ? std::min<size_t>(size, size_t{1} << 20) : 0;
    blob = static_cast<Blob*>(memory::reallocate(blob, sizeof(Blob) + size + slack));
  }
  if (size > old) std::memset(blob->data() + old, 0, size - old);
  blob->size = size;
  return blob;
}

namespace {

Blob* blob_of(uint64_t word) { return reinterpret_cast<Blob*>(word); }
Bytes number_bytes(uint64_t word, char (&scratch)[24]) {
  return {scratch, static_cast<size_t>(format_int64(scratch, static_cast<int64_t>(word)))};
}

void destroy(Object& o) {
  if (o.encoding == kStringBlob) Blob::destroy(blob_of(o.word));
}
Object clone(const Object& o) {
  Object copy = o;
  if (o.encoding == kStringBlob) copy.word = reinterpret_cast<uint64_t>(Blob::create(blob_of(o.word)->view()));
  return copy;
}
Bytes encoding_name(const Object& o) { return o.encoding == kStringInt ? "int" : "raw"; }
size_t length(const Object&) { return 1; }
size_t memory_of(const Object& o, size_t) {
  return o.encoding == kStringBlob ? memory::usable_size(blob_of(o.word)) : 0;
}
// One allocation, but the allocator gives the pages of a large one back to the kernel at once: half a millisecond for
// each 8 MB. From 4 MB on it counts as much as the many small ones of a collection.
size_t free_effort(const Object& o) {
  constexpr size_t kBytesEach = 64 << 10;
  return o.encoding == kStringBlob ? blob_of(o.word)->size / kBytesEach + 1 : 1;
}
void digest(const Object& o, const std::function<void(std::initializer_list<Bytes>)>& part) {
  char scratch[24];
  part({string_bytes(o, scratch)});
}

}  // namespace

const TypeOps kStringOps = {"string", destroy, clone, encoding_name, length, memory_of, free_effort, digest, true,
                           string_rdb_type, save_string, load_string};

Bytes string_bytes(const Object& o, char (&scratch)[24]) {
  if (o.encoding == kStringInt) return number_bytes(o.word, scratch);
  CHECK(o.encoding == kStringBlob);
  return blob_of(o.word)->view();
}

Bytes string_bytes(const Entry& entry, char (&scratch)[24]) {
  if (entry.inline_text()) return entry.text();
  return string_bytes(entry.object(), scratch);
}

size_t string_length(const Entry& entry) {
  if (entry.inline_text()) return entry.text().size();
  Object o = entry.object();
  return o.encoding == kStringInt ? static_cast<size_t>(decimal_length(static_cast<int64_t>(o.word)))
                                  : o.as<Blob>()->size;
}

Value make_string(Bytes content, bool as_int) {
  if (as_int && content.size() <= kMaxIntText)
    if (auto n = parse_int64(content)) return Value(Object::of(Type::string, kStringInt, static_cast<uint64_t>(*n)));
  return Value(Object::of(Type::string, kStringBlob, Blob::create(content)));
}

int32_t shown_refcount(const Entry& entry) {
  constexpr uint64_t kShared = 10000;
  bool shared = entry.type() == Type::string && entry.encoding() == kStringInt && entry.object().word < kShared;
  return shared ? INT32_MAX : 1;
}

Bytes string_encoding_name(const Entry& entry) {
  if (entry.encoding() == kStringInt) return "int";
  return !entry.edited() && string_length(entry) <= 44 ? "embstr" : "raw";
}

}  // namespace vitrine
