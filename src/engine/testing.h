// What tests share: what a server would write to its log, as text.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/effects.h"

namespace vitrine {

// Follows from its birth to its end. SELECT, MULTI and EXEC are left out.
class StreamRecorder final : public StreamFollower {
 public:
  explicit StreamRecorder(Effects& effects) : effects_(effects) { effects_.follow(this); }
  ~StreamRecorder() override { effects_.leave(this); }

  void on_stream(Bytes unit) override {
    std::string text;
    while (!unit.empty()) {
      std::string command = take_command(unit);
      if (command.starts_with("SELECT ") || command == "MULTI" || command == "EXEC") continue;
      commands.push_back(command);
      text += (text.empty() ? "" : "; ") + command;
    }
    units.push_back(text);
  }
  std::vector<std::string> take() { return std::exchange(commands, {}); }

  std::vector<std::string> units;      // "SET a 1; DEL a"
  std::vector<std::string> commands;   // one by one

 private:
  static size_t take_number(Bytes& rest) {
    size_t end = rest.find('\r');
    size_t n = std::stoul(std::string(rest.substr(1, end - 1)));
    rest.remove_prefix(end + 2);
    return n;
  }
  static std::string take_command(Bytes& rest) {
    std::string text;
    for (size_t words = take_number(rest); words > 0; words--) {
      size_t bytes = take_number(rest);
      text += rest.substr(0, bytes);
      if (words > 1) text += ' ';
      rest.remove_prefix(bytes + 2);
    }
    return text;
  }

  Effects& effects_;
};

}  // namespace vitrine
