#include "console/help.h"

#include <vector>

#include "console/commands.h"
#include "engine/call.h"
#include "engine/command.h"
#include "engine/command_docs.h"
#include "engine/command_table.h"

namespace vitrine {

namespace {

std::string in_capitals(Bytes name) {
  std::string out(name);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return out;
}

void describe(std::vector<std::string>& lines, std::string title, Bytes text) {
  lines.push_back(std::move(title));
  lines.push_back("    " + std::string(text));
}

void reply_help(Call& c, const Command& container) {
  std::vector<std::string> lines;
  if (container.handler || container.bound)
    describe(lines, "(no subcommand)", command_docs(*container.info).summary);
  for (const Command* sub : container.subcommands) {
    if (sub->name == "help") continue;
    const CommandDocs& docs = command_docs(*sub->info);
    std::string title = in_capitals(sub->name);
    if (!docs.usage.empty()) title += " " + std::string(docs.usage);
    describe(lines, std::move(title), docs.summary);
  }
  reply_help_lines(c, in_capitals(container.full_name), lines);
}

}  // namespace

void reply_help_lines(Call& c, const std::string& name, std::span<const std::string> lines) {
  c.reply.array(static_cast<int64_t>(lines.size()) + 3);
  c.reply.simple(name + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const std::string& line : lines) c.reply.simple(line);
  c.reply.simple("HELP");
  c.reply.simple("    Shows this help.");
}

void add_help_commands(CommandRegistry& registry) {
  for (const CommandInfo& info : command_infos()) {
    std::string name = std::string(info.name) + "|help";
    const Command* container = registry.find_full(info.name);
    if (!container || container->subcommands.empty()) continue;     // nothing to explain yet
    if (!find_command_info(name) || registry.find_full(name)) continue;  // or with a help of its own
    registry.add(name, [container](Call& c) { reply_help(c, *container); });
  }
}

}  // namespace vitrine
