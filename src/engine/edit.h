// Read<T> and Edit<T>: a value of type T opened by key. Edit is the one door for writes to a key's value; when it closes
// (goes out of scope) it writes back the encoding, removes the key if it became empty, and announces the Change. Nobody
// has to remember these duties by hand.
//
// T is a view class of the store: `T(Object&, const TypeContext&)`, `T::kType`, `T::kEvents` (its EventClass) and
// `static Object T::make(const TypeContext&)`, an empty value. Its mutators count Object::changes.
#pragma once

#include <algorithm>
#include <optional>

#include "engine/call.h"

namespace vitrine {

template <class T>
class Read {
 public:
  Read(Call& call, Bytes, Entry* entry) : entry_(entry) {
    if (!entry) return;
    if (entry->type() != T::kType) {
      wrong_ = true;
      call.wrong_type();
      return;
    }
    object_ = entry->object();
    view_.emplace(object_, call.keyspace.context());
  }
  Read(const Read&) = delete;
  Read& operator=(const Read&) = delete;

  explicit operator bool() const { return view_.has_value(); }
  bool missing() const { return !entry_; }
  bool wrong_type() const { return wrong_; }
  const T* operator->() const { return &*view_; }
  const T& operator*() const { return *view_; }
  Entry* entry() const { return entry_; }

 private:
  Entry* entry_;
  bool wrong_ = false;
  Object object_;
  std::optional<T> view_;
};

template <class T>
class Edit {
 public:
  Edit(Call& call, Bytes key, Bytes event, Missing missing)
      : call_(call), key_(key), event_(event), hash_(call.hash_of(key)), entry_(call.find_for_write(key)) {
    if (entry_ && entry_->type() != T::kType) {
      wrong_ = true;
      call.wrong_type();
      return;
    }
    if (entry_) object_ = entry_->object(), length_before_ = type_ops(T::kType).length(object_);
    else if (missing == Missing::create) object_ = T::make(call.keyspace.context()), created_ = true;
    else return;
    view_.emplace(object_, call.keyspace.context());
  }
  Edit(const Edit&) = delete;
  Edit& operator=(const Edit&) = delete;
  ~Edit() { close(); }

  explicit operator bool() const { return view_.has_value(); }
  bool missing() const { return !entry_ && !created_; }
  bool wrong_type() const { return wrong_; }
  bool created() const { return created_; }
  T* operator->() { return &*view_; }
  T& operator*() { return *view_; }
  Entry* entry() const { return entry_; }
  // What will be announced, when that depends on what the command did.
  void set_event(Bytes event) { event_ = event; }

  // Done early: before another key is looked at. Returns false when the key is gone (became empty).
  bool close() {
    if (!view_) return false;
    view_.reset();
    if (entry_)
      return call_.keyspace.write_back(call_.db, entry_, hash_, object_, length_before_, event_, T::kEvents);
    if (type_ops(T::kType).length(object_) == 0) {
      type_ops(T::kType).destroy(object_);
      return false;
    }
    call_.keyspace.stats().changes += std::max(object_.changes, 1u) - 1;   // announcing counts one
    call_.keyspace.put(call_.db, key_, hash_, Value(object_));
    call_.keyspace.announce(call_.db, key_, event_, T::kEvents, T::kType);
    return true;
  }

 private:
  Call& call_;
  Bytes key_;
  Bytes event_;
  uint64_t hash_;
  Entry* entry_;
  bool created_ = false, wrong_ = false;
  size_t length_before_ = 0;
  Object object_;
  std::optional<T> view_;
};

}  // namespace vitrine
