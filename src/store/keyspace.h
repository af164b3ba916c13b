// Keyspace: all databases of a node, and the only place where a key is born, changes or dies.
//
// It applies expiry on access, keeps the access bits, counts hits and misses, hands large values to background freeing,
// and tells its KeyObservers of every Change. Commands reach it through Call (engine/call.h), which adds replies.
//
// `now_ms` is frozen by the owner for the duration of a command (set_now); hashes are hash_bytes(key). While a log is
// replayed nothing expires (hold_expiry): a key or a field goes when the log says so, and what it holds until then the
// log's commands may still change.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "store/access.h"
#include "store/encoding_limits.h"
#include "store/entry.h"
#include "store/expiry_index.h"

namespace vitrine {

struct Blob;
class Database;
class SizeCensus;

// The classes of keyspace notifications (`notify-keyspace-events`).
enum class EventClass : uint8_t {
  generic, string, list, set, hash, zset, expired, evicted, stream, created, module, array,
  overwritten, type_changed
};

// What has just happened to a key. Views are valid during the call only.
struct Change {
  int db;
  Bytes key;
  Bytes event;         // "lpush", "del", "expired" ...; empty: nobody is notified (PFCOUNT has kept its estimate)
  EventClass kind;
  Type type;           // of the value after the change, or before it when the key is gone
  bool gone;           // the key does not exist any more
  bool aside = false;  // only something beside the content changed (a stream's groups): WATCH and caches need not know
};

// Those who need to know of changes: WATCH, blocked commands, client-side caching, notifications, propagation.
class KeyObserver {
 public:
  virtual ~KeyObserver() = default;
  virtual void on_change(const Change& change) = 0;
  virtual void on_flush(int db) = 0;                 // every key of `db` is about to go
  virtual void on_swap(int a, int b) = 0;            // SWAPDB has exchanged the two
  virtual void on_flushed(int /*db*/) {}             // once for each flush, -1 for all
  // observe_lookups() only: a key that was not there has a value; a key was read that is not there; a value was
  // replaced as a whole.
  virtual void on_created(int /*db*/, Bytes /*key*/) {}
  virtual void on_miss(int /*db*/, Bytes /*key*/) {}
  virtual void on_overwritten(int /*db*/, Bytes /*key*/, bool /*type_changed*/) {}
  // observe_fields() only: `event` has happened to these fields of a hash.
  virtual void on_fields(int /*db*/, Bytes /*key*/, Bytes /*event*/, std::span<const Bytes> /*fields*/) {}
};

// Hears what goes by itself, because its time has come or memory is short: a log must say it, since nothing goes by
// itself when the log is replayed.
class RemovalListener {
 public:
  virtual ~RemovalListener() = default;
  // False: it need not be told now.
  virtual bool wanted() const = 0;
  virtual void on_expired(int db, Bytes key) = 0;
  virtual void on_evicted(int db, Bytes key) = 0;
  virtual void on_fields_expired(int db, Bytes key, std::span<const Bytes> fields) = 0;
};

class Keyspace {
 public:
  struct Options {
    int databases = 16;
    bool lfu = false;                 // access bits hold LFU counters instead of the LRU clock
    bool lrm = false;                 // the LRU clock tells the last change, not the last use
    int64_t lfu_log_factor = 10;
    int64_t lfu_decay_time = 1;       // minutes
    EncodingLimits limits;
    size_t max_string_bytes = size_t{512} << 20;   // proto-max-bulk-len
    size_t background_effort = 64;    // values of more allocations than this are freed in the background
  };
  struct Stats {
    uint64_t hits = 0, misses = 0;
    uint64_t expired = 0, expired_fields = 0, evicted = 0;
    uint64_t changes = 0;             // elements, since the last save: `rdb_changes_since_last_save`
    uint64_t freed_in_background = 0;
    double expired_stale_percent = 0;
  };
  // read: counts hit or miss, moves the access bits; look: only the first; write: only the second; peek: neither.
  enum class Touch : uint8_t { read, look, write, peek };

  // `run_in_background` takes an owned piece of work for another thread.
  using Background = std::function<void(std::function<void()>)>;
  Keyspace(Options& options, int64_t now_ms, uint64_t seed);
  ~Keyspace();
  void set_background(Background run) { background_ = std::move(run); }

  const Options& options() const { return options_; }
  TypeContext context() const { return {due_ms_, &options_.limits}; }
  int64_t now_ms() const { return now_ms_; }
  void set_now(int64_t now_ms) {
    now_ms_ = now_ms;
    due_ms_ = holds_expiry_ ? 0 : now_ms;
  }
  void hold_expiry(bool on) {
    holds_expiry_ = on;
    set_now(now_ms_);
  }
  // Meanwhile nothing goes by itself: what is due stays, and nobody sees it (CLIENT PAUSE). REQUIRES: nobody writes.
  void hold_removals(bool on) { holds_removals_ = on; }
  bool holds_removals() const { return holds_removals_; }
  // Whether what expires at that moment has expired.
  bool past(int64_t at_ms) const { return at_ms <= due_ms_; }
  Random& random() { return random_; }
  Stats& stats() { return stats_; }
  const Stats& stats() const { return stats_; }

  int databases() const { return static_cast<int>(databases_.size()); }
  Database& database(int db) { return *databases_[static_cast<size_t>(db)]; }
  const Database& database(int db) const { return *databases_[static_cast<size_t>(db)]; }
  size_t total_keys() const;
  // How many values of a database have which size.
  const SizeCensus& sizes(int db) const;

  // The live entry of a key, or null. An expired one is removed first (event "expired"); expired fields (event
  // "hexpired") when all are, and for Touch::write in any case.
  Entry* find(int db, Bytes key, uint64_t hash, Touch touch);
  // Whether find() would remove this entry.
  bool is_due(const Entry& entry) const;

  // Gives the key this value, whatever it held before. `expire_at_ms`: kNoExpiry, kKeepTtl, or a moment (which may be
  // past: then the key is removed). Announces nothing: follow with announce(). Returns the entry (null: removed).
  static constexpr int64_t kKeepTtl = -2;
  Entry* put(int db, Bytes key, uint64_t hash, Value value, int64_t expire_at_ms = kNoExpiry);
  // The same for a string; canonical integers are kept as such if `as_int`.
  Entry* put_string(int db, Bytes key, uint64_t hash, Bytes content, int64_t expire_at_ms, bool as_int = true);
  // Takes over an entry made from a snapshot: false if there is such a key, unless `replace` (then the entry stays the
  // caller's). Announces nothing.
  bool adopt(int db, Entry* entry, uint64_t hash, bool replace = false);
  // Changes the expiry of an entry (kNoExpiry: persists); returns the entry, which may have moved.
  Entry* set_expiry(int db, Entry* entry, uint64_t hash, int64_t at_ms);
  // Removes the entry and frees its value. Announces nothing.
  void remove(int db, Entry* entry, uint64_t hash);
  // Removes the entry and hands its value over.
  Value take(int db, Entry* entry, uint64_t hash);
  // Writes back what a type view changed (encoding and word) and announces `event`; an empty value then removes the key
  // and announces "del". Does nothing unless object.changes. Returns false when the key is gone. `length_before`: how
  // many elements it had.
  bool write_back(int db, Entry* entry, uint64_t hash, const Object& object, size_t length_before, Bytes event,
                  EventClass kind);
  // Changes a string where it is, and announces nothing. REQUIRES: its encoding is int; is blob.
  void set_integer(int db, Entry* entry, int64_t value);
  Blob* resize_blob(int db, Entry* entry, size_t size);

  // Tells every observer, and counts the change: as somebody's doing, so that of what goes by itself none is.
  void announce(const Change& change);
  void announce(int db, Bytes key, Bytes event, EventClass kind, Type type, bool gone = false) {
    announce({db, key, event, kind, type, gone});
  }
  // The same change under another name: not counted again.
  void announce_also(const Change& change) {
    for (KeyObserver* observer : observers_) observer->on_change(change);
  }
  void observe(KeyObserver* observer);
  void unobserve(KeyObserver* observer);
  void listen_to_removals(RemovalListener* listener) { removals_ = listener; }
  // Who is told of created keys, who of misses, and who of values replaced; null: nobody.
  void observe_lookups(KeyObserver* created, KeyObserver* missed, KeyObserver* overwritten) {
    created_observer_ = created, miss_observer_ = missed, overwrite_observer_ = overwritten;
  }
  // Says that the value of a key, if there is one, is about to be replaced by one of `type`.
  void tell_overwritten(int db, Bytes key, uint64_t hash, Type type) {
    if (__builtin_expect(overwrite_observer_ != nullptr, 0)) find_overwritten(db, key, hash, type);
  }
  // The same, when it has been found already.
  void tell_overwritten(int db, Bytes key, Type before, Type type) {
    if (overwrite_observer_) overwrite_observer_->on_overwritten(db, key, before != type);
  }

  // Who is told which fields of hashes change; null: nobody. The change itself is announced before.
  void observe_fields(KeyObserver* observer) { fields_observer_ = observer; }
  bool fields_observed() const { return fields_observer_; }
  void tell_fields(int db, Bytes key, Bytes event, std::span<const Bytes> fields) {
    if (fields_observer_ && !fields.empty()) fields_observer_->on_fields(db, key, event, fields);
  }

  // Removes every key of the database (-1: of all); returns how many there were.
  size_t flush(int db, bool background);
  void swap(int a, int b);

  // Active expiry: removes due keys and fields, at most `steps` steps of work. Returns the steps left (0: there may be
  // more to do).
  size_t expire_some(size_t steps);
  // A moment before which expire_some() has nothing to do; INT64_MAX: never.
  int64_t next_due_ms() const;
  ExpiryIndex::Lateness lateness() const;
  // DEBUG SET-ACTIVE-EXPIRE 0 leaves due keys to be found on access.
  void set_active_expiry(bool on) { active_expiry_ = on; }

  // Frees a value: here when it is small, else on the background thread.
  void free_value(Object object);
  // About how many bytes the background thread has still to free. Any thread may change it.
  size_t freeing_bytes() const { return freeing_bytes_->load(std::memory_order_relaxed); }

  // Counts and announces that a key has expired, which is gone already.
  void tell_expired(int db, Bytes key, Type type);
  // Removes an entry because its time has come or because memory is short; announces "expired" or "evicted".
  void expire(int db, Entry* entry, uint64_t hash);
  void evict(int db, Entry* entry, uint64_t hash);

  uint32_t fresh_access() const {
    return options_.lfu ? access::lfu_bits(now_ms_, access::kLfuInitial) : access::lru_clock(now_ms_);
  }
  // The entry's access bits in the meaning that holds now (Options::lfu), converted if they were of the other kind.
  uint32_t access_of(const Entry& entry) const {
    if (__builtin_expect(entry.access_is_lfu() == options_.lfu, 1)) return entry.access();
    return options_.lfu ? access::lfu_of_lru(entry.access(), now_ms_) : access::lru_of_lfu(entry.access(), now_ms_);
  }
  void touch(Entry* entry);

 private:
  void miss(int db, Bytes key);
  void find_overwritten(int db, Bytes key, uint64_t hash, Type type);
  bool removals_wanted() const { return removals_ && removals_->wanted(); }
  Entry* without_due_fields(int db, Entry* entry, uint64_t hash, Touch how);
  Entry* remove_due_fields(int db, Entry* entry, uint64_t hash, size_t& steps);
  size_t expire_some_of(Database& database, size_t steps);
  size_t expire_fields_of(Database& database, size_t steps);
  void free_in_background(size_t bytes, std::function<void()> work);
  void schedule_elements(int db, Entry* entry, uint64_t hash, const Object& object);
  Entry* place(int db, Entry* old, Entry* fresh, uint64_t hash);
  SizeCensus& census(int db);

  Options& options_;
  int64_t now_ms_;
  int64_t due_ms_ = now_ms_;        // what expires until then has expired
  Random random_;
  Stats stats_;
  std::vector<std::unique_ptr<Database>> databases_;
  std::vector<SizeCensus> sizes_;   // of the databases
  std::vector<KeyObserver*> observers_;
  KeyObserver* created_observer_ = nullptr;
  KeyObserver* miss_observer_ = nullptr;
  KeyObserver* overwrite_observer_ = nullptr;
  KeyObserver* fields_observer_ = nullptr;
  RemovalListener* removals_ = nullptr;
  Background background_;
  // Shared with the work under way, which may outlive the keyspace.
  std::shared_ptr<std::atomic<size_t>> freeing_bytes_ = std::make_shared<std::atomic<size_t>>(0);
  bool active_expiry_ = true, holds_expiry_ = false, holds_removals_ = false;
  int next_expiry_db_ = 0;
};

}  // namespace vitrine
