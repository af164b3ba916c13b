// Stream entries as replies: [id, [name, value, ...]], written in one pass from the node into the output.
#pragma once

#include "base/numbers.h"
#include "engine/call.h"
#include "store/stream.h"
#include "wire/bulk_writer.h"

namespace vitrine {

class StreamIdText {
 public:
  explicit StreamIdText(StreamId id) {
    char* p = text_ + format_uint64(text_, id.ms);
    *p++ = '-';
    p += format_uint64(p, id.seq);
    size_ = static_cast<size_t>(p - text_);
  }
  operator Bytes() const { return {text_, size_}; }

 private:
  char text_[2 * kInt64Chars + 1];
  size_t size_;
};

inline void write_pairs(BulkWriter& out, const StreamEntry& e) {
  out.array(static_cast<int64_t>(e.fields() * 2));
  e.for_each([&](const PackedValue& name, const PackedValue& value) {
    name.is_int ? out.bulk_integer(name.number) : out.bulk(name.text);
    value.is_int ? out.bulk_integer(value.number) : out.bulk(value.text);
  });
}

inline void write_entry(BulkWriter& out, const StreamEntry& e) {
  out.array(2);
  out.bulk(StreamIdText(e.id()));
  write_pairs(out, e);
}

// An array of what the range holds, at most `limit` entries of it. Calls seen(id) for each; returns how many.
template <class Seen>
size_t reply_range(Call& c, StreamRange range, size_t limit, Seen seen) {
  auto mark = c.reply.later();
  size_t n = 0;
  {
    BulkWriter out(c.reply);
    for (const StreamEntry* e; n < limit && (e = range.next()); n++) {
      write_entry(out, *e);
      seen(e->id());
    }
  }
  c.reply.array_at(mark, static_cast<int64_t>(n));
  return n;
}

inline size_t reply_range(Call& c, StreamRange range, size_t limit) {
  return reply_range(c, range, limit, [](StreamId) {});
}

// One entry, or null when it is gone.
inline void reply_entry(Call& c, const Stream& stream, StreamId id) {
  StreamRange range = stream.range(id, id);
  const StreamEntry* e = range.next();
  if (!e) return c.reply.null_array();
  BulkWriter out(c.reply);
  write_entry(out, *e);
}

}  // namespace vitrine
