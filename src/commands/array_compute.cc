// AROP: one number out of a range of an array.
#include <cmath>

#include "commands/array_args.h"
#include "commands/families.h"
#include "engine/command.h"

namespace vitrine {

namespace {

enum class Operation : uint8_t { sum, min, max, bit_and, bit_or, bit_xor, match, used };

Operation take_operation(Args& args) {
  constexpr Bytes kNames[] = {"SUM", "MIN", "MAX", "AND", "OR", "XOR", "MATCH", "USED"};
  for (size_t i = 0; i < std::size(kNames); i++)
    if (args.accept(kNames[i])) return static_cast<Operation>(i);
  args.fail();
  return Operation::used;
}

// A number as values of arrays are read: an integer exactly, or a double.
struct Number {
  bool is_int;
  int64_t integer;
  double real;

  static std::optional<Number> read(Bytes text) {
    if (auto n = parse_int64(text)) return Number{true, *n, static_cast<double>(*n)};
    if (auto d = parse_double(text)) return Number{false, 0, *d};
    return std::nullopt;
  }
  // Towards zero, and to the nearest that there is.
  int64_t truncated() const {
    if (is_int) return integer;
    if (real >= 0x1p63) return INT64_MAX;
    return real <= -0x1p63 ? INT64_MIN : static_cast<int64_t>(real);
  }
  // A long double holds both kinds exactly.
  bool operator<(const Number& other) const { return exact() < other.exact(); }
  long double exact() const { return is_int ? static_cast<long double>(integer) : static_cast<long double>(real); }
};

// Sums integers exactly as long as there are no others and their sum is one.
class Sum {
 public:
  void add(const Number& n) {
    integers_ += n.integer;
    real_ += n.real;
    only_integers_ &= n.is_int;
  }
  Number value() const {
    bool exact = only_integers_ && integers_ >= INT64_MIN && integers_ <= INT64_MAX;
    double real = only_integers_ ? static_cast<double>(integers_) : real_;
    return {exact, exact ? static_cast<int64_t>(integers_) : 0, real};
  }

 private:
  __int128 integers_ = 0;
  double real_ = 0;
  bool only_integers_ = true;
};

class Fold {
 public:
  explicit Fold(Operation operation) : operation_(operation) {}

  void add(const Number& n) {
    switch (operation_) {
      case Operation::sum: sum_.add(n); break;
      case Operation::min: best_ = seen_ && best_ < n ? best_ : n; break;
      case Operation::max: best_ = seen_ && n < best_ ? best_ : n; break;
      case Operation::bit_and: bits_ = seen_ ? bits_ & n.truncated() : n.truncated(); break;
      case Operation::bit_or: bits_ |= n.truncated(); break;
      default: bits_ ^= n.truncated();
    }
    seen_ = true;
  }

  void reply(Call& c) const {
    if (!seen_) return c.reply.null();
    if (operation_ >= Operation::bit_and) return c.reply.integer(bits_);
    Number n = operation_ == Operation::sum ? sum_.value() : best_;
    n.is_int ? c.reply.bulk_integer(n.integer) : c.reply.bulk_real(n.real);
  }

 private:
  Operation operation_;
  bool seen_ = false;
  Sum sum_;
  Number best_{true, 0, 0};
  int64_t bits_ = 0;
};

void arop(Call& c) {
  Bytes key = c.args.bytes();
  uint64_t from = take_array_index(c.args), to = take_array_index(c.args);
  Operation operation = take_operation(c.args);
  Bytes wanted = operation == Operation::match ? c.args.bytes() : Bytes();
  if (c.args.more()) c.args.fail();
  if (!c.args.done()) return;
  if (from > to) std::swap(from, to);
  auto array = c.read<Array>(key);
  if (array.wrong_type()) return;
  Fold fold(operation);
  int64_t counted = 0;
  bool counts = operation == Operation::match || operation == Operation::used;
  if (array)
    visit_array_range(array->values(), from, to, [&](uint64_t, Bytes value) {
      if (counts) counted += operation == Operation::used || value == wanted;
      else if (auto n = Number::read(value)) fold.add(*n);
      return true;
    });
  counts ? c.reply.integer(counted) : fold.reply(c);
}

constexpr CommandRow kRows[] = {{"arop", arop}};

}  // namespace

void add_array_compute_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
