// CommandLog: the latest commands that were slow, or whose request or reply was large: SLOWLOG and COMMANDLOG.
//
// The dispatcher shows it what crossed a threshold; entries keep at most kMaxArgs arguments of kMaxArgBytes each.
#pragma once

#include <array>
#include <deque>
#include <string>
#include <vector>

#include "engine/dispatcher.h"

namespace vitrine {

class Settings;
class EventLoop;

class CommandLog final : public CallObserver {
 public:
  enum class Kind : uint8_t { slow, large_request, large_reply };
  static constexpr int kKinds = 3;
  static constexpr size_t kMaxArgs = 32, kMaxArgBytes = 128;

  struct Entry {
    uint64_t id = 0;
    int64_t at_s = 0;             // Unix time
    uint64_t value = 0;           // microseconds or bytes
    std::vector<std::string> argv;
    std::string address, client_name;
  };

  CommandLog(const ObserveOptions& options, const Settings& settings, const EventLoop& loop)
      : options_(options), settings_(settings), loop_(loop) {}

  void on_notable(const Session& session, const Command& command, std::span<const Bytes> argv, uint64_t duration_ns,
                  size_t request_bytes, size_t reply_bytes) override;

  // The newest first.
  const std::deque<Entry>& entries(Kind kind) const { return logs_[static_cast<size_t>(kind)].entries; }
  // Forgets the oldest beyond what the settings keep.
  void trim();
  void reset(Kind kind) { logs_[static_cast<size_t>(kind)].entries.clear(); }

  // The arguments as an entry keeps them.
  static std::vector<std::string> trimmed(std::span<const Bytes> argv);

 private:
  struct Log {
    std::deque<Entry> entries;
    uint64_t next_id = 0;
  };
  int64_t most(Kind kind) const;
  void add(Kind kind, uint64_t value, const Entry& entry);

  const ObserveOptions& options_;
  const Settings& settings_;
  const EventLoop& loop_;
  std::array<Log, kKinds> logs_;
};

}  // namespace vitrine
