// RemovalEffects: what went by itself, as effects: DEL of a key that has expired or was evicted, HDEL of fields that
// have expired. UNLINK where lazyfree-lazy-expire and lazyfree-lazy-eviction ask for it, as Redis writes it.
//
// What goes while a command runs belongs to the command's unit, before what the command itself is replayed as; what
// goes between commands is a unit of its own, each key.
#pragma once

#include <functional>

#include "engine/effects.h"
#include "store/keyspace.h"
#include "store/memory_options.h"

namespace vitrine {

class RemovalEffects final : public RemovalListener {
 public:
  // All that is named outlives it. `in_command`: whether a command is under way.
  RemovalEffects(Keyspace& keyspace, Effects& effects, const MemoryOptions& options, std::function<bool()> in_command);
  ~RemovalEffects() override;
  RemovalEffects(const RemovalEffects&) = delete;
  RemovalEffects& operator=(const RemovalEffects&) = delete;

  bool wanted() const override { return effects_.wanted(); }
  void on_expired(int db, Bytes key) override { remove(db, key, options_.lazy_expire); }
  void on_evicted(int db, Bytes key) override { remove(db, key, options_.lazy_eviction); }
  void on_fields_expired(int db, Bytes key, std::span<const Bytes> fields) override;

 private:
  void remove(int db, Bytes key, bool unlink);
  void close();

  Keyspace& keyspace_;
  Effects& effects_;
  const MemoryOptions& options_;
  std::function<bool()> in_command_;
};

}  // namespace vitrine
