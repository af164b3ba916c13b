// BITFIELD and BITFIELD_RO: integers of any width at any bit of a string, read and changed.
#include <algorithm>
#include <vector>

#include "commands/bit_offset.h"
#include "commands/families.h"
#include "commands/string_edit.h"
#include "ds/bits.h"
#include "engine/command.h"

namespace vitrine {

namespace {

enum class Overflow : uint8_t { wrap, saturate, fail };

// An integer's form: i1 to i64, u1 to u63.
struct Width {
  bool is_signed = false;
  int bits = 0;

  __int128 lowest() const { return is_signed ? -(__int128{1} << (bits - 1)) : 0; }
  __int128 highest() const { return (__int128{1} << (is_signed ? bits - 1 : bits)) - 1; }
  // What the low bits of `value` mean.
  __int128 wrapped(__int128 value) const {
    __int128 low = value & ((__int128{1} << bits) - 1);
    return is_signed && (low >> (bits - 1) & 1) ? low - (__int128{1} << bits) : low;
  }
};

struct Operation {
  enum Kind : uint8_t { get, set, increment };
  Kind kind;
  Width width;
  uint64_t at;
  int64_t operand;
  Overflow overflow;
};

class Operations {
 public:
  // Latches errors.
  void read(Call& c) {
    Overflow overflow = Overflow::wrap;
    while (c.args.more()) {
      if (c.args.accept("GET", 2)) read_one(c, Operation::get, overflow);
      else if (c.args.accept("SET", 3)) read_one(c, Operation::set, overflow);
      else if (c.args.accept("INCRBY", 3)) read_one(c, Operation::increment, overflow);
      else if (c.args.accept("OVERFLOW", 1)) read_overflow(c.args, overflow);
      else c.args.fail();
    }
  }
  bool writes() const { return writes_; }
  // So many bytes must be there to write all.
  size_t bytes_written() const { return static_cast<size_t>(end_ / 8 + (end_ % 8 != 0)); }
  const std::vector<Operation>& list() const { return list_; }

 private:
  static void read_overflow(Args& args, Overflow& overflow) {
    if (args.accept("WRAP")) overflow = Overflow::wrap;
    else if (args.accept("SAT")) overflow = Overflow::saturate;
    else if (args.accept("FAIL")) overflow = Overflow::fail;
    else args.fail("ERR Invalid OVERFLOW type specified");
  }

  static Width read_width(Args& args) {
    Bytes text = args.bytes();
    Width width;
    auto bits = text.empty() ? std::nullopt : parse_int64(text.substr(1));
    char kind = text.empty() ? 0 : text[0];
    width.is_signed = kind == 'i';
    bool known = (kind == 'i' || kind == 'u') && bits && *bits >= 1 && *bits <= (kind == 'i' ? 64 : 63);
    if (!known) args.fail(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");
    width.bits = known ? static_cast<int>(*bits) : 1;
    return width;
  }

  void read_one(Call& c, Operation::Kind kind, Overflow overflow) {
    Operation op{kind, read_width(c.args), 0, 0, overflow};
    if (c.args.failed()) return;
    op.at = read_bit_offset(c, c.args.bytes(), static_cast<uint64_t>(op.width.bits));
    if (c.args.failed()) return;
    if (kind != Operation::get) {
      op.operand = c.args.integer();
      writes_ = true;
      end_ = std::max(end_, op.at + static_cast<uint64_t>(op.width.bits));
    }
    list_.push_back(op);
  }

  std::vector<Operation> list_;
  bool writes_ = false;
  uint64_t end_ = 0;  // behind the last bit written
};

__int128 read_field(Bytes bytes, uint64_t at, const Width& width) {
  uint64_t value = 0;
  for (int i = 0; i < width.bits; i++) value = value << 1 | bit_at(bytes, at + static_cast<uint64_t>(i));
  return width.wrapped(static_cast<__int128>(value));
}

void write_field(char* data, uint64_t at, const Width& width, __int128 value) {
  for (int i = 0; i < width.bits; i++, at++) {
    uint8_t bit = static_cast<uint8_t>(0x80 >> (at % 8));
    bool set = value >> (width.bits - 1 - i) & 1;
    uint8_t byte = static_cast<uint8_t>(data[at / 8]);
    data[at / 8] = static_cast<char>(set ? byte | bit : byte & ~bit);
  }
}

// The value to be written, or nothing if it does not fit and must.
std::optional<__int128> fitted(const Operation& op, __int128 value) {
  if (value >= op.width.lowest() && value <= op.width.highest()) return value;
  if (op.overflow == Overflow::fail) return std::nullopt;
  if (op.overflow == Overflow::wrap) return op.width.wrapped(value);
  // As Redis, where the distance of a value to be set from the highest wraps in 64 bits.
  bool wraps = op.kind == Operation::set && op.width.bits < 64 && op.width.highest() - value > INT64_MAX;
  return value > 0 || wraps ? op.width.highest() : op.width.lowest();
}

void reply_field(Call& c, __int128 value) { c.reply.integer(static_cast<int64_t>(value)); }

void run(Call& c, const Operations& operations, Bytes key, Entry* entry) {
  char scratch[24];
  Bytes bytes = entry ? string_bytes(*entry, scratch) : Bytes();
  c.reply.array(static_cast<int64_t>(operations.list().size()));
  if (!operations.writes()) {
    for (const Operation& op : operations.list()) reply_field(c, read_field(bytes, op.at, op.width));
    return;
  }
  size_t size = std::max(bytes.size(), operations.bytes_written());
  bool grows = size > bytes.size();
  uint64_t changes = 0;
  edit_string(c, key, entry, size, "", [&](char* data) {
    for (const Operation& op : operations.list()) {
      __int128 old = read_field({data, size}, op.at, op.width);
      if (op.kind == Operation::get) {
        reply_field(c, old);
        continue;
      }
      // A value to be set in an unsigned field is taken as 64 bits without a sign.
      __int128 operand = op.kind == Operation::set && !op.width.is_signed
                             ? static_cast<__int128>(static_cast<uint64_t>(op.operand)) : op.operand;
      auto value = fitted(op, op.kind == Operation::set ? operand : old + operand);
      if (!value) {
        c.reply.null();
        continue;
      }
      write_field(data, op.at, op.width, *value);
      changes += grows || *value != old;
      reply_field(c, op.kind == Operation::set ? old : *value);
    }
  });
  // Zero bytes that come of writes which did not fit must be replayed, but have no event.
  if (!changes && !grows) return;
  c.announce(key, changes ? "setbit" : "", EventClass::string, Type::string);
  if (changes > 1) c.keyspace.stats().changes += changes - 1;   // announcing counts one
}

void bitfield(Call& c, bool read_only) {
  Bytes key = c.args.bytes();
  Operations operations;
  operations.read(c);
  if (!c.args.done()) return;
  if (read_only && operations.writes()) return c.reply.error("ERR BITFIELD_RO only supports the GET subcommand");
  bool wrong;
  Entry* entry = c.find_string(key, wrong, operations.writes());
  if (!wrong) run(c, operations, key, entry);
}
void bitfield_writing(Call& c) { bitfield(c, false); }
void bitfield_ro(Call& c) { bitfield(c, true); }

constexpr CommandRow kRows[] = {{"bitfield", bitfield_writing}, {"bitfield_ro", bitfield_ro}};

}  // namespace

void add_bitfield_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
