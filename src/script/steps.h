// Steps: what a function in C counts whose work a script can make as long as it likes (a pattern that backtracks, a
// sort, a table that contains itself many times), so that such a call can be interrupted as the script around it can.
#pragma once

#include <cstddef>

#include "script/lua.h"

namespace vitrine {

class Interpreter;

class Steps {
 public:
  Steps(lua_State* L, Interpreter& lua) : L_(L), lua_(lua) {}

  // A step is what takes some nanoseconds. Each raises when the script must end.
  void count(size_t steps = 1) {
    if (steps < left_) [[likely]] {
      left_ -= steps;
    } else {
      left_ = kBetweenPolls;
      ask();
    }
  }
  // Before what may be one long step.
  void ask();   // script_watch.cc

 private:
  static constexpr size_t kBetweenPolls = 10000;

  lua_State* L_;
  Interpreter& lua_;
  size_t left_ = kBetweenPolls;
};

}  // namespace vitrine
