// The options of cjson, with the meanings and first values of lua-cjson 2.1 (its manual).
#pragma once

namespace vitrine {

struct JsonOptions {
  enum class Invalid { refuse, allow, null };
  bool sparse_convert = false;
  int sparse_ratio = 2, sparse_safe = 10;
  int encode_max_depth = 1000, decode_max_depth = 1000;
  int precision = 14;
  bool keep_buffer = true;                     // is accepted, means nothing here
  Invalid encode_invalid = Invalid::refuse;
  bool decode_invalid = true;
};

}  // namespace vitrine
