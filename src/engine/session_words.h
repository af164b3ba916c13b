// Small words about sessions that several command files share.
#pragma once

#include "base/bytes.h"
#include "engine/session.h"

namespace vitrine {

// The Redis version whose dialect we speak, as HELLO and INFO say it; and our own.
constexpr Bytes kRedisVersion = "8.0.0";
constexpr Bytes kVitrineVersion = "0.1.0";

// True for names that CLIENT LIST can show: printable ASCII without spaces.
bool is_printable_word(Bytes text);

// One line of CLIENT LIST, without its newline.
std::string describe_client(const Session& session, int64_t now_ms, size_t watched_limit = 0);
// The letters of flags=, "N" if none.
std::string client_flags(const Session& session);

}  // namespace vitrine
