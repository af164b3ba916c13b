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

// Some settings may not change while data is loaded, whatever the value: as in Redis.
bool must_wait(std::span<const Bytes> words, const Settings& settings) {
  for (size_t i = 0; i < words.size(); i += 2)
    if (const Setting* row = settings.find(words[i]); row && row->waits_for_loading()) return true;
  return false;
}

void set(Call& c, Settings& settings, bool loading) {
  auto words = c.args.rest();
  if (words.size() % 2) return c.reply.error(Args::kSyntaxError);
  if (loading && must_wait(words, settings)) return c.reply.error(kLoadingRefusal);
  std::vector<Settings::Change> changes;
  for (size_t i = 0; i < words.size(); i += 2) changes.push_back({words[i], words[i + 1]});
  std::string refusal = settings.set(changes, c.session.is_local());
  refusal.empty() ? c.reply.ok() : c.reply.error("ERR " + refusal);
}

}  // namespace

void rewrite_config(Call& c, const Settings& settings, const std::string& file, bool everything) {
  if (file.empty()) return c.reply.error("ERR The server is running without a config file");
  std::string problem = settings.rewrite(file, everything);
  if (problem.empty()) {
    log(LogLevel::notice, "CONFIG REWRITE executed with success.");
    return c.reply.ok();
  }
  log(LogLevel::warning, "CONFIG REWRITE failed: %s", problem.c_str());
  c.reply.error("ERR Rewriting config file: " + problem);
}

void add_config_commands(CommandRegistry& registry, Settings& settings, const std::string& file,
                         std::function<void()> reset_stats, std::function<bool()> loading) {
  registry.add("config|get", [&](Call& c) { get(c, settings); });
  registry.add("config|set", [&settings, loading](Call& c) { set(c, settings, loading()); });
  registry.add("config|rewrite", [&](Call& c) { rewrite_config(c, settings, file, false); });
  registry.add("config|resetstat", [reset_stats](Call& c) {
    reset_stats();
    c.reply.ok();
  });
}

}  // namespace vitrine
