// A field or value of a hash as a reply; and what is told of fields that change.
#pragma once

#include <vector>

#include "engine/edit.h"
#include "store/hash.h"

namespace vitrine {

inline void reply_value(Call& c, const PackedValue& value) {
  value.is_int ? c.reply.bulk_integer(value.number) : c.reply.bulk(value.text);
}
inline void reply_value(Call& c, const std::optional<PackedValue>& value) {
  value ? reply_value(c, *value) : c.reply.null();
}

// The fields that one event of a command is about, for those who want to know (Keyspace::observe_fields).
class ChangedFields {
 public:
  ChangedFields(Call& c, Bytes key) : c_(c), key_(key), wanted_(c.keyspace.fields_observed()) {}
  void add(Bytes field) {
    if (__builtin_expect(wanted_, 0)) fields_.push_back(field);
  }
  // Closes the edit first, which announces its own event.
  void tell(Edit<Hash>& edit, Bytes event) {
    if (__builtin_expect(!wanted_, 1)) return;
    edit.close();
    tell(event);
  }
  void tell(Bytes event) { c_.keyspace.tell_fields(c_.db, key_, event, fields_); }

 private:
  Call& c_;
  Bytes key_;
  const bool wanted_;
  std::vector<Bytes> fields_;
};

}  // namespace vitrine
