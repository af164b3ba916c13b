#include "engine/removal_effects.h"

#include <algorithm>

namespace vitrine {

RemovalEffects::RemovalEffects(Keyspace& keyspace, Effects& effects, const MemoryOptions& options,
                               std::function<bool()> in_command)
    : keyspace_(keyspace), effects_(effects), options_(options), in_command_(std::move(in_command)) {
  keyspace_.listen_to_removals(this);
}

RemovalEffects::~RemovalEffects() { keyspace_.listen_to_removals(nullptr); }

void RemovalEffects::remove(int db, Bytes key, bool unlink) {
  effects_.add(db, {unlink ? "UNLINK" : "DEL", key});
  close();
}

// At most so many in one command, so that no command grows without limit.
void RemovalEffects::on_fields_expired(int db, Bytes key, std::span<const Bytes> fields) {
  constexpr size_t kMost = 512;
  for (; !fields.empty(); fields = fields.subspan(std::min(kMost, fields.size()))) {
    std::vector<Bytes> argv{"HDEL", key};
    auto some = fields.first(std::min(kMost, fields.size()));
    argv.insert(argv.end(), some.begin(), some.end());
    effects_.add(db, argv);
  }
  close();
}

void RemovalEffects::close() {
  if (!in_command_()) effects_.close_unit();
}

}  // namespace vitrine
