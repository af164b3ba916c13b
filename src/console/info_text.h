// InfoText: INFO's form, `name:value` lines under `# Section` headings.
#pragma once

#include <concepts>
#include <string>

#include "base/bytes.h"

namespace vitrine {

// "1.50M", "919.05K", "200B".
std::string human_bytes(uint64_t bytes);

class InfoText {
 public:
  void section(Bytes title);
  void field(Bytes name, Bytes value);
  void field(Bytes name, std::integral auto value) { field(name, Bytes(std::to_string(value))); }
  // With this many digits behind the point.
  void real(Bytes name, double value, int digits = 2);
  // The number, and `name_human` after it.
  void memory(Bytes name, uint64_t bytes);
  // "12.50%".
  void percent(Bytes name, double value);
  // A zero: for what a room that is not built, or not at work, would count.
  void idle(Bytes name) { field(name, 0); }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace vitrine
