#include "persist/snapshot_reader.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/numbers.h"
#include "store/database.h"
#include "store/rdb_values.h"
#include "store/string.h"

namespace vitrine {

namespace {

// Digits with leading zeros.
std::optional<uint64_t> digits_of(Bytes text) {
  uint64_t n = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    n = n * 10 + static_cast<uint64_t>(c - '0');
  }
  return n;
}

class Reader {
 public:
  Reader(RdbInput& in, Keyspace& keyspace, const SnapshotRules& rules)
      : in_(in), keyspace_(keyspace), rules_(rules) {}
  ~Reader() { drop_batch(); }

  std::expected<SnapshotContent, std::string> run() {
    if (read_head())
      while (read_part()) {}
    if (!in_.failed()) flush_batch();
    if (!in_.failed()) return std::move(content_);
    std::string text = in_.error() + ", at byte " + std::to_string(is_none_ ? 0 : in_.error_offset());
    if (!key_.empty()) text += ", in or after the key '" + key_.substr(0, 64) + "'";
    return std::unexpected(text);
  }

 private:
  static constexpr Bytes kTwice = "a key that stands there twice";
  static constexpr size_t kBatch = 32;
  static constexpr int64_t kLongestIdle = int64_t{1} << 40;   // seconds
  static constexpr size_t kLeastKeyBytes = 3;   // type, key, value
  struct Pending {
    Entry* entry;
    uint64_t hash;
  };

  bool read_head() {
    Bytes magic = in_.raw(9);
    if (in_.failed()) return false;
    content_.valkey = magic.starts_with("VALKEY");
    is_none_ = !content_.valkey && !magic.starts_with("REDIS");
    if (is_none_) return in_.fail("this is no snapshot: it does not begin with REDIS or VALKEY");
    std::string digits(magic.substr(content_.valkey ? 6 : 5));
    content_.version = static_cast<int>(digits_of(digits).value_or(0));
    if (content_.version == 0) return in_.fail("there is no RDB format version '" + digits + "'");
    if (!rules_.any_version && !is_known_version(content_.version))
      return in_.fail(std::string(kUnknownVersion) + digits + std::string(rules_.version_advice));
    in_.set_version(content_.version);
    return true;
  }

  // One opcode, or one key. False at the end, or when something is wrong.
  bool read_part() {
    part_offset_ = in_.offset();
    uint8_t code = in_.byte();
    if (in_.failed()) return false;
    if (__builtin_expect(!head_told_ && code != rdb::kAux, 0)) tell_head();
    switch (code) {
      case rdb::kExpireMs: expire_at_ms_ = std::max<int64_t>(0, static_cast<int64_t>(in_.fixed64())); break;
      case rdb::kExpireSeconds: expire_at_ms_ = int64_t{in_.fixed32()} * 1000; break;
      case rdb::kIdle: idle_s_ = static_cast<int64_t>(in_.length()); break;
      case rdb::kFreq: frequency_ = in_.byte(); break;
      case rdb::kAux: return read_aux();
      case rdb::kResize: return read_sizes();
      case rdb::kSelect: return select();
      case rdb::kSlotInfo: in_.length(), in_.length(), in_.length(); break;
      case rdb::kSlotImport: return in_.fail("the state of a slot migration, which is not supported");
      case rdb::kFunction: content_.functions.emplace_back(in_.string()); break;
      case rdb::kFunctionPreview: return in_.fail("functions in the form of a release candidate");
      case rdb::kModuleAux: return read_module_aux();
      case rdb::kEnd: return read_end();
      default: return read_key(code);
    }
    return !in_.failed();
  }

  // The first part that is none of its head.
  void tell_head() {
    head_told_ = true;
    if (rules_.on_head) rules_.on_head(content_);
  }
  void tell_progress() {
    next_progress_ = rules_.on_progress ? in_.offset() + rules_.progress_bytes : UINT64_MAX;
    if (rules_.on_progress) rules_.on_progress(content_);
  }

  bool read_aux() {
    Bytes name = in_.string(), value = in_.string();
    if (in_.failed()) return false;
    auto number = parse_int64(value).value_or(0);
    if (name == "redis-ver" || name == "valkey-ver") content_.written_by = value;
    else if (name == "ctime") content_.written_at_s = number;
    else if (name == "used-mem") content_.used_memory = number;
    else if (name == "aof-base" || name == "aof-preamble") content_.aof_base = number == 1;
    return true;
  }

  bool read_sizes() {
    uint64_t keys = in_.length();
    in_.length();
    if (in_.failed()) return false;
    if (!rules_.examine) keyspace_.database(db_).reserve(in_.reserve(keys, kLeastKeyBytes));
    return true;
  }

  bool select() {
    flush_batch();
    uint64_t db = in_.length();
    if (in_.failed()) return false;
    if (rules_.examine) return examined_db_ = db, true;
    if (db >= static_cast<uint64_t>(keyspace_.databases()))
      return in_.fail("keys of database " + std::to_string(db) + ", but 'databases' is " +
                      std::to_string(keyspace_.databases()));
    db_ = static_cast<int>(db);
    return true;
  }

  bool read_module_aux() {
    std::string module;
    if (!skip_module_aux(in_, module)) return false;
    log(LogLevel::warning, "The snapshot holds data of module '%s', which is left out: modules are not supported.",
        module.c_str());
    return true;
  }

  bool read_end() {
    constexpr int kFirstWithChecksum = 5;
    if (content_.version < kFirstWithChecksum) return false;
    uint64_t real = in_.checksum(), said = in_.fixed64();
    content_.has_checksum = said != 0;
    if (!in_.failed() && rules_.checksum && said != 0 && said != real)
      in_.fail("the checksum is wrong: the file was damaged");
    return false;
  }

  bool read_key(uint8_t type) {
    if (in_.offset() >= next_progress_) tell_progress();
    Bytes key = in_.string();
    if (in_.failed()) return false;
    Entry* entry = nullptr;
    bool expired = expire_at_ms_ != kNoExpiry && keyspace_.past(expire_at_ms_);
    if (type == rdb::kString) {
      Bytes text = in_.string();
      if (in_.failed()) return key_ = key, false;
      if (!expired) entry = make_string_entry(key, text);
    } else {
      key_ = key;
      Value value = load_value(type, in_, keyspace_.context());
      if (!value) return false;
      bool empty = type_ops(value->type).length(*value) == 0;
      if (empty) content_.empty++, log(LogLevel::notice, "Leaving out the empty key '%s'", key_.c_str());
      else if (!expired) entry = Entry::create(key_, value.release(), expire_at_ms_);
      key_.clear();
    }
    if (entry) add(entry);
    else content_.expired += expired;
    expire_at_ms_ = kNoExpiry;
    idle_s_ = frequency_ = -1;
    return !in_.failed();
  }

  Entry* make_string_entry(Bytes key, Bytes text) {
    if (text.size() <= kMaxIntText)
      if (auto n = parse_int64(text))
        return Entry::create(key, Object::of(Type::string, kStringInt, static_cast<uint64_t>(*n)), expire_at_ms_);
    if (text.size() <= Entry::kMaxInline) return Entry::create_text(key, text, expire_at_ms_);
    return Entry::create(key, make_string(text, false).release(), expire_at_ms_);
  }

  void add(Entry* entry) {
    if (rules_.examine) return examine(entry);
    bool lfu = keyspace_.options().lfu;
    uint32_t bits = fresh_access();
    if (lfu && frequency_ >= 0) bits = access::lfu_bits(keyspace_.now_ms(), static_cast<uint8_t>(frequency_));
    if (!lfu && idle_s_ > 0)
      bits = access::lru_bits_of_idle(1000 * std::min(idle_s_, kLongestIdle), keyspace_.now_ms());
    entry->set_access(bits, lfu);
    uint64_t hash = hash_bytes(entry->key());
    keyspace_.database(db_).prefetch(hash);
    batch_[pending_++] = {entry, hash};
    content_.keys++;
    if (pending_ == kBatch) flush_batch();
  }
  void examine(Entry* entry) {
    bool is_new = rules_.examine(examined_db_, *entry, in_.offset() - part_offset_);
    if (is_new) content_.keys++;
    else key_ = entry->key(), in_.fail(kTwice);
    discard(entry);
  }
  static void discard(Entry* entry) {
    if (!entry->inline_text()) Value discarded(entry->object());
    Entry::destroy(entry);
  }
  uint32_t fresh_access() const { return keyspace_.fresh_access(); }

  // Their buckets have been fetched meanwhile.
  void flush_batch() {
    size_t i = 0;
    for (; i < pending_ && !in_.failed(); i++) {
      Entry* entry = batch_[i].entry;
      if (__builtin_expect(keyspace_.adopt(db_, entry, batch_[i].hash, rules_.replace), 1)) continue;
      key_ = entry->key(), in_.fail(kTwice);
      discard(entry);
    }
    std::move(batch_.begin() + static_cast<ptrdiff_t>(i), batch_.begin() + static_cast<ptrdiff_t>(pending_),
              batch_.begin());
    pending_ -= i;
  }
  void drop_batch() {
    for (size_t i = 0; i < pending_; i++) discard(batch_[i].entry);
  }

  RdbInput& in_;
  Keyspace& keyspace_;
  const SnapshotRules& rules_;
  SnapshotContent content_;
  int db_ = 0;
  uint64_t examined_db_ = 0, part_offset_ = 0, next_progress_ = 0;
  bool head_told_ = false, is_none_ = false;
  int64_t expire_at_ms_ = kNoExpiry, idle_s_ = -1;
  int frequency_ = -1;
  std::string key_;                    // while its value is read
  std::array<Pending, kBatch> batch_;
  size_t pending_ = 0;
};

}  // namespace

FileResult<bool> begins_as_snapshot(ReadFile& file) {
  constexpr size_t kMagic = 6;
  char head[kMagic];
  size_t n = 0;
  while (n < kMagic) {
    auto got = file.read(head + n, kMagic - n);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    n += *got;
  }
  Bytes magic(head, n);
  return magic.starts_with("REDIS") || magic.starts_with("VALKEY");
}

bool is_known_version(int version) {
  return (version >= 1 && version <= rdb::kNewestVersion) || version == rdb::kValkeyVersion;
}

std::expected<SnapshotContent, std::string> read_snapshot(RdbInput& in, Keyspace& keyspace,
                                                          const SnapshotRules& rules) {
  return Reader(in, keyspace, rules).run();
}

}  // namespace vitrine
