#include "store/hash_fields.h"

namespace vitrine {

Field* Field::create(Bytes name, Bytes value, int64_t expire_at_ms) {
  bool wide = name.size() > 255 || value.size() > 255, expires = expire_at_ms != kNoExpiry;
  size_t size = (wide ? 17 : 3) + (expires ? 12 : 0) + name.size() + value.size();
  Field* field = static_cast<Field*>(memory::allocate(memory::good_size(size)));
  field->flags_ = static_cast<uint8_t>((wide ? kWide : 0) | (expires ? kExpires : 0));
  field->set_lengths(name.size(), value.size());
  if (expires) field->overwrite_expiry(expire_at_ms);
  char* data = const_cast<char*>(field->data());
  std::memcpy(data, name.data(), name.size());
  std::memcpy(data + name.size(), value.data(), value.size());
  return field;
}

void Field::set_lengths(size_t name, size_t value) {
  if (!wide()) {
    bytes()[1] = static_cast<uint8_t>(name);
    bytes()[2] = static_cast<uint8_t>(value);
    return;
  }
  std::memcpy(bytes() + 1, &name, 8);
  std::memcpy(bytes() + 9, &value, 8);
}

bool Field::overwrite_value(Bytes value) {
  size_t old = value_length();
  if (value.size() != old) {
    bool needs_wide = name_length() > 255 || value.size() > 255;
    if (needs_wide != wide()) return false;
    if (memory::good_size(size() - old + value.size()) != memory::good_size(size())) return false;
    set_lengths(name_length(), value.size());
  }
  std::memcpy(const_cast<char*>(data()) + name_length(), value.data(), value.size());
  return true;
}

FieldTable::~FieldTable() {
  table_.for_each([](Word w) { Field::destroy(Policy::field(w)); });
}

FieldTable* FieldTable::clone() const {
  auto* copy = new FieldTable;
  table_.for_each([copy](Word w) {
    Field* field = Policy::field(w);
    copy->insert(field->name(), field->value(), field->expire_at_ms());
  });
  return copy;
}

void FieldTable::schedule(Field* field) {
  if (!field->expires()) return;
  if (!heap_) heap_ = std::make_unique<Heap>();
  heap_->add(field->expire_at_ms(), field);
}

void FieldTable::unschedule(Field* field) {
  if (!field->expires()) return;
  heap_->erase(field->heap_index());
  if (heap_->empty()) heap_.reset();
}

void FieldTable::insert(Bytes name, Bytes value, int64_t expire_at_ms) {
  Field* field = Field::create(name, value, expire_at_ms);
  table_.insert(hash_bytes(name), reinterpret_cast<Word>(field));
  schedule(field);
}

Field* FieldTable::replace(Field* old, Bytes value, int64_t expire_at_ms) {
  Field* fresh = Field::create(old->name(), value, expire_at_ms);
  auto p = table_.find(hash_bytes(old->name()), [old](Word w) { return Policy::field(w) == old; });
  CHECK(p);
  table_.set(p, reinterpret_cast<Word>(fresh));
  if (old->expires() && fresh->expires()) {
    uint32_t index = old->heap_index();
    fresh->set_heap_index(index);
    heap_->replace(index, fresh);
  } else {
    unschedule(old);
    schedule(fresh);
  }
  Field::destroy(old);
  return fresh;
}

Field* FieldTable::set_value(Field* field, Bytes value) {
  return field->overwrite_value(value) ? field : replace(field, value, field->expire_at_ms());
}

Field* FieldTable::set_expiry(Field* field, int64_t at_ms) {
  if (field->expires() != (at_ms != kNoExpiry)) return replace(field, field->value(), at_ms);
  if (at_ms == kNoExpiry) return field;
  field->overwrite_expiry(at_ms);
  heap_->change(field->heap_index(), at_ms);
  return field;
}

void FieldTable::erase(Field* field) {
  auto p = table_.find(hash_bytes(field->name()), [field](Word w) { return Policy::field(w) == field; });
  CHECK(p);
  table_.erase(p);
  unschedule(field);
  Field::destroy(field);
}

size_t FieldTable::memory_bytes(size_t samples) const {
  size_t bytes = 0, seen = 0;
  if (samples == 0) samples = SIZE_MAX;
  uint64_t cursor = 0;
  do {
    cursor = table_.scan(cursor, [&](Word w) {
      if (seen >= samples) return;
      bytes += memory::usable_size(Policy::field(w));
      seen++;
    });
  } while (cursor != 0 && seen < samples);
  if (seen > 0 && seen < size()) bytes = static_cast<size_t>(static_cast<double>(bytes) / static_cast<double>(seen) *
                                                             static_cast<double>(size()));
  return bytes + sizeof *this + table_.memory_bytes() + (heap_ ? sizeof(Heap) + heap_->memory_bytes() : 0);
}

}  // namespace vitrine
