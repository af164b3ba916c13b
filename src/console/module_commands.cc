// MODULE: what tools ask of every server. What modules bring elsewhere is built in here, so none is ever loaded.
#include "base/log.h"
#include "console/commands.h"
#include "engine/call.h"
#include "engine/command.h"

namespace vitrine {

namespace {

void list(Call& c) { c.reply.array(0); }

void load(Call& c) {
  log(LogLevel::warning, "Module %s was not loaded: this server takes no modules.", std::string(c.args[2]).c_str());
  c.reply.error("ERR Error loading the extension. Please check the server logs.");
}

void unload(Call& c) { c.reply.error("ERR Error unloading module: no such module with that name"); }

}  // namespace

void add_module_commands(CommandRegistry& registry) {
  static constexpr CommandRow kRows[] = {
      {"module|list", list}, {"module|load", load}, {"module|loadex", load}, {"module|unload", unload}};
  registry.add(kRows);
}

}  // namespace vitrine
