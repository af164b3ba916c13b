#include "base/log.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <sys/time.h>
#include <syslog.h>
#include <unistd.h>

#include "base/numbers.h"

namespace vitrine {

namespace {

// Seconds east of Greenwich. The C library's answer takes a lock, which a forked child must never wait for; so the
// offset is kept, asked for again at each quarter of an hour (no zone changes at other moments), and only by the
// process that asked first.
int64_t zone_offset_s(int64_t now_s) {
  static std::atomic<int64_t> asked_quarter{-1}, offset{0};
  static std::atomic<pid_t> owner{0};
  constexpr int64_t kQuarter = 900;
  int64_t quarter = now_s / kQuarter;
  if (asked_quarter.load(std::memory_order_relaxed) == quarter) return offset.load(std::memory_order_relaxed);
  pid_t nobody = 0, self = getpid();
  owner.compare_exchange_strong(nobody, self);
  if (owner.load() != self && asked_quarter.load() >= 0) return offset.load(std::memory_order_relaxed);
  time_t moment = now_s;
  tm local;
  localtime_r(&moment, &local);
  offset.store(local.tm_gmtoff, std::memory_order_relaxed);
  asked_quarter.store(quarter, std::memory_order_relaxed);
  return local.tm_gmtoff;
}

size_t format_timestamp(char* out, size_t room, LogTimestamp style) {
  timeval now;
  gettimeofday(&now, nullptr);
  int milliseconds = static_cast<int>(now.tv_usec / 1000);
  int64_t offset_s = zone_offset_s(now.tv_sec);
  if (style == LogTimestamp::milliseconds)
    return std::snprintf(out, room, "%lld", static_cast<long long>(now.tv_sec) * 1000 + milliseconds);
  using namespace std::chrono;
  sys_seconds local{seconds(now.tv_sec + offset_s)};
  sys_days day = floor<days>(local);
  year_month_day date{day};
  hh_mm_ss clock{local - day};
  int h = static_cast<int>(clock.hours().count()), m = static_cast<int>(clock.minutes().count());
  int s = static_cast<int>(clock.seconds().count());
  unsigned month = unsigned(date.month()), day_of_month = unsigned(date.day());
  if (style == LogTimestamp::legacy) {
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return std::snprintf(out, room, "%02u %s %04d %02d:%02d:%02d.%03d", day_of_month, kMonths[month - 1],
                         int(date.year()), h, m, s, milliseconds);
  }
  int64_t minutes_east = (offset_s < 0 ? -offset_s : offset_s) / 60;
  return std::snprintf(out, room, "%04d-%02u-%02uT%02d:%02d:%02d.%03d%c%02d:%02d", int(date.year()), month,
                       day_of_month, h, m, s, milliseconds, offset_s < 0 ? '-' : '+',
                       static_cast<int>(minutes_east / 60), static_cast<int>(minutes_east % 60));
}

// A message between double quotes: what would end the value or the line is replaced.
void append_logfmt_value(std::string& line, Bytes message) {
  for (char c : message) {
    if (c == '"')
      line += '\'';
    else if (c == '\n' || c == '\r')
      line += ' ';
    else
      line += c;
  }
}

const char* role_name(char role) {
  switch (role) {
    case 'M': return "primary";
    case 'S': return "replica";
    case 'X': return "sentinel";
    default: return "RDB/AOF";
  }
}

}  // namespace

void Log::open_syslog() {
  closelog();
  // openlog keeps the pointer it is given.
  static std::string ident;
  ident = options.syslog_ident;
  if (options.syslog_enabled) openlog(ident.c_str(), LOG_PID | LOG_NDELAY | LOG_NOWAIT, options.syslog_facility);
}

void Log::emit(Bytes text) {
  int fd = STDOUT_FILENO;
  if (!options.file.empty()) {
    fd = open(options.file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return;
  }
  while (!text.empty()) {
    ssize_t written = ::write(fd, text.data(), text.size());
    if (written <= 0) break;
    text.remove_prefix(written);
  }
  if (fd != STDOUT_FILENO) close(fd);
}

void Log::write(LogLevel level, Bytes message) {
  static constexpr const char* kNames[] = {"debug", "verbose", "notice", "warning", "warning"};
  static constexpr int kPriorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_WARNING};
  size_t rank = std::min<size_t>(static_cast<size_t>(level), 4);
  message = message.substr(0, kLongestMessage);
  char stamp[64];
  size_t stamp_size = format_timestamp(stamp, sizeof stamp, options.timestamp);
  std::string line;
  line.reserve(message.size() + 128);
  if (options.format == LogFormat::logfmt) {
    line += "pid=" + std::to_string(getpid()) + " role=" + role_name(role) + " timestamp=\"";
    line.append(stamp, stamp_size) += "\" level=";
    line += kNames[rank];
    line += " message=\"";
    append_logfmt_value(line, message);
    line += "\"\n";
  } else {
    line += std::to_string(getpid());
    line += ':';
    line += role;
    line += ' ';
    line.append(stamp, stamp_size) += ' ';
    line += ".-*##"[rank];
    line += ' ';
    line.append(message) += '\n';
  }
  emit(line);
  if (options.syslog_enabled) syslog(kPriorities[rank], "%.*s", static_cast<int>(message.size()), message.data());
}

void Log::write_raw(Bytes text) { emit(text); }

void Log::write_from_signal(Bytes message) {
  char head[80];
  size_t n = format_int64(head, getpid());
  Bytes middle = ":signal-handler (";
  n += middle.copy(head + n, middle.size());
  n += format_int64(head + n, time(nullptr));
  n += Bytes(") ").copy(head + n, 2);
  emit(Bytes(head, n));
  emit(message);
  emit("\n");
}

Log& the_log() {
  static Log log;
  return log;
}

void log(LogLevel level, const char* format, ...) {
  Log& log = the_log();
  if (!log.wants(level)) return;
  char message[Log::kLongestMessage + 1];
  va_list arguments;
  va_start(arguments, format);
  int length = std::vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (length < 0) return;
  log.write(level, Bytes(message, std::min<size_t>(length, Log::kLongestMessage)));
}

}  // namespace vitrine
