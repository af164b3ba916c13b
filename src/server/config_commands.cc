// CONFIG: the settings, seen and changed while the server runs.
#include "base/log.h"
#include "server/node.h"
#include "server/server_commands.h"

namespace vitrine {

namespace {

void get(Call& c, Settings& settings) {
  auto pairs = settings.get(c.args.rest());
  c.reply.map(static_cast<int64_t>(pairs.size()));
  for (const auto& [name, value] : pairs) {
    c.reply.bulk(name);
    c.reply.bulk(value);
  }
}

bool is_local(const Session& session) {
  if (!session.peer || session.peer->is_unix_socket()) return true;
  std::string address = session.peer->address();
  return address.starts_with("127.") || address.starts_with("[::1]");
}

void set(Call& c, Settings& settings) {
  auto words = c.args.rest();
  if (words.size() % 2) return c.reply.error(Args::kSyntaxError);
  std::vector<Settings::Change> changes;
  for (size_t i = 0; i < words.size(); i += 2) changes.push_back({words[i], words[i + 1]});
  std::string refusal = settings.set(changes, is_local(c.session));
  refusal.empty() ? c.reply.ok() : c.reply.error("ERR " + refusal);
}

void rewrite(Call& c, Settings& settings, const std::string& file) {
  if (file.empty()) return c.reply.error("ERR The server is running without a config file");
  std::string problem = settings.rewrite(file);
  if (problem.empty()) {
    log(LogLevel::notice, "CONFIG REWRITE executed with success.");
    return c.reply.ok();
  }
  log(LogLevel::warning, "CONFIG REWRITE failed: %s", problem.c_str());
  c.reply.error("ERR Rewriting config file: " + problem);
}

}  // namespace

void add_config_commands(CommandRegistry& registry, Settings& settings, const std::string& file,
                         std::function<void()> reset_stats) {
  registry.add("config|get", [&](Call& c) { get(c, settings); });
  registry.add("config|set", [&](Call& c) { set(c, settings); });
  registry.add("config|rewrite", [&](Call& c) { rewrite(c, settings, file); });
  registry.add("config|resetstat", [reset_stats](Call& c) {
    reset_stats();
    c.reply.ok();
  });
}

}  // namespace vitrine
