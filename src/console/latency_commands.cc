// LATENCY.
#include "console/commands.h"
#include "console/latency.h"
#include "engine/call.h"
#include "io/event_loop.h"

namespace vitrine {

namespace {

void latest(Call& c, const LatencyMonitor& monitor) {
  c.reply.array(static_cast<int64_t>(monitor.events().size()));
  for (const auto& [name, event] : monitor.events()) {
    c.reply.array(4);
    c.reply.bulk(name);
    c.reply.integer(event.samples.back().at_s);
    c.reply.integer(event.samples.back().ms);
    c.reply.integer(event.longest_ms);
  }
}

void history(Call& c, const LatencyMonitor& monitor) {
  auto it = monitor.events().find(c.args.bytes());
  if (it == monitor.events().end()) return c.reply.array(0);
  c.reply.array(static_cast<int64_t>(it->second.samples.size()));
  for (const auto& sample : it->second.samples) {
    c.reply.array(2);
    c.reply.integer(sample.at_s);
    c.reply.integer(sample.ms);
  }
}

void graph(Call& c, const LatencyMonitor& monitor) {
  Bytes name = c.args.bytes();
  auto it = monitor.events().find(name);
  if (it == monitor.events().end())
    return c.reply.error("ERR No samples available for event '" + std::string(name) + "'");
  c.reply.verbatim(LatencyMonitor::graph(name, it->second, c.now_ms / 1000));
}

void reset(Call& c, LatencyMonitor& monitor) {
  if (!c.args.more()) return c.reply.integer(static_cast<int64_t>(monitor.reset_all()));
  int64_t n = 0;
  for (Bytes name : c.args.rest()) n += monitor.reset(name);
  c.reply.integer(n);
}

// One bucket per power of two, 1024 ns first; its label is the highest value that a histogram of two significant digits
// counts there, in microseconds: 1, 2, 4, 8, 16, 33, 66, ...
void reply_histogram(Call& c, const Command& command) {
  const LatencyHistogram& h = *command.stats.histogram;
  c.reply.bulk(command.full_name);
  c.reply.map(2);
  c.reply.bulk("calls");
  c.reply.integer(static_cast<int64_t>(h.count()));
  c.reply.bulk("histogram_usec");
  auto mark = c.reply.later();
  int64_t buckets = 0;
  uint64_t seen = 0;
  for (uint64_t top = 1024; seen < h.count(); top *= 2) {
    bool last = top > (uint64_t{1} << 40);
    uint64_t upto = last ? h.count() : h.count_up_to(top);
    if (upto == seen) continue;
    seen = upto;
    buckets++;
    c.reply.integer(static_cast<int64_t>((top + top / 128 - 1) / 1000));
    c.reply.integer(static_cast<int64_t>(upto));
  }
  c.reply.map_at(mark, buckets);
}

void histogram(Call& c, const CommandRegistry& registry) {
  auto mark = c.reply.later();
  int64_t n = 0;
  auto show = [&](const Command& command) {
    if (!command.stats.histogram || command.stats.histogram->count() == 0) return;
    reply_histogram(c, command);
    n++;
  };
  auto show_with_subcommands = [&](const Command& command) {
    show(command);
    for (const Command* sub : command.subcommands) show(*sub);
  };
  if (!c.args.more()) {
    for (const Command* command : registry.all()) show_with_subcommands(*command);
  }
  for (Bytes name : c.args.rest()) {
    if (const Command* top = registry.find(name)) show_with_subcommands(*top);
    else if (const Command* sub = registry.find_full(to_lower(name))) show(*sub);
  }
  c.reply.map_at(mark, n);
}

}  // namespace

void add_latency_commands(CommandRegistry& registry, LatencyMonitor& monitor) {
  registry.add("latency|latest", [&](Call& c) { latest(c, monitor); });
  registry.add("latency|history", [&](Call& c) { history(c, monitor); });
  registry.add("latency|graph", [&](Call& c) { graph(c, monitor); });
  registry.add("latency|reset", [&](Call& c) { reset(c, monitor); });
  registry.add("latency|doctor", [&](Call& c) { c.reply.verbatim(monitor.report()); });
  registry.add("latency|histogram", [&](Call& c) { histogram(c, registry); });
}

}  // namespace vitrine
