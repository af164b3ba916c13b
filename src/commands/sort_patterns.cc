#include "commands/sort_patterns.h"

#include "store/hash.h"
#include "store/string.h"

namespace vitrine {

SortPattern::SortPattern(Bytes text) : element_(text == "#") {
  size_t star = text.find('*');
  names_key_ = star != Bytes::npos;
  if (!names_key_) return;
  before_ = text.substr(0, star);
  after_ = text.substr(star + 1);
  size_t arrow = after_.find("->");
  if (arrow == Bytes::npos || arrow + 2 == after_.size()) return;
  field_ = after_.substr(arrow + 2);
  after_ = after_.substr(0, arrow);
}

std::optional<Bytes> SortPattern::value_for(Call& c, Bytes element) {
  if (element_) return element;
  if (!names_key_) return std::nullopt;
  key_.assign(before_).append(element).append(after_);
  Entry* entry = c.find(key_);
  if (!entry) return std::nullopt;
  if (field_.empty()) {
    if (entry->type() != Type::string) return std::nullopt;
    return string_bytes(*entry, scratch_);
  }
  if (entry->type() != Type::hash) return std::nullopt;
  Object object = entry->object();
  auto value = Hash(object, c.keyspace.context()).get(field_);
  if (!value) return std::nullopt;
  return value->bytes(scratch_);
}

}  // namespace vitrine
