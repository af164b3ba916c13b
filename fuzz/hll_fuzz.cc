// Whatever bytes claim to be a HyperLogLog: they are refused, or they can be counted, merged, changed and made dense,
// and every form of them says the same.
#include <memory>
#include <string>

#include "base/check.h"
#include "ds/hll_sparse.h"

using namespace vitrine;

namespace {

using RegistersPtr = std::unique_ptr<hll::Registers>;

RegistersPtr empty() {
  auto registers = std::make_unique<hll::Registers>();
  registers->clear();
  return registers;
}

bool same(const hll::Registers& a, const hll::Registers& b) {
  return std::memcmp(a.ranks, b.ranks, hll::kRegisters) == 0;
}

void check_estimate(const hll::Registers& registers) {
  hll::Histogram histogram = hll::histogram(registers);
  CHECK(hll::possible(histogram) == hll::possible(registers));
  if (hll::possible(histogram)) CHECK(hll::estimate(histogram) <= uint64_t{1} << 62);
}

// Packed and read again.
void check_dense(const hll::Registers& registers) {
  std::string packed(hll::kPackedBytes, '\0'), plainly = packed;
  registers.write_packed(packed.data());
  hll::write_packed_plainly(registers.ranks, plainly.data());
  CHECK(packed == plainly);
  auto read = empty();
  read->merge_packed(packed.data());
  CHECK(same(*read, registers));
  CHECK(hll::histogram_of_packed(packed.data()) == hll::histogram(registers));
}

// Registers raised as the bytes say, in the sparse form and beside it.
void change(Bytes sketch, bool valid, Bytes orders) {
  auto model = empty();
  if (valid) model->merge(sketch);
  hll::SparseEdit edit(sketch);
  for (size_t i = 0; i + 3 < orders.size(); i += 3) {
    uint32_t index = (static_cast<uint8_t>(orders[i]) << 8 | static_cast<uint8_t>(orders[i + 1])) % hll::kRegisters;
    uint8_t rank = static_cast<uint8_t>(1 + static_cast<uint8_t>(orders[i + 2]) % hll::kMaxRank);
    auto outcome = edit.raise({index, rank}, size_t{1} << (5 + static_cast<uint8_t>(orders[i + 3]) % 20));
    // A corrupt sketch may be read as far as it goes, but is never changed.
    if (!valid) {
      CHECK(outcome == hll::SparseEdit::Outcome::corrupt || outcome == hll::SparseEdit::Outcome::unchanged);
      continue;
    }
    CHECK(outcome != hll::SparseEdit::Outcome::corrupt);
    CHECK((outcome == hll::SparseEdit::Outcome::unchanged) == (model->ranks[index] >= rank));
    if (outcome == hll::SparseEdit::Outcome::changed) model->ranks[index] = rank;
  }
  if (!valid) return;
  auto read = empty();
  CHECK(read->merge(edit.sketch()));
  CHECK(same(*read, *model));
}

void try_sketch(Bytes sketch, Bytes orders) {
  if (!hll::looks_valid(sketch)) return;
  auto registers = empty();
  bool valid = registers->merge(sketch);
  if (hll::encoding(sketch) == hll::kSparse) {
    hll::Histogram histogram;
    CHECK(hll::histogram_of_runs(hll::body(sketch), histogram) == valid);
    if (valid) CHECK(histogram == hll::histogram(*registers));
    CHECK(!hll::text_of_runs(hll::body(sketch)).empty() || !valid);
    change(sketch, valid, orders);
  }
  if (!valid) return;
  check_estimate(*registers);
  check_dense(*registers);
}

// The runs as they came, and one of zeros behind them up to the last register.
std::string filled(std::string sketch) {
  uint32_t covered = 0;
  hll::for_each_run(hll::body(sketch), [&](uint32_t first, hll::Run run) { covered = first + run.length; });
  if (uint32_t left = hll::kRegisters - covered) {
    sketch += static_cast<char>(0x40 | (left - 1) >> 8);
    sketch += static_cast<char>(left - 1);
  }
  return sketch;
}

}  // namespace

// The first byte: what the rest is, and how much of it says how registers are raised.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 1) return 0;
  Bytes data(reinterpret_cast<const char*>(bytes), size);
  size_t split = std::min<size_t>(bytes[0] >> 2, size - 1);
  Bytes orders = data.substr(1, split), rest = data.substr(1 + split);
  char header[hll::kHeader];
  hll::write_header(header, hll::kSparse);
  std::string sketch = std::string(header, sizeof header).append(rest);
  switch (bytes[0] & 3) {
    case 0: try_sketch(rest, orders); break;
    case 1: try_sketch(sketch, orders); break;
    case 2:
      hll::write_header(sketch.data(), hll::kDense);
      sketch.resize(hll::kDenseBytes);
      try_sketch(sketch, orders);
      break;
    default: try_sketch(filled(sketch), orders);
  }
  return 0;
}
