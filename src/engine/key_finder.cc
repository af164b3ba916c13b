#include "engine/key_finder.h"

#include <algorithm>
#include <optional>

#include "engine/command_table.h"

namespace vitrine {

namespace {

using Argv = std::span<const Bytes>;
using Keys = std::vector<KeyAt>;

int count_of(Argv argv) { return static_cast<int>(argv.size()); }

void add(Keys& found, int index, uint16_t flags) { found.push_back({static_cast<uint32_t>(index), flags}); }

// ---- by specification ----

// The place behind the keyword, or nothing: the option is not given.
std::optional<int> behind_keyword(const KeySpec& spec, Argv argv) {
  int step = spec.at > 0 ? 1 : -1, n = count_of(argv);
  for (int i = spec.at > 0 ? spec.at : n + spec.at; i > 0 && i < n; i += step)
    if (equals_ignoring_case(argv[static_cast<size_t>(i)], spec.keyword)) return i + 1;
  return std::nullopt;
}

void find_range(const KeySpec& spec, Argv argv, int first, Keys& found) {
  int n = count_of(argv), last = first + spec.last;
  if (spec.last < 0) last = spec.limit > 1 ? first + (n - first) / spec.limit + spec.last : n + spec.last;
  for (int i = first; i <= last && i < n; i += spec.step) add(found, i, spec.flags);
}

// As C's atoi on a machine of 64 bits: blanks, a sign, and digits as far as they go; what is beyond 64 bits is the
// nearest number of those, of which the lower 32 bits count. Redis finds keys so, and what an access rule denies there
// must not pass here; the commands themselves then refuse what is no number.
int lenient_int(Bytes text) {
  size_t at = std::min(text.find_first_not_of(" \t\n\v\f\r"), text.size());
  bool negative = at < text.size() && text[at] == '-';
  if (at < text.size() && (negative || text[at] == '+')) at++;
  uint64_t magnitude = 0, most = static_cast<uint64_t>(INT64_MAX) + negative;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; at++) {
    auto digit = static_cast<uint64_t>(text[at] - '0');
    magnitude = magnitude > (most - digit) / 10 ? most : magnitude * 10 + digit;
  }
  return static_cast<int>(static_cast<uint32_t>(negative ? 0 - magnitude : magnitude));
}

bool find_counted(const KeySpec& spec, Argv argv, int at, Keys& found) {
  int n = count_of(argv);
  if (at >= n) return false;
  int count = lenient_int(argv[static_cast<size_t>(at)]);
  if (count <= 0 || count > (n - at - 1 + spec.step - 1) / spec.step) return false;
  for (int i = 0; i < count; i++) add(found, at + 1 + i * spec.step, spec.flags);
  return true;
}

bool find_by_spec(const KeySpec& spec, Argv argv, Keys& found) {
  if (spec.flags & key_flag::kNotKey) return true;
  auto begin = spec.begin == KeySpec::Begin::keyword ? behind_keyword(spec, argv) : std::optional(spec.at);
  if (!begin) return true;
  if (spec.find == KeySpec::Find::counted) return find_counted(spec, argv, *begin, found);
  find_range(spec, argv, *begin, found);
  return true;
}

// ---- by knowledge ----

bool any_is(Argv words, Bytes word) {
  for (Bytes each : words)
    if (equals_ignoring_case(each, word)) return true;
  return false;
}

// SET with GET, or a condition on the old string, uses what it overwrites.
uint16_t set_flags(Argv argv) {
  bool reads = false;
  for (Bytes word : {"get", "ifeq", "ifne", "ifdeq", "ifdne"}) reads = reads || any_is(argv.subspan(3), word);
  return reads ? key_flag::kRW | key_flag::kAccess | key_flag::kUpdate : key_flag::kOW | key_flag::kUpdate;
}

// BITFIELD with nothing but GET only reads.
uint16_t bitfield_flags(Argv argv) {
  for (size_t i = 2; i < argv.size();) {
    size_t left = argv.size() - i;
    if (equals_ignoring_case(argv[i], "get") && left >= 3) i += 3;
    else if (equals_ignoring_case(argv[i], "overflow") && left >= 2) i += 2;
    else return key_flag::kRW | key_flag::kAccess | key_flag::kUpdate;
  }
  return key_flag::kRO | key_flag::kAccess;
}

// The last STORE counts. Names made by BY and GET depend on the data and cannot be told.
bool find_sort_keys(Argv argv, Keys& found) {
  add(found, 1, key_flag::kRO | key_flag::kAccess);
  int n = count_of(argv), store = 0;
  for (int i = 2; i < n; i++) {
    Bytes word = argv[static_cast<size_t>(i)];
    if (equals_ignoring_case(word, "limit")) i += 2;
    else if (equals_ignoring_case(word, "get") || equals_ignoring_case(word, "by")) i++;
    else if (equals_ignoring_case(word, "store") && i + 1 < n) store = i + 1;
  }
  if (store) add(found, store, key_flag::kOW | key_flag::kUpdate);
  return true;
}

// MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password] [AUTH2 user password] [KEYS key ...]
bool find_migrate_keys(Argv argv, Keys& found) {
  constexpr uint16_t kFlags = key_flag::kRW | key_flag::kAccess | key_flag::kDelete;
  int n = count_of(argv), first = 3, last = 3;
  for (int i = 6; i < n; i++) {
    Bytes word = argv[static_cast<size_t>(i)];
    if (equals_ignoring_case(word, "auth")) {
      i++;
    } else if (equals_ignoring_case(word, "auth2")) {
      i += 2;
    } else if (equals_ignoring_case(word, "keys") && i + 1 < n) {
      if (!argv[3].empty()) return false;
      first = i + 1, last = n - 1;
      break;
    }
  }
  for (int i = first; i <= last; i++) add(found, i, kFlags);
  return true;
}

bool is_one_of_a_kind(const CommandInfo& info) {
  for (const KeySpec& spec : info.keys)
    if (spec.begin == KeySpec::Begin::unknown || spec.flags & (key_flag::kIncomplete | key_flag::kVariableFlags))
      return true;
  return info.name == "delifeq";   // its specification, which is Valkey's, leaves out that it compares
}

// True when the command is one of those that only we know.
bool find_by_knowledge(const CommandInfo& info, Argv argv, Keys& found, bool& valid) {
  constexpr uint16_t kJustDelete = key_flag::kRM | key_flag::kDelete;
  constexpr uint16_t kCompareAndDelete = key_flag::kRW | key_flag::kAccess | key_flag::kDelete;
  if (info.name == "set") add(found, 1, set_flags(argv));
  else if (info.name == "delifeq") add(found, 1, kCompareAndDelete);
  // All that may follow the key of DELEX is a condition on the string.
  else if (info.name == "delex") add(found, 1, argv.size() > 2 ? kCompareAndDelete : kJustDelete);
  else if (info.name == "bitfield") add(found, 1, bitfield_flags(argv));
  else if (info.name == "sort") valid = find_sort_keys(argv, found);
  else if (info.name == "migrate") valid = find_migrate_keys(argv, found);
  else return false;
  return true;
}

}  // namespace

bool find_keys(const CommandInfo& info, std::span<const Bytes> argv, std::vector<KeyAt>& found) {
  found.clear();
  bool valid = true;
  if (!is_one_of_a_kind(info) || !find_by_knowledge(info, argv, found, valid))
    for (const KeySpec& spec : info.keys)
      if (spec.begin != KeySpec::Begin::unknown) valid = valid && find_by_spec(spec, argv, found);
  if (valid && !found.empty()) return true;
  found.clear();
  return info.flags & command_flag::kNoMandatoryKeys;
}

bool may_have_keys(const CommandInfo& info) {
  for (const KeySpec& spec : info.keys)
    if (!(spec.flags & key_flag::kNotKey)) return true;
  return false;
}

}  // namespace vitrine
