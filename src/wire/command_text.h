// A command as a client would send it: *2\r\n$3\r\nDEL\r\n$1\r\nk\r\n.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"

namespace vitrine {

void append_command(std::string& to, std::span<const Bytes> argv);
// An annotation of a log: #TS:1700000000\r\n, what follows was written in this second or later.
void append_time_note(std::string& to, int64_t second);

}  // namespace vitrine
