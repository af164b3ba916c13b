// A command as a client would send it: *2\r\n$3\r\nDEL\r\n$1\r\nk\r\n.
#pragma once

#include <span>
#include <string>

#include "base/bytes.h"

namespace vitrine {

void append_command(std::string& to, std::span<const Bytes> argv);

}  // namespace vitrine
