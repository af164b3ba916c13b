// Whatever bytes claim to be a stream are refused, or make one that can be walked in both directions, changed, written
// and read again without a difference; and whatever is done to a stream, it stays what a map of its entries is.
//
//   first byte 0 to 3: a stream as a snapshot holds it, in one of its four types, then what is done to it (its length
//   is the second byte's); other: only what is done, to an empty stream
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "store/encoding_limits.h"
#include "store/rdb_types.h"
#include "store/stream.h"

using namespace vitrine;

namespace {

using Texts = std::vector<std::string>;
using Model = std::map<StreamId, Texts>;

constexpr int64_t kNow = 1'700'000'000'000;

// Bytes of the input as choices; zeros behind the end.
class Choices {
 public:
  explicit Choices(Bytes bytes) : bytes_(bytes) {}
  bool more() const { return !bytes_.empty(); }
  uint64_t below(uint64_t n) { return n ? byte() % n : 0; }
  uint8_t byte() {
    if (bytes_.empty()) return 0;
    uint8_t b = static_cast<uint8_t>(bytes_[0]);
    bytes_.remove_prefix(1);
    return b;
  }
  // Mostly small, sometimes of any size.
  uint64_t number() {
    uint64_t n = byte();
    for (uint8_t more = n >= 0xf0 ? 7 : 0; more > 0; more--) n = n << 8 | byte();
    return n;
  }
  std::string text() {
    size_t n = std::min<size_t>(byte(), bytes_.size());
    std::string out(bytes_.substr(0, n));
    bytes_.remove_prefix(n);
    return out;
  }

 private:
  Bytes bytes_;
};

Texts texts_of(const StreamEntry& e) {
  Texts out;
  e.for_each([&](const PackedValue& name, const PackedValue& value) {
    out.push_back(name.str());
    out.push_back(value.str());
  });
  return out;
}

Model content(const Stream& stream) {
  Model model;
  StreamRange range = stream.range(StreamId::min(), StreamId::max());
  while (const StreamEntry* e = range.next()) {
    CHECK(model.empty() || model.rbegin()->first < e->id());
    model.emplace(e->id(), texts_of(*e));
  }
  return model;
}

void compare(const Stream& stream, const Model& model) {
  const StreamData& s = stream.data();
  CHECK(s.nodes.sound() && s.length == model.size());
  CHECK(content(stream) == model);
  StreamRange range = stream.range(StreamId::min(), StreamId::max(), true);
  for (auto it = model.rbegin(); it != model.rend(); ++it) {
    const StreamEntry* e = range.next();
    CHECK(e && e->id() == it->first && texts_of(*e) == it->second);
  }
  CHECK(!range.next());
  CHECK(stream.first_id() == (model.empty() ? StreamId{} : model.begin()->first));
  CHECK(model.empty() || model.rbegin()->first <= s.last_id);
}

StreamId some_id(Choices& choices, const Model& model) {
  if (model.empty() || choices.below(4) == 0) return {choices.number(), choices.number()};
  return std::next(model.begin(), static_cast<long>(choices.below(model.size())))->first;
}

void append(Choices& choices, Stream stream, Model& model) {
  StreamId last = stream.last_id();
  if (last == StreamId::max()) return;
  StreamId id = last.next();
  if (uint64_t step = choices.below(4) ? 0 : choices.number(); step && last.ms < UINT64_MAX - step)
    id = {last.ms + step, choices.number()};
  Texts texts;
  for (size_t n = 1 + choices.below(3); n > 0; n--) {
    texts.push_back(choices.below(2) ? "name" + std::to_string(n) : choices.text());
    texts.push_back(choices.below(2) ? std::to_string(choices.number()) : choices.text());
  }
  stream.append(id, std::vector<Bytes>(texts.begin(), texts.end()));
  model.emplace(id, texts);
}

void trim(Choices& choices, Stream stream, Model& model) {
  StreamTrim trim{.by = choices.below(2) ? StreamTrim::By::length : StreamTrim::By::id};
  trim.approximate = choices.below(2);
  trim.length = choices.byte();
  trim.id = some_id(choices, model);
  uint64_t gone = stream.trim(trim);
  CHECK(gone <= model.size());
  if (!trim.approximate)
    CHECK(trim.by == StreamTrim::By::length ? stream.size() <= trim.length
                                            : stream.size() == 0 || stream.first_id() >= trim.id);
  model.erase(model.begin(), std::next(model.begin(), static_cast<long>(gone)));
}

void look(Choices& choices, const Stream& stream, const Model& model) {
  StreamId from = some_id(choices, model), to = some_id(choices, model);
  auto low = model.lower_bound(from), high = from > to ? low : model.upper_bound(to);
  StreamRange forwards = stream.range(from, to), backwards = stream.range(from, to, true);
  for (auto it = low; it != high; ++it) CHECK(forwards.next()->id() == it->first);
  for (auto it = high; it != low;) CHECK(backwards.next()->id() == (--it)->first);
  CHECK(!forwards.next() && !backwards.next());
}

void use_group(Choices& choices, const Stream& stream, const Model& model) {
  std::string name(1, static_cast<char>('a' + choices.below(2)));
  StreamGroup* group = stream.find_group(name);
  if (!group) group = stream.add_group(name, {}, choices.below(2) ? 0 : StreamGroup::kUnknown);
  StreamConsumer* consumer = group->find_consumer(name);
  if (!consumer) consumer = group->add_consumer(name, kNow);
  StreamId id = some_id(choices, model);
  switch (choices.below(6)) {
    case 0: group->assign(id, consumer, choices.byte()); break;
    case 1: group->acknowledge(id); break;
    case 2:
      if (group->find(id)) group->give_back(id);
      break;
    case 3: CHECK(group->by_age().size() == group->pending().size()); break;
    case 4: group->remove_consumer(consumer); break;
    default:
      auto next = group->last_id == StreamId::max() ? model.end() : model.upper_bound(group->last_id);
      if (next != model.end()) stream.pass(*group, next->first);
  }
  stream.lag_of(*group);
}

std::string saved(const Object& object, uint8_t type, int version) {
  RdbOutput out({version, false, false});
  kStreamOps.save(object, type, out);
  return std::string(out.view());
}

std::string digest_of(const Object& object) {
  std::string all;
  kStreamOps.digest(object, [&](std::initializer_list<Bytes> parts) {
    for (Bytes part : parts) all += part, all += '\n';
  });
  return all;
}

void save_and_load(Value& value, const TypeContext& context) {
  for (int version : {rdb::kBaseVersion, rdb::kSetListpackVersion}) {
    uint8_t type = kStreamOps.rdb_type(*value, version);
    std::string once = saved(*value, type, version);
    RdbInput in(once, version);
    Value again = kStreamOps.load(type, in, context);
    CHECK(again && in.at_end());
    CHECK(saved(*again, type, version) == once);
    CHECK(digest_of(*again) == digest_of(*value));
  }
  value = Value(kStreamOps.clone(*value));
}

void change(Choices& choices, Value& value, const TypeContext& context) {
  Model model = content(Stream(*value, context));
  while (choices.more()) {
    Stream stream(*value, context);
    switch (choices.below(9)) {
      case 0: trim(choices, stream, model); break;
      case 1:
      case 2: {
        StreamId id = some_id(choices, model);
        CHECK(stream.erase(id) == model.erase(id) > 0);
        break;
      }
      case 3: look(choices, stream, model); break;
      case 4: use_group(choices, stream, model); break;
      case 5:
        if (choices.below(8) == 0) save_and_load(value, context);
        else if (choices.below(8) == 0) compare(stream, model);
        break;
      default: append(choices, stream, model);
    }
  }
  compare(Stream(*value, context), model);
  save_and_load(value, context);
  compare(Stream(*value, context), model);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint8_t kTypes[] = {rdb::kStream, rdb::kStream2, rdb::kStream3, rdb::kStreamProducers};
  if (size < 2) return 0;
  Bytes bytes(reinterpret_cast<const char*>(data), size);
  EncodingLimits limits;
  limits.stream_node_max_entries = 1 + data[1] % 16;
  TypeContext context{kNow, &limits};
  Value value(Stream::make(context));
  if (data[0] < sizeof kTypes) {
    size_t changes = std::min<size_t>(data[1], size - 2);
    RdbInput in(bytes.substr(2, size - 2 - changes));
    value = kStreamOps.load(kTypes[data[0]], in, context);
    CHECK(bool(value) != in.failed());
    if (!value) return 0;
    bytes.remove_prefix(size - changes);
  } else {
    bytes.remove_prefix(2);
  }
  Choices choices(bytes);
  change(choices, value, context);
  return 0;
}
