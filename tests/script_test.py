"""Scripts and functions: what the differential test cannot see: long runs, their end, memory, users, files."""

import os
import pathlib
import re
import sys
import threading
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402
from harness import Client, Closed, Error, eventually, info       # noqa: E402
from persist_test import sealed                                   # noqa: E402

FOREVER = 'while true do end'
BACKTRACKING = '("a"):rep(60), ("a*"):rep(20) .. "b"'   # a text and a pattern that takes for ever
WRITES_FOREVER = ("redis.call('set','a','new') redis.call('rpush','l','x') redis.call('set','fresh','1') "
                  "redis.call('del','gone') redis.call('move','m',1) while true do end")
LIBRARY = ("#!lua name=lib\n"
           "local calls = 0\n"
           "redis.register_function('count', function() calls = calls + 1 return calls end)\n"
           "redis.register_function{function_name='put', callback=function(k, a) "
           "return redis.call('set', k[1], a[1]) end, description='sets'}\n"
           "redis.register_function{function_name='get', callback=function(k) "
           "return redis.call('get', k[1]) end, flags={'no-writes'}}\n"
           "redis.register_function('spin', function() while true do end end)\n")


@pytest.fixture(scope='module')
def server():
    with harness.peer('vitrine', ('busy-reply-threshold', 50)) as peer:
        yield peer


@pytest.fixture
def c(server):
    client = Client(server.port)
    for command in (['FLUSHALL'], ['SCRIPT', 'FLUSH'], ['FUNCTION', 'FLUSH'],
                    ['CONFIG', 'SET', 'script-kill-rollback', 'no', 'script-memory-limit', '1gb']):
        client.call(*command)
    yield client
    client.close()


def ended(server, words, *before_kill, kill=('SCRIPT', 'KILL')):
    """What a client gets whose endless script another one ends, and what that one hears."""
    runner, other = Client(server.port), Client(server.port)
    result = []

    def run():
        try:
            result.append(runner.call(*words))
        except Closed:
            pass

    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: isinstance(other.call('PING'), Error))
    heard = [other.call(*words) for words in before_kill]
    heard.append(other.call(*kill))
    if heard[-1] == b'OK':
        thread.join(5)
        assert not thread.is_alive()
        assert other.call('PING') == b'PONG'
    return (result[0] if result else None), heard, thread, other


def test_busy_and_kill(server, c):
    reply, heard, _, _ = ended(server, ['EVAL', FOREVER, '0'], ['GET', 'a'], ['FUNCTION', 'KILL'], ['SHUTDOWN'],
                               ['MULTI'], ['GET', 'a'], ['EXEC'])
    busy = b'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.'
    assert heard == [busy, busy, busy, b'OK', busy, b'EXECABORT Transaction discarded because of: ' + busy, b'OK']
    assert reply.startswith(b'ERR Script killed by user with SCRIPT KILL...')
    assert c.call('SCRIPT', 'KILL') == b'NOTBUSY No scripts in execution right now.'


def test_function_kill(server, c):
    assert c.call('FUNCTION', 'LOAD', LIBRARY) == b'lib'
    reply, heard, _, _ = ended(server, ['FCALL', 'spin', '0'], ['SCRIPT', 'KILL'], ['FUNCTION', 'STATS'],
                               kill=('FUNCTION', 'KILL'))
    assert heard[0].startswith(b'BUSY') and b'FUNCTION KILL' in heard[0]
    running = heard[1][1]
    assert running[1] == b'spin' and running[3] == [b'FCALL', b'spin', b'0'] and running[5] > 0
    assert reply.startswith(b'ERR Script killed by user with FUNCTION KILL...')


@pytest.mark.parametrize('code', [
    'while true do end',
    'while true do pcall(function() while true do end end) end',
    'while true do xpcall(function() while true do end end, function() while true do end end) end',
    'local f = coroutine.wrap(function() while true do pcall(coroutine.yield) end end) while true do f() end',
    'load(function() while true do end end) while true do end',
    'load(function() while true do end end) redis.register_function("f", function() end)',
    f'string.find({BACKTRACKING})',
])
def test_a_load_takes_no_longer_than_half_a_second(server, c, code):
    began = time.monotonic()
    reply = c.call('FUNCTION', 'LOAD', '#!lua name=late\n' + code)
    assert reply == b'ERR Error registering functions: ERR FUNCTION LOAD timeout'
    assert 0.4 < time.monotonic() - began < 5
    assert c.call('FUNCTION', 'LIST') == []
    # The next run has its own time.
    assert c.call('FUNCTION', 'LOAD', LIBRARY) == b'lib'
    assert c.call('FCALL', 'count', '0') == 1
    test_busy_and_kill(server, c)


def payload(*codes):
    """What FUNCTION RESTORE takes, of libraries that no server has accepted."""
    body = b''.join(b'\xf5' + bytes([0x40 | len(code) >> 8, len(code) & 255]) + code.encode() for code in codes)
    return sealed(body)


def test_a_restore_takes_no_longer_either(server, c):
    reply = c.call('FUNCTION', 'RESTORE', payload(LIBRARY, '#!lua name=late\nwhile true do end'))
    assert reply == b'ERR Error registering functions: ERR FUNCTION LOAD timeout'
    assert c.call('FUNCTION', 'LIST') == []
    assert c.call('FUNCTION', 'RESTORE', payload(LIBRARY)) == b'OK'


def test_nested_loads_are_short_and_end(server, c):
    script = 'local f f = function(n) return load(function() return f(n + 1) end) end return f(1)'
    began = time.monotonic()
    assert c.call('EVAL', script, '0') is None
    assert time.monotonic() - began < 2
    depth = ('local function f(n) if n == 0 then return nil end local g, e = load(function() return f(n - 1) end) '
             'return e end return f(%d)')
    for _ in range(3):
        assert b'C stack overflow' not in (c.call('EVAL', depth % 150, '0') or b'')
    assert c.call('EVAL', 'local n = 0 local g = load(function() n = n + 1 return n < 5 and "return 1 " and nil end) '
                          'return type(g)', '0') == b'function'
    for i in range(3):
        assert c.call('EVAL', 'for i = 1, 1000 do load(function() error("x") end) end return 1', '0') == 1


def test_what_was_accepted_once_is_loaded_however_long_it_takes(tmp_path):
    code = ('#!lua name=slow\nlocal began = os.clock() while os.clock() - began < %s do end\n'
            'redis.register_function("f", function() return 1 end)')
    with harness.peer('vitrine', ('dir', tmp_path), ('appendonly', 'yes')) as server:
        assert Client(server.port).call('FUNCTION', 'LOAD', code % '0.0') == b'slow'
    log = next(tmp_path.glob('appendonlydir/*.incr.aof'))
    log.write_bytes(log.read_bytes().replace(b'0.0', b'0.8'))
    with harness.peer('vitrine', ('dir', tmp_path), ('appendonly', 'yes')) as server:
        c = Client(server.port)
        assert c.call('FCALL', 'f', '0') == 1
        assert c.call('FUNCTION', 'LOAD', 'REPLACE', code % '0.8') == \
            b'ERR Error registering functions: ERR FUNCTION LOAD timeout'
        assert c.call('FCALL', 'f', '0') == 1


def fill(c):
    for words in (['SET', 'a', 'old', 'PX', '100000'], ['RPUSH', 'l', 'one'], ['HSET', 'gone', 'f', 'v'],
                  ['SET', 'm', 'here']):
        c.call(*words)


def test_kill_takes_writes_back(server, c):
    c.call('CONFIG', 'SET', 'script-kill-rollback', 'yes')
    fill(c)
    watcher = Client(server.port)
    watcher.call('WATCH', 'fresh')
    changes = harness.info(c, 'rdb_changes_since_last_save', 'persistence')
    reply, heard, _, _ = ended(server, ['EVAL', WRITES_FOREVER, '0'])
    assert harness.info(c, 'rdb_changes_since_last_save', 'persistence') == changes
    assert heard == [b'OK'] and b'Script killed' in reply
    assert c.call('GET', 'a') == b'old' and 0 < c.call('PTTL', 'a') <= 100000
    assert c.call('LRANGE', 'l', '0', '-1') == [b'one']
    assert c.call('EXISTS', 'fresh') == 0
    assert c.call('HGETALL', 'gone') == [b'f', b'v']
    assert c.call('GET', 'm') == b'here'
    assert c.call('DBSIZE') == 4


def test_kill_after_flush_is_refused():
    with harness.peer('vitrine', ('busy-reply-threshold', 50), ('script-kill-rollback', 'yes')) as server:
        _, heard, thread, other = ended(server, ['EVAL', "redis.call('flushall') while true do end", '0'])
        assert heard[0].startswith(b'UNKILLABLE')
        other.send('SHUTDOWN', 'NOSAVE')
        eventually(lambda: server.process.poll() is not None)
        thread.join(5)


def test_unkillable_and_shutdown_nosave():
    with harness.peer('vitrine', ('busy-reply-threshold', 50)) as server:
        _, heard, thread, other = ended(server, ['EVAL', WRITES_FOREVER, '0'])
        assert heard[0].startswith(b'UNKILLABLE Sorry the script already executed write commands')
        other.send('SHUTDOWN', 'NOSAVE')
        eventually(lambda: server.process.poll() is not None)
        thread.join(5)


SLOW_TRANSFER = """redis.call('decrby', 'alice', 50)
for i = 1, ARGV[1] do for j = 1, 100000 do end end
redis.call('incrby', 'bob', 50)"""


def test_a_signal_waits_for_a_script_that_has_written(tmp_path):
    settings = [('busy-reply-threshold', 50), ('save', '3600 1'), ('dir', tmp_path)]
    with harness.peer('vitrine', *settings) as server:
        c, other = Client(server.port), Client(server.port)
        c.ok('MSET', 'alice', 100, 'bob', 0)
        c.send('EVAL', SLOW_TRANSFER, '0', '1500')
        eventually(lambda: isinstance(other.call('PING'), Error))
        server.process.terminate()
        assert server.process.wait(60) == 0
    with harness.peer('vitrine', *settings) as server:
        assert Client(server.port).ok('MGET', 'alice', 'bob') == [b'50', b'50']


def test_an_end_that_waits_can_be_taken_back():
    with harness.peer('vitrine', ('busy-reply-threshold', 50)) as server:
        c, other = Client(server.port), Client(server.port)
        c.ok('SET', 'alice', 100)
        c.send('EVAL', SLOW_TRANSFER, '0', '1500')
        eventually(lambda: isinstance(other.call('PING'), Error))
        assert other.call('SHUTDOWN', 'ABORT') == b'ERR No shutdown in progress.'
        server.process.terminate()
        eventually(lambda: other.call('SHUTDOWN', 'ABORT') == b'OK')
        assert c.reply() is None and c.ok('GET', 'bob') == b'50'
        server.process.terminate()
        assert server.process.wait(10) == 0


@pytest.mark.parametrize('script, rollback', [('while true do end', 'no'), (WRITES_FOREVER, 'yes')])
def test_a_signal_ends_a_script_that_leaves_nothing_half_done(tmp_path, script, rollback):
    settings = [('busy-reply-threshold', 50), ('save', '3600 1'), ('dir', tmp_path), ('script-kill-rollback', rollback)]
    with harness.peer('vitrine', *settings) as server:
        c, other = Client(server.port), Client(server.port)
        c.ok('SET', 'a', 'old')
        c.send('EVAL', script, '0')
        eventually(lambda: isinstance(other.call('PING'), Error))
        server.process.terminate()
        assert server.process.wait(10) == 0
    with harness.peer('vitrine', *settings) as server:
        assert Client(server.port).ok('GET', 'a') == b'old' and Client(server.port).ok('DBSIZE') == 1


def test_many_clients_meanwhile(server, c):
    """Those who come, ask, leave and pipeline while a script runs; and its own client goes."""
    runner = Client(server.port)
    runner.send('EVAL', FOREVER, '0')
    eventually(lambda: isinstance(c.call('PING'), Error))
    others = [Client(server.port) for _ in range(30)]
    for other in others:
        other.send('PING')
        other.send('GET', 'a')
    for other in others[::2]:
        assert other.reply().startswith(b'BUSY') and other.reply().startswith(b'BUSY')
        other.close()
    runner.close()
    time.sleep(0.05)
    assert c.call('SCRIPT', 'KILL') == b'OK'
    eventually(lambda: c.call('PING') == b'PONG')
    for other in others[1::2]:
        assert other.call('ECHO', 'x') is not None
        other.close()


def test_memory_limit(server, c):
    c.call('CONFIG', 'SET', 'script-memory-limit', '16mb')
    for script in ('local t = {} for i = 1, 1e8 do t[i] = i .. "x" end', 'return #string.rep("x", 2^27)',
                   'local s = "x" while true do s = s .. s end', 'return cjson.encode({string.rep("\\1", 5e6)})'):
        reply = c.call('EVAL', script, '0')
        assert isinstance(reply, Error) and b'not enough memory' in reply, script
    for script in ('local t = {} for i = 1, 60 do t = {t, t} end return t',
                   'local t, s = {}, string.rep("x", 2^20) for i = 1, 64 do t[i] = s end return t'):
        assert c.call('EVAL', script, '0').startswith(b'ERR the reply is larger than script-memory-limit'), script
    assert len(c.call('EVAL', 'return string.rep("x", 2^22)', '0')) == 2 ** 22
    assert c.call('EVAL', 'return #string.rep("x", 2^20)', '0') == 2 ** 20
    # Caught by the script, it may go on with what it has.
    assert c.call('EVAL', 'return {pcall(string.rep, "x", 2^27)}', '0')[0] is None


@pytest.mark.parametrize('script', [
    'local t = {} for i = 1, 1e8 do t[i] = i .. "x" end',
    'local s = "x" while true do s = s .. s end',
    'local ok = pcall(function() local t = {} for i = 1, 1e8 do t[i] = {i} end end) return 1',
    'return #string.rep("x", 2^21)',
    'local t = {} for i = 1, 1e5 do t[i] = i .. "x" end return 1',
])
def test_memory_limit_holds_over_many_runs(server, c, script):
    c.call('CONFIG', 'SET', 'script-memory-limit', '10mb')
    for _ in range(20):
        c.call('EVAL', script, '0')
        assert int(info(c, 'used_memory_vm_eval')) < 8 << 20
    # What is left is little enough that the next one has its limit whole.
    assert c.call('EVAL', 'return #string.rep("y", 2^21)', '0') == 2 ** 21


def test_what_a_library_keeps_is_not_collected(server, c):
    c.call('CONFIG', 'SET', 'script-memory-limit', '10mb')
    c.call('FUNCTION', 'LOAD', '#!lua name=keeper\nlocal kept = {}\nredis.register_function("keep", function() '
                               'for i = 1, 20000 do kept[#kept + 1] = {i} end return #kept end)')
    for i in range(1, 21):
        assert c.call('FCALL', 'keep', '0') == 20000 * i


def test_out_of_memory(server, c):
    c.call('CONFIG', 'SET', 'maxmemory', '1')
    try:
        write = "redis.call('set','a','1') return 1"
        assert c.call('EVAL', write, '0').startswith(b'OOM command not allowed')
        oom = b"OOM command not allowed when used memory > 'maxmemory'."
        assert c.call('EVAL', '#!lua\nreturn 1', '0') == oom
        assert c.call('EVAL', '#!lua flags=allow-oom\n' + write, '0') == 1
        assert c.call('EVAL', '#!lua flags=no-writes\nreturn 1', '0') == 1
        assert c.call('EVAL', "redis.call('del','a') redis.call('set','b','1') return 2", '0') == 2
    finally:
        c.call('CONFIG', 'SET', 'maxmemory', '0')


def test_users(server, c):
    c.call('ACL', 'SETUSER', 'small', 'on', 'nopass', '+@all', '-set', '~k*')
    small = Client(server.port)
    small.call('AUTH', 'small', 'x')
    assert small.call('EVAL', "return redis.call('get','k')", '0') is None
    for script in ("return redis.call('set','k','1')", "return redis.call('get','other')"):
        assert isinstance(small.call('EVAL', script, '0'), Error)
    assert small.call('EVAL', "return {redis.acl_check_cmd('get','k'), redis.acl_check_cmd('get','o'), 1}", '0') == [
        1, None, 1]
    assert c.call('EVAL', "return redis.call('set','k','1')", '0') == b'OK'
    c.call('ACL', 'DELUSER', 'small')


def test_functions_are_saved(tmp_path):
    with harness.peer('vitrine', ('dir', tmp_path), ('enable-debug-command', 'yes')) as server:
        c = Client(server.port)
        assert c.call('FUNCTION', 'LOAD', LIBRARY) == b'lib'
        assert c.call('FCALL', 'put', '1', 'k', 'v') == b'OK'
        listed = c.call('FUNCTION', 'LIST', 'WITHCODE')
        assert c.call('DEBUG', 'RELOAD') == b'OK'
        assert c.call('FUNCTION', 'LIST', 'WITHCODE') == listed
        assert c.call('SAVE') == b'OK'
    with harness.peer('vitrine', ('dir', tmp_path)) as server:
        c = Client(server.port)
        assert c.call('FUNCTION', 'LIST', 'WITHCODE') == listed
        assert c.call('FCALL_RO', 'get', '1', 'k') == b'v'
        assert info(c, 'number_of_functions') == '4'


def test_dump_and_restore(server, c):
    c.call('FUNCTION', 'LOAD', LIBRARY)
    c.call('FCALL', 'count', '0')
    dump = c.call('FUNCTION', 'DUMP')
    assert c.call('FUNCTION', 'RESTORE', dump) == b'ERR Library lib already exists'
    assert c.call('FUNCTION', 'LOAD', LIBRARY) == b"ERR Library 'lib' already exists"
    assert c.call('FCALL', 'count', '0') == 2                              # and was not touched
    assert c.call('FUNCTION', 'RESTORE', dump, 'REPLACE') == b'OK'
    assert c.call('FCALL', 'count', '0') == 1
    other = '#!lua name=other\nredis.register_function("more", function() return 1 end)'
    c.call('FUNCTION', 'LOAD', other)
    assert c.call('FUNCTION', 'RESTORE', dump, 'FLUSH') == b'OK'
    assert len(c.call('FUNCTION', 'LIST')) == 1
    for bad in (dump[:-1], dump[:-12] + b'x' + dump[-11:], b''):
        assert isinstance(c.call('FUNCTION', 'RESTORE', bad), Error)


@pytest.mark.parametrize('command', ["'set','k','v'", "'publish','ch','m'", "'spublish','ch','m'", "'pfcount','k'"])
def test_read_only_scripts_send_nothing(server, c, command):
    refusal = b'ERR Write commands are not allowed from read-only scripts.'
    c.call('FUNCTION', 'LOAD', "#!lua name=ro\nredis.register_function{function_name='ro', callback=function() "
                               "return redis.pcall(%s) end, flags={'no-writes'}}" % command)
    for words in (['EVAL_RO', 'return redis.pcall(%s)' % command, '0'],
                  ['EVAL', '#!lua flags=no-writes\nreturn redis.pcall(%s)' % command, '0'],
                  ['FCALL', 'ro', '0'], ['FCALL_RO', 'ro', '0']):
        assert c.call(*words) == refusal, words
    assert not isinstance(c.call('EVAL', 'return redis.call(%s)' % command, '0'), Error)


def counted(c, *words):
    """calls, rejected and failed, by command, of one call."""
    c.call('CONFIG', 'RESETSTAT')
    c.call(*words)
    text = c.call('INFO', 'commandstats').decode()
    found = re.findall(r'cmdstat_(\S+?):calls=(\d+),.*rejected_calls=(\d+),failed_calls=(\d+)', text)
    return {name: tuple(map(int, numbers)) for name, *numbers in found if name not in ('info', 'config|resetstat')}


def test_statistics_of_what_fails(server, c):
    c.call('HSET', 'h', 'f', 'v')
    failed, fine, refused = (1, 0, 1), (1, 0, 0), (0, 1, 0)
    for script, expected in (('return redis.call("incr", "h")', {'eval': failed, 'incr': failed}),
                             ('return redis.pcall("incr", "h")', {'eval': failed, 'incr': failed}),
                             ('redis.pcall("incr", "h") return 1', {'eval': fine, 'incr': failed}),
                             ('return {err = "MY error"}', {'eval': failed}),
                             ('return {redis.pcall("incr", "h"), {err = "MY error"}}',
                              {'eval': (1, 0, 2), 'incr': failed}),
                             ('error("x")', {'eval': failed}),
                             ('return redis.call("incr")', {'eval': failed, 'incr': refused}),
                             ('redis.pcall("incr") return 1', {'eval': fine, 'incr': refused}),
                             ('return redis.pcall("subscribe", "a")', {'eval': failed, 'subscribe': refused}),
                             ('return redis.call("nosuch")', {'eval': failed}),
                             ('return redis.call("object")', {'eval': failed, 'object': refused}),
                             ('return redis.call("object", "nosuch")', {'eval': failed})):
        assert counted(c, 'EVAL', script, '0') == expected, script
    assert counted(c, 'EVAL_RO', 'return redis.call("set", "a", "b")', '0') == {'eval_ro': failed, 'set': refused}
    c.call('ACL', 'SETUSER', 'default', '-get')
    try:
        assert counted(c, 'EVAL', 'return redis.call("get", "a")', '0') == {'eval': failed, 'get': refused}
    finally:
        c.call('ACL', 'SETUSER', 'default', '+get')


def test_command_from_a_script(server, c):
    commands = c.call('COMMAND', 'COUNT')
    assert c.call('EVAL', 'return #redis.call("command")', '0') == commands
    assert c.call('EVAL', 'return redis.call("command", "count")', '0') == commands
    assert c.call('EVAL', 'return redis.pcall("command", "x")', '0') == b'ERR Unknown Redis command called from script'
    for container in ('config', 'object'):
        assert c.call('EVAL', 'return redis.pcall("%s")' % container, '0') == \
            b'ERR Wrong number of args calling Redis command from script'


def test_acl_check_takes_any_number_of_arguments(server, c):
    def check(client, *words):
        return client.call('EVAL', 'return redis.acl_check_cmd(unpack(ARGV))', '0', *words)

    for words in (['set'], ['set', 'x'], ['config'], ['config', 'get'], ['command'], ['eval'], ['get', 'a', 'b', 'c']):
        assert check(c, *words) == 1, words
    for words in (['nosuch'], ['config', 'nosuch']):
        assert check(c, *words).startswith(b'ERR Invalid command passed to redis.acl_check_cmd()'), words
    c.call('ACL', 'SETUSER', 'narrow', 'on', 'nopass', '+@all', '-lpop', '~a*', 'resetchannels', '&a*')
    narrow = Client(server.port)
    narrow.call('AUTH', 'narrow', 'x')
    for words, expected in ((['set'], None), (['set', 'b'], None), (['set', 'a'], 1), (['eval'], 1), (['lpop'], None),
                            (['mset', 'a', '1', 'b'], None), (['publish'], None), (['publish', 'a'], 1),
                            (['select'], 1), (['swapdb'], 1), (['move'], None), (['move', 'a'], 1)):
        assert check(narrow, *words) == expected, words
    c.call('ACL', 'DELUSER', 'narrow')


def test_no_flag_is_empty(server, c):
    for flags in ('no-writes,', ',no-writes', 'no-writes,,allow-oom', ','):
        assert c.call('EVAL', '#!lua flags=%s\nreturn 1' % flags, '0') == b'ERR Unexpected flag in script shebang: '
    assert c.call('EVAL', '#!lua flags=\nreturn 1', '0') == 1


def test_register_function_names_what_is_wrong(server, c):
    for arguments, error in (('[1] = "g", callback = function() end',
                              b'unknown argument given to redis.register_function'),
                             ('[true] = "g", callback = function() end',
                              b'named argument key given to redis.register_function is not a string')):
        assert c.call('FUNCTION', 'LOAD', '#!lua name=x\nredis.register_function{%s}' % arguments) == \
            b'ERR Error registering functions: ERR ' + error
    assert c.call('FUNCTION', 'LOAD', '#!lua name=x\nredis.register_function{function_name = 5, callback = function() '
                                      'return 7 end}') == b'x'
    assert c.call('FCALL', '5', '0') == 7


def test_numbers_as_lua_5_1_takes_them(server, c):
    for arguments, text in (('1, 100', b'00000001'), ('65535, -2147483648', b'0000FFFF'), ('255, -100', b'000000FF'),
                            ('65535, 9', b'0000ffff'), ('65535, 2', b'ff'), ('65535', b'0000ffff'), ('1, 0', b'')):
        assert c.call('EVAL', 'return bit.tohex(%s)' % arguments, '0') == text, arguments
    for arguments in ('"x", 2^31', '"x", 2^32 + 3', '"xx", 2^30', '"x", 1/0'):
        reply = c.call('EVAL', 'return #string.rep(%s)' % arguments, '0')
        assert isinstance(reply, Error) and b'resulting string too large' in reply, arguments
    for arguments, text in (('"ab", 3', b'ababab'), ('"x", -1', b''), ('"", 2^31', b''), ('"x", 2.9', b'xx'),
                            ('"x", 3, ","', b'xxx'), ('"x", 0/0', b''), ('7, "2"', b'77')):
        assert c.call('EVAL', 'return string.rep(%s)' % arguments, '0') == text, arguments


def test_json_ends_with_a_zero(server, c):
    for text, place in ((b'["a\0b"]', 4), (b'["a\0', 4), (b'["ab\\n\0"]', 7), (b'["ab\\n', 7)):
        reply = c.call('EVAL', 'return cjson.decode(ARGV[1])', '0', text)
        assert b'Expected value but found unexpected end of string at character %d ' % place in reply, text
    for text in (b'["a\x01b"]', b'["a\nb"]', b'["a"]\0'):
        assert c.call('EVAL', 'return cjson.decode(ARGV[1])', '0', text) == [text.strip(b'[]"\0')]


def test_words_of_cmsgpack(server, c):
    assert c.call('EVAL', 'return {cmsgpack._COPYRIGHT, cmsgpack._DESCRIPTION, cmsgpack._NAME}', '0') == [
        b'Copyright (C) 2012, Salvatore Sanfilippo', b'MessagePack C implementation for Lua', b'cmsgpack']


def test_replies_of_every_length(server, c):
    for n in (0, 7, 10, -1, -99, 10 ** 14, 10 ** 15 - 1, 10 ** 15, 2 ** 53, -2 ** 53):
        c.call('SET', 'n', str(n))
        assert c.call('EVAL', 'return redis.call("incrby", KEYS[1], 0)', '1', 'n') == n
        assert c.call('EVAL', 'return redis.call("get", KEYS[1])', '1', 'n') == str(n).encode()
    for size in (0, 1, 9, 10, 11, 99, 100, 101, 999, 70000):
        c.call('SET', 's', b'\r\n' + b'1' * size)
        assert c.call('EVAL', 'return redis.call("get", KEYS[1])', '1', 's') == b'\r\n' + b'1' * size
        assert c.call('EVAL', 'return #redis.call("echo", ARGV[1])', '0', '$' * size) == size
    assert c.call('EVAL', 'return {redis.call("get", "none") == false, redis.call("echo", "")}', '0') == [1, b'']


def test_cache(server, c):
    for i in range(600):
        c.call('EVAL', 'return %d' % i, '0')
    kept = c.call('SCRIPT', 'LOAD', 'return "kept"')
    for i in range(600, 1200):
        c.call('EVAL', 'return %d' % i, '0')
    assert c.call('EVALSHA', kept, '0') == b'kept'
    assert info(c, 'number_of_cached_scripts') == '501' and int(info(c, 'evicted_scripts')) >= 699
    assert c.call('SCRIPT', 'SHOW', kept) == b'return "kept"'
    assert c.call('SCRIPT', 'FLUSH') == b'OK'
    assert c.call('EVALSHA', kept, '0').startswith(b'NOSCRIPT')


def test_monitor_and_slowlog(server, c):
    watcher = Client(server.port)
    assert watcher.call('MONITOR') == b'OK'
    c.call('EVAL', "return redis.call('set', 'a', 'b')", '0')
    lines = [watcher.reply() for _ in range(2)]
    assert b'"EVAL"' in lines[0] and b' lua] "set" "a" "b"' in lines[1]
    watcher.close()


def test_script_wakes_waiters_as_one(server, c):
    waiter = Client(server.port)
    waiter.send('BLPOP', 'q', '5')
    eventually(lambda: info(c, 'blocked_clients') == '1')
    c.call('EVAL', "redis.call('rpush','q','1') redis.call('rpush','q','2') redis.call('lpop','q') return 1", '0')
    assert waiter.reply() == [b'q', b'2']


def test_set_repl_and_versions(server, c):
    assert c.call('EVAL', 'redis.set_repl(redis.REPL_NONE) return redis.call("set","a","1")', '0') == b'OK'
    assert c.call('EVAL', 'return server.REDIS_VERSION .. redis.REDIS_VERSION_NUM', '0') == b'8.0.0524288'


def test_errors_of_scripts_are_counted_once(server, c):
    def errors(script):
        counted(c, 'EVAL', script, '0')
        return re.findall(r'errorstat_(\w+:count=\d+)', c.ok('INFO', 'errorstats').decode())

    for script in ("redis.pcall('get') return 1", "redis.pcall('nosuch') return 1", "return redis.pcall('get')",
                   "redis.call('get')", "redis.call('nosuch')", "error('x')"):
        assert errors(script) == ['ERR:count=1'], script
    assert errors("redis.pcall('incr', 'h', 'x') redis.pcall('get') return 1") == ['ERR:count=2']
    c.call('CONFIG', 'SET', 'maxmemory', '1')
    try:
        assert errors("redis.pcall('set', 'a', 'b') return 1") == ['OOM:count=1']
        assert counted(c, 'EVAL', '#!lua\nreturn 1', '0') == {'eval': (0, 1, 0)}, 'it did not begin'
        assert errors('#!lua\nreturn 1') == ['OOM:count=1']
    finally:
        c.call('CONFIG', 'SET', 'maxmemory', '0')


def test_positions_beyond_32_bits(c):
    for code, expected in (("('hello'):sub(3, 2147483648)", b'llo'), ("string.sub('hello', 2, 9999999999)", b'ello'),
                           ("string.sub('hello', -3, 1e14)", b'llo'), ("string.sub('hello', -1e10, 3)", b'hel'),
                           ("{string.byte('abc', 2, 2^31)}", [98, 99]), ("('hello'):sub(-2)", b'lo'),
                           ("('hello'):sub(4, 2)", b''), ("string.byte('a')", 97), ("{string.byte('abc', 0)}", []),
                           ("{string.byte('abc', -1)}", [99]), ("{string.byte('abc', 1, -1)}", [97, 98, 99])):
        assert c.call('EVAL', 'local r = ' + code + ' return r', '0') == expected, code


def test_a_long_text_is_encoded_within_the_limit(c):
    c.call('CONFIG', 'SET', 'script-memory-limit', '64mb')
    assert c.call('EVAL', 'return #cjson.encode({("x"):rep(1e7)})', '0') == 10000004
    assert c.call('EVAL', 'return cjson.encode(("x"):rep(16383) .. "\\n\\1")', '0') == (
        b'"' + b'x' * 16383 + b'\\n\\u0001"')


def test_arguments_are_forgotten_with_the_run(server, c):
    c.call('EVAL', 'return #ARGV[1]', '0', 'x' * 50_000_000)
    for _ in range(5):
        assert c.call('EVAL', 'return #KEYS + #ARGV', '1', 'k', 'v') == 2
    assert int(info(c, 'used_memory_vm_eval')) < 10_000_000
