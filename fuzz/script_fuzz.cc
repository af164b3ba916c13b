// Fuzzes what the libraries of scripts read: cjson.decode, cmsgpack.unpack, struct.unpack, and replies as Lua values.
// What decodes is encoded again, and must decode to the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "script/testing.h"

namespace {

using namespace vitrine;

constexpr const char* kScripts[] = {
    "local ok, v = pcall(cjson.decode, ARGV[1]) if ok then local t = cjson.encode(v) "
    "assert(cjson.encode(cjson.decode(t)) == t or t:find('{')) end",
    "local t = {pcall(cmsgpack.unpack, ARGV[1])} if t[1] and #t < 200 then "
    "pcall(cmsgpack.pack, unpack(t, 2)) end",
    "pcall(cmsgpack.unpack_limit, ARGV[1], #ARGV[1] % 7, #ARGV[1] % 5)",
    "local n = ARGV[1]:byte() or 0 pcall(struct.unpack, ARGV[1]:sub(2, n % 32), ARGV[1]:sub(n % 32))",
    "local n = ARGV[1]:byte() or 0 pcall(struct.pack, ARGV[1]:sub(2), n, n, 'x', n) pcall(struct.size, ARGV[1])",
    "pcall(string.find, ARGV[1], ARGV[1]:sub(1, 8)) pcall(string.format, ARGV[1], 1, 2, 'x')",
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* world = new BareScripting;
  if (size == 0 || size > 4096) return 0;
  Bytes input(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string reply = world->eval(kScripts[data[0] % std::size(kScripts)], {input});
  if (reply.find("assertion failed") != std::string::npos) std::abort();
  return 0;
}
