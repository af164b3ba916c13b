#include "script/lua_escapes.h"

#include <algorithm>

namespace vitrine {

namespace {

bool is_escape(char c) { return Bytes("abfnrtv\\\"'\n\r0123456789").find(c) != Bytes::npos; }

Bytes take(Bytes& piece, size_t size) {
  Bytes taken = piece.substr(0, size);
  piece.remove_prefix(size);
  return taken;
}

}  // namespace

Bytes LuaEscapes::next(Bytes& piece) {
  if (plain_) return take(piece, std::min(piece.size(), kMostBytes));
  if (piece.empty()) return {};
  if (state_ == State::start) {
    state_ = State::code;
    if (piece.front() == '#') return " ";
  }
  if (held_) {
    held_ = false;
    escaped_ = is_escape(piece.front());
    if (escaped_) return "\\";
  }
  size_t from = 0;
  for (size_t i = 0; i < piece.size() && i - from < kMostBytes; i++) {
    if (!leaves_out(piece[i], piece.substr(i + 1))) {
      step(piece[i]);
    } else if (i > from) {
      Bytes before = piece.substr(from, i - from);
      piece.remove_prefix(i + 1);
      return before;
    } else {
      from = i + 1;
    }
  }
  piece.remove_prefix(from);
  return take(piece, std::min(piece.size(), kMostBytes));
}

bool LuaEscapes::leaves_out(char c, Bytes following) {
  if (c != '\\' || state_ != State::string || escaped_) return false;
  held_ = following.empty();
  return held_ || !is_escape(following.front());
}

void LuaEscapes::step(char c) {
  switch (state_) {
    case State::start:
    case State::code: return step_in_code(c);
    case State::dash:
      if (c != '-') return step_in_code(c);
      state_ = State::comment_start;
      return;
    case State::comment_start:
      if (c != '[') return step_in_line_comment(c);
      in_comment_ = true;
      level_ = 0;
      state_ = State::bracket;
      return;
    case State::bracket: return step_in_bracket(c);
    case State::line_comment: return step_in_line_comment(c);
    case State::long_text:
    case State::closing: return step_in_long_text(c);
    case State::string: return step_in_string(c);
  }
}

void LuaEscapes::step_in_code(char c) {
  state_ = State::code;
  if (c == '-') {
    state_ = State::dash;
  } else if (c == '[') {
    in_comment_ = false;
    level_ = 0;
    state_ = State::bracket;
  } else if (c == '"' || c == '\'') {
    quote_ = c;
    state_ = State::string;
  }
}

void LuaEscapes::step_in_bracket(char c) {
  if (c == '=') {
    level_++;
  } else if (c == '[') {
    state_ = State::long_text;
  } else if (in_comment_) {
    step_in_line_comment(c);
  } else {
    step_in_code(c);
  }
}

void LuaEscapes::step_in_line_comment(char c) {
  state_ = c == '\n' || c == '\r' ? State::code : State::line_comment;
}

void LuaEscapes::step_in_long_text(char c) {
  if (c == ']' && state_ == State::closing && closing_level_ == level_) {
    state_ = State::code;
  } else if (c == ']') {
    closing_level_ = 0;
    state_ = State::closing;
  } else if (c == '=' && state_ == State::closing) {
    closing_level_++;
  } else {
    state_ = State::long_text;
  }
}

// A line that ends within a string needs no care: the compiler refuses the source there.
void LuaEscapes::step_in_string(char c) {
  if (escaped_) escaped_ = false;
  else if (c == '\\') escaped_ = true;
  else if (c == quote_) state_ = State::code;
}

}  // namespace vitrine
