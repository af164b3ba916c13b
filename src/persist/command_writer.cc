#include "persist/command_writer.h"

#include "base/numbers.h"
#include "persist/payload.h"
#include "store/database.h"
#include "store/rewrite.h"
#include "store/string.h"
#include "wire/command_text.h"

namespace vitrine {

namespace {

constexpr size_t kPieceBytes = 1 << 20;
constexpr uint64_t kSyncEveryBytes = 4 << 20;

class Writer {
 public:
  Writer(AppendFile& file, const Keyspace& keyspace, const PersistOptions& options, const SnapshotStep& step,
         size_t keys_in_step)
      : file_(file), keyspace_(keyspace), options_(options), step_(step), keys_in_step_(keys_in_step) {}

  std::expected<void, std::string> run(std::span<const std::string> functions) {
    if (options_.append.timestamps) append_time_note(text_, keyspace_.now_ms() / 1000);
    for (const std::string& code : functions) command({"FUNCTION", "LOAD", code});
    for (int db = 0; db < keyspace_.databases(); db++) write_database(keyspace_.database(db));
    write_piece();
    if (!going_) return std::unexpected(error_.empty() ? "it was stopped" : error_);
    if (auto synced = file_.sync(); !synced) return std::unexpected(synced.error().text);
    if (auto closed = file_.close(); !closed) return std::unexpected(closed.error().text);
    return {};
  }

 private:
  void command(std::span<const Bytes> argv) {
    append_command(text_, argv);
    if (text_.size() >= kPieceBytes) write_piece();
  }
  void command(std::initializer_list<Bytes> argv) { command(std::span(argv.begin(), argv.size())); }

  void write_database(const Database& database) {
    if (database.size() == 0 || !going_) return;
    command({"SELECT", std::to_string(database.id())});
    database.table().for_each_fetched([&](Word w) {
      if (__builtin_expect(going_, 1)) write_key(*Database::Policy::entry(w));
    });
  }

  void write_key(const Entry& entry) {
    if (entry.has_expiry() && entry.expired(keyspace_.now_ms())) return;
    write_value(entry);
    if (entry.has_expiry()) {
      char digits[kInt64Chars];
      command({"PEXPIREAT", entry.key(), Bytes(digits, format_int64(digits, entry.expire_at_ms()))});
    }
    if (++since_step_ < keys_in_step_) return;
    going_ = going_ && (!step_ || step_(since_step_));
    since_step_ = 0;
  }

  void write_value(const Entry& entry) {
    if (entry.type() == Type::string) {
      char scratch[24];
      return command({"SET", entry.key(), string_bytes(entry, scratch)});
    }
    const TypeOps& ops = type_ops(entry.type());
    if (!ops.rewrite)
      return with_payload(entry, options_, [&](Bytes payload) { command({"RESTORE", entry.key(), "0", payload}); });
    CommandMaker::Sink sink = [this](std::span<const Bytes> argv) { command(argv); };
    CommandMaker maker(entry.key(), sink);
    ops.rewrite(entry.object(), maker);
  }

  void write_piece() {
    for (Bytes rest = text_; going_ && !rest.empty();) {
      auto taken = file_.append(rest);
      if (!taken) error_ = taken.error().text, going_ = false;
      else rest.remove_prefix(*taken);
    }
    text_.clear();
    if (!options_.append.incremental_fsync || file_.size() - set_off_ < kSyncEveryBytes) return;
    file_.start_sync();
    set_off_ = file_.size();
  }

  AppendFile& file_;
  const Keyspace& keyspace_;
  const PersistOptions& options_;
  const SnapshotStep& step_;
  size_t keys_in_step_, since_step_ = 0;
  std::string text_, error_;
  uint64_t set_off_ = 0;
  bool going_ = true;
};

}  // namespace

std::expected<void, std::string> write_commands_file(Files& files, const std::string& path, const Keyspace& keyspace,
                                                     std::span<const std::string> functions,
                                                     const PersistOptions& options, const SnapshotStep& step,
                                                     size_t keys_in_step) {
  auto file = files.open_empty(path);
  if (!file) return std::unexpected(file.error().text);
  return Writer(**file, keyspace, options, step, keys_in_step).run(functions);
}

}  // namespace vitrine
