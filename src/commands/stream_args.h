// How streams' ids, ranges and trimming options are written in commands.
//
//   id        ms, ms-seq
//   bound     an id, "(" and an id (which is then not included), "-" (the least), "+" (the greatest)
//   trimming  MAXLEN | MINID [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]
#pragma once

#include <optional>

#include "engine/args.h"
#include "store/stream.h"

namespace vitrine {

constexpr Bytes kInvalidStreamId = "ERR Invalid stream ID specified as stream command argument";

// `missing_seq` is the number that an id without one has.
std::optional<StreamId> parse_stream_id(Bytes text, uint64_t missing_seq = 0);
// Likewise, or "-" (the least) or "+" (the greatest).
std::optional<StreamId> parse_stream_bound(Bytes text, uint64_t missing_seq = 0);
// The next argument; latches kInvalidStreamId.
StreamId take_stream_id(Args& args, uint64_t missing_seq = 0);
// The next two arguments as bounds; both latch errors. An id without a number begins with 0 or ends with the greatest.
StreamId take_range_start(Args& args);
StreamId take_range_end(Args& args);
// A number above 0; another one is `error`.
size_t take_positive(Args& args, Bytes error);
// KEEPREF, DELREF or ACKED, if that comes next.
bool accept_references(Args& args, StreamReferences& references);

// Reads options in any order, as long as read() knows what comes next.
class StreamTrimOptions {
 public:
  StreamTrim trim;

  // Consumes one option; false when the next argument is none.
  bool read(Args& args);
  // After the last: latches what does not go together. `required`: XTRIM. `node_entries` gives the usual LIMIT.
  void finish(Args& args, bool required, int64_t node_entries);

 private:
  void read_threshold(Args& args, StreamTrim::By by);

  int64_t limit_ = 0;
  bool has_limit_ = false;
};

}  // namespace vitrine
