// The HELP of container commands, in the form that clients know: a heading, then each subcommand with its arguments and
// an indented explanation, HELP last. What it says of a subcommand is its usage and summary in data/commands.
#pragma once

#include <span>
#include <string>

namespace vitrine {

class Call;

// `name` in upper case. Heading and HELP's own lines are added.
void reply_help_lines(Call& c, const std::string& name, std::span<const std::string> lines);

}  // namespace vitrine
