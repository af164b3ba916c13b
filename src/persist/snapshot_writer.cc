#include "persist/snapshot_writer.h"

#include "store/database.h"
#include "store/rdb_values.h"

namespace vitrine {

namespace {

class Writer {
 public:
  Writer(const Keyspace& keyspace, const SnapshotFacts& facts, int version, RdbOutput::Sink& sink,
         const SnapshotStep& step, size_t keys_in_step)
      : keyspace_(keyspace), facts_(facts), out_({version, facts.compress, facts.checksum}, &sink), step_(step),
        keys_in_step_(keys_in_step) {}

  std::expected<void, std::string> run() {
    write_head();
    for (int db = 0; db < keyspace_.databases() && going_; db++) write_database(keyspace_.database(db));
    if (!problem_.empty()) return std::unexpected(problem_);
    if (!going_) return std::unexpected(out_.ok() ? "it was stopped" : "");
    if (step_ && since_step_) step_(since_step_);
    if (!out_.finish_file()) return std::unexpected("");
    return {};
  }

 private:
  void aux(Bytes name, Bytes value) {
    out_.byte(rdb::kAux);
    out_.string(name);
    out_.string(value);
  }
  void aux(Bytes name, int64_t value) {
    out_.byte(rdb::kAux);
    out_.string(name);
    out_.integer(value);
  }

  void write_head() {
    std::string digits = std::to_string(out_.version());
    bool valkey = rdb::is_valkey(out_.version());
    out_.raw(valkey ? "VALKEY" : "REDIS");
    out_.raw(std::string((valkey ? 3 : 4) - digits.size(), '0') + digits);
    aux(valkey ? "valkey-ver" : "redis-ver", valkey ? "9.0.0" : "8.0.0");
    aux("redis-bits", 64);
    aux("ctime", keyspace_.now_ms() / 1000);
    aux("used-mem", static_cast<int64_t>(facts_.used_memory));
    aux("aof-base", facts_.aof_base);
    for (const std::string& code : facts_.functions) {
      out_.byte(rdb::kFunction);
      out_.string(code);
    }
  }

  void write_database(const Database& database) {
    if (database.size() == 0) return;
    out_.byte(rdb::kSelect);
    out_.length(static_cast<uint64_t>(database.id()));
    out_.byte(rdb::kResize);
    out_.length(database.size());
    out_.length(database.expiring());
    database.table().for_each_fetched([&](Word w) {
      if (__builtin_expect(going_, 1)) write_key(*Database::Policy::entry(w));
    });
  }

  void write_key(const Entry& entry) {
    if (entry.has_expiry()) {
      if (entry.expired(keyspace_.now_ms())) return;
      out_.byte(rdb::kExpireMs);
      out_.fixed64(static_cast<uint64_t>(entry.expire_at_ms()));
    }
    if (facts_.access != SnapshotFacts::Access::none) write_access(entry);
    uint8_t type = rdb_type_of(entry, out_.version());
    if (__builtin_expect(type > rdb::kStream2, 0)) {
      problem_ = problem_of_version(entry, facts_.version);
      if (!problem_.empty()) {
        going_ = false;
        return;
      }
    }
    out_.byte(type);
    out_.string(entry.key());
    save_value(entry, type, out_);
    if (++since_step_ >= keys_in_step_) take_step();
  }

  void write_access(const Entry& entry) {
    uint32_t bits = keyspace_.access_of(entry);
    if (facts_.access == SnapshotFacts::Access::idle) {
      out_.byte(rdb::kIdle);
      out_.length(static_cast<uint64_t>(access::lru_idle_ms(bits, keyspace_.now_ms()) / 1000));
    } else {
      out_.byte(rdb::kFreq);
      out_.byte(static_cast<uint8_t>(bits));
    }
  }

  void take_step() {
    going_ = out_.ok() && (!step_ || step_(since_step_));
    since_step_ = 0;
  }

  const Keyspace& keyspace_;
  const SnapshotFacts& facts_;
  RdbOutput out_;
  const SnapshotStep& step_;
  size_t keys_in_step_, since_step_ = 0;
  bool going_ = true;
  std::string problem_;
};

}  // namespace

std::string problem_of_version(const Entry& entry, int version) {
  // No version was asked for: what the least one lacks (kStreamProducers) is written all the same.
  if (!version || rdb_version_of(rdb_type_of(entry, version)) <= version) return {};
  return "'rdb-version " + std::to_string(version) + "' cannot hold the key '" +
         std::string(entry.key().substr(0, 64)) + "'";
}

int least_snapshot_version(const Keyspace& keyspace) {
  for (int db = 0; db < keyspace.databases(); db++)
    if (keyspace.database(db).field_expiring() > 0) return rdb::kFieldExpiryVersion;
  return rdb::kBaseVersion;
}

std::expected<void, std::string> write_snapshot(const Keyspace& keyspace, const SnapshotFacts& facts,
                                                RdbOutput::Sink& sink, const SnapshotStep& step, size_t keys_in_step) {
  int version = facts.version ? facts.version : least_snapshot_version(keyspace);
  return Writer(keyspace, facts, version, sink, step, keys_in_step).run();
}

}  // namespace vitrine
