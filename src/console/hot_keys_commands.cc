// HOTKEYS.
#include "console/commands.h"
#include "console/hot_keys.h"

namespace vitrine {

namespace {

constexpr int64_t kMostKeys = 1000;

// METRICS count [CPU] [NET]
void read_metrics(Args& args, HotKeys::Request& request) {
  for (int64_t n = args.integer(1, 2, "ERR METRICS count must be 1 or 2"); n > 0 && !args.failed(); n--) {
    if (!request.cpu && args.accept("CPU")) request.cpu = true;
    else if (!request.net && args.accept("NET")) request.net = true;
    else args.fail();
  }
}

// SLOTS count slot [slot ...]
void read_slots(Args& args) {
  constexpr int64_t kSlots = 16384;
  for (int64_t n = args.integer(1, kSlots, "ERR SLOTS count is out of range"); n > 0 && !args.failed(); n--)
    args.integer(0, kSlots - 1, "ERR Invalid or out of range slot", "ERR Invalid or out of range slot");
  args.fail("ERR SLOTS cannot be used in non-cluster mode");
}

void start(Call& c, HotKeys& hot_keys) {
  HotKeys::Request request;
  while (c.args.more()) {
    if (!request.cpu && !request.net && c.args.accept("METRICS", 2)) read_metrics(c.args, request);
    else if (c.args.accept("COUNT", 1))
      request.count = static_cast<size_t>(c.args.integer(1, kMostKeys, "ERR COUNT must be between 1 and 1000"));
    else if (c.args.accept("DURATION", 1))
      request.duration_ms = 1000 * c.args.integer(0, INT32_MAX, "ERR DURATION is out of range");
    else if (c.args.accept("SAMPLE", 1))
      request.sample_ratio = static_cast<uint64_t>(c.args.integer(1, INT32_MAX, "ERR SAMPLE ratio must be positive"));
    else if (c.args.accept("SLOTS", 2)) read_slots(c.args);
    else c.args.fail();
  }
  if (!request.cpu && !request.net) c.args.fail("ERR METRICS with CPU, NET or both must be given");
  if (!c.args.done()) return;
  hot_keys.start(request) ? c.reply.ok() : c.reply.error("ERR hotkeys tracking is already active");
}

}  // namespace

void add_hot_keys_commands(CommandRegistry& registry, HotKeys& hot_keys) {
  registry.add("hotkeys|start", [&](Call& c) { start(c, hot_keys); });
  registry.add("hotkeys|stop", [&](Call& c) {
    hot_keys.stop() ? c.reply.ok() : c.reply.error("ERR hotkeys tracking is not active");
  });
  registry.add("hotkeys|reset", [&](Call& c) {
    hot_keys.reset() ? c.reply.ok() : c.reply.error("ERR hotkeys tracking is active: stop it first");
  });
  registry.add("hotkeys|get", [&](Call& c) { hot_keys.show(c.reply); });
}

}  // namespace vitrine
