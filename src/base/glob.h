// Glob patterns as KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET and ACL rules use them.
//
//   *        any run of bytes, also none          ?      any one byte
//   [abc]    one of these                         [a-z]  one of a range, in either direction
//   [^abc]   one that is none of these            \x     x itself
// A class that is never closed ends with the pattern; a '\' at the very end is itself; "[]" matches nothing and
// "[^]" any one byte. An empty text matches the empty pattern only, as in Redis: not even "*" does.
// Time is at most pattern × text, whatever the pattern.
#pragma once

#include "base/bytes.h"

namespace vitrine {

bool glob_match(Bytes pattern, Bytes text, bool ignore_case = false);

}  // namespace vitrine
