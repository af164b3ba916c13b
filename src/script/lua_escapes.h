// LuaEscapes: source as Lua 5.1 reads it, made ready for LuaJIT, which knows other escapes in strings.
//
// In a string in quotes a backslash means something before a b f n r t v \ " ', a digit and the end of a line; before
// any other character Lua 5.1 passes over it ("\." is ".", "\x41" is "x41"), where LuaJIT refuses it or sees an escape
// of its own (\x41 \u{41} \z). So that backslash is left out, and nothing else changes: comments and long brackets
// stay as they are, lines keep their numbers. And LuaJIT passes over a first line that begins with #, which is an error
// in Lua 5.1: a space before the # makes it one.
//
//   return "a\.b\n" -- \.      gives      [return "a] [.b\n" -- \.]
//
// It copies nothing: it takes the source in pieces of any size, and what it gives are parts of these.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace vitrine {

class LuaEscapes {
 public:
  // For source that comes in pieces.
  LuaEscapes() = default;
  // For source that is all there: when there is nothing to leave out, it is not looked at any further.
  explicit LuaEscapes(Bytes whole) : plain_(whole.find('\\') == Bytes::npos && !whole.starts_with('#')) {}

  // The next bytes for the compiler, at most kMostBytes, and takes from the front of `piece` what they were. They lie
  // in it, or are constant. Empty: the piece is used up.
  Bytes next(Bytes& piece);

  static constexpr size_t kMostBytes = 65536;

 private:
  enum class State : uint8_t {
    start,
    code,
    dash,           // behind one -
    comment_start,  // behind two
    bracket,        // behind [ and any number of =, in code or at the start of a comment
    line_comment,
    long_text,      // a long comment or a long string
    closing,        // behind ] and any number of =, in a long text
    string,
  };

  void step(char c);
  void step_in_code(char c);
  void step_in_bracket(char c);
  void step_in_line_comment(char c);
  void step_in_long_text(char c);
  void step_in_string(char c);
  // Whether this character ends what goes out now; `following` is what stands behind it.
  bool leaves_out(char c, Bytes following);

  State state_ = State::start;
  bool plain_ = false;
  bool escaped_ = false;      // the next character stands behind a backslash that stays
  bool held_ = false;         // the last piece ended with a backslash that nothing is known of yet
  bool in_comment_ = false;   // a bracket opens a comment
  char quote_ = 0;
  size_t level_ = 0, closing_level_ = 0;   // how many = the brackets have
};

}  // namespace vitrine
