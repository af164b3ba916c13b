"""The sandbox: what a hostile script tries, among it the known holes of Redis' Lua (CVE-2015-4335, CVE-2018-11218 and
11219, CVE-2020-14147, CVE-2021-32626, CVE-2022-24735, CVE-2022-24834, CVE-2024-31449, CVE-2024-46981, CVE-2025-49844,
CVE-2025-46817, CVE-2025-46818, CVE-2025-46819). Each attempt must end with an error or an honest value; the server
lives, and the next script finds the world as it was."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402
from harness import Client, Error                                 # noqa: E402


@pytest.fixture(scope='module')
def server():
    with harness.peer('vitrine', ('script-memory-limit', '64mb')) as peer:
        yield peer


@pytest.fixture
def c(server):
    client = Client(server.port)
    yield client
    assert client.call('PING') == b'PONG'
    client.close()


WORLD = """
local names = {}
local function walk(path, t, depth)
  for k, v in pairs(t) do
    local at = path .. '.' .. tostring(k)
    if not (path == '' and (k == 'KEYS' or k == 'ARGV')) then
      local plain = type(v) ~= 'function' and type(v) ~= 'table'
      names[#names + 1] = at .. ':' .. type(v) .. ':' .. (plain and tostring(v) or '')
      if type(v) == 'table' and depth < 2 and k ~= '_G' then walk(at, v, depth + 1) end
    end
  end
end
walk('', _G, 0)
table.sort(names)
return names
"""

ABSENT = ['print', 'dofile', 'loadfile', 'require', 'module', 'io', 'debug', 'package', 'ffi', 'jit', 'newproxy',
          'getfenv', 'setfenv', 'os.execute', 'os.getenv', 'os.exit', 'os.remove', 'os.rename', 'os.tmpname', 'os.time',
          'os.setlocale', 'table.new', 'table.clear', 'table.move', 'string.buffer', 'coroutine.close',
          'redis.register_function']


@pytest.mark.parametrize('name', ABSENT)
def test_absent(c, name):
    head, _, field = name.partition('.')
    script = 'return type(rawget(rawget(_G, "%s") or {}, "%s"))' % (head, field) if field else \
        'return type(rawget(_G, "%s"))' % head
    assert c.call('EVAL', script, '0') == b'nil'


def test_no_function_becomes_bytecode(c):
    """string.dump is there, as in Redis, and dumps nothing."""
    for value in ('function() return 1 end', 'print_all', 'redis.call', 'string.dump', 'pcall',
                  'coroutine.wrap(function() end)', 'loadstring("return 1")', 'xpcall'):
        code = 'local function print_all() end local ok, r = pcall(string.dump, %s) return {tostring(ok), r}' % value
        assert c.call('EVAL', code, '0') == [b'false', b'unable to dump given function'], value
    for value in ('1', 'nil', '"x"', '{}', ''):
        reply = c.call('EVAL', 'local r = string.dump(%s) return r' % value, '0')
        assert b"bad argument #1 to 'dump' (function expected, got " in reply, value


READONLY = [
    'x = 1', '_G.x = 1', 'rawset(_G, "x", 1)', 'KEYS = {}', 'string.x = 1', 'string.rep = nil',
    'table.insert(table, 1)',
    'redis.call = nil', 'server.call = nil', 'rawset(redis, "call", 1)', 'setmetatable(_G, nil)',
    'setmetatable(_G, {})',
    'setmetatable(string, {__index = 1})', 'getmetatable("").__index = nil', 'getmetatable("").__name = 1',
    'getmetatable(_G).__newindex = nil', 'getmetatable(redis).__index = nil', 'table.insert(_G, "x")',
    'table.insert(cjson, 1, 2)', 'cjson.null = 1', 'math.pi = 3', 'rawset(math, "pi", 3)', 'bit.band = 1',
    'os.clock = 1',
    'cmsgpack.pack = 1', 'struct.pack = 1', 'coroutine.wrap = 1', 'rawset(coroutine, 1, 1)', 'os.x = 1',
    'setmetatable(getmetatable("") or {}, nil).x()', 'table.sort(_G, function() end) _G[1] = 1',
    'local t = setmetatable({}, {__newindex = _G}) t.x = 1', 'string.gsub("x", "x", _G).y()',
    # Globals that are there, written wherever a writing instruction may hide.
    'tostring = 1', 'function redis() end', 'local a a, ARGV = 1, 2', 'for i = 1, 2 do type = i end',
    'local function f() local function g() return function() server = 1 end end g()() end f()',
    'local function f() return 1 end pcall = f', 'loadstring("tostring = 1")()', 'load("KEYS = 1")()',
    'coroutine.wrap(function() tostring = 1 end)()', 'if #KEYS > 9 then local x = 1 else unpack = 1 end',
    'local t = {f = function() _G = 1 end} t.f()', 'return (function(...) select = ... end)(1)',
]


@pytest.mark.parametrize('script', READONLY)
def test_nothing_shared_can_be_changed(c, script):
    before = c.call('EVAL', WORLD, '0')
    assert len(before) > 100
    assert isinstance(c.call('EVAL', script, '0'), Error)
    assert c.call('EVAL', WORLD, '0') == before


LEAKS = [
    ('cjson.encode_max_depth(2) cjson.encode_number_precision(1) cjson.encode_invalid_numbers("null") '
     'cjson.decode_max_depth(1) cjson.encode_sparse_array(true)',
     'return cjson.encode({1/3, {{{1}}}}) .. #cjson.decode("[[[1]]]") .. tostring(pcall(cjson.encode, 1/0))'),
    ('cjson.new().encode = 1', 'return type(cjson.new().encode)'),
    ('KEYS[1] = "x" ARGV.y = 1', 'return {#KEYS, tostring(ARGV.y)}'),
    ('redis.setresp(3)', 'return type(redis.call("get", "nosuchkey"))'),
    ('redis.call("select", 5)',
     'redis.call("set", "here", "1") redis.call("select", 0) return redis.call("exists", "here")'),
    ('redis.set_repl(redis.REPL_NONE)', 'return 1'),
    ('collectgarbage("stop") collectgarbage("setpause", 0)', 'return collectgarbage("count") > 0'),
]


@pytest.mark.parametrize('script,probe', LEAKS)
def test_one_script_leaves_nothing_to_the_next(c, script, probe):
    c.call('FLUSHALL')
    before = c.call('EVAL', probe, '0')
    c.call('EVAL', script, '0')
    assert c.call('EVAL', probe, '0') == before


def test_iterators_do_not_give_contents_away(c):
    script = """
    local found = {}
    for name, library in pairs(_G) do
      if type(library) == 'table' and name ~= 'KEYS' and name ~= 'ARGV' then
        local f, state = pairs(library)
        if pcall(rawset, state, 'zz', 1) then found[#found + 1] = name end
        if next(library) ~= nil then found[#found + 1] = name .. ' by next' end
        if getmetatable(library) then found[#found + 1] = name .. ' by its metatable' end
      end
    end
    return found"""
    assert c.call('EVAL', script, '0') == []


BYTECODE = ['return loadstring("\\27LJ\\2\\10")', 'return load("\\27LJ\\2\\10\\8@x")',
            'return load(function() return nil end, "x", "b")', 'return loadstring("\\27Lua\\81")',
            'local n = 0 return load(function() n = n + 1 return n == 1 and "\\27LJ\\2" or nil end)',
            'return load("return x", "=x", "bt", {x = 5})']


@pytest.mark.parametrize('script', BYTECODE)
def test_no_bytecode(c, script):
    reply = c.call('EVAL', 'local f = (function() %s end)() if type(f) ~= "function" then return "no" end '
                    'local ok, r = pcall(f) return ok and tostring(r) or "failed"' % script, '0')
    assert reply in (b'no', b'failed', b'nil')


@pytest.mark.parametrize('script', [b'\x1bLJ\x02\x0a', b'\x1bLuaQ\x00', b'#!lua\n\x1bLJ\x02'])
def test_no_bytecode_as_a_script(c, script):
    assert isinstance(c.call('EVAL', script, '0'), Error)
    assert isinstance(c.call('SCRIPT', 'LOAD', script), Error)


# Attempts that must end soon, and leave the server standing.
ATTEMPTS = [
    # deep recursion, in Lua and through C
    'local function f() return 1 + f() end f()',
    'local function f(s) return (string.gsub(s, ".", f)) end f("a")',
    'local function f() coroutine.wrap(f)() end f()',
    'local function f() local ok, e = coroutine.resume(coroutine.create(f)) error(e, 0) end f()',
    'local d = 0 local function f() d = d + 1 '
    'if d % 2 == 0 then coroutine.wrap(f)() else string.gsub("x", ".", f) end end f()',
    'local d = 0 local function f() d = d + 1 '
    'if d % 4000 == 0 then coroutine.wrap(f)() else table.sort({1, 2}, f) end end f()',
    'local d = 0 local function f() d = d + 1 if d % 2000 == 0 then coroutine.wrap(f)() else load(f) end end f()',
    'local mt = {} mt.__tostring = function(a) return string.format("%s", a) .. "x" end '
    'return tostring(setmetatable({}, mt))',
    'local mt = {} mt.__lt = function(a, b) table.sort({a, b}) return true end '
    'table.sort({setmetatable({}, mt), setmetatable({}, mt)})',
    'local mt = {} mt.__index = function(t, k) return t[k] end return setmetatable({}, mt).x',
    'local mt = {} mt.__eq = function(a, b) return a == b end '
    'local a, b = setmetatable({}, mt), setmetatable({}, mt) return a == b',
    'local t = {} for i = 1, 1e5 do t = setmetatable({}, {__index = t}) end return t.x',
    'local function f() xpcall(error, f) end f()',
    'local function f() pcall(f) end f()',
    'local function f() table.foreach({1}, f) end f()',
    # sources
    'return ' + '(' * 50000, 'return ' + '{' * 50000, 'return ' + 'a..' * 50000 + 'a',
    'local x = ' + '-' * 50000 + '1',
    'local a ' + '= function() local a ' * 300, 'goto x', 'break',
    'local ' + ','.join('a%d' % i for i in range(300)) + ' = 1',
    # numbers of another kind, and the doorway to ffi
    'local x = 1LL return type(getmetatable(x))', 'return 0xffULL', 'return 5i', 'local x = 1LL return x.y',
    'return (1LL)()',
    'return cjson.encode(1LL)', 'return redis.call("set", "a", 1LL)', 'return cmsgpack.pack(1LL)', 'return {1LL}',
    # sizes
    'return string.rep("x", 2^31)', 'return string.rep("x", 2^31 - 1)', 'return string.rep("x", -1)',
    'return string.rep("xx", 2^30)',
    'return ("x"):rep(1e9, "y")', 'local s = "x" while true do s = s .. s end',
    'local t = {} for i = 1, 1e9 do t[i] = "x" .. i end',
    'return unpack({}, 1, 1e7)', 'return unpack({}, -2^31, 2^31 - 1)', 'return unpack({}, 2^31 - 2, 2^31 - 1)',
    'return unpack({1, 2}, 0, 2147483647)', 'return select(-2147483648, 1)', 'return select(2^31, 1)',
    'return string.byte(string.rep("x", 1e7), 1, -1)', 'return string.char(unpack({}, 1, 8000))',
    'return table.concat({}, "x", 1, 2^31 - 1)', 'return table.concat({}, "x", -2^31, 1)',
    'return string.format("%99999999d", 1)', 'return string.format("%.99f", 1e308)', 'return string.format("%s")',
    'return string.format(string.rep("%s", 300), 1)', 'return string.format("%c%c", 0, -1)',
    'table.insert({}, 2^31, 1)', 'table.insert({}, -2^31, 1)', 'return table.remove({}, 2^31)',
    'return math.random(-2^31, 2^31 - 1)',
    'return math.random(0)', 'return tostring(math.ldexp(1, 2^31 - 1))', 'math.randomseed(0/0) return 1',
    # patterns
    'return string.find(string.rep("a", 3e5), string.rep("a?", 3e5) .. "b")',
    'return string.find("a", string.rep("(", 1e5))',
    'return string.find("a", "%")', 'return string.find("a", "[")', 'return string.find("a", "[%")',
    'return string.find("a", "%b")',
    'return string.find("a", "%f")', 'return string.gsub("a", "a", "%9")', 'return string.match("a", "(()")',
    'return string.find("x", "%1")', 'return string.match(("a"):rep(1e6), ("a?"):rep(1e6))',
    'return string.find(("a"):rep(1e6), (".-"):rep(1e6) .. "b")', 'return string.find("a", "[" .. ("a"):rep(1e6))',
    'return {string.find("a", ("()"):rep(32))}', 'return {string.find("a", ("()"):rep(33))}',
    'return string.gsub("a", "(a", "%1")', 'return string.gsub("a", "()", "%1%2")',
    'local f f = function() return (string.gsub("a", "a", f)) end return f()',
    'local n = 0 table.sort({1, 2, 3, 4, 5, 6, 7, 8}, function() n = n + 1 return n % 3 > 0 end) return n',
    'local t = {} for i = 1, 9 do t[i] = i end table.sort(t, function() t = nil collectgarbage() return true end)',
    'return string.gsub(string.rep("a", 1e6), "", "bbbbbbbbbb"):len()',
    # cjson
    'cjson.decode_max_depth(2^30) return cjson.decode(string.rep("[", 1e6))',
    'return cjson.decode(string.rep("[", 1e6))',
    'return cjson.decode(string.rep(\'{"a":\', 1e6))',
    'cjson.encode_max_depth(2^30) local t = {} t[1] = t return cjson.encode(t)',
    'local t = {} for i = 1, 1e5 do t = {t} end return cjson.encode(t)', 'return cjson.encode({[2^53] = 1})',
    'cjson.encode_sparse_array(true, 0, 0) return cjson.encode({[2^31 - 1] = 1})',
    'return cjson.encode({[2^31 - 1] = 1})',
    'cjson.encode_sparse_array(false, 0, 0) return #cjson.encode({[1e8] = 1})',
    'return cjson.encode(string.rep("\\0", 1e8))', 'return cjson.encode_number_precision(2^31)',
    'return cjson.encode_number_precision(1000)',
    'return cjson.decode("\\"\\\\u")', 'return cjson.decode("\\"\\\\ud800\\\\u")',
    'return cjson.decode("1e999999999")', 'return cjson.decode("-")',
    'return cjson.decode("\\0")', 'return cjson.decode("nan(" .. string.rep("x", 1e5))',
    'return cjson.new().new().decode("[")',
    # cmsgpack (CVE-2018-11218: sizes in the input; nesting)
    'return cmsgpack.unpack(string.rep("\\145", 1e6))', 'return cmsgpack.unpack(string.rep("\\129\\1", 1e6))',
    'return cmsgpack.unpack("\\221\\255\\255\\255\\255")', 'return cmsgpack.unpack("\\223\\255\\255\\255\\255\\1")',
    'return cmsgpack.unpack("\\219\\255\\255\\255\\255x")', 'return cmsgpack.unpack("\\220")',
    'return cmsgpack.unpack("\\129\\192\\1")',
    'return cmsgpack.unpack("\\129\\202\\127\\192\\0\\0\\1")', 'return cmsgpack.unpack_one("x", 2^53)',
    'return cmsgpack.unpack_one("x", -2^31)',
    'return cmsgpack.unpack_limit("x", 2^31, 2^31)', 'return cmsgpack.unpack(string.rep("\\1", 1e5))',
    'local t = {} t[1] = t return #cmsgpack.pack(t)',
    'local t = {} for i = 1, 20 do t = {t, t, t} end return #cmsgpack.pack(t)',
    # struct (CVE-2018-11219, CVE-2020-14147: sizes of formats)
    'return struct.pack("c2147483647", "x")', 'return struct.pack("c2147483648", "x")',
    'return struct.pack("i99999999999", 1)',
    'return struct.unpack("c2147483647", "x")', 'return struct.unpack("I8c0", string.rep("\\255", 8))',
    'return struct.unpack("dc0", struct.pack("d", 1e300))',
    'return struct.unpack("dc0", struct.pack("d", 0/0) .. "x")', 'return struct.unpack("c0", "x")',
    'return struct.unpack("sc0", "x\\0y")',
    'return struct.unpack("b", "x", 2^31 - 1)', 'return struct.unpack("b", "x", -2^31)',
    'return struct.pack("!1073741824i", 1)', 'return struct.pack("!0b", 1)',
    'return struct.size(string.rep("c2147483647", 1e5))',
    'return struct.unpack(string.rep("b", 1e5), string.rep("x", 1e5))',
    'return struct.pack(string.rep("i32", 1e5), 1)',
    # bit (CVE-2024-31449: bit.tohex)
    'return bit.tohex(65535, -2147483648)', 'return bit.tohex(1, 2^31)', 'return bit.tohex(1, -1)',
    'return bit.lshift(1, 2^31)', 'return bit.band()', 'return bit.tobit("x")',
    # conversions
    'local t = {} t[1] = t return t', 'local t = {} t.map = t return t', 'local t = {} t.set = {[t] = 1} return t',
    'local t = {} for i = 1, 1e5 do t = {t} end return t',
    'return {map = setmetatable({}, {__index = error})}', 'return {err = string.rep("x", 1e6)}',
    'return {big_number = string.rep("9", 1e6)}',
    'return {verbatim_string = {format = "", string = ""}}', 'return setmetatable({}, {__index = error})',
    'return coroutine.running()',
    'error(setmetatable({}, {__index = error, __tostring = error}))', 'error({err = {}})', 'error({})',
    'error(function() end)', 'error({ok = 1})',
    'error(setmetatable({err = "E x"}, {__metatable = 1}))', 'return redis.error_reply({})',
    'return redis.status_reply()', 'redis.log(1e300, "x")', 'redis.log(0/0, "x")',
    'redis.log(3, setmetatable({}, {__tostring = error}))', 'redis.setresp({})', 'redis.setresp(0/0)',
    'redis.set_repl(0/0)', 'return redis.sha1hex({})',
    'redis.call(setmetatable({}, {__tostring = function() return "set" end}))',
    'redis.call("set", "a", unpack({}, 1, 7000))', 'return redis.call(string.rep("x", 1e6))',
    'redis.call("eval", "return 1", 0)', 'redis.call("script", "flush")', 'redis.call("function", "flush")',
    'redis.call("fcall", "x", 0)', 'redis.call("debug", "segfault")',
    'redis.call("shutdown", "nosave")', 'redis.call("client", "kill", "id", "1")', 'redis.call("multi")',
    'redis.call("monitor")', 'redis.call("reset")', 'redis.call("quit")',
    # yielding where nobody expects it
    'coroutine.yield(1)', 'table.sort({3, 2, 1}, coroutine.yield)', 'string.gsub("x", "x", coroutine.yield)',
    'load(coroutine.yield)',
    'local co = coroutine.wrap(function() table.sort({3, 2, 1}, coroutine.yield) end) co()',
    'local co co = coroutine.wrap(function() co() end) co()',
    'local co = coroutine.create(function() redis.call("set", "a", "1") coroutine.yield() redis.call("nosuch") end) '
    'coroutine.resume(co) return {coroutine.resume(co)}',
    'collectgarbage("collect") collectgarbage("step", 2^31)', 'collectgarbage("nosuch")',
    'for i = 1, 1e5 do setmetatable({}, {__gc = error, __mode = "kv"}) end',
]


@pytest.mark.parametrize('script', ATTEMPTS, ids=[str(i) for i in range(len(ATTEMPTS))])
def test_attempts(c, script):
    for version in ('2', '3'):
        c.call('HELLO', version)
        c.raw('EVAL', script, '0')
        assert c.call('EVAL', 'return 1', '0') == 1


@pytest.mark.parametrize('script', ATTEMPTS[::7], ids=[str(i) for i in range(len(ATTEMPTS))][::7])
def test_attempts_in_functions(c, script):
    code = '#!lua name=l%d\nredis.register_function("f", function() %s\n end)\n' % (1, script)
    if c.call('FUNCTION', 'LOAD', 'REPLACE', code) == b'l1':
        c.raw('FCALL', 'f', '0')
    c.call('FUNCTION', 'FLUSH')


def test_functions_do_not_reach_each_other_or_scripts(c):
    c.call('FUNCTION', 'LOAD', '#!lua name=a\nlocal secret = 1\nredis.register_function("a1", function() '
            'local t = {} for k in pairs(_G) do t[#t + 1] = k end for k in pairs(redis) do t[#t + 1] = k end '
            'table.sort(t) return t end)')
    names = c.call('FCALL', 'a1', '0')
    assert b'secret' not in names and b'KEYS' not in names and b'register_function' not in names
    for bad in ('x = 1', 'redis.call("get", "a")', 'rawset(_G, "x", 1)', 'string.rep = 1', 'KEYS[1] = 2'):
        code = '#!lua name=b\n%s\nredis.register_function("b1", print)' % bad
        assert isinstance(c.call('FUNCTION', 'LOAD', code), Error)
    c.call('FUNCTION', 'FLUSH')
