// Whatever bytes claim to be an array of a snapshot: they are refused with a reason, or what they held holds together,
// can be written and read again without a difference, and can be changed as the same bytes say, beside a map.
#include <map>
#include <string>

#include "base/check.h"
#include "store/array.h"
#include "store/rdb_types.h"

using namespace vitrine;

namespace {

using Model = std::map<uint64_t, std::string>;

const TypeContext kContext{0, nullptr};

Value loaded(Bytes body) {
  RdbInput in(body);
  Value value = kArrayOps.load(rdb::kArray, in, kContext);
  CHECK(bool(value) != in.failed());
  CHECK(value || !in.error().empty());
  return value;
}

std::string saved(const Object& object) {
  RdbOutput out({});
  kArrayOps.save(object, rdb::kArray, out);
  return std::string(out.view());
}

Model contents(const SparseArray& values) {
  CHECK(values.empty() || values.sound());
  Model all;
  for (auto at = values.first(); at; ++at) CHECK(all.emplace(at.index(), at.value()).second);
  CHECK(all.size() == values.count());
  CHECK(values.length() == (all.empty() ? 0 : all.rbegin()->first + 1));
  return all;
}

uint64_t index_of(Bytes order, const Model& model) {
  uint64_t n = static_cast<uint8_t>(order[1]) << 8 | static_cast<uint8_t>(order[2]);
  if (order[0] & 0x40) return n << (order[0] >> 2 & 15) * 3;
  if (model.empty() || order[0] & 0x20) return n;
  auto at = model.lower_bound(n << (order[0] >> 2 & 7) * 7);
  return at == model.end() ? model.begin()->first : at->first;
}

void change(Array array, Bytes orders) {
  Model model = contents(array.values());
  for (size_t k = 0; k + 3 < orders.size() && k < 400; k += 4) {
    Bytes order = orders.substr(k, 4);
    uint64_t index = std::min(index_of(order, model), Array::kMaxIndex);
    std::string text(static_cast<uint8_t>(order[3]), 'x');
    switch (order[0] & 3) {
      case 0:
      case 1:
        CHECK(array.set(index, text) == !model.contains(index));
        model[index] = text;
        break;
      case 2: {
        uint64_t to = index + std::min<uint64_t>(text.size() / 8, Array::kMaxIndex - index);
        auto low = model.lower_bound(index), high = model.upper_bound(to);
        CHECK(array.erase_range(index, to) == static_cast<uint64_t>(std::distance(low, high)));
        model.erase(low, high);
        break;
      }
      default:
        if (text.size() % 2) {
          array.make_ring(index + 1);
          array.append_to_ring(text);
          model = contents(array.values());
        } else if (array.can_append(1)) {
          model[array.append(text)] = text;
        }
    }
  }
  CHECK(contents(array.values()) == model);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(reinterpret_cast<const char*>(data), size);
  Value value = loaded(bytes);
  if (!value) value = Value(Array::make(kContext));
  std::string once = saved(*value);
  Value again = loaded(once);
  CHECK(again && saved(*again) == once);
  change(Array(*again, kContext), bytes);
  CHECK(saved(*value) == once);
  return 0;
}
