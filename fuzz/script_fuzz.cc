// Fuzzes the libraries of scripts: cjson.decode, cmsgpack.unpack, struct.unpack, patterns, sorting, loading.
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
    "pcall(string.format, ARGV[1], 1, 2, 'x')",
    // Source at once and in pieces.
    "local at, size = 1, 1 + #ARGV[1] % 5 local f = loadstring(ARGV[1]) local g = load(function() "
    "local p = ARGV[1]:sub(at, at + size - 1) at = at + size if p ~= '' then return p end end) "
    "assert((f == nil) == (g == nil))",
    // Short, because nobody would end a pattern that backtracks for ever.
    "local p, s, r = ARGV[1]:sub(1, 10), ARGV[1]:sub(11, 50), ARGV[1]:sub(51, 54) pcall(string.find, s, p) "
    "pcall(string.match, s, '^' .. p, -3) pcall(string.gsub, s, p, r) pcall(string.gsub, s, p, string.len) "
    "pcall(function() for a in string.gmatch(s, p) do end end)",
    "local t, n = {}, 0 for b in ARGV[1]:gmatch('.') do t[#t + 1] = b:byte() end pcall(table.sort, t) "
    "pcall(table.sort, t, function(a, b) n = n + 1 return (a * n + b) % 3 == 0 end)",
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
