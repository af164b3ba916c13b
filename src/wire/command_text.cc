#include "wire/command_text.h"

#include <cstring>

#include "base/numbers.h"

namespace vitrine {

namespace {

char* write_header(char* p, char kind, size_t n) {
  *p++ = kind;
  p += format_uint64(p, n);
  std::memcpy(p, "\r\n", 2);
  return p + 2;
}

}  // namespace

void append_command(std::string& to, std::span<const Bytes> argv) {
  constexpr size_t kHeaderBytes = 1 + kInt64Chars + 2;
  size_t begin = to.size(), most = kHeaderBytes;
  for (Bytes word : argv) most += kHeaderBytes + word.size() + 2;
  to.resize_and_overwrite(begin + most, [&](char* text, size_t) {
    char* p = write_header(text + begin, '*', argv.size());
    for (Bytes word : argv) {
      p = write_header(p, '$', word.size());
      std::memcpy(p, word.data(), word.size());
      std::memcpy(p + word.size(), "\r\n", 2);
      p += word.size() + 2;
    }
    return static_cast<size_t>(p - text);
  });
}

void append_time_note(std::string& to, int64_t second) {
  char digits[kInt64Chars];
  to += "#TS:";
  to.append(digits, format_int64(digits, second));
  to += "\r\n";
}

}  // namespace vitrine
