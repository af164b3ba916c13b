// What may be shown of an argv to those who watch commands (slow log, MONITOR, crash report), and of a line of the
// configuration that is wrong: passwords are hidden.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace vitrine {

class Settings;
struct Command;

constexpr Bytes kRedacted = "(redacted)";

// The arguments, secrets among them replaced by kRedacted. Views live as long as argv.
std::vector<Bytes> shown_arguments(const Command& command, std::span<const Bytes> argv, const Settings& settings);

// A line of a configuration as an error may quote it. Of what names no setting, or a secret one, only the first word is
// shown: a misspelt requirepass is followed by a password, too.
std::string shown_config_line(Bytes line, const Settings& settings);

// In double quotes; what does not print as \n, \r, \t, \a, \b, \\, \" or \xhh. Appended to `out`.
void append_quoted(std::string& out, Bytes text);

}  // namespace vitrine
