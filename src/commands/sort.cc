// SORT and SORT_RO: the elements of a list, set or sorted set in another order, or what belongs to them.
#include <algorithm>
#include <clocale>
#include <cmath>
#include <memory_resource>

#include "base/numbers.h"
#include "commands/families.h"
#include "commands/sort_patterns.h"
#include "commands/store_target.h"
#include "engine/acl_user.h"
#include "engine/command.h"
#include "store/list.h"
#include "store/set.h"
#include "store/sorted_set.h"

namespace vitrine {

namespace {

struct Order {
  Bytes key, by, target;
  bool by_pattern = false;   // the weights are elsewhere
  bool names_weights = false;   // so says a BY, even if another one makes it idle
  bool sorts = true;         // a BY without a '*' leaves the order as it is, whatever another one says
  bool stores = false, descending = false, alpha = false;
  int64_t offset = 0, count = -1;
  std::vector<Bytes> gets;

  bool read(Args& args, bool may_store) {
    key = args.bytes();
    while (args.more()) {
      if (args.accept("ASC")) descending = false;
      else if (args.accept("DESC")) descending = true;
      else if (args.accept("ALPHA")) alpha = true;
      else if (args.accept("LIMIT", 2)) offset = args.integer(), count = args.integer();
      else if (may_store && args.accept("STORE", 1)) stores = true, target = args.bytes();
      else if (args.accept("BY", 1)) read_by(args.bytes());
      else if (args.accept("GET", 1)) gets.push_back(args.bytes());
      else args.fail();
    }
    by_pattern = names_weights && sorts;
    return args.done();
  }

  void read_by(Bytes pattern) {
    if (pattern.find('*') == Bytes::npos) sorts = false;
    else by = pattern, names_weights = true;
  }

  // The part of so many elements that LIMIT wants.
  struct Part {
    size_t index, n;
  };
  Part part(size_t size) const {
    size_t index = offset < 0 ? 0 : std::min(static_cast<uint64_t>(offset), size);
    size_t left = size - index;
    return {index, count < 0 ? left : std::min(static_cast<uint64_t>(count), left)};
  }
};

struct Row {
  Bytes element;
  union {
    double score;
    const char* weight;      // ends with a zero; null: there is none
  };
  uint32_t weight_size;
  uint32_t place;            // where it stood; equal rows stay in that order
};

// As strtod reads it, up to the first zero byte; false when that is not a number of the range.
bool read_score(Bytes text, double& score) {
  if (auto number = parse_int64(text)) return score = static_cast<double>(*number), true;
  char buffer[128];
  std::string longer;
  const char* start = buffer;
  if (text.size() < sizeof buffer) {
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = 0;
  } else {
    start = longer.assign(text).c_str();
  }
  char* end;
  errno = 0;
  score = std::strtod(start, &end);
  return *end == 0 && errno != ERANGE && !std::isnan(score);
}

class Sorter {
 public:
  Sorter(Call& c, const Order& order) : c_(c), order_(order) {}

  // False with the error replied.
  bool load();
  bool sort();
  // Calls visit(std::optional<Bytes>) for every value of the result.
  template <class Visit>
  void for_each_value(Visit visit);
  size_t values() const { return part_.n * std::max<size_t>(1, order_.gets.size()); }

 private:
  void load_list(const List& list);
  void load_set(const Set& set);
  void load_sorted_set(Entry* entry, Object& object);
  void add(const PackedValue& v);
  const char* keep(Bytes text);
  bool compares_texts() const { return order_.alpha || !order_.sorts; }
  bool weigh(Row& row, SortPattern& by);
  int compare(const Row& a, const Row& b) const;
  int compare_texts(const Row& a, const Row& b) const;

  Call& c_;
  const Order& order_;
  std::pmr::monotonic_buffer_resource texts_;
  std::vector<Row> rows_;
  Order::Part part_{0, 0};   // of the rows, what is wanted
  bool unordered_ = false;   // the source has no order of its own
  bool lent_briefly_ = false;
  bool sorts_ = false;
  bool collates_ = false;
};

// A copy with a zero behind it.
const char* Sorter::keep(Bytes text) {
  char* copy = static_cast<char*>(texts_.allocate(text.size() + 1, 1));
  if (!text.empty()) std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = 0;
  return copy;
}

void Sorter::add(const PackedValue& v) {
  char digits[24];
  Bytes text = v.bytes(digits);
  // A set lends short members for a moment only.
  if (v.is_int || lent_briefly_ || (unordered_ && text.size() < 16)) text = {keep(text), text.size()};
  Row row;
  row.element = text;
  row.weight = nullptr;
  row.weight_size = 0;
  row.place = static_cast<uint32_t>(rows_.size());
  rows_.push_back(row);
}

void Sorter::load_list(const List& list) {
  size_t size = list.size();
  lent_briefly_ = list.lends_briefly();
  auto visit = [&](const PackedValue& v) { add(v); };
  Order::Part part = sorts_ ? Order::Part{0, size} : order_.part(size);
  rows_.reserve(part.n);
  if (!sorts_ && order_.descending) list.for_each_backwards(size - 1 - part.index, part.n, visit);
  else list.for_each(part.index, part.n, visit);
}

void Sorter::load_set(const Set& set) {
  unordered_ = true;
  // What is stored, or decided upon by a script, must not depend on how the set lies in memory.
  if (order_.stores || c_.session.origin == Origin::script) sorts_ = true;
  rows_.reserve(set.size());
  set.for_each([&](const PackedValue& v) { add(v); });
}

void Sorter::load_sorted_set(Entry* entry, Object& object) {
  SortedSet set(object, c_.keyspace.context());
  // As in Redis, a sorted set that was sorted once is a skiplist from then on.
  set.become_tree();
  entry->set_object(object);
  size_t size = set.size();
  Order::Part part = sorts_ ? Order::Part{0, size} : order_.part(size);
  rows_.reserve(part.n);
  auto run = set.ranks(0, size);
  bool reverse = !sorts_ && order_.descending;
  run.cut(part.index, part.n, reverse);
  set.for_each(run, reverse, [&](const PackedValue& member, double) { add(member); });
}

bool Sorter::load() {
  Entry* entry = c_.find(order_.key);
  sorts_ = order_.sorts;
  if (!entry) return true;
  Object object = entry->object();
  TypeContext context = c_.keyspace.context();
  if (entry->type() == Type::list) load_list(List(object, context));
  else if (entry->type() == Type::set) load_set(Set(object, context));
  else if (entry->type() == Type::zset) load_sorted_set(entry, object);
  else return c_.wrong_type(), false;
  bool cut = !order_.sorts && !unordered_;
  part_ = cut ? Order::Part{0, rows_.size()} : order_.part(rows_.size());
  return true;
}

// False when a number is wanted and there is none.
bool Sorter::weigh(Row& row, SortPattern& by) {
  std::optional<Bytes> weight = row.element;
  if (order_.by_pattern) weight = by.value_for(c_, row.element);
  if (!compares_texts()) {
    row.score = 0;
    return !weight || read_score(*weight, row.score);
  }
  if (!weight) return true;
  // Collation sees nothing behind a zero byte.
  if (!order_.stores) *weight = weight->substr(0, weight->find('\0'));
  row.weight = order_.by_pattern || collates_ ? keep(*weight) : weight->data();
  row.weight_size = static_cast<uint32_t>(weight->size());
  return true;
}

int Sorter::compare_texts(const Row& a, const Row& b) const {
  if (!a.weight || !b.weight) return (a.weight != nullptr) - (b.weight != nullptr);
  if (collates_) return std::strcoll(a.weight, b.weight);
  return Bytes(a.weight, a.weight_size).compare(Bytes(b.weight, b.weight_size));
}

int Sorter::compare(const Row& a, const Row& b) const {
  if (compares_texts()) return compare_texts(a, b);
  if (a.score != b.score) return a.score < b.score ? -1 : 1;
  return a.element.compare(b.element);
}

bool Sorter::sort() {
  if (!sorts_) return true;
  const char* collation = std::setlocale(LC_COLLATE, nullptr);
  collates_ = !order_.stores && collation && Bytes(collation) != "C" && Bytes(collation) != "POSIX";
  SortPattern by(order_.by);
  for (Row& row : rows_)
    if (!weigh(row, by)) return c_.reply.error("ERR One or more scores can't be converted into double"), false;
  auto before = [&](const Row& a, const Row& b) {
    int order = compare(a, b);
    if (order != 0) return order_.descending ? order > 0 : order < 0;
    return unordered_ ? a.element < b.element : a.place < b.place;
  };
  auto end = rows_.begin() + static_cast<ptrdiff_t>(part_.index + part_.n);
  if (end == rows_.end()) std::sort(rows_.begin(), end, before);
  else std::partial_sort(rows_.begin(), end, rows_.end(), before);
  return true;
}

template <class Visit>
void Sorter::for_each_value(Visit visit) {
  std::vector<SortPattern> patterns(order_.gets.begin(), order_.gets.end());
  for (size_t i = part_.index; i < part_.index + part_.n; i++) {
    if (patterns.empty()) visit(std::optional<Bytes>(rows_[i].element));
    for (SortPattern& pattern : patterns) visit(pattern.value_for(c_, rows_[i].element));
  }
}

void store(Call& c, const Order& order, Sorter& sorter) {
  size_t n = sorter.values();
  if (n == 0) {
    remove_target(c, order.target);
    return c.reply.integer(0);
  }
  TypeContext context = c.keyspace.context();
  Value value(List::make(context));
  List list(*value, context);
  sorter.for_each_value([&](std::optional<Bytes> v) { list.push(End::right, v.value_or(Bytes())); });
  c.put(order.target, std::move(value), "sortstore", EventClass::list);
  c.keyspace.stats().changes += n - 1;   // announcing counts one
  c.reply.integer(static_cast<int64_t>(n));
}

void sort_key(Call& c, bool may_store) {
  Order order;
  if (!order.read(c.args, may_store)) return;
  // The names that patterns make are known too late to be checked one by one.
  if ((order.names_weights || !order.gets.empty()) && c.session.restricted && !c.session.acl_user->may_read_all_keys())
    return c.reply.error(order.names_weights ? "ERR BY option of SORT denied due to insufficient ACL permissions."
                                             : "ERR GET option of SORT denied due to insufficient ACL permissions.");
  Sorter sorter(c, order);
  if (!sorter.load() || !sorter.sort()) return;
  if (order.stores) return store(c, order, sorter);
  c.reply.array(static_cast<int64_t>(sorter.values()));
  sorter.for_each_value([&](std::optional<Bytes> v) { v ? c.reply.bulk(*v) : c.reply.null(); });
}
void sort(Call& c) { sort_key(c, true); }
void sort_ro(Call& c) { sort_key(c, false); }

constexpr CommandRow kRows[] = {{"sort", sort}, {"sort_ro", sort_ro}};

}  // namespace

void add_sort_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
