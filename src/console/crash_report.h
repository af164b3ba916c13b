// CrashReport: what a crash report adds of ours: the client and the command in hand, and the state of the server in a
// few lines. Written inside the signal handler: it allocates nothing and waits for nothing.
#pragma once

#include <array>

#include "console/sections.h"
#include "console/sources.h"
#include "io/crash.h"

namespace vitrine {

class CrashReport {
 public:
  // `hide_user_data`: read when the report is written (hide-user-data-from-log). All outlive the report.
  CrashReport(const Sources& sources, const Measured& measured, const bool& hide_user_data);
  // Removes the handlers.
  ~CrashReport();
  CrashReport(const CrashReport&) = delete;
  CrashReport& operator=(const CrashReport&) = delete;

  // crash-log-enabled.
  void enable(bool on);

 private:
  static size_t write_server(void* self, char* out, size_t room);
  static size_t write_client(void* self, char* out, size_t room);
  static size_t write_command(void* self, char* out, size_t room);

  const Sources& sources_;
  const Measured& measured_;
  const bool& hide_user_data_;
  std::array<crash::Section, 3> sections_;
  bool installed_ = false;
};

}  // namespace vitrine
