// A command's documentation as COMMAND DOCS replies it: its full name, then a map; subcommands within it.
#pragma once

namespace vitrine {

struct Command;
class ReplyBuilder;

void reply_docs(ReplyBuilder& reply, const Command& command);

}  // namespace vitrine
