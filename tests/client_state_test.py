"""How a client is served: CLIENT REPLY, PAUSE, UNBLOCK, NO-EVICT, NO-TOUCH.
VITRINE_PEER=oracle runs the same against Redis 7.0.15."""

import pathlib
import re
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import eventually, info, silent                      # noqa: E402
from subject import ours, start                                   # noqa: E402


@pytest.fixture(scope='module')
def server():
    with start() as s:
        yield s
        assert s.alive(), s.log()


def test_client_reply(server):
    with server.client() as c:
        c.send('CLIENT', 'REPLY', 'OFF')
        c.send('SET', 'k', 'v')
        c.send('NOSUCH')
        assert silent(c)
        assert c.call('CLIENT', 'REPLY', 'ON') == b'OK'
        c.send('CLIENT', 'REPLY', 'SKIP')
        c.send('SET', 'k', 'w')
        assert c.call('GET', 'k') == b'w'
        c.send('CLIENT', 'REPLY', 'SKIP')
        c.send('CLIENT', 'REPLY', 'SKIP')
        c.send('PING')
        assert c.call('ECHO', 'x') == b'x'
        c.send('CLIENT', 'REPLY', 'SKIP')
        c.send('RESET')
        assert c.call('ECHO', 'y') == b'y', 'RESET was what was skipped'
        c.send('CLIENT', 'REPLY', 'OFF')
        c.send('CLIENT', 'REPLY', 'SKIP')
        c.send('PING'), c.send('PING')
        assert silent(c), 'SKIP does not end OFF'
        c.send('BLPOP', 'nokey', '0')
        with server.client() as other:
            eventually(lambda: other.ok('RPUSH', 'nokey', 'x') == 1 and info(other, 'blocked_clients') == '0')
        assert silent(c), 'what was waited for is not told, either'


@pytest.mark.parametrize('end', ['fed', 'unblocked', 'late'])
def test_a_skipped_reply_may_come_late(server, end):
    with server.client() as c, server.client() as other:
        c.send('CLIENT', 'REPLY', 'SKIP')
        c.send('BLPOP', 'nokey', '0.1' if end == 'late' else '0')
        eventually(lambda: info(other, 'blocked_clients') == '1')
        if end == 'fed':
            other.ok('RPUSH', 'nokey', 'x')
        elif end == 'unblocked':
            waiting = next(line for line in other.ok('CLIENT', 'LIST').decode().splitlines() if ' flags=b ' in line)
            other.ok('CLIENT', 'UNBLOCK', waiting.split()[0][3:])
        eventually(lambda: info(other, 'blocked_clients') == '0')
        assert c.call('PING') == b'PONG' and c.call('ECHO', 'x') == b'x'


def test_pause_all_and_writes(server):
    with server.client() as admin, server.client() as c:
        admin.ok('SET', 'k', '1')
        assert admin.ok('CLIENT', 'PAUSE', '10000', 'WRITE') == b'OK'
        assert c.ok('GET', 'k') == b'1'
        c.send('INCR', 'k')
        assert silent(c, 0.05)
        assert admin.ok('CLIENT', 'UNPAUSE') == b'OK'
        assert c.reply() == 2
        began = time.monotonic()
        assert admin.ok('CLIENT', 'PAUSE', '200') == b'OK'
        c.send('PING'), c.send('INCR', 'k')
        assert silent(c, 0.05)
        assert c.reply() == b'PONG' and c.reply() == 3
        assert 0.15 < time.monotonic() - began < 1
        # Scripts that have promised not to write go on.
        reads = '#!lua flags=no-writes\nreturn 7'
        sha = admin.ok('SCRIPT', 'LOAD', reads)
        admin.ok('FUNCTION', 'LOAD', "#!lua name=l\nredis.register_function{function_name='ro', "
                 "callback=function() return 7 end, flags={'no-writes'}}")
        admin.ok('CLIENT', 'PAUSE', '10000', 'WRITE')
        for words in (['EVAL', reads, '0'], ['EVALSHA', sha, '0'], ['FCALL', 'ro', '0']):
            assert c.ok(*words) == 7
        c.ok('MULTI'), c.call('EVAL', reads, '0')
        assert c.ok('EXEC') == [7]
        c.send('EVAL', 'return 8', '0')
        assert silent(c, 0.05)
        waiting = next(line for line in admin.ok('CLIENT', 'LIST').decode().splitlines() if ' cmd=eval ' in line)
        assert ' flags=b ' in waiting and info(admin, 'blocked_clients') == '1'
        admin.ok('CLIENT', 'UNPAUSE')
        assert c.reply() == 8
        # Transactions with writes wait as a whole; expiry and eviction, too.
        c.ok('SET', 'short', 'x', 'PX', '30'), c.ok('MULTI'), c.call('INCR', 'k')
        admin.ok('CLIENT', 'PAUSE', '10000', 'WRITE')
        c.send('EXEC')
        assert silent(c, 0.05)
        assert admin.ok('GET', 'short') is None
        admin.ok('CLIENT', 'UNPAUSE')
        assert c.reply() == [4]


def test_nothing_goes_by_itself_while_writes_are_paused():
    def stat(name):
        text = c.ok('INFO', 'stats').decode()
        return int(next(x for x in text.splitlines() if x.startswith(name + ':')).split(':')[1])
    with start(('maxmemory-policy', 'allkeys-lru')) as s, s.client() as c:
        for i in range(500):
            c.ok('SET', f'k{i}', 'x' * 500)
        c.ok('SET', 'short', 'x', 'PX', '60')
        before = c.ok('DBSIZE')
        c.ok('CLIENT', 'PAUSE', '10000', 'WRITE')
        used = int(re.search(rb'used_memory:(\d+)', c.ok('INFO', 'memory'))[1])
        c.ok('CONFIG', 'SET', 'maxmemory', used - 100_000)
        time.sleep(0.3)
        assert c.ok('GET', 'short') is None and c.ok('RANDOMKEY') is not None
        assert (c.ok('DBSIZE'), stat('expired_keys'), stat('evicted_keys')) == (before, 0, 0)
        c.ok('CLIENT', 'UNPAUSE')
        eventually(lambda: stat('evicted_keys') > 50 and c.ok('DBSIZE') < before - 50, 5)


def test_pause_keeps_connections_that_wait_and_those_that_go(server):
    with server.client() as admin:
        admin.ok('CLIENT', 'PAUSE', '10000')
        gone = [server.client() for _ in range(20)]
        for c in gone:
            c.send('SET', 'k', 'x')
        time.sleep(0.02)
        for c in gone[10:]:
            c.close()
        admin.ok('CLIENT', 'UNPAUSE')
        assert all(c.reply() == b'OK' for c in gone[:10])
        for c in gone[:10]:
            c.close()
        eventually(lambda: info(admin, 'connected_clients') == '1')


def test_unblock(server):
    with server.client() as admin, server.client() as c:
        number = c.ok('CLIENT', 'ID')
        assert admin.ok('CLIENT', 'UNBLOCK', number) == 0
        for words, want in (((), None), (('TIMEOUT',), None), (('ERROR',),
                            b'UNBLOCKED client unblocked via CLIENT UNBLOCK')):
            c.send('BLPOP', 'nokey', '0')
            eventually(lambda: admin.ok('CLIENT', 'UNBLOCK', number, *words) == 1)
            assert c.reply() == want
        c.send('BLMOVE', 'nokey', 'x', 'LEFT', 'LEFT', '0')
        eventually(lambda: admin.ok('CLIENT', 'UNBLOCK', number) == 1)
        assert c.reply() is None


def counted(client, command):
    """(calls, failed calls) of a command, all commands, all errors."""
    text = client.ok('INFO', 'everything').decode()
    calls = re.search(rf'cmdstat_{command}:calls=(\d+),.*failed_calls=(\d+)', text)
    return [int(n) for n in (*calls.groups(), *(re.search(rf'{name}:(\d+)', text)[1] for name in (
        'total_commands_processed', 'total_error_replies')))]


def test_a_waiting_command_is_one_call(server):
    with server.client() as admin, server.client() as c:
        number = c.ok('CLIENT', 'ID')
        admin.ok('CONFIG', 'RESETSTAT')
        c.send('XREAD', 'BLOCK', '0', 'STREAMS', 'waited', '9-0')
        eventually(lambda: counted(admin, 'xread'))
        before = counted(admin, 'xread')[2]
        for i in range(1, 11):
            admin.ok('XADD', 'waited', f'{i}-1', 'f', 'v')
        assert c.reply()[0][0] == b'waited'
        assert counted(admin, 'xread') == [1, 0, before + 11, 0]
        c.send('BLPOP', 'nokey', '0')
        eventually(lambda: admin.ok('CLIENT', 'UNBLOCK', number, 'ERROR') == 1)
        assert c.reply().startswith(b'UNBLOCKED')
        calls, failed, _, errors = counted(admin, 'blpop')
        assert (calls, failed, errors) == (1, 1, 1)
        assert 'errorstat_UNBLOCKED:count=1' in admin.ok('INFO', 'errorstats').decode()
        admin.ok('DEL', 'waited')


@ours
def test_no_touch_leaves_the_idle_time(server):
    with server.client() as c:
        c.ok('SET', 'k', 'v')
        time.sleep(1.1)
        c.ok('CLIENT', 'NO-TOUCH', 'ON')
        assert c.ok('GET', 'k') == b'v' and c.ok('OBJECT', 'IDLETIME', 'k') >= 1
        assert c.ok('EVAL', "return redis.call('get', 'k')", '0') == b'v' and c.ok('OBJECT', 'IDLETIME', 'k') >= 1
        c.ok('CLIENT', 'NO-TOUCH', 'OFF')
        assert c.ok('GET', 'k') == b'v' and c.ok('OBJECT', 'IDLETIME', 'k') == 0


def blocked(server, *command):
    client = server.client()
    number = client.ok('CLIENT', 'ID')
    with server.client() as other:
        before = int(info(other, 'blocked_clients'))
        client.send(*command)
        eventually(lambda: int(info(other, 'blocked_clients')) == before + 1)
    return client, str(number)


def test_what_comes_for_one_who_was_killed_stays_or_goes_to_the_next(server):
    with server.client() as c:
        c.ok('DEL', 'q', 'to')
        for command in (('BLPOP', 'q', '0'), ('BLMOVE', 'q', 'to', 'LEFT', 'LEFT', '0')):
            client, number = blocked(server, *command)
            assert c.pipeline([('CLIENT', 'KILL', 'ID', number), ('RPUSH', 'q', 'x'), ('LRANGE', 'q', '0', '-1'),
                               ('EXISTS', 'to'), ('CLIENT', 'UNBLOCK', number)]) == [1, 1, [b'x'], 0, 0]
            c.ok('DEL', 'q')
            client.close()
        first, number = blocked(server, 'BLPOP', 'q', '0')
        second, _ = blocked(server, 'BLPOP', 'q', '0')
        assert c.pipeline([('CLIENT', 'KILL', 'ID', number), ('RPUSH', 'q', 'x')]) == [1, 1]
        assert second.reply() == [b'q', b'x']
        first.close(), second.close()


def test_nobody_listens_who_was_killed(server):
    with server.client() as c, server.client() as listener:
        number = str(listener.ok('CLIENT', 'ID'))
        listener.ok('SUBSCRIBE', 'news')
        *replies, refusal = c.pipeline([('CLIENT', 'KILL', 'ID', number), ('PUBLISH', 'news', 'x'),
                                        ('PUBSUB', 'NUMSUB', 'news'),
                                        ('CLIENT', 'TRACKING', 'ON', 'REDIRECT', number)])
        assert replies == [1, 0, [b'news', 0]]
        assert refusal.startswith(b'ERR The client ID you want redirect to does not exist')


def test_elements_survive_consumers_that_close(server):
    with server.client() as c:
        for i in range(60):
            client, _ = blocked(server, 'BLPOP', f'q{i}', '0')
            client.close()
            c.ok('RPUSH', f'q{i}', 'x')
            eventually(lambda: info(c, 'blocked_clients') == '0')
        assert [c.ok('LLEN', f'q{i}') for i in range(60)] == [1] * 60
