// Patterns of SORT: which other value belongs to an element.
//
//   weight_*        the string at the key that the pattern names with the element in place of its first '*'
//   object_*->age   that field of the hash there; "->" counts behind the '*' and with a field behind it
//   #               the element itself (GET only)
//
// A pattern without '*' names nothing. Keys of another type hold nothing.
#pragma once

#include <optional>

#include "engine/call.h"

namespace vitrine {

class SortPattern {
 public:
  explicit SortPattern(Bytes text);

  bool is_element() const { return element_; }
  // Valid until the next look-up or change.
  std::optional<Bytes> value_for(Call& c, Bytes element);

 private:
  bool element_, names_key_;
  Bytes before_, after_, field_;
  std::string key_;
  char scratch_[24];
};

}  // namespace vitrine
