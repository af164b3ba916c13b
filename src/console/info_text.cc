#include "console/info_text.h"

#include <cstdio>

namespace vitrine {

std::string human_bytes(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + "B";
  double amount = static_cast<double>(bytes) / 1024;
  const char* units = "KMGTP";
  while (amount >= 1024 && units[1]) amount /= 1024, units++;
  char out[32];
  std::snprintf(out, sizeof out, "%.2f%c", amount, *units);
  return out;
}

void InfoText::section(Bytes title) {
  if (!text_.empty()) text_ += "\r\n";
  ((text_ += "# ") += title) += "\r\n";
}

void InfoText::field(Bytes name, Bytes value) { (((text_ += name) += ':') += value) += "\r\n"; }

void InfoText::real(Bytes name, double value, int digits) {
  char out[64];
  int n = std::snprintf(out, sizeof out, "%.*f", digits, value);
  field(name, Bytes(out, static_cast<size_t>(n)));
}

void InfoText::percent(Bytes name, double value) {
  char out[64];
  int n = std::snprintf(out, sizeof out, "%.2f%%", value);
  field(name, Bytes(out, static_cast<size_t>(n)));
}

void InfoText::memory(Bytes name, uint64_t bytes) {
  field(name, bytes);
  field(std::string(name) + "_human", human_bytes(bytes));
}

}  // namespace vitrine
