// string.format as Lua 5.1 has it: each item goes through printf of the C library, as a C string: "%c" of 0 is nothing,
// "%s" ends at a zero byte (unless it has a hundred bytes and no precision). LuaJIT's writes more (%a, %p, tables) and
// rounds otherwise.
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "script/byte_buffer.h"
#include "script/interpreter.h"
#include "script/sandbox.h"
#include "script/steps.h"

namespace vitrine {

namespace {

constexpr size_t kMostFlags = 5;
constexpr size_t kMostItemBytes = 512;   // of what printf writes; "%99.99f" of 1e308 has 409
constexpr size_t kLongString = 100;

// What stands behind one %.
struct Item {
  char form[16];     // for printf, save the conversion
  size_t form_size;
  char conversion;   // 0 at the end of the format
  bool has_precision;

  const char* with(const char* conversion_text) {
    std::strcpy(form + form_size, conversion_text);
    return form;
  }
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// REQUIRES: a zero behind the format.
Item read_item(lua_State* L, const char*& at) {
  const char* start = at;
  while (*at && std::strchr("-+ #0", *at)) at++;
  if (static_cast<size_t>(at - start) > kMostFlags) luaL_error(L, "invalid format (repeated flags)");
  auto skip_two_digits = [&at] {
    for (int i = 0; i < 2 && is_digit(*at); i++) at++;
  };
  skip_two_digits();
  bool has_precision = *at == '.';
  if (has_precision) {
    at++;
    skip_two_digits();
  }
  if (is_digit(*at)) luaL_error(L, "invalid format (width or precision too long)");
  Item item{{'%'}, static_cast<size_t>(at - start) + 1, *at, has_precision};
  std::memcpy(item.form + 1, start, item.form_size - 1);
  if (*at) at++;
  return item;
}

// What a cast gives where the number does not fit, as processors of the x86 family have it: scripts that worked go on.
int64_t to_signed(double d) { return d >= -0x1p63 && d < 0x1p63 ? static_cast<int64_t>(d) : INT64_MIN; }
uint64_t to_unsigned(double d) {
  if (!(d >= 0x1p63)) return static_cast<uint64_t>(to_signed(d));
  return d < 0x1p64 ? static_cast<uint64_t>(d) : 0;
}
int to_int(double d) { return d > INT_MIN - 1.0 && d < INT_MAX + 1.0 ? static_cast<int>(d) : INT_MIN; }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
template <class Value>
void print(ByteBuffer& out, const char* form, Value value) {
  char text[kMostItemBytes];
  std::snprintf(text, sizeof text, form, value);
  out.append(Bytes(text));
}
#pragma GCC diagnostic pop

// Between quotes that Lua reads again.
void append_quoted(Steps& steps, ByteBuffer& out, Bytes text) {
  out.append('"');
  for (char c : text) {
    steps.count();
    switch (c) {
      case '"': case '\\': case '\n':
        out.append('\\');
        out.append(c);
        break;
      case '\r': out.append("\\r"); break;
      case '\0': out.append("\\000"); break;
      default: out.append(c);
    }
  }
  out.append('"');
}

void append_string(lua_State* L, ByteBuffer& out, Item& item, int arg) {
  luaL_checkstring(L, arg);
  Bytes text = bytes_at(L, arg);
  if (!item.has_precision && text.size() >= kLongString) out.append(text);
  else if (item.form_size == 1) out.append(text.substr(0, text.find('\0')));   // a plain %s
  else print(out, item.with("s"), text.data());
}

void append_item(lua_State* L, Steps& steps, ByteBuffer& out, Item& item, int arg) {
  const char conversion[] = {item.conversion, '\0'}, long_conversion[] = {'l', 'l', item.conversion, '\0'};
  switch (item.conversion) {
    case 'c': return print(out, item.with("c"), to_int(luaL_checknumber(L, arg)));
    case 'd': case 'i': {
      long long n = to_signed(luaL_checknumber(L, arg));
      return print(out, item.with(long_conversion), n);
    }
    case 'o': case 'u': case 'x': case 'X': {
      unsigned long long n = to_unsigned(luaL_checknumber(L, arg));
      return print(out, item.with(long_conversion), n);
    }
    case 'e': case 'E': case 'f': case 'g': case 'G':
      return print(out, item.with(conversion), luaL_checknumber(L, arg));
    case 'q':
      luaL_checkstring(L, arg);
      return append_quoted(steps, out, bytes_at(L, arg));
    case 's': return append_string(L, out, item, arg);
    default: luaL_error(L, "invalid option '%%%s' to 'format'", conversion);
  }
}

}  // namespace

int format_string(lua_State* L) {
  int last = lua_gettop(L), arg = 1;
  luaL_checkstring(L, 1);
  Bytes format = bytes_at(L, 1);
  Steps steps(L, Interpreter::of(L));
  ByteBuffer out(L);
  const char *at = format.data(), *end = at + format.size();
  while (at < end) {
    steps.count();
    const void* found = std::memchr(at, '%', static_cast<size_t>(end - at));
    const char* percent = found ? static_cast<const char*>(found) : end;
    out.append({at, static_cast<size_t>(percent - at)});
    if (percent == end) break;
    at = percent + 1;
    if (*at == '%') {
      out.append(*at++);
      continue;
    }
    if (++arg > last) return luaL_argerror(L, arg, "no value");
    Item item = read_item(L, at);
    append_item(L, steps, out, item, arg);
  }
  out.push_string();
  return 1;
}

}  // namespace vitrine
