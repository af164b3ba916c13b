#include "engine/args.h"

#include "base/numbers.h"
#include "wire/reply_builder.h"

namespace vitrine {

void Args::fail(Bytes text) {
  if (failed_) return;
  failed_ = true;
  reply_->error(text);
}

void Args::fail_formatted(std::string text) { fail(text); }

bool Args::done() {
  if (!failed_ && at_ < argv_.size()) fail();
  return !failed_;
}

Bytes Args::bytes() {
  if (failed_) return {};
  if (at_ >= argv_.size()) return fail(), Bytes{};
  return argv_[at_++];
}

int64_t Args::integer(Bytes error) {
  Bytes text = bytes();
  if (failed_) return 0;
  if (auto n = parse_int64(text)) return *n;
  fail(error);
  return 0;
}

int64_t Args::integer(int64_t low, int64_t high, Bytes range_error, Bytes parse_error) {
  int64_t n = integer(parse_error);
  if (failed_) return low;
  if (n < low || n > high) return fail(range_error), low;
  return n;
}

double Args::real(Bytes error) {
  Bytes text = bytes();
  if (failed_) return 0;
  if (auto d = parse_double(text)) return *d;
  fail(error);
  return 0;
}

std::span<const Bytes> Args::rest() { return take(left()); }

std::span<const Bytes> Args::take(size_t count) {
  if (failed_) return {};
  if (argv_.size() - at_ < count) return fail(), std::span<const Bytes>{};
  auto taken = argv_.subspan(at_, count);
  at_ += count;
  return taken;
}

bool Args::accept(Bytes word) {
  // Nearly all write them as they stand here, in capitals.
  if (!more() || !(same_bytes(argv_[at_], word) || equals_ignoring_case(argv_[at_], word))) return false;
  at_++;
  return true;
}

bool Args::accept(Bytes word, size_t following) { return left() > following && accept(word); }

}  // namespace vitrine
