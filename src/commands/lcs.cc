// LCS: the longest common subsequence of two strings, by dynamic programming in O(N*M) time and memory.
#include <vector>

#include "commands/families.h"
#include "engine/call.h"
#include "engine/command.h"
#include "store/string.h"

namespace vitrine {

namespace {

struct LcsOptions {
  bool length_only = false, ranges = false, with_lengths = false;
  int64_t min_match = 0;
};

struct Match {
  size_t a_from, a_to, b_from, b_to;   // inclusive
  size_t length() const { return a_to - a_from + 1; }
};

class LcsTable {
 public:
  LcsTable(Bytes a, Bytes b) : a_(a), b_(b), cells_((a.size() + 1) * (b.size() + 1)) {
    for (size_t i = 1; i <= a.size(); i++)
      for (size_t j = 1; j <= b.size(); j++)
        at(i, j) = a[i - 1] == b[j - 1] ? at(i - 1, j - 1) + 1 : std::max(at(i - 1, j), at(i, j - 1));
  }
  uint32_t length() { return at(a_.size(), b_.size()); }

  // Walks back from the end; `on_match` gets each maximal run of equal bytes, last first.
  template <class OnMatch>
  std::string walk(OnMatch on_match) {
    std::string text(length(), 0);
    size_t i = a_.size(), j = b_.size(), filled = text.size();
    bool open = false;
    Match run{};
    auto close = [&] {
      if (open) on_match(run);
      open = false;
    };
    while (i > 0 && j > 0) {
      if (a_[i - 1] == b_[j - 1]) {
        text[--filled] = a_[i - 1];
        bool extends = open && run.a_from == i && run.b_from == j;
        if (!extends) {
          close();
          run = {i - 1, i - 1, j - 1, j - 1};
          open = true;
        } else {
          run.a_from--;
          run.b_from--;
        }
        i--, j--;
      } else if (at(i - 1, j) > at(i, j - 1)) {
        i--;
      } else {
        j--;
      }
    }
    close();
    return text;
  }

 private:
  uint32_t& at(size_t i, size_t j) { return cells_[i * (b_.size() + 1) + j]; }
  Bytes a_, b_;
  std::vector<uint32_t> cells_;
};

void reply_ranges(Call& c, LcsTable& table, const LcsOptions& o) {
  c.reply.map(2);
  c.reply.bulk("matches");
  auto at = c.reply.later();
  int64_t shown = 0;
  table.walk([&](const Match& m) {
    if (static_cast<int64_t>(m.length()) < o.min_match) return;
    shown++;
    c.reply.array(o.with_lengths ? 3 : 2);
    c.reply.array(2);
    c.reply.integer(static_cast<int64_t>(m.a_from));
    c.reply.integer(static_cast<int64_t>(m.a_to));
    c.reply.array(2);
    c.reply.integer(static_cast<int64_t>(m.b_from));
    c.reply.integer(static_cast<int64_t>(m.b_to));
    if (o.with_lengths) c.reply.integer(static_cast<int64_t>(m.length()));
  });
  c.reply.array_at(at, shown);
  c.reply.bulk("len");
  c.reply.integer(table.length());
}

void lcs(Call& c) {
  Bytes keys[2] = {c.args.bytes(), c.args.bytes()};
  Entry* entries[2] = {c.find(keys[0]), c.find(keys[1])};
  for (const Entry* entry : entries)
    if (entry && entry->type() != Type::string)
      return c.reply.error("ERR The specified keys must contain string values");
  LcsOptions o;
  while (c.args.more()) {
    if (c.args.accept("IDX")) o.ranges = true;
    else if (c.args.accept("LEN")) o.length_only = true;
    else if (c.args.accept("WITHMATCHLEN")) o.with_lengths = true;
    else if (c.args.accept("MINMATCHLEN", 1)) o.min_match = std::max<int64_t>(0, c.args.integer());
    else c.args.fail();
  }
  if (!c.args.done()) return;
  if (o.ranges && o.length_only)
    return c.reply.error("ERR If you want both the length and indexes, please just use IDX.");
  char scratch[2][24];
  Bytes a = entries[0] ? string_bytes(*entries[0], scratch[0]) : Bytes{};
  Bytes b = entries[1] ? string_bytes(*entries[1], scratch[1]) : Bytes{};
  size_t most_cells = c.keyspace.options().max_string_bytes / sizeof(uint32_t);
  if (a.size() + 1 > most_cells / (b.size() + 1))
    return c.reply.error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  LcsTable table(a, b);
  if (o.length_only) return c.reply.integer(table.length());
  if (o.ranges) return reply_ranges(c, table, o);
  c.reply.bulk(table.walk([](const Match&) {}));
}

constexpr CommandRow kRows[] = {{"lcs", lcs}};

}  // namespace

void add_lcs_command(CommandRegistry& registry) { registry.add(kRows); }

}  // namespace vitrine
