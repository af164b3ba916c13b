// Commands that look into HyperLogLogs: PFDEBUG and PFSELFTEST.
#include <cmath>
#include <memory>

#include "base/random.h"
#include "commands/families.h"
#include "commands/hyperloglog_edit.h"
#include "ds/hll_sparse.h"
#include "engine/command.h"

namespace vitrine {

namespace {

// ---- PFDEBUG ----

// False when the sketch is corrupt, which has been replied. Only its form changes: nobody who watches it need know.
bool become_dense(Call& c, Bytes key, const FoundSketch& found) {
  auto registers = std::make_unique<hll::Registers>();
  registers->clear();
  if (!registers->merge(found.bytes)) return c.reply.error(kCorruptSketch), false;
  char header[hll::kHeader];
  std::memcpy(header, found.bytes.data(), hll::kHeader);
  store_dense(c, key, found.entry, {header, sizeof header}, *registers);
  c.keyspace.announce({c.db, key, "", EventClass::string, Type::string, false, true});
  return true;
}

void reply_registers(Call& c, Bytes key, const FoundSketch& found) {
  bool sparse = hll::encoding(found.bytes) == hll::kSparse;
  if (sparse && !become_dense(c, key, found)) return;
  char number[24];
  Bytes packed = hll::body(string_bytes(*c.peek(key), number));
  c.reply.array(hll::kRegisters);
  for (uint32_t i = 0; i < hll::kRegisters; i++) c.reply.integer(hll::get(packed.data(), i));
}

void reply_runs(Call& c, const FoundSketch& found) {
  if (hll::encoding(found.bytes) == hll::kDense) return c.reply.error("ERR HLL encoding is not sparse");
  hll::Histogram unused;
  if (!hll::histogram_of_runs(hll::body(found.bytes), unused)) return c.reply.error(kCorruptSketch);
  c.reply.bulk(hll::text_of_runs(hll::body(found.bytes)));
}

void pfdebug(Call& c) {
  Bytes what = c.args.bytes(), key = c.args.bytes();
  FoundSketch found(c, key, true);
  if (found.wrong) return;
  if (!found.entry) return c.reply.error("ERR The specified key does not exist");
  bool sparse = hll::encoding(found.bytes) == hll::kSparse;
  if (equals_ignoring_case(what, "GETREG")) return reply_registers(c, key, found);
  if (equals_ignoring_case(what, "DECODE")) return reply_runs(c, found);
  if (equals_ignoring_case(what, "ENCODING")) return c.reply.simple(sparse ? "sparse" : "dense");
  if (equals_ignoring_case(what, "TODENSE")) {
    if (sparse && !become_dense(c, key, found)) return;
    return c.reply.integer(sparse);
  }
  c.reply.error("ERR Unknown PFDEBUG subcommand '" + std::string(what) + "'");
}

// ---- PFSELFTEST ----

// Packed registers beside plain ones, set at random.
std::string test_registers(Random& random) {
  constexpr int kRounds = 20, kChanges = 2000;
  auto plain = std::make_unique<hll::Registers>();
  auto read = std::make_unique<hll::Registers>();
  std::string packed(hll::kPackedBytes, '\0');
  plain->clear();
  for (int round = 0; round < kRounds; round++) {
    for (int i = 0; i < kChanges; i++) {
      uint32_t index = static_cast<uint32_t>(random.below(hll::kRegisters));
      uint8_t rank = static_cast<uint8_t>(random.below(64));
      plain->ranks[index] = rank;
      hll::set(packed.data(), index, rank);
    }
    for (uint32_t i = 0; i < hll::kRegisters; i++)
      if (hll::get(packed.data(), i) != plain->ranks[i]) return "register " + std::to_string(i) + " was set otherwise";
    read->clear();
    read->merge_packed(packed.data());
    if (std::memcmp(read->ranks, plain->ranks, hll::kRegisters) != 0) return "merged registers differ";
    std::string again(hll::kPackedBytes, '\0');
    plain->write_packed(again.data());
    if (again != packed) return "packed registers differ";
  }
  return "";
}

// The same elements in both forms: equal estimates, near enough to the truth at every power of ten.
std::string test_estimates(Random& random) {
  constexpr uint64_t kMost = 1'000'000;
  auto edit = std::make_unique<hll::SparseEdit>(Bytes());
  auto registers = std::make_unique<hll::Registers>();
  registers->clear();
  uint64_t salt = random.next(), next = 1;
  bool sparse = true;
  for (uint64_t n = 1; n <= kMost; n++) {
    uint64_t element = salt ^ n;
    hll::Mark mark = hll::mark_of({reinterpret_cast<const char*>(&element), sizeof element});
    registers->ranks[mark.index] = std::max(registers->ranks[mark.index], mark.rank);
    if (sparse) sparse = edit->raise(mark, SIZE_MAX) != hll::SparseEdit::Outcome::too_long && n < 10'000;
    if (n != next) continue;
    next *= 10;
    std::string at = " at " + std::to_string(n);
    uint64_t dense = hll::estimate(hll::histogram(*registers));
    hll::Histogram runs;
    if (sparse && !hll::histogram_of_runs(hll::body(edit->sketch()), runs)) return "corrupt runs" + at;
    if (sparse && hll::estimate(runs) != dense) return "sparse and dense estimates differ" + at;
    // Five times the standard error, 1.04 / sqrt(registers); a few hashes may meet in small sets.
    double most = 5 * 1.04 / std::sqrt(double{hll::kRegisters}) * static_cast<double>(n) + 2;
    if (std::abs(static_cast<double>(dense) - static_cast<double>(n)) > most)
      return "estimate " + std::to_string(dense) + at;
  }
  return "";
}

void pfselftest(Call& c) {
  for (auto test : {test_registers, test_estimates}) {
    std::string trouble = test(c.keyspace.random());
    if (!trouble.empty()) return c.reply.error("TESTFAILED " + trouble);
  }
  c.reply.ok();
}

constexpr CommandRow kRows[] = {{"pfdebug", pfdebug}, {"pfselftest", pfselftest}};

}  // namespace

void add_hyperloglog_debug_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
