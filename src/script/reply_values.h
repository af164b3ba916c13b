// Replies as Lua values and back, by the rules of Redis' documentation ("Data type conversion" of the Lua API).
//
//   to Lua    integer: number; bulk: string; array: table; status: {ok=}; error: {err=}; null: false
//             with redis.setresp(3) also: map: {map={}}; set: {set={k=true}}; double: {double=}; null: nil; boolean;
//             big number: {big_number=}; verbatim: {verbatim_string={string=, format=}}
//   to RESP   the same backwards; numbers lose their fraction; a table is an array up to its first nil
#pragma once

#include "script/lua.h"
#include "wire/reply_builder.h"

namespace vitrine {

class Interpreter;

// Pushes the value that stands at the front of `reply`, of one whole reply; returns what is behind it.
Bytes push_reply(lua_State* L, const Interpreter& lua, Bytes reply);

// Writes the value on top of the stack, and pops it. `resp3`: the script has chosen RESP3 for itself. Returns how many
// errors it holds that commands have replied, which were counted then. Raises when that takes more than `most_bytes`
// (0: no limit), or the script must end.
uint64_t write_reply(lua_State* L, Interpreter& lua, ReplyBuilder& out, bool resp3, size_t most_bytes);

// An error table as redis.call raises and redis.pcall returns them; pushes it. `counted`: the statistics have it.
void push_error(lua_State* L, Bytes text, bool counted);
// Writes an error; one that is counted already is not counted again.
void write_error(ReplyBuilder& out, Bytes text, bool counted);

}  // namespace vitrine
