// The RESP parser: any bytes, in any pieces, give the same commands as in one piece, and never read outside.
#include <cstdlib>
#include <cstring>
#include <memory>

#include "wire/resp_parser.h"

namespace {

using vitrine::Bytes;
using Commands = std::vector<std::vector<std::string>>;

struct Outcome {
  Commands commands;
  std::string error;
};

Outcome parse_in_pieces(Bytes text, size_t step) {
  Outcome outcome;
  vitrine::RespParser parser;
  vitrine::RespParser::Limits limits;
  limits.max_bulk_bytes = 1 << 20;
  limits.batch_end = 8;
  std::string held;
  for (size_t i = 0; i < text.size(); i += step) {
    held += text.substr(i, step);
    while (true) {
      // A copy of exactly this size, so that reading past its end is seen.
      auto exact = std::make_unique<char[]>(held.size());
      std::memcpy(exact.get(), held.data(), held.size());
      vitrine::CommandBatch batch;
      size_t consumed = parser.parse({exact.get(), held.size()}, limits, batch);
      if (consumed > held.size()) std::abort();
      for (size_t n = 0; n < batch.size(); n++) outcome.commands.emplace_back(batch[n].begin(), batch[n].end());
      held.erase(0, consumed);
      if (batch.empty() || !parser.error().empty()) break;
    }
    if (!parser.error().empty()) break;
  }
  outcome.error = parser.error();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  size_t step = data[0] % 16 + 1;
  Bytes text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Outcome whole = parse_in_pieces(text, text.size()), pieces = parse_in_pieces(text, step);
  if (whole.commands != pieces.commands || whole.error != pieces.error) std::abort();
  return 0;
}
