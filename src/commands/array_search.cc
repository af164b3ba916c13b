// ARGREP: which values of an array match. Every predicate takes time in proportion to the text it looks at: regular
// expressions run in RE2, which never goes back, and the patterns of one command are limited in number and size.
#include <re2/re2.h>

#include <memory>

#include "base/glob.h"
#include "commands/array_args.h"
#include "commands/families.h"
#include "engine/command.h"

namespace vitrine {

namespace {

constexpr size_t kMaxPredicates = 250;
constexpr size_t kMaxPatternBytes = 4096;    // of all GLOB and RE patterns of a command
constexpr int kMaxProgramSize = 4000;        // instructions of all regular expressions together

void fold_case(std::string& text) {
  for (char& b : text)
    if (b >= 'A' && b <= 'Z') b |= 0x20;
}

// Two-way search: linear, whatever the texts are.
bool contains(Bytes text, Bytes part) { return memmem(text.data(), text.size(), part.data(), part.size()) != nullptr; }

class Predicates {
 public:
  // Takes what the arguments say; latches their errors.
  void read(Args& args);

  bool matches(Bytes text) {
    if (nocase_ && needs_folded_) fold_case(folded_ = text);
    for (const Predicate& p : all_)
      if (matches(p, text) != all_of_) return !all_of_;
    return all_of_;
  }
  bool with_values() const { return with_values_; }
  int64_t limit() const { return limit_; }

 private:
  enum class Kind : uint8_t { exact, match, glob, re };
  struct Predicate {
    Kind kind;
    std::string pattern;      // in lower case for match, if case is ignored
    std::unique_ptr<RE2> re;
  };

  bool take_predicate(Args& args) {
    constexpr Bytes kNames[] = {"EXACT", "MATCH", "GLOB", "RE"};
    for (size_t i = 0; i < std::size(kNames); i++)
      if (args.accept(kNames[i], 1)) return add(args, static_cast<Kind>(i), args.bytes()), true;
    return false;
  }
  void add(Args& args, Kind kind, Bytes pattern);
  void take_option(Args& args);
  void combine(Args& args, bool all_of);
  void compile(Args& args);

  bool matches(const Predicate& p, Bytes text) const {
    switch (p.kind) {
      case Kind::exact: return nocase_ ? equals_ignoring_case(text, p.pattern) : text == p.pattern;
      case Kind::match: return contains(nocase_ ? Bytes(folded_) : text, p.pattern);
      case Kind::glob: return glob_match(p.pattern, text, nocase_);
      default: return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *p.re);
    }
  }

  std::vector<Predicate> all_;
  size_t pattern_bytes_ = 0;
  bool all_of_ = false, combined_ = false;
  bool nocase_ = false, with_values_ = false, needs_folded_ = false;
  int64_t limit_ = INT64_MAX;
  std::string folded_;          // the text under view, if case is ignored
};

void Predicates::add(Args& args, Kind kind, Bytes pattern) {
  if (all_.size() == kMaxPredicates) return args.fail("ERR too many predicates");
  if (kind == Kind::glob || kind == Kind::re) pattern_bytes_ += pattern.size();
  if (pattern_bytes_ > kMaxPatternBytes) return args.fail("ERR patterns are too long");
  needs_folded_ |= kind == Kind::match;
  all_.push_back({kind, std::string(pattern), nullptr});
}

void Predicates::combine(Args& args, bool all_of) {
  if (combined_ && all_of_ != all_of) args.fail();
  all_of_ = all_of;
  combined_ = true;
}

void Predicates::take_option(Args& args) {
  if (args.accept("AND")) combine(args, true);
  else if (args.accept("OR")) combine(args, false);
  else if (args.accept("LIMIT", 1)) limit_ = args.integer(1, INT64_MAX, kNotPositiveCount);
  else if (args.accept("WITHVALUES")) with_values_ = true;
  else if (args.accept("NOCASE")) nocase_ = true;
  else args.fail();
}

void Predicates::compile(Args& args) {
  RE2::Options options(RE2::Latin1);           // bytes, whatever they are
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_dot_nl(true);
  options.set_case_sensitive(!nocase_);
  options.set_max_mem(1 << 20);
  int program = 0;
  for (Predicate& p : all_) {
    if (nocase_ && p.kind == Kind::match) fold_case(p.pattern);
    if (p.kind != Kind::re) continue;
    p.re = std::make_unique<RE2>(p.pattern, options);
    if (!p.re->ok()) return args.fail("ERR invalid regular expression");
    program += p.re->ProgramSize();
    if (program > kMaxProgramSize) return args.fail("ERR the regular expression is too large");
  }
}

void Predicates::read(Args& args) {
  while (args.more())
    if (!take_predicate(args)) take_option(args);
  if (!args.failed() && all_.empty()) args.fail();
  if (!args.failed()) compile(args);
}

uint64_t take_bound(Args& args) {
  if (args.accept("-")) return 0;
  return args.accept("+") ? Array::kMaxIndex : take_array_index(args);
}

void argrep(Call& c) {
  Bytes key = c.args.bytes();
  uint64_t from = take_bound(c.args), to = take_bound(c.args);
  Predicates predicates;
  predicates.read(c.args);
  if (!c.args.done()) return;
  auto array = c.read<Array>(key);
  if (!array) return array.missing() ? c.reply.array(0) : void();
  auto head = c.reply.later();
  int64_t n = 0;
  visit_array_range(array->values(), from, to, [&](uint64_t index, Bytes value) {
    if (!predicates.matches(value)) return true;
    if (predicates.with_values()) c.reply.array(2);
    reply_unsigned(c, index);
    if (predicates.with_values()) c.reply.bulk(value);
    return ++n < predicates.limit();
  });
  c.reply.array_at(head, n);
}

constexpr CommandRow kRows[] = {{"argrep", argrep}};

}  // namespace

void add_array_search_commands(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
