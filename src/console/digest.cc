#include "console/digest.h"

#include <cstring>

#include "base/hash.h"
#include "console/value_memory.h"
#include "store/keyspace.h"

namespace vitrine {

Digest Digest::of(std::initializer_list<Bytes> parts) {
  std::string text;
  for (Bytes part : parts) {
    uint64_t size = part.size();
    text.append(reinterpret_cast<const char*>(&size), sizeof size);
    text += part;
  }
  Digest d;
  XXH128_canonical_t first;
  XXH128_canonicalFromHash(&first, XXH3_128bits_withSeed(text.data(), text.size(), 1));
  uint64_t second = XXH3_64bits_withSeed(text.data(), text.size(), 2);
  std::memcpy(d.bytes_.data(), first.digest, 16);
  std::memcpy(d.bytes_.data() + 16, &second, 4);
  return d;
}

void Digest::mix(const Digest& other) {
  for (size_t i = 0; i < bytes_.size(); i++) bytes_[i] ^= other.bytes_[i];
}

void Digest::chain(const Digest& other) { *this = of({bytes(), other.bytes()}); }

std::string Digest::hex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (unsigned char b : bytes_) out += kDigits[b >> 4], out += kDigits[b & 15];
  return out;
}

Digest digest_of_value(const Entry& entry) {
  const TypeOps& ops = type_ops(entry.type());
  Digest content;
  for_each_part(entry, [&](std::initializer_list<Bytes> parts) {
    ops.ordered ? content.chain(Digest::of(parts)) : content.mix(Digest::of(parts));
  });
  Digest d = Digest::of({ops.name, entry.has_expiry() ? "expires" : ""});
  d.chain(content);
  return d;
}

Digest digest_of_all(const Keyspace& keyspace) {
  Digest all;
  for (int db = 0; db < keyspace.databases(); db++) {
    std::string number = std::to_string(db);
    keyspace.database(db).table().for_each([&](Word w) {
      const Entry* entry = Database::Policy::entry(w);
      if (entry->expired(keyspace.now_ms())) return;
      Digest d = Digest::of({number, entry->key()});
      d.chain(digest_of_value(*entry));
      all.mix(d);
    });
  }
  return all;
}

}  // namespace vitrine
