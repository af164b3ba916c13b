// Whatever bytes claim to be a packed block, a listpack or an integer set: they are refused, or they can be walked in
// both directions, edited and written again without a difference.
#include <string>
#include <vector>

#include "base/check.h"
#include "ds/int_set.h"
#include "ds/packed_list.h"

using namespace vitrine;

namespace {

using Texts = std::vector<std::string>;

Bytes whole(const Packed& packed) { return Bytes(reinterpret_cast<const char*>(packed.block()), packed.bytes_used()); }

Texts texts(const Packed& packed) {
  Texts forwards, backwards;
  for (PackedValue v : packed) forwards.push_back(v.str());
  for (auto i = packed.end(); i != packed.begin();) backwards.push_back((*--i).str());
  CHECK(forwards == Texts(backwards.rbegin(), backwards.rend()));
  CHECK(forwards.size() == packed.count());
  return forwards;
}

// The same texts written anew give the same bytes: there is one form only.
void check_only_form(const Packed& packed) {
  Texts all = texts(packed);
  Packed again = Packed::create();
  for (const std::string& text : all) again.append(text);
  CHECK(again.run() == packed.run());
  std::string listpack(again.listpack_bytes(), 0);
  again.write_listpack(listpack.data());
  uint8_t* imported = Packed::import_listpack(listpack);
  CHECK(imported && Packed(imported).run() == packed.run());
  Packed::free(imported);
  Packed::free(again.block());
}

void check_list(const Packed& packed, uint8_t seed) {
  Texts model = texts(packed);
  PackedList::Limits limits;
  limits.node_bytes = 32 + seed % 64 * 8;
  limits.plain_bytes = 1 + seed;
  PackedList list(limits);
  list.take_block(packed.clone().block());
  if (!model.empty()) {
    size_t index = seed % model.size();
    list.insert_before(list.at(static_cast<int64_t>(index)), "middle");
    model.insert(model.begin() + static_cast<int64_t>(index), "middle");
    list.replace(list.at(-1), "last");
    model.back() = "last";
    list.erase(list.begin());
    model.erase(model.begin());
  }
  size_t i = 0;
  list.for_each_range(0, SIZE_MAX, [&](const PackedValue& v) { CHECK(i < model.size() && v.str() == model[i++]); });
  CHECK(i == model.size());
  Packed back(list.to_block());
  CHECK(texts(back) == model);
  Packed::free(back.block());
}

// Changes as the bytes say, beside a vector.
void edit(Packed& packed, Bytes orders) {
  Texts model = texts(packed);
  for (size_t k = 0; k + 2 < orders.size() && k < 60; k += 3) {
    uint8_t order = orders[k], where = orders[k + 1], length = orders[k + 2];
    int64_t index = model.empty() ? 0 : where % model.size();
    std::string text(orders.substr(k, length));
    PackedItem item = order & 0x80 ? PackedItem::of(int64_t{length} << (order & 0x3f)) : PackedItem(text);
    if (item.is_int()) text = std::to_string(item.number());
    switch (order % 5) {
      case 0:
        packed.append(item);
        model.push_back(text);
        break;
      case 1:
        packed.insert(packed.at(index), item);
        model.insert(model.begin() + index, text);
        break;
      case 2:
        if (model.empty()) break;
        packed.replace(packed.at(index), item);
        model[index] = text;
        break;
      case 3: {
        size_t n = packed.erase_range(index, length);
        model.erase(model.begin() + index, model.begin() + index + static_cast<int64_t>(n));
        break;
      }
      default:
        for (size_t at = 0; at <= model.size(); at++) {
          if (at < model.size() && model[at] != text) continue;
          CHECK(packed.find(item) == packed.at(static_cast<int64_t>(at)));
          break;
        }
    }
  }
  CHECK(texts(packed) == model);
  CHECK(Packed::validate(whole(packed)));
}

void check_packed(Packed packed, uint8_t seed, Bytes orders) {
  check_only_form(packed);
  check_list(packed, seed);
  edit(packed, orders);
  Packed::free(packed.block());
}

// The header follows from the rest, so that a fuzzer need not guess it.
std::string with_header(Bytes elements, size_t total) {
  std::string bytes(Packed::kHeader, '\xff');
  for (int i = 0; i < 4; i++) bytes[i] = static_cast<char>(total >> (8 * i));
  return bytes.append(elements);
}

void check_int_set(Bytes data) {
  if (!IntSet::validate(data)) return;
  std::vector<char> exact(data.begin(), data.end());
  IntSet set = IntSet(reinterpret_cast<uint8_t*>(exact.data())).clone();
  size_t n = set.size();
  for (size_t i = 0; i < n; i++) CHECK(set.contains(set.at(i)) && set.lower_bound(set.at(i)) == i);
  bool added = set.insert(INT64_MIN);
  CHECK(set.size() == n + added && set.front() == INT64_MIN && set.width() == 8);
  CHECK(set.erase(INT64_MIN) && set.size() + !added == n);
  CHECK(IntSet::validate(set.raw()));
  IntSet::free(set.block());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Bytes data(reinterpret_cast<const char*>(bytes), size);
  check_int_set(data);
  if (size < 2) return 0;
  uint8_t seed = bytes[0];
  size_t split = std::min<size_t>(bytes[1], size - 2);
  Bytes orders = data.substr(2, split), elements = data.substr(2 + split);
  // As it came, with a header, and as a listpack.
  for (const std::string& block : {std::string(elements), with_header(elements, elements.size() + Packed::kHeader)}) {
    if (!Packed::validate(block)) continue;
    check_packed(Packed(reinterpret_cast<uint8_t*>(const_cast<char*>(block.data()))).clone(), seed, orders);
  }
  std::string listpack = with_header(elements, elements.size() + Packed::kHeader + 1) + '\xff';
  if (uint8_t* block = Packed::import_listpack(listpack)) check_packed(Packed(block), seed, orders);
  return 0;
}
