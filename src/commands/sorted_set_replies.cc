#include "commands/sorted_set_replies.h"

#include "wire/bulk_writer.h"

namespace vitrine {

namespace {

void write_member(BulkWriter& out, const PackedValue& member) {
  member.is_int ? out.bulk_integer(member.number) : out.bulk(member.text);
}

void write_score(BulkWriter& out, double score) {
  char text[kDoubleChars];
  out.bulk({text, format_double(text, score)});
}

}  // namespace

void reply_run(Call& c, const SortedSet& set, const SortedSet::Run& run, bool reverse, ScoredShape shape) {
  reply_scored_head(c, run.count, shape);
  if (shape == ScoredShape::members) {
    BulkWriter out(c.reply);
    set.for_each(run, reverse, [&](const PackedValue& member, double) { write_member(out, member); });
  } else if (shape == ScoredShape::flat && c.reply.protocol() == 2) {
    BulkWriter out(c.reply);
    set.for_each(run, reverse, [&](const PackedValue& member, double score) {
      write_member(out, member);
      write_score(out, score);
    });
  } else {
    set.for_each(run, reverse, [&](const PackedValue& member, double score) {
      reply_scored(c, member, score, shape);
    });
  }
}

}  // namespace vitrine
