// The log, in the line form that supervisors and dashboards read:
//
//   20101:M 23 Nov 2026 04:08:39.566 * Ready to accept connections
//   pid  role  date and time         level and message
//
// Roles: M main, S replica, C child or still starting, X sentinel. Levels: . debug, - verbose, * notice, # warning.
// With format logfmt: pid=20101 role=master timestamp="…" level=notice message="…".
//
// This is the one process-wide word of the house. Lines go to standard output, or are appended to the file (opened
// for each line, so that rotation needs no signal), and to syslog if asked. Each line is one write; any thread may
// log, but only one may configure, and that before others start.
#pragma once

#include <string>

#include "base/bytes.h"

namespace vitrine {

enum class LogLevel { debug, verbose, notice, warning, nothing };
enum class LogFormat { legacy, logfmt };
enum class LogTimestamp { legacy, iso8601, milliseconds };

struct LogOptions {
  LogLevel level = LogLevel::notice;
  std::string file;  // empty: standard output
  LogFormat format = LogFormat::legacy;
  LogTimestamp timestamp = LogTimestamp::legacy;
  bool syslog_enabled = false;
  std::string syslog_ident = "redis";
  int syslog_facility = 16 << 3;  // LOG_LOCAL0
  bool crash_log_enabled = true;
  bool hide_user_data = false;
};

class Log {
 public:
  LogOptions options;
  char role = 'C';

  // Whether a line of this level would be written.
  bool wants(LogLevel level) const { return level >= options.level && options.level != LogLevel::nothing; }
  // Connects to or leaves syslog, as the options now say.
  void open_syslog();
  // Writes one line, whatever the level. Longer messages than kLongestMessage are cut.
  void write(LogLevel level, Bytes message);
  // Text as it is, without prefix or newline (crash reports).
  void write_raw(Bytes text);
  // As write, with nothing but async-signal-safe calls: "pid:signal-handler (unix seconds) message".
  void write_from_signal(Bytes message);

  static constexpr size_t kLongestMessage = 4096;

 private:
  void emit(Bytes text);
};

Log& the_log();

// As printf. A line below the level costs a comparison.
[[gnu::format(printf, 2, 3)]] void log(LogLevel level, const char* format, ...);

}  // namespace vitrine
