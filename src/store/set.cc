#include "store/set.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "store/encoding_limits.h"
#include "store/rdb_types.h"
#include "store/rewrite.h"

namespace vitrine {

namespace set_detail {

namespace {

constexpr int64_t kInlineLimit = int64_t{1} << 46;
constexpr size_t kShortText = 5;
constexpr uint8_t kLongRecord = 255;

bool is_inline_int(int64_t n) { return n >= -kInlineLimit && n < kInlineLimit; }
Word int_word(int64_t n) { return (static_cast<uint64_t>(n) << 1 | 1) & 0xffff'ffff'ffff; }
Word text_word(Bytes text) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, text.data(), text.size());
  return bytes << 8 | text.size() << 4 | 2;
}

Bytes record_bytes(Word w) {
  const char* p = reinterpret_cast<const char*>(w);
  uint8_t length = static_cast<uint8_t>(*p);
  if (length != kLongRecord) return {p + 1, length};
  uint64_t long_length;
  std::memcpy(&long_length, p + 1, 8);
  return {p + 9, long_length};
}

Word new_record(Bytes text) {
  bool is_long = text.size() >= kLongRecord;
  size_t header = is_long ? 9 : 1;
  // At least 16 bytes: smaller blocks are not aligned to 16, and the low bits of a word say what it is.
  char* p = static_cast<char*>(memory::allocate(std::max<size_t>(16, header + text.size())));
  p[0] = static_cast<char>(is_long ? kLongRecord : text.size());
  uint64_t length = text.size();
  if (is_long) std::memcpy(p + 1, &length, 8);
  std::memcpy(p + header, text.data(), text.size());
  return reinterpret_cast<Word>(p);
}

bool is_record(Word w) { return (w & 15) == 0; }

}  // namespace

PackedValue read_word(Word w) {
  if (w & 1) return {true, static_cast<int64_t>(w << 16) >> 17, {}};
  if ((w & 15) == 2) {
    // The bytes stand in the word itself: they are lent from a small ring, long enough for any caller's needs.
    static thread_local char ring[64][8];
    static thread_local unsigned next = 0;
    char* p = ring[next++ & 63];
    uint64_t bytes = w >> 8;
    std::memcpy(p, &bytes, 8);
    return {false, 0, Bytes(p, (w >> 4) & 15)};
  }
  Bytes text = record_bytes(w);
  // Integers beyond 47 bits stand as text.
  if (text.size() >= 14 && text.size() <= kInt64Chars)
    if (auto n = parse_int64(text)) return {true, *n, {}};
  return {false, 0, text};
}

namespace {

// How a member stands in the table, or would: everything but the allocation of a record.
struct Key {
  uint64_t hash;
  Word word = 0;       // 0: a record with this text
  Bytes text;
  char digits[24];

  explicit Key(const PackedItem& member) {
    if (member.is_int() && is_inline_int(member.number())) {
      word = int_word(member.number());
      hash = hash_word(word);
      return;
    }
    text = member.text();
    if (member.is_int()) text = Bytes(digits, format_int64(digits, member.number()));
    if (text.size() <= kShortText) {
      word = text_word(text);
      hash = hash_word(word);
    } else {
      hash = hash_bytes(text);
    }
  }
  bool operator()(Word w) const { return word ? w == word : is_record(w) && same_bytes(record_bytes(w), text); }
};

}  // namespace

uint64_t Policy::hash(Word w) { return is_record(w) ? hash_bytes(record_bytes(w)) : hash_word(w); }

}  // namespace set_detail

using set_detail::Key;
using set_detail::Table;

Object Set::make(const TypeContext&) { return Object::of(Type::set, kIntSet, IntSet::create().block()); }

size_t Set::size() const {
  switch (object_.encoding) {
    case kIntSet: return ints().size();
    case kPacked: return packed().count();
    default: return table().size();
  }
}

bool Set::contains(const PackedItem& member) const {
  switch (object_.encoding) {
    case kIntSet: return member.is_int() && ints().contains(member.number());
    case kPacked: return packed().find(member) != packed().end();
    default: {
      Key key(member);
      return bool(table().find(key.hash, key));
    }
  }
}

void Set::prefetch(const PackedItem& member) const {
  if (object_.encoding == kTable) table().prefetch_bucket(Key(member).hash);
}

bool Set::packed_allows(size_t members, size_t length) const {
  return members <= context_.limits->set_max_listpack_entries && length <= context_.limits->set_max_listpack_value;
}

void Set::expect(size_t count) {
  if (object_.encoding == kIntSet && count > context_.limits->set_max_intset_entries &&
      count > context_.limits->set_max_listpack_entries && ints().empty())
    to_table();
}

void Set::to_packed() {
  IntSet set = ints();
  Packed block = Packed::create(set.size() * 4);
  set.for_each([&](int64_t n) { block.append(PackedItem::of(n)); });
  IntSet::free(set.block());
  object_.encoding = kPacked;
  object_.point_to(block.block());
}

void Set::to_table() {
  Object old = object_;
  Table* fresh = new Table;
  Object target = Object::of(Type::set, kTable, fresh);
  Set into(target, context_);
  for_each([&](const PackedValue& v) { into.add_to_table(PackedItem::of(v)); });
  old.encoding == kIntSet ? IntSet::free(old.as<uint8_t>()) : Packed::free(old.as<uint8_t>());
  object_.encoding = kTable;
  object_.point_to(fresh);
}

bool Set::add_to_table(const PackedItem& member) {
  Key key(member);
  if (table().find(key.hash, key)) return false;
  table().insert(key.hash, key.word ? key.word : set_detail::new_record(key.text));
  return true;
}

bool Set::add_to_ints(const PackedItem& member) {
  IntSet set = ints();
  if (member.is_int()) {
    bool added = set.insert(member.number());
    object_.point_to(set.block());
    if (added && set.size() > context_.limits->set_max_intset_entries) to_table();
    return added;
  }
  size_t longest = member.text().size();
  if (!set.empty())
    longest = std::max({longest, static_cast<size_t>(decimal_length(set.front())),
                        static_cast<size_t>(decimal_length(set.back()))});
  if (packed_allows(set.size() + 1, longest)) {
    to_packed();
    Packed block = packed();
    block.append(member);
    object_.point_to(block.block());
  } else {
    to_table();
    add_to_table(member);
  }
  return true;
}

bool Set::add(const PackedItem& member) {
  bool added;
  if (object_.encoding == kIntSet) {
    added = add_to_ints(member);
  } else if (object_.encoding == kPacked) {
    Packed block = packed();
    if (block.find(member) != block.end()) return false;
    size_t length = member.is_int() ? static_cast<size_t>(decimal_length(member.number())) : member.text().size();
    if (packed_allows(block.count() + 1, length)) {
      block.append(member);
      object_.point_to(block.block());
    } else {
      to_table();
      add_to_table(member);
    }
    added = true;
  } else {
    added = add_to_table(member);
  }
  object_.changes += added;
  return added;
}

bool Set::remove(const PackedItem& member) {
  bool removed = false;
  if (object_.encoding == kIntSet) {
    IntSet set = ints();
    removed = member.is_int() && set.erase(member.number());
    object_.point_to(set.block());
  } else if (object_.encoding == kPacked) {
    Packed block = packed();
    auto at = block.find(member);
    removed = at != block.end();
    if (removed) block.erase(at);
    object_.point_to(block.block());
  } else {
    Key key(member);
    if (auto p = table().find(key.hash, key)) {
      Word w = table().at(p);
      table().erase(p);
      if (set_detail::is_record(w)) memory::release(reinterpret_cast<void*>(w));
      removed = true;
    }
  }
  object_.changes += removed;
  return removed;
}

PackedValue Set::random(Random& random) const {
  switch (object_.encoding) {
    case kIntSet: return {true, ints().random(random), {}};
    case kPacked: return *packed().at(static_cast<int64_t>(random.below(packed().count())));
    default: return set_detail::read_word(table().random(random));
  }
}

namespace {

// Visits `count` of the items, each at most once, in random order.
template <class Item, class Visit>
void visit_some(std::vector<Item>& items, size_t count, Random& random, Visit visit) {
  for (size_t i = 0; i < count && i < items.size(); i++) {
    std::swap(items[i], items[i + random.below(items.size() - i)]);
    visit(items[i]);
  }
}

}  // namespace

void Set::sample(size_t count, Random& random, const std::function<void(const PackedValue&)>& visit) const {
  if (object_.encoding != kTable) {
    std::vector<PackedValue> members;
    for_each([&](const PackedValue& v) { members.push_back(v); });
    return visit_some(members, count, random, visit);
  }
  auto visit_word = [&](Word w) { visit(set_detail::read_word(w)); };
  if (count * 3 < size()) {
    std::unordered_set<Word> chosen;
    while (chosen.size() < count) {
      Word w = table().random(random);
      if (chosen.insert(w).second) visit_word(w);
    }
    return;
  }
  std::vector<Word> words;
  table().for_each([&](Word w) { words.push_back(w); });
  visit_some(words, count, random, visit_word);
}

// ---- the type's row ----

namespace {

void destroy(Object& o) {
  if (o.encoding == Set::kIntSet) return IntSet::free(o.as<uint8_t>());
  if (o.encoding == Set::kPacked) return Packed::free(o.as<uint8_t>());
  Table* table = o.as<Table>();
  table->for_each([](Word w) {
    if (set_detail::is_record(w)) memory::release(reinterpret_cast<void*>(w));
  });
  delete table;
}

Object clone(const Object& o) {
  if (o.encoding == Set::kIntSet) return Object::of(Type::set, o.encoding, IntSet(o.as<uint8_t>()).clone().block());
  if (o.encoding == Set::kPacked) return Object::of(Type::set, o.encoding, Packed(o.as<uint8_t>()).clone().block());
  Table* copy = new Table;
  o.as<Table>()->for_each([copy](Word w) {
    Word fresh = set_detail::is_record(w) ? set_detail::new_record(set_detail::record_bytes(w)) : w;
    copy->insert(set_detail::Policy::hash(w), fresh);
  });
  return Object::of(Type::set, Set::kTable, copy);
}

Bytes encoding_name(const Object& o) {
  return o.encoding == Set::kIntSet ? "intset" : o.encoding == Set::kPacked ? "listpack" : "hashtable";
}

const Set view(const Object& o) {
  static const EncodingLimits limits;
  static const TypeContext context{0, &limits};
  return Set(const_cast<Object&>(o), context);
}

size_t length(const Object& o) { return view(o).size(); }

size_t memory_of(const Object& o, size_t samples) {
  if (o.encoding == Set::kIntSet) return IntSet(o.as<uint8_t>()).memory();
  if (o.encoding == Set::kPacked) return Packed(o.as<uint8_t>()).memory();
  Table* table = o.as<Table>();
  size_t bytes = memory::usable_size(table) + table->memory_bytes(), seen = 0, records = 0;
  Random random(table->size());
  auto measure = [&](Word w) {
    seen++;
    if (set_detail::is_record(w)) records += memory::usable_size(reinterpret_cast<void*>(w));
  };
  if (samples == 0) table->for_each(measure);
  else table->sample(random, samples, measure);
  return seen ? bytes + records * table->size() / seen : bytes;
}

size_t free_effort(const Object& o) { return o.encoding == Set::kTable ? o.as<Table>()->size() : 1; }

void digest(const Object& o, const std::function<void(std::initializer_list<Bytes>)>& part) {
  view(o).for_each([&](const PackedValue& v) {
    char scratch[24];
    part({v.bytes(scratch)});
  });
}

void rewrite(const Object& o, CommandMaker& maker) {
  digest(o, [&](std::initializer_list<Bytes> member) { maker.item("SADD", member); });
}

}  // namespace

const TypeOps kSetOps = {"set", destroy, clone, encoding_name, length, memory_of, free_effort, digest, false,
                        set_rdb_type, save_set, load_set, rewrite};

}  // namespace vitrine
