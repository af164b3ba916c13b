// HyperLogLogs, which are strings: PFADD, PFCOUNT, PFMERGE. What looks into them is in hyperloglog_debug.cc.
#include "commands/families.h"
#include "commands/hyperloglog_edit.h"
#include "base/check.h"
#include "commands/string_edit.h"
#include "ds/hll_sparse.h"
#include "engine/command.h"
#include "store/encoding_limits.h"

namespace vitrine {

FoundSketch::FoundSketch(Call& c, Bytes key, bool for_write) {
  entry = c.find_string(key, wrong, for_write);
  if (!entry) return;
  bytes = string_bytes(*entry, number);
  wrong = !hll::looks_valid(bytes);
  if (wrong) c.reply.error(kNotASketch);
  else if (for_write) entry->set_edited(true);
}

void store_sketch(Call& c, Bytes key, Entry* entry, Bytes sketch) {
  if (sketch.size() > Entry::kMaxInline) {
    std::memcpy(open_blob(c, key, entry, sketch.size()), sketch.data(), sketch.size());
  } else {
    if (!entry || !entry->inline_text() || !entry->overwrite_text(sketch))
      entry = c.keyspace.put_string(c.db, key, c.hash_of(key), sketch, Keyspace::kKeepTtl, false);
    entry->set_edited(true);
  }
}

void store_dense(Call& c, Bytes key, Entry* entry, Bytes header, const hll::Registers& registers) {
  char* data = open_blob(c, key, entry, hll::kDenseBytes);
  std::memcpy(data, header.data(), hll::kHeader);
  data[4] = hll::kDense;
  registers.write_packed(data + hll::kHeader);
}

namespace {

void announce(Call& c, Bytes key, uint64_t changes = 1) {
  c.announce(key, "pfadd", EventClass::string, Type::string);
  c.keyspace.stats().changes += changes - 1;   // announcing counts one
}

size_t sparse_limit(Call& c) { return c.keyspace.options().limits.hll_sparse_max_bytes; }

// ---- PFADD ----

void add_to_dense(Call& c, Bytes key, const FoundSketch& found, std::span<const Bytes> elements) {
  char* registers = const_cast<char*>(hll::body(found.bytes).data());
  uint64_t changes = 0;
  for (Bytes element : elements) {
    hll::Mark mark = hll::mark_of(element);
    if (hll::get(registers, mark.index) >= mark.rank) continue;
    hll::set(registers, mark.index, mark.rank);
    changes++;
  }
  if (changes) {
    hll::forget_estimate(const_cast<char*>(found.bytes.data()));
    announce(c, key, changes);
  }
  c.reply.integer(changes > 0);
}

// The rest of PFADD once the sparse form does not do any more.
void add_as_dense(Call& c, Bytes key, Entry* entry, hll::SparseEdit& edit, std::span<const Bytes> elements,
                  uint64_t changes) {
  hll::Registers registers;
  registers.clear();
  CHECK(registers.merge(edit.sketch()));
  for (Bytes element : elements) {
    hll::Mark mark = hll::mark_of(element);
    uint8_t& rank = registers.ranks[mark.index];
    changes += mark.rank > rank;
    rank = std::max(rank, mark.rank);
  }
  char header[hll::kHeader];
  std::memcpy(header, edit.sketch().data(), hll::kHeader);
  hll::forget_estimate(header);
  store_dense(c, key, entry, {header, sizeof header}, registers);
  announce(c, key, changes);
  c.reply.integer(1);
}

void add_to_sparse(Call& c, Bytes key, const FoundSketch& found, std::span<const Bytes> elements) {
  using Outcome = hll::SparseEdit::Outcome;
  hll::SparseEdit edit(found.bytes);
  uint64_t changes = !found.entry;   // a new key is one
  for (size_t i = 0; i < elements.size(); i++) {
    Outcome outcome = edit.raise(hll::mark_of(elements[i]), sparse_limit(c));
    if (outcome == Outcome::corrupt) return c.reply.error(kCorruptSketch);
    if (outcome == Outcome::too_long) return add_as_dense(c, key, found.entry, edit, elements.subspan(i), changes);
    changes += outcome == Outcome::changed;
  }
  if (changes) {
    edit.forget_estimate();
    store_sketch(c, key, found.entry, edit.sketch());
    announce(c, key, changes);
  }
  c.reply.integer(changes > 0);
}

void pfadd(Call& c) {
  Bytes key = c.args.bytes();
  FoundSketch found(c, key, true);
  if (found.wrong) return;
  bool dense = found.entry && hll::encoding(found.bytes) == hll::kDense;
  (dense ? add_to_dense : add_to_sparse)(c, key, found, c.args.rest());
}

// ---- PFCOUNT ----

// What one sketch says, kept in its header until it changes: so that to count may be to write.
void count_one(Call& c, Bytes key) {
  FoundSketch found(c, key, false);
  if (found.wrong) return;
  if (!found.entry) return c.reply.integer(0);
  found.entry->set_edited(true);
  if (hll::estimate_is_known(found.bytes))
    return c.reply.integer(static_cast<int64_t>(hll::known_estimate(found.bytes)));
  hll::Histogram histogram;
  if (hll::encoding(found.bytes) == hll::kDense) histogram = hll::histogram_of_packed(hll::body(found.bytes).data());
  else if (!hll::histogram_of_runs(hll::body(found.bytes), histogram)) return c.reply.error(kCorruptSketch);
  if (!hll::possible(histogram)) return c.reply.error(kCorruptSketch);
  uint64_t estimate = hll::estimate(histogram);
  hll::remember_estimate(const_cast<char*>(found.bytes.data()), estimate);
  c.announce(key, "", EventClass::string, Type::string);
  c.reply.integer(static_cast<int64_t>(estimate));
}

// Adds the sketches to the registers; false when an error has been replied.
bool merge(Call& c, const FoundSketch& found, hll::Registers& registers) {
  if (found.wrong) return false;
  if (!found.entry || registers.merge(found.bytes)) return true;
  c.reply.error(kCorruptSketch);
  return false;
}

void pfcount(Call& c) {
  auto keys = c.args.rest();
  if (keys.size() == 1) return count_one(c, keys[0]);
  hll::Registers registers;
  registers.clear();
  for (Bytes key : keys)
    if (!merge(c, FoundSketch(c, key, false), registers)) return;
  hll::Histogram histogram = hll::histogram(registers);
  if (!hll::possible(histogram)) return c.reply.error(kCorruptSketch);
  c.reply.integer(static_cast<int64_t>(hll::estimate(histogram)));
}

// ---- PFMERGE ----

// False when the result has no sparse form within the limit.
bool store_merged_sparse(Call& c, Bytes key, const FoundSketch& target, const hll::Registers& registers) {
  using Outcome = hll::SparseEdit::Outcome;
  hll::SparseEdit edit(target.bytes);
  for (uint32_t i = 0; i < hll::kRegisters; i++) {
    if (registers.ranks[i] == 0) continue;
    if (edit.raise({i, registers.ranks[i]}, sparse_limit(c)) == Outcome::too_long) return false;
  }
  edit.forget_estimate();
  store_sketch(c, key, target.entry, edit.sketch());
  return true;
}

void pfmerge(Call& c) {
  Bytes key = c.args.bytes();
  FoundSketch target(c, key, false);
  hll::Registers registers;
  registers.clear();
  if (!merge(c, target, registers)) return;
  bool dense = target.entry && hll::encoding(target.bytes) == hll::kDense;
  for (Bytes source : c.args.rest()) {
    FoundSketch found(c, source, false);
    if (!merge(c, found, registers)) return;
    dense |= found.entry && hll::encoding(found.bytes) == hll::kDense;
  }
  if (!hll::possible(registers)) return c.reply.error(kCorruptSketch);
  if (dense || !store_merged_sparse(c, key, target, registers)) {
    char header[hll::kHeader];
    hll::write_header(header, hll::kDense);
    if (target.entry) std::memcpy(header, target.bytes.data(), hll::kHeader);
    hll::forget_estimate(header);
    store_dense(c, key, target.entry, {header, sizeof header}, registers);
  }
  announce(c, key);
  c.reply.ok();
}

constexpr CommandRow kRows[] = {{"pfadd", pfadd}, {"pfcount", pfcount}, {"pfmerge", pfmerge}};

}  // namespace

void add_hyperloglog_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
