// Commands that see a string as an array of bits: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP. Integers of any width inside
// a string (BITFIELD) are in bitfield.cc.
#include <algorithm>
#include <optional>

#include "commands/bit_offset.h"
#include "commands/families.h"
#include "commands/store_target.h"
#include "commands/string_edit.h"
#include "ds/bits.h"
#include "engine/command.h"

namespace vitrine {

namespace {

// ---- one bit ----

void setbit(Call& c) {
  Bytes key = c.args.bytes();
  uint64_t at = read_bit_offset(c, c.args.bytes());
  if (c.args.failed()) return;
  constexpr Bytes kNotBit = "ERR bit is not an integer or out of range";
  bool value = c.args.integer(0, 1, kNotBit, kNotBit) == 1;
  if (!c.args.done()) return;
  bool wrong;
  Entry* entry = c.find_string(key, wrong, true);
  if (wrong) return;
  char scratch[24];
  Bytes old = entry ? string_bytes(*entry, scratch) : Bytes();
  bool before = bit_at(old, at);
  bool changes = !entry || at / 8 >= old.size() || before != value;
  edit_string(c, key, entry, std::max<size_t>(old.size(), at / 8 + 1), changes ? "setbit" : "", [&](char* data) {
    uint8_t bit = static_cast<uint8_t>(0x80 >> (at % 8));
    uint8_t byte = static_cast<uint8_t>(data[at / 8]);
    data[at / 8] = static_cast<char>(value ? byte | bit : byte & ~bit);
  });
  c.reply.integer(before);
}

void getbit(Call& c) {
  uint64_t at = read_bit_offset(c, c.args[2]);
  if (c.args.failed()) return;
  bool wrong;
  Entry* entry = c.find_string(c.args[1], wrong);
  if (wrong) return;
  char scratch[24];
  c.reply.integer(entry && bit_at(string_bytes(*entry, scratch), at));
}

// ---- ranges of bits ----

// `[start [end [BYTE | BIT]]]` as bits of a string. Which of several mistakes is told is another for each command.
struct Range {
  int64_t start = 0, end = -1;
  bool by_bit = false;

  // Latches errors.
  void read_unit(Args& args) {
    if (args.accept("BIT")) by_bit = true;
    else if (!args.accept("BYTE")) args.fail();
  }
  // The first and the last bit meant; none if that is nothing.
  struct Ends {
    uint64_t first, last;
  };
  std::optional<Ends> within(size_t bytes) const {
    int64_t size = static_cast<int64_t>(by_bit ? bytes * 8 : bytes);
    int64_t from = std::max<int64_t>(start < 0 ? start + size : start, 0);
    int64_t to = std::min(std::max<int64_t>(end < 0 ? end + size : end, 0), size - 1);
    if (from > to) return std::nullopt;
    uint64_t a = static_cast<uint64_t>(from), b = static_cast<uint64_t>(to);
    return by_bit ? Ends{a, b} : Ends{a * 8, b * 8 + 7};
  }
};

void bitcount(Call& c) {
  Bytes key = c.args.bytes();
  bool wrong;
  Entry* entry = c.find_string(key, wrong);
  if (wrong) return;
  if (!entry) return c.reply.integer(0);
  Range range;
  if (c.args.left() == 1 || c.args.left() > 3) c.args.fail();
  if (c.args.more()) range.start = c.args.integer(), range.end = c.args.integer();
  if (c.args.failed()) return;
  if (range.start < 0 && range.end < 0 && range.start > range.end) return c.reply.integer(0);
  if (c.args.more()) range.read_unit(c.args);
  if (!c.args.done()) return;
  char scratch[24];
  Bytes bytes = string_bytes(*entry, scratch);
  auto ends = range.within(bytes.size());
  c.reply.integer(ends ? static_cast<int64_t>(count_bits(bytes, ends->first, ends->last)) : 0);
}

void bitpos(Call& c) {
  Bytes key = c.args.bytes();
  int64_t bit = c.args.integer();
  if (c.args.failed()) return;
  if (bit != 0 && bit != 1) return c.reply.error("ERR The bit argument must be 1 or 0.");
  bool wrong;
  Entry* entry = c.find_string(key, wrong);
  if (wrong) return;
  // A key that is missing is an endless row of zeros.
  if (!entry) return c.reply.integer(bit ? -1 : 0);
  Range range;
  if (c.args.left() > 3) c.args.fail();
  if (c.args.more()) range.start = c.args.integer();
  Bytes end = c.args.more() ? c.args.bytes() : Bytes();
  bool end_given = c.args.position() > 4;
  if (c.args.more()) range.read_unit(c.args);
  if (end_given && !c.args.failed()) {
    auto number = parse_int64(end);
    if (!number) c.args.fail(Args::kNotInteger);
    range.end = number.value_or(0);
  }
  if (!c.args.done()) return;
  char scratch[24];
  Bytes bytes = string_bytes(*entry, scratch);
  auto ends = range.within(bytes.size());
  if (!ends) return c.reply.integer(-1);
  int64_t at = find_bit(bytes, bit, ends->first, ends->last);
  // Behind the end of the string are zeros, if the end is where the range ends by itself.
  if (at < 0 && bit == 0 && !end_given) at = static_cast<int64_t>(bytes.size() * 8);
  c.reply.integer(at);
}

// ---- BITOP ----

enum class Operation : uint8_t { and_all, or_all, xor_all, negate, diff, diff1, and_or, one };

struct NamedOperation {
  Bytes name;
  Operation operation;
};
constexpr NamedOperation kOperations[] = {
    {"AND", Operation::and_all}, {"OR", Operation::or_all}, {"XOR", Operation::xor_all},   {"NOT", Operation::negate},
    {"DIFF", Operation::diff},   {"ONE", Operation::one},   {"DIFF1", Operation::diff1}, {"ANDOR", Operation::and_or},
};

const NamedOperation* find_operation(Bytes name) {
  for (const NamedOperation& each : kOperations)
    if (equals_ignoring_case(name, each.name)) return &each;
  return nullptr;
}

// The strings behind the keys; a shorter one counts as if zeros followed.
class Operands {
 public:
  // False when WRONGTYPE has been replied.
  bool open(Call& c, std::span<const Bytes> keys) {
    numbers_ = std::make_unique<char[][24]>(keys.size());
    for (size_t i = 0; i < keys.size(); i++) {
      bool wrong;
      Entry* entry = c.find_string(keys[i], wrong);
      if (wrong) return false;
      texts_.push_back(entry ? string_bytes(*entry, numbers_[i]) : Bytes());
      longest_ = std::max(longest_, texts_.back().size());
    }
    return true;
  }
  size_t longest() const { return longest_; }
  size_t count() const { return texts_.size(); }

  // Bytes `at` to `at + n` of the i-th, into `to`.
  void copy(size_t i, size_t at, size_t n, uint8_t* to) const {
    Bytes text = texts_[i];
    size_t there = at < text.size() ? std::min(n, text.size() - at) : 0;
    if (there) std::memcpy(to, text.data() + at, there);
    std::memset(to + there, 0, n - there);
  }

 private:
  std::vector<Bytes> texts_;
  std::unique_ptr<char[][24]> numbers_;
  size_t longest_ = 0;
};

// A piece of the operands that stays in the first cache; loops over it are vectorized.
constexpr size_t kPiece = 4096;
struct Piece {
  alignas(64) uint8_t bytes[kPiece];
};

template <class Combine>
void combine(Piece& into, const Piece& other, Combine with) {
  for (size_t i = 0; i < kPiece; i++) into.bytes[i] = with(into.bytes[i], other.bytes[i]);
}

// One piece of the result. `more` and `any` are scratch.
void compute_piece(Operation operation, const Operands& operands, size_t at, size_t n, Piece& result) {
  Piece next, twice;
  auto merge_rest = [&](size_t from, Piece& into, auto with) {
    for (size_t i = from; i < operands.count(); i++) {
      operands.copy(i, at, n, next.bytes);
      combine(into, next, with);
    }
  };
  auto bit_and = [](uint8_t a, uint8_t b) { return static_cast<uint8_t>(a & b); };
  auto bit_or = [](uint8_t a, uint8_t b) { return static_cast<uint8_t>(a | b); };
  operands.copy(0, at, n, result.bytes);
  switch (operation) {
    case Operation::and_all: return merge_rest(1, result, bit_and);
    case Operation::or_all: return merge_rest(1, result, bit_or);
    case Operation::xor_all: return merge_rest(1, result, [](uint8_t a, uint8_t b) { return uint8_t(a ^ b); });
    case Operation::negate: return combine(result, result, [](uint8_t a, uint8_t) { return uint8_t(~a); });
    case Operation::one:
      // Set in exactly one: what was seen before goes to `twice`.
      std::memset(twice.bytes, 0, sizeof twice.bytes);
      for (size_t i = 1; i < operands.count(); i++) {
        operands.copy(i, at, n, next.bytes);
        for (size_t b = 0; b < kPiece; b++) {
          twice.bytes[b] |= result.bytes[b] & next.bytes[b];
          result.bytes[b] |= next.bytes[b];
        }
      }
      return combine(result, twice, [](uint8_t a, uint8_t b) { return uint8_t(a & ~b); });
    case Operation::diff:
    case Operation::diff1:
    case Operation::and_or: break;
  }
  // The first operand against all others together.
  operands.copy(1, at, n, twice.bytes);
  merge_rest(2, twice, bit_or);
  if (operation == Operation::diff) combine(result, twice, [](uint8_t a, uint8_t b) { return uint8_t(a & ~b); });
  else if (operation == Operation::diff1) combine(result, twice, [](uint8_t a, uint8_t b) { return uint8_t(~a & b); });
  else combine(result, twice, bit_and);
}

void bitop(Call& c) {
  auto* found = find_operation(c.args.bytes());
  Bytes target = c.args.bytes();
  auto keys = c.args.rest();
  if (!found) return c.reply.error(Args::kSyntaxError);
  Operation operation = found->operation;
  if (operation == Operation::negate && keys.size() != 1)
    return c.reply.error("ERR BITOP NOT must be called with a single source key.");
  bool against = operation == Operation::diff || operation == Operation::diff1 || operation == Operation::and_or;
  if (against && keys.size() < 2)
    return c.reply.error("ERR BITOP " + std::string(found->name) + " must be called with at least two source keys.");
  Operands operands;
  if (!operands.open(c, keys)) return;
  size_t size = operands.longest();
  if (size == 0) {
    remove_target(c, target);
    return c.reply.integer(0);
  }
  Blob* blob = Blob::create(size);
  Value value(Object::of(Type::string, kStringBlob, blob));
  auto piece = std::make_unique<Piece>();
  for (size_t at = 0; at < size; at += kPiece) {
    size_t n = std::min(kPiece, size - at);
    compute_piece(operation, operands, at, n, *piece);
    std::memcpy(blob->data() + at, piece->bytes, n);
  }
  c.put(target, std::move(value), "set", EventClass::string)->set_edited(true);
  c.reply.integer(static_cast<int64_t>(size));
}

constexpr CommandRow kRows[] = {
    {"setbit", setbit}, {"getbit", getbit}, {"bitcount", bitcount}, {"bitpos", bitpos}, {"bitop", bitop},
};

}  // namespace

void add_bitmap_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
