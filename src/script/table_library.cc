// The functions of the library `table` that are ours: those that write, which must know the sandbox, and table.sort,
// because LuaJIT's cannot be interrupted.
#include "script/interpreter.h"
#include "script/sandbox.h"
#include "script/steps.h"

namespace vitrine {

namespace {

int insert(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  Interpreter& lua = Interpreter::of(L);
  if (lua.is_protected(L, 1)) return refuse_write(L);
  int end = static_cast<int>(lua_objlen(L, 1)) + 1, at = end;
  Steps steps(L, lua);
  switch (lua_gettop(L)) {
    case 2: break;
    case 3:
      at = luaL_checkint(L, 2);
      luaL_argcheck(L, at >= 1, 2, "position out of bounds");   // below, it would move what is not there
      if (at > end) end = at;
      for (int i = end; i > at; i--) {
        steps.count();
        lua_rawgeti(L, 1, i - 1);
        lua_rawseti(L, 1, i);
      }
      break;
    default: return luaL_error(L, "wrong number of arguments to 'insert'");
  }
  lua_rawseti(L, 1, at);
  return 0;
}

int setn(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  return luaL_error(L, "'setn' is obsolete");
}

// Quicksort of the table at 1 by the function at 2, or by <, with the median of the first, the middle and the last
// element as pivot. In which order equal elements end up is not defined, but scripts have seen one: it is Lua 5.1's.
class Sorter {
 public:
  Sorter(lua_State* L, Interpreter& lua) : L_(L), steps_(L, lua), has_order_(!lua_isnil(L, 2)) {}

  // The smaller part by recursion, the larger one in the loop: so the depth is logarithmic.
  void sort(int low, int high) {
    while (low < high) {
      order_pair(low, high);
      if (high - low == 1) return;
      int middle = low + (high - low) / 2;
      if (!order_pair(low, middle)) order_pair(middle, high);
      if (high - low == 2) return;
      int pivot = partition(low, high, middle);
      if (pivot - low < high - pivot) {
        sort(low, pivot - 1);
        low = pivot + 1;
      } else {
        sort(pivot + 1, high);
        high = pivot - 1;
      }
    }
  }

 private:
  void push(int i) { lua_rawgeti(L_, 1, i); }
  // Takes two values from the stack: the upper one becomes element i, the lower one j.
  void store(int i, int j) {
    lua_rawseti(L_, 1, i);
    lua_rawseti(L_, 1, j);
  }

  bool is_less(int a, int b) {
    if (!has_order_) return steps_.count(), lua_lessthan(L_, a, b);
    steps_.ask();
    lua_pushvalue(L_, 2);
    lua_pushvalue(L_, a - 1);
    lua_pushvalue(L_, b - 2);
    lua_call(L_, 2, 1);
    bool less = lua_toboolean(L_, -1);
    lua_pop(L_, 1);
    return less;
  }

  // Whether they had to change places.
  bool order_pair(int i, int j) {
    push(i);
    push(j);
    bool wrong = is_less(-1, -2);
    if (wrong) store(i, j);
    else lua_pop(L_, 2);
    return wrong;
  }

  // Where the pivot is at last: what is before it is not greater, what is behind it not less. The three elements are in
  // order already. The pivot waits before the last one.
  int partition(int low, int high, int middle) {
    push(middle);
    lua_pushvalue(L_, -1);
    push(high - 1);
    store(middle, high - 1);
    int i = low, j = high - 1;
    for (;;) {
      while (push(++i), is_less(-1, -2)) {
        if (i > high) luaL_error(L_, "invalid order function for sorting");
        lua_pop(L_, 1);
      }
      while (push(--j), is_less(-3, -1)) {
        if (j < low) luaL_error(L_, "invalid order function for sorting");
        lua_pop(L_, 1);
      }
      if (j < i) break;
      store(i, j);
    }
    lua_pop(L_, 3);
    push(high - 1);
    push(i);
    store(high - 1, i);
    return i;
  }

  lua_State* L_;
  Steps steps_;
  bool has_order_;
};

int sort(lua_State* L) {
  constexpr int kStack = 40;   // what the deepest recursion needs, for each is done with what it has pushed
  Interpreter& lua = Interpreter::of(L);
  lua.guard_stack(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkstack(L, kStack, "");
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  Sorter(L, lua).sort(1, static_cast<int>(lua_objlen(L, 1)));
  return 0;
}

}  // namespace

void add_table_functions(lua_State* L, Interpreter& lua) {
  static const luaL_Reg kFunctions[] = {{"insert", insert}, {"setn", setn}, {"sort", sort}, {nullptr, nullptr}};
  add_functions(L, lua, kFunctions);
}

}  // namespace vitrine
