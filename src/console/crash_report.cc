#include "console/crash_report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "base/memory.h"
#include "base/settings.h"
#include "console/redact.h"
#include "engine/dispatcher.h"
#include "engine/session_words.h"
#include "io/event_loop.h"
#include "store/database.h"

namespace vitrine {

namespace {

// Appends within fixed room; what does not fit is lost.
class FixedText {
 public:
  FixedText(char* out, size_t room) : out_(out), room_(room) {}
  [[gnu::format(printf, 2, 3)]] void print(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = std::vsnprintf(out_ + used_, room_ - used_, format, arguments);
    va_end(arguments);
    if (n > 0) used_ = std::min(room_ - 1, used_ + static_cast<size_t>(n));
  }
  // Printable bytes as they are, others as dots.
  void text(Bytes bytes) {
    for (char c : bytes)
      if (used_ + 1 < room_) out_[used_++] = c >= ' ' && c < 127 ? c : '.';
  }
  size_t used() const { return used_; }

 private:
  char* out_;
  size_t room_;
  size_t used_ = 0;
};

// Without a look at the table of settings: CONFIG SET hides every value.
bool may_hold_secrets(const Command* command, size_t i) {
  if (i == 0 || !command) return i > 0;
  for (Bytes secretive : {"auth", "hello", "acl|setuser", "migrate"})
    if (command->full_name == secretive) return true;
  return command->full_name == "config|set" && i >= 3;
}

}  // namespace

CrashReport::CrashReport(const Sources& sources, const Measured& measured, const bool& hide_user_data)
    : sources_(sources), measured_(measured), hide_user_data_(hide_user_data),
      sections_{{{"SERVER", write_server, this},
                 {"CURRENT CLIENT INFO", write_client, this},
                 {"CURRENT COMMAND", write_command, this}}} {}

CrashReport::~CrashReport() { enable(false); }

void CrashReport::enable(bool on) {
  if (on == installed_) return;
  installed_ = on;
  static const std::string program = "vitrine " + std::string(kVitrineVersion);
  on ? crash::install(program.c_str(), sections_) : crash::uninstall();
}

size_t CrashReport::write_server(void* self, char* out, size_t room) {
  const auto& report = *static_cast<const CrashReport*>(self);
  const Sources& s = report.sources_;
  FixedText text(out, room);
  text.print("vitrine_version:%s\nredis_version:%s\nrun_id:%s\n", kVitrineVersion.data(), kRedisVersion.data(),
             report.measured_.run_id.c_str());
  text.print("uptime_in_seconds:%lld\n",
             static_cast<long long>((s.loop.now_us() - report.measured_.start_monotonic_us) / 1000000));
  text.print("used_memory_peak:%zu\n", report.measured_.peak_bytes);
  text.print("connected_clients:%zu\nblocked_clients:%zu\n", s.dispatcher.sessions().size(),
             s.dispatcher.waiters().parked());
  text.print("total_commands_processed:%llu\n", static_cast<unsigned long long>(s.dispatcher.stats().commands));
  text.print("eventloop_cycles:%llu\n", static_cast<unsigned long long>(s.loop.turns()));
  for (int db = 0; db < s.keyspace.databases(); db++) {
    const Database& database = s.keyspace.database(db);
    if (database.size()) text.print("db%d:keys=%zu,expires=%zu\n", db, database.size(), database.expiring());
  }
  return text.used();
}

size_t CrashReport::write_client(void* self, char* out, size_t room) {
  const Session* session = static_cast<const CrashReport*>(self)->sources_.dispatcher.session_in_hand();
  FixedText text(out, room);
  if (!session) return text.print("no client's command was running\n"), text.used();
  text.print("id=%llu db=%d resp=%d multi=%d cmd=%s", static_cast<unsigned long long>(session->id), session->db,
             session->reply.protocol(), session->transaction.open,
             session->last_command ? session->last_command->full_name.c_str() : "none");
  text.print(" name=");
  text.text(session->name);
  text.print(" lib=");
  text.text(session->library_name);
  text.print("\n");
  return text.used();
}

size_t CrashReport::write_command(void* self, char* out, size_t room) {
  const auto& report = *static_cast<const CrashReport*>(self);
  auto argv = report.sources_.dispatcher.in_hand();
  const Session* session = report.sources_.dispatcher.session_in_hand();
  const Command* command = session ? session->last_command : nullptr;
  constexpr size_t kMostArgs = 32, kMostBytes = 128;
  FixedText text(out, room);
  text.print("argc: %zu\n", argv.size());
  for (size_t i = 0; i < std::min(argv.size(), kMostArgs); i++) {
    text.print("argv[%zu]: ", i);
    bool hidden = may_hold_secrets(command, i) || (report.hide_user_data_ && i > 0);
    if (hidden) text.print("(redacted, %zu bytes)\n", argv[i].size());
    else text.text(argv[i].substr(0, kMostBytes)), text.print(" (%zu bytes)\n", argv[i].size());
  }
  return text.used();
}

}  // namespace vitrine
