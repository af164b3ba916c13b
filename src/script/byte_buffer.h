// ByteBuffer: what a library function writes before it becomes a Lua string: a block of the interpreter's own heap,
// which the collector frees, so that an error in the middle leaks nothing and the memory limit holds.
//
// It begins with a block of its own, and keeps a slot of the Lua stack, where a userdata of twice the size stands when
// that is full, and another one when that is.
#pragma once

#include <algorithm>
#include <cstring>

#include "script/lua.h"

namespace vitrine {

class ByteBuffer {
 public:
  // Pushes its slot.
  explicit ByteBuffer(lua_State* L) : L_(L), data_(first_), capacity_(sizeof first_) {
    lua_pushnil(L);
    slot_ = lua_gettop(L);
  }
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;

  char* reserve(size_t bytes) {
    if (capacity_ - size_ < bytes) grow(bytes);
    return data_ + size_;
  }
  void advance(size_t bytes) { size_ += bytes; }
  void append(Bytes b) {
    std::memcpy(reserve(b.size()), b.data(), b.size());
    size_ += b.size();
  }
  void append(char c) {
    *reserve(1) = c;
    size_++;
  }
  void fill(char c, size_t count) {
    std::memset(reserve(count), c, count);
    size_ += count;
  }
  size_t size() const { return size_; }
  void clear() { size_ = 0; }
  void push_string() { lua_pushlstring(L_, data_, size_); }

 private:
  static constexpr size_t kMost = 0x7fffff00;   // of a Lua string

  void grow(size_t bytes) {
    if (bytes > kMost - size_) luaL_error(L_, "result too large");
    size_t capacity = std::min(kMost, std::max(capacity_ * 2, size_ + bytes));
    char* data = static_cast<char*>(lua_newuserdata(L_, capacity));
    std::memcpy(data, data_, size_);
    lua_replace(L_, slot_);
    data_ = data;
    capacity_ = capacity;
  }

  lua_State* L_;
  char* data_;
  size_t size_ = 0, capacity_;
  int slot_;
  char first_[512];
};

}  // namespace vitrine
