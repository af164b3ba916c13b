// Digest: a signature of data, for DEBUG DIGEST: equal data give equal digests, on any server and in any encoding.
//
// Twenty bytes from XXH3 with fixed seeds (it detects differences, it withstands no attacker). Unordered parts are
// xor-ed, ordered ones chained, so nothing has to be sorted.
#pragma once

#include <array>
#include <initializer_list>
#include <string>

#include "base/bytes.h"

namespace vitrine {

class Entry;
class Keyspace;

class Digest {
 public:
  // Of these strings in this order; {"ab", "c"} differs from {"a", "bc"}.
  static Digest of(std::initializer_list<Bytes> parts);

  // Unordered: takes the other in; twice takes it out again.
  void mix(const Digest& other);
  // Ordered: what was here and the other, in this order.
  void chain(const Digest& other);
  std::string hex() const;
  bool operator==(const Digest&) const = default;

 private:
  Bytes bytes() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }
  std::array<unsigned char, 20> bytes_{};
};

// Of a key's value and whether it expires, without its name.
Digest digest_of_value(const Entry& entry);
// Of everything: databases, keys, values. Zeros when there are no keys.
Digest digest_of_all(const Keyspace& keyspace);

}  // namespace vitrine
