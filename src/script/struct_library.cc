// struct: numbers and strings to and from binary layouts, with the formats and errors of Roberto Ierusalimschy's struct
// library (inf.puc-rio.br/~roberto/struct):
//
//   < > little or big endian     ![n] alignment     x pad byte     b B h H l L T i[n] I[n] integers
//   f d numbers     s zero-terminated string     c[n] n bytes; c0: as many as the number before said     space: nothing
#include <bit>
#include <climits>
#include <cstdlib>

#include "script/byte_buffer.h"
#include "script/interpreter.h"
#include "script/sandbox.h"
#include "script/steps.h"

namespace vitrine {

namespace {

constexpr size_t kMostIntegerBytes = 32;
constexpr size_t kNativeAlignment = 8;

class Format {
 public:
  Format(lua_State* L, Interpreter& lua, Bytes text) : L_(L), steps_(L, lua), rest_(text) {}

  struct Item {
    char option;
    size_t bytes;        // of s and c0: 0
    size_t padding;      // before it
  };

  // The next item that has bytes, laid out behind `offset` bytes. False at the end.
  bool next(size_t offset, Item& item) {
    while (!rest_.empty()) {
      steps_.count();
      char option = rest_.front();
      rest_.remove_prefix(1);
      switch (option) {
        case ' ': continue;
        case '<': little_ = true; continue;
        case '>': little_ = false; continue;
        case '!': set_alignment(); continue;
        default: break;
      }
      item = {option, bytes_of(option), 0};
      // What has a size that is a power of two stands at a multiple of it, up to the alignment.
      size_t align = option == 'c' || option == 's' || option == 'x' ? 1 : std::min(item.bytes, alignment_);
      if (align > 1) item.padding = (align - (offset & (align - 1))) & (align - 1);
      return true;
    }
    return false;
  }
  bool little() const { return little_; }

 private:
  size_t number(size_t fallback) {
    if (rest_.empty() || rest_.front() < '0' || rest_.front() > '9') return fallback;
    size_t n = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      n = n * 10 + static_cast<size_t>(rest_.front() - '0');
      if (n > INT_MAX) luaL_error(L_, "integral size overflow");
      rest_.remove_prefix(1);
    }
    return n;
  }

  void set_alignment() {
    size_t n = number(kNativeAlignment);
    if (n == 0 || (n & (n - 1)) != 0) luaL_error(L_, "alignment %d is not a power of 2", static_cast<int>(n));
    alignment_ = n;
  }

  size_t bytes_of(char option) {
    switch (option) {
      case 'b': case 'B': case 'x': return 1;
      case 'h': case 'H': return 2;
      case 'l': case 'L': case 'T': case 'd': return 8;
      case 'f': return 4;
      case 's': return 0;
      case 'c': return number(1);
      case 'i': case 'I': {
        size_t n = number(4);
        if (n > kMostIntegerBytes)
          luaL_error(L_, "integral size %d is larger than limit of %d", static_cast<int>(n),
                     static_cast<int>(kMostIntegerBytes));
        return n;
      }
      default: luaL_argerror(L_, 1, lua_pushfstring(L_, "invalid format option '%c'", option));
    }
    __builtin_unreachable();
  }

  lua_State* L_;
  Steps steps_;
  Bytes rest_;
  bool little_ = true;
  size_t alignment_ = 1;
};

Format format_argument(lua_State* L) {
  luaL_checkstring(L, 1);
  Bytes text = bytes_at(L, 1);
  return {L, Interpreter::of(L), text.substr(0, text.find('\0'))};   // it ends with the first zero
}

uint64_t integer_of(double d) {
  if (d < 0) return static_cast<uint64_t>(d <= -0x1p63 ? INT64_MIN : static_cast<int64_t>(d));
  return d >= 0x1p64 || d != d ? (d != d ? 0 : UINT64_MAX) : static_cast<uint64_t>(d);
}

void pack_integer(lua_State* L, ByteBuffer& out, const Format& format, size_t bytes, double d) {
  if (bytes == 0) return;
  uint64_t n = integer_of(d);
  luaL_checkstack(L, 2, "too many results");
  char* p = out.reserve(bytes);
  for (size_t i = 0; i < bytes; i++)
    p[format.little() ? i : bytes - 1 - i] = i < 8 ? static_cast<char>(n >> (8 * i)) : '\0';
  out.advance(bytes);
}

template <class Word>
void pack_word(ByteBuffer& out, bool little, Word word) {
  char bytes[sizeof word];
  for (size_t i = 0; i < sizeof word; i++) bytes[little ? i : sizeof word - 1 - i] = static_cast<char>(word >> (8 * i));
  out.append({bytes, sizeof bytes});
}

void pack_bytes(lua_State* L, ByteBuffer& out, const Format::Item& item, int arg) {
  luaL_checkstring(L, arg);
  Bytes text = bytes_at(L, arg);
  if (item.option == 'c') {
    size_t bytes = item.bytes ? item.bytes : text.size();
    // The struct library has counted on when it finds this.
    luaL_argcheck(L, text.size() >= bytes, arg + 1, "string too short");
    out.append(text.substr(0, bytes));
  } else {
    out.append(text);
    out.append('\0');
  }
}

int pack(lua_State* L) {
  Format format = format_argument(L);
  lua_pushnil(L);   // an argument too few reads as nil
  int arg = 2;
  int last = lua_gettop(L);
  ByteBuffer out(L);
  Format::Item item;
  while (format.next(out.size(), item)) {
    out.fill('\0', item.padding);
    switch (item.option) {
      case 'x': out.append('\0'); continue;
      case 's':
      case 'c': pack_bytes(L, out, item, std::min(arg, last)); break;
      case 'f':
        pack_word(out, format.little(),
                  std::bit_cast<uint32_t>(static_cast<float>(luaL_checknumber(L, std::min(arg, last)))));
        break;
      case 'd':
        pack_word(out, format.little(), std::bit_cast<uint64_t>(luaL_checknumber(L, std::min(arg, last))));
        break;
      default: pack_integer(L, out, format, item.bytes, luaL_checknumber(L, std::min(arg, last)));
    }
    arg++;
  }
  out.push_string();
  return 1;
}

uint64_t read_word(Bytes bytes, bool little) {
  uint64_t n = 0;
  size_t size = bytes.size();
  for (size_t i = 0; i < std::min<size_t>(size, 8); i++)
    n |= uint64_t{static_cast<uint8_t>(bytes[little ? i : size - 1 - i])} << (8 * i);
  return n;
}

double read_integer(Bytes bytes, const Format& format, bool is_signed) {
  uint64_t n = read_word(bytes, format.little());
  if (!is_signed) return static_cast<double>(n);
  if (bytes.size() < 8 && !bytes.empty() && (n >> (8 * bytes.size() - 1)) & 1) n |= ~uint64_t{0} << (8 * bytes.size());
  return static_cast<double>(static_cast<int64_t>(n));
}

// How many bytes c0 stands for: the number before it, which it takes from the stack.
size_t size_before(lua_State* L, int values) {
  if (values == 0 || !lua_isnumber(L, -1)) luaL_error(L, "format 'c0' needs a previous size");
  double d = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return d >= 0 && d < 0x1p62 ? static_cast<size_t>(d) : SIZE_MAX >> 1;
}

int unpack(lua_State* L) {
  Format format = format_argument(L);
  luaL_checkstring(L, 2);
  Bytes data = bytes_at(L, 2);
  lua_Integer start = luaL_optinteger(L, 3, 1);
  luaL_argcheck(L, start != 0, 3, "offset must be 1 or greater");
  size_t at = static_cast<size_t>(start) - 1;
  lua_settop(L, 2);
  int values = 0;
  Format::Item item;
  auto need = [&](size_t bytes) {
    luaL_argcheck(L, at <= data.size() && bytes <= data.size() - at, 2, "data string too short");
  };
  while (format.next(at, item)) {
    need(item.padding);
    at += item.padding;
    need(item.bytes);
    luaL_checkstack(L, 2, "too many results");
    size_t bytes = item.bytes;
    switch (item.option) {
      case 'x': at++; continue;
      case 's': {
        size_t end = data.find('\0', at);
        if (end == Bytes::npos) return luaL_error(L, "unfinished string in data");
        push_bytes(L, data.substr(at, end - at));
        bytes = end - at + 1;
        break;
      }
      case 'c':
        if (bytes == 0) {
          bytes = size_before(L, values--);
          need(bytes);
        }
        push_bytes(L, data.substr(at, bytes));
        break;
      case 'f':
        lua_pushnumber(L, static_cast<double>(std::bit_cast<float>(
                              static_cast<uint32_t>(read_word(data.substr(at, 4), format.little())))));
        break;
      case 'd': lua_pushnumber(L, std::bit_cast<double>(read_word(data.substr(at, 8), format.little()))); break;
      default:
        lua_pushnumber(L, read_integer(data.substr(at, bytes), format, item.option >= 'a'));
    }
    at += bytes;
    values++;
  }
  lua_pushinteger(L, static_cast<lua_Integer>(at + 1));
  return values + 1;
}

int size(lua_State* L) {
  Format format = format_argument(L);
  size_t total = 0;
  Format::Item item;
  while (format.next(total, item)) {
    if (item.option == 's') luaL_argerror(L, 1, "option 's' has no fixed size");
    if (item.option == 'c' && item.bytes == 0) luaL_argerror(L, 1, "option 'c0' has no fixed size");
    total += item.padding + item.bytes;
  }
  lua_pushnumber(L, static_cast<double>(total));
  return 1;
}

}  // namespace

void push_struct_library(lua_State* L, Interpreter& lua) {
  static const luaL_Reg kFunctions[] = {{"pack", pack}, {"unpack", unpack}, {"size", size}, {nullptr, nullptr}};
  lua_newtable(L);
  add_functions(L, lua, kFunctions);
}

}  // namespace vitrine
