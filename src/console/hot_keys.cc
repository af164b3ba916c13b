#include "console/hot_keys.h"

#include <algorithm>

#include "base/hash.h"
#include "engine/command_table.h"
#include "io/event_loop.h"

namespace vitrine {

namespace {

size_t counters_for(size_t keys) { return std::max<size_t>(256, keys * 8); }

}  // namespace

HotKeys::HotKeys(const EventLoop& loop, std::function<uint64_t()> net_bytes, std::function<void()> on_switch)
    : loop_(loop), net_bytes_(std::move(net_bytes)), on_switch_(std::move(on_switch)),
      random_(static_cast<uint64_t>(loop.clock().wall_us())) {}

HotKeys::Moment HotKeys::now() const {
  return {loop_.clock().monotonic_us(), cpu_times(CpuOf::process), net_bytes_()};
}

bool HotKeys::start(const Request& request) {
  tend();
  if (active_) return false;
  Run& run = run_.emplace(Run());
  run.request = request;
  run.start_wall_ms = loop_.clock().wall_ms();
  run.start = now();
  if (request.cpu) run.by_ns.emplace(counters_for(request.count));
  if (request.net) run.by_bytes.emplace(counters_for(request.count));
  active_ = true;
  on_switch_();
  return true;
}

bool HotKeys::stop() {
  tend();
  if (!active_) return false;
  active_ = false;
  run_->end = now();
  on_switch_();
  return true;
}

bool HotKeys::reset() {
  tend();
  if (active_) return false;
  run_.reset();
  return true;
}

void HotKeys::tend() {
  if (!active_ || run_->request.duration_ms == 0) return;
  if (loop_.clock().monotonic_us() - run_->start.monotonic_us < run_->request.duration_ms * 1000) return;
  active_ = false;
  run_->end = now();
  on_switch_();
}

void HotKeys::on_notable(const Session& session, const Command& command, std::span<const Bytes> argv,
                         uint64_t duration_ns, size_t request_bytes, size_t reply_bytes) {
  if (!active_ || command.full_name == "exec" || session.origin == Origin::script) return;   // its script counts
  Run& run = *run_;
  uint64_t bytes = request_bytes + reply_bytes;
  run.all_ns += duration_ns;
  run.all_bytes += bytes;
  keys_.clear();
  if (command.info->keys.empty() || !find_keys(*command.info, argv, keys_) || keys_.empty()) return;
  uint64_t ratio = run.request.sample_ratio;
  for (KeyAt at : keys_) {
    if (ratio > 1 && random_.below(ratio) != 0) continue;
    Bytes key = argv[at.index];
    uint64_t hash = hash_bytes(key);
    if (run.by_ns) run.by_ns->add(key, hash, duration_ns / keys_.size());
    if (run.by_bytes) run.by_bytes->add(key, hash, bytes / keys_.size());
  }
}

void HotKeys::show_keys(ReplyBuilder& reply, Bytes field, const TopKeys& top, uint64_t unit) const {
  auto items = top.heaviest(run_->request.count);
  reply.bulk(field);
  reply.array(static_cast<int64_t>(items.size() * 2));
  for (const auto& item : items) {
    reply.bulk(item.key);
    reply.integer(static_cast<int64_t>(item.weight / unit));
  }
}

void HotKeys::show(ReplyBuilder& reply) {
  tend();
  if (!run_) return reply.null();
  const Run& run = *run_;
  Moment end = active_ ? now() : run.end;
  auto field = [&](Bytes name, int64_t value) {
    reply.bulk(name);
    reply.integer(value);
  };
  reply.map(7 + (run.by_ns ? 3 : 0) + (run.by_bytes ? 2 : 0));
  field("tracking-active", active_);
  field("sample-ratio", static_cast<int64_t>(run.request.sample_ratio));
  reply.bulk("selected-slots");
  reply.array(0);
  field("all-commands-all-slots-us", static_cast<int64_t>(run.all_ns / 1000));
  field("net-bytes-all-commands-all-slots", static_cast<int64_t>(run.all_bytes));
  field("collection-start-time-unix-ms", run.start_wall_ms);
  field("collection-duration-ms", (end.monotonic_us - run.start.monotonic_us) / 1000);
  if (run.by_ns) {
    field("total-cpu-time-user-ms", (end.cpu.user_us - run.start.cpu.user_us) / 1000);
    field("total-cpu-time-sys-ms", (end.cpu.system_us - run.start.cpu.system_us) / 1000);
  }
  if (run.by_bytes) field("total-net-bytes", static_cast<int64_t>(end.net_bytes - run.start.net_bytes));
  if (run.by_ns) show_keys(reply, "by-cpu-time-us", *run.by_ns, 1000);
  if (run.by_bytes) show_keys(reply, "by-net-bytes", *run.by_bytes, 1);
}

}  // namespace vitrine
