#include "server/intake.h"

#include "server/client_connection.h"

namespace vitrine {

Intake::Intake(Dispatcher& dispatcher)
    : dispatcher_(dispatcher), buffer_(new char[kBufferBytes]), prepared_(2 * kAhead) {}

std::span<char> Intake::room() {
  if (kBufferBytes - used_bytes_ < kLeastRoom) run();
  return {buffer_.get() + used_bytes_, kBufferBytes - used_bytes_};
}

void Intake::add(ClientConnection& from, Bytes data) {
  arrivals_.push_back({&from, data});
  if (data.data() == buffer_.get() + used_bytes_) used_bytes_ += data.size();
  if (data.size() >= kEnoughBytes) run();
}

// Parses from the first arrivals what the batch has room for, and prepares it.
[[gnu::always_inline]] inline void Intake::look_ahead() {
  batch_.clear();
  for (looked_at_ = 0; looked_at_ < arrivals_.size() && batch_.size() < kAhead; looked_at_++) {
    Arrival& a = arrivals_[looked_at_];
    a.first = batch_.size();
    a.parsed_bytes = a.from && a.from->may_run() ? a.from->parse(a.data, a.first + kAhead, batch_) : 0;
    a.end = batch_.size();
  }
  dispatcher_.begin_batch();
  dispatcher_.prepare(batch_, prepared_.data());
}

[[gnu::always_inline]] inline bool Intake::run_ahead(Arrival& a) {
  if (!a.from) return false;
  size_t commands = a.end - a.first;
  size_t ran = a.from->run({prepared_.data() + a.first, commands});
  // Offsets in the batch count from the front of each arrival.
  a.data.remove_prefix(ran == commands ? a.parsed_bytes : ran ? batch_.begin_offset(a.first + ran) : 0);
  if (ran > 0 && !a.data.empty() && a.from->may_run()) return true;
  a.from->finish_input(a.data);
  return false;
}

void Intake::run() {
  while (!arrivals_.empty()) {
    look_ahead();
    for (running_ = 0; running_ < looked_at_; running_++)
      if (run_ahead(arrivals_[running_])) unfinished_.push_back(arrivals_[running_]);
    if (looked_at_ == arrivals_.size() && unfinished_.empty()) {
      arrivals_.clear();
      break;
    }
    unfinished_.insert(unfinished_.end(), arrivals_.begin() + static_cast<ptrdiff_t>(looked_at_), arrivals_.end());
    arrivals_.swap(unfinished_);
    unfinished_.clear();
  }
  used_bytes_ = 0;
}

void Intake::hand_over(Intake& other) {
  auto give = [&](Arrival& a) {
    if (!a.from) return;
    a.from->parse_again();
    other.arrivals_.push_back({a.from, a.data});
    a.from = nullptr;
  };
  for (size_t i = running_ + 1; i < arrivals_.size(); i++) give(arrivals_[i]);
  for (Arrival& a : unfinished_) give(a);
}

}  // namespace vitrine
