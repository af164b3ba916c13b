"""The end of scripts that take long: SCRIPT KILL reaches them wherever they are."""

import pathlib
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness import Client, eventually                            # noqa: E402
from script_test import BACKTRACKING, c, ended, server            # noqa: E402, F401

MANY_TABLES = 'local t = {} for i = 1, 3e5 do t[i] = {} end'      # a collection takes its time


@pytest.mark.parametrize('script', [
    'while true do pcall(function() while true do end end) end',
    'while true do xpcall(function() while true do end end, function() while true do end end) end',
    'local f = coroutine.wrap(function() while true do pcall(coroutine.yield) end end) while true do f() end',
    'while true do redis.pcall("get", "a") end',
    'setmetatable({}, {__index = function() while true do end end}).x()',
    'while true do string.rep("x", 100000):gsub(".", "%0%0") end',
    'while true do load(function() while true do end end) end',
    'load(function() while true do end end) redis.call("set", "after", "1")',
    'load(function() load(function() while true do end end) end) while true do end',
    'pcall(load, function() while true do end end) return 1',
    # One call in C each.
    f'string.find({BACKTRACKING})',
    f'pcall(string.match, {BACKTRACKING}) redis.call("set", "after", "1")',
    f'for w in string.gmatch({BACKTRACKING}) do end',
    f'while true do pcall(string.gsub, {BACKTRACKING}, "") end',
    f'coroutine.wrap(function() string.gsub("x", "x", function() return (string.find({BACKTRACKING})) end) end)()',
    f'xpcall(function() string.find({BACKTRACKING}) end, function() while true do end end)',
    'string.find(("("):rep(1e5), ("%b()"):rep(1e3))',
    'local t = {} for i = 1, 60 do t = {t, t} end cjson.encode(t)',
    'local t = {1, 2} for i = 1, 16 do t = {t, t, t, t, t, t, t, t} end cmsgpack.pack(t)',
    'local t = {} for i = 1, 60 do t = {t, t} end return t',
    'load(gcinfo)',
    f'{MANY_TABLES} load(collectgarbage)',
    'load(string.gmatch((" "):rep(5e7), "."))',
    'local s = ("a=1 "):rep(2e7) load(function() local piece = s s = nil return piece end)',
    'string.gsub(("x"):rep(2e4), "", ("%0"):rep(1e5))',
    'string.gsub(("x"):rep(2e8), "", {})',
    # Many that take long each.
    'local s = ("x"):rep(1e6) while true do local t = s:rep(50) end',
    f'{MANY_TABLES} while true do collectgarbage() end',
    f'{MANY_TABLES} string.gsub(("collect "):rep(2e4), "%w+", collectgarbage)',
    'local t = {} for i = 1, 3e3 do t[i] = 2e7 end table.sort(t, string.rep)',
])
def test_nothing_escapes_kill(server, c, script):
    """Nor does anything of it stay with the next one."""
    for _ in range(2):
        reply, _, _, _ = ended(server, ['EVAL', script, '0'])
        assert b'Script killed by user' in reply
    assert c.call('EXISTS', 'after') == 0


def test_a_sort_ends(server, c):
    """In the middle of the one call that it is."""
    code = ('local t = {} for i = 1, 4e6 do t[i] = i * 7919 % 4e6 end redis.log(redis.LOG_WARNING, "sorting") '
            'table.sort(t) redis.log(redis.LOG_WARNING, "sorted")')
    runner = Client(server.port)
    runner.send('EVAL', code, '0')
    eventually(lambda: 'sorting' in server.log())
    assert c.call('SCRIPT', 'KILL') == b'OK'
    assert b"Script killed by user" in runner.reply()
    assert 'sorted' not in server.log()


def test_a_plain_search_is_linear(c):
    began = time.monotonic()
    assert c.call('EVAL', 'return string.find(("a"):rep(4e6), ("a"):rep(2e6) .. "b", 1, true)', '0') is None
    assert time.monotonic() - began < 2


def test_slow_commands_of_a_script_leave_room_for_a_kill(server, c):
    c.call('DEBUG', 'POPULATE', '200000')
    reply, _, _, _ = ended(server, ['EVAL', 'while true do redis.call("keys", "nomatch*") end', '0'])
    assert b'Script killed by user' in reply


@pytest.mark.parametrize('code', ['load(gcinfo)', 'load(string.gmatch((" "):rep(2e8), "."))',
                                  'string.gsub(("x"):rep(2e4), "", ("%0"):rep(1e5))'])
def test_a_library_that_waits_in_c_is_late_as_well(c, code):
    began = time.monotonic()
    reply = c.call('FUNCTION', 'LOAD', '#!lua name=late\n' + code)
    assert reply == b'ERR Error registering functions: ERR FUNCTION LOAD timeout'
    assert time.monotonic() - began < 3


def test_what_a_kill_takes_back_is_what_was(server, c):
    """Also what counts as no write, and how a string is kept."""
    c.call('CONFIG', 'SET', 'script-kill-rollback', 'yes')
    c.call('SET', 's', '10')
    c.call('APPEND', 's', '1')
    c.call('PFADD', 'hll', 'a', 'b', 'c')
    before = c.call('DEBUG', 'DIGEST'), c.call('GET', 'hll'), c.call('OBJECT', 'ENCODING', 's')
    assert before[2] == b'raw'
    for calls in ("redis.call('append', 's', '2') redis.call('pfcount', 'hll')", "redis.call('pfcount', 'hll')"):
        reply, _, _, _ = ended(server, ['EVAL', calls + ' while true do end', '0'])
        assert b'Script killed by user' in reply
        assert (c.call('DEBUG', 'DIGEST'), c.call('GET', 'hll'), c.call('OBJECT', 'ENCODING', 's')) == before
