#include "console/debug.h"

#include "console/help.h"
#include "engine/call.h"

namespace vitrine {

void DebugCommands::add(Bytes usage, Bytes help, size_t least, size_t most, std::function<void(Call&)> handler) {
  rows_[to_lower(usage.substr(0, usage.find(' ')))] = {std::string(usage), std::string(help), least, most,
                                                      std::move(handler)};
}

void DebugCommands::reply_help(Call& c) const {
  std::vector<std::string> lines;
  for (const auto& [name, row] : rows_) {
    lines.push_back(row.usage);
    for (size_t at = 0; at < row.help.size();) {
      size_t end = std::min(row.help.find('\n', at), row.help.size());
      lines.push_back("    " + row.help.substr(at, end - at));
      at = end + 1;
    }
  }
  reply_help_lines(c, "DEBUG", lines);
}

void DebugCommands::run(Call& c) const {
  Bytes name = c.args.bytes();
  size_t given = c.args.left();
  if (equals_ignoring_case(name, "help") && given == 0) return reply_help(c);
  auto it = rows_.find(to_lower(name));
  if (it == rows_.end() || given < it->second.least || given > it->second.most)
    return c.reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                         std::string(name.substr(0, 128)) + "'. Try DEBUG HELP.");
  it->second.handler(c);
}

}  // namespace vitrine
