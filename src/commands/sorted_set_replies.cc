#include "commands/sorted_set_replies.h"

#include "commands/packed_replies.h"

namespace vitrine {

namespace {

void write_score(BulkWriter& out, double score) {
  char text[kDoubleChars];
  out.bulk({text, format_double(text, score)});
}

}  // namespace

void reply_run(Call& c, const SortedSet& set, const SortedSet::Run& run, bool reverse, ScoredShape shape) {
  reply_scored_head(c, run.count, shape);
  if (shape == ScoredShape::members) {
    BulkWriter out(c.reply);
    set.for_each(run, reverse, [&](const PackedValue& member, double) { write_packed(out, member); });
  } else if (shape == ScoredShape::flat && c.reply.protocol() == 2) {
    BulkWriter out(c.reply);
    set.for_each(run, reverse, [&](const PackedValue& member, double score) {
      write_packed(out, member);
      write_score(out, score);
    });
  } else {
    set.for_each(run, reverse, [&](const PackedValue& member, double score) {
      reply_scored(c, member, score, shape);
    });
  }
}

}  // namespace vitrine
