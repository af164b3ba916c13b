// When a value leaves its packed encoding: the `*-max-*` settings, read by every type on each write. And with what a
// stream begins that remembers its producers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vitrine {

struct EncodingLimits {
  int64_t list_max_listpack_size = -2;      // > 0: items per node; -1..-5: 4, 8, 16, 32, 64 KB per node
  int64_t list_compress_depth = 0;
  size_t hash_max_listpack_entries = 512;
  size_t hash_max_listpack_value = 64;
  size_t set_max_intset_entries = 512;
  size_t set_max_listpack_entries = 128;
  size_t set_max_listpack_value = 64;
  size_t zset_max_listpack_entries = 128;
  size_t zset_max_listpack_value = 64;
  size_t hll_sparse_max_bytes = 3000;
  size_t stream_node_max_bytes = 4096;
  int64_t stream_node_max_entries = 100;
  int64_t stream_idmp_duration_s = 100;
  int64_t stream_idmp_maxsize = 100;
  size_t quicklist_packed_threshold = size_t{1} << 30;  // DEBUG QUICKLIST-PACKED-THRESHOLD
};

}  // namespace vitrine
