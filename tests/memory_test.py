"""Time and memory as clients see them: expired keys are gone for everybody, `maxmemory` holds under every policy, what
is freed comes back, and neither expiry nor freeing keeps others waiting.

Where a test is of time, a busy machine may spoil a measurement but not all of several: the best of a few attempts
counts. The bounds lie far below what the work would take if it were done in one go.
"""

import multiprocessing
import os
import pathlib
import random
import re
import sys
import threading
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness                                                    # noqa: E402
from persist_test import oracle_only                              # noqa: E402

MIB = 1 << 20


@pytest.fixture(scope='module')
def server():
    with harness.peer('vitrine') as s:
        at_once(s.pid)
        yield s


@pytest.fixture
def client(server):
    with server.client(timeout=60) as c:
        c.ok('DEBUG', 'SET-ACTIVE-EXPIRE', '1')
        c.ok('CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction')
        c.ok('FLUSHALL')
        settled(c, 'lazyfree_pending_objects', lambda n: n == 0)
        yield c
        c.ok('DEBUG', 'SET-ACTIVE-EXPIRE', '1')


def info(client, *sections):
    text = client.ok('INFO', *sections).decode()
    return dict(line.split(':', 1) for line in text.split('\r\n') if ':' in line)


def number(client, field):
    return int(info(client, 'everything')[field])


def settled(client, field, good, seconds=10.0):
    """The field's value once good(value), or the last one seen."""
    end = time.monotonic() + seconds
    while True:
        value = number(client, field)
        if good(value) or time.monotonic() > end:
            return value
        time.sleep(0.005)


# ---- expired keys -----------------------------------------------------------------------------------------------

# K is the key, D a key that is not there, and list, set, zset, hash, str are live keys of those types. What is not
# named here is called with its key and as many ones as it asks for.
TEMPLATES = '''
append K v|bitcount K|blmove K D left right 0.01|blmove list K left right 0.01|blmpop 0.01 1 K left|blpop K 0.01
brpop K 0.01|brpoplpush K D 0.01|brpoplpush list K 0.01|bzmpop 0.01 2 K D min|bzpopmax K 0.01|bzpopmin K 0.01
copy K D|copy str K|copy K D replace|decr K|decrby K 3|del K|del K K D|delifeq K v|dump K|exists K K D|expire K 100
expire K 100 nx|expire K 100 xx|expire K 100 gt|expireat K 99999999999|pexpire K 100000|pexpireat K 99999999999999
pexpire K 1|expiretime K|pexpiretime K|ttl K|pttl K|persist K|get K|getdel K|getex K ex 100|getex K persist
getrange K 0 -1|getset K v|substr K 0 -1|strlen K|set K v|set K v nx|set K v xx|set K v get|set K v keepttl
set K v nx get|set K v ifeq v|setex K 100 v|psetex K 100000 v|setnx K v|setrange K 3 v|setrange K 0 |incr K|incrby K 5
incrbyfloat K 1.5|mget K str K|mset K v D v|msetnx K v D v|msetex 2 K v D v nx|msetex 1 K v xx|msetex 1 K v keepttl
lcs K str|lcs str K len|hset K f v|hmset K f v|hsetnx K f v|hget K f|hmget K f g|hgetall K|hkeys K|hvals K|hlen K
hexists K f|hstrlen K f|hdel K f|hincrby K f 2|hincrbyfloat K f 2.5|hrandfield K|hrandfield K 5 withvalues|hscan K 0
hexpire K 100 fields 1 f|hexpireat K 99999999999 fields 1 f|hpexpire K 100000 fields 1 f
hpexpireat K 99999999999999 fields 1 f|httl K fields 1 f|hpttl K fields 1 f|hexpiretime K fields 1 f
hpexpiretime K fields 1 f|hpersist K fields 1 f|hgetdel K fields 1 f|hgetex K fields 1 f|hsetex K fields 1 f v
hsetex K fxx fields 1 f v|hsetex K fnx fields 1 f v|lindex K 0|linsert K before a b|llen K|lmove K D left right
lmove list K left right|lmpop 2 K list left|lpop K|lpop K 3|lpos K a|lpush K a b|lpushx K a|lrange K 0 -1|lrem K 0 a
lset K 0 v|ltrim K 0 1|rpop K|rpop K 2|rpoplpush K D|rpoplpush list K|rpush K a|rpushx K a|memory usage K
object encoding K|object freq K|object idletime K|object refcount K|move K 9|rename K D|rename str K|renamenx K D
renamenx str K|restore K 0 PAYLOAD|sadd K a b|scard K|sdiff K set|sdiff set K|sdiffstore D set K|sdiffstore K set D
sinter set K|sintercard 2 set K|sinterstore D set K|sinterstore K set set|sismember K a|smembers K|smismember K a b
smove K D a|smove set K a|sort K|sort K store D|sort list alpha store K|sort_ro K|spop K|spop K 2|srandmember K
srandmember K 3|srem K a|sscan K 0|sunion K set|sunionstore D K set|sunionstore K set D|touch K K D|type K|unlink K
watch K|zadd K 1 a|zadd K xx 1 a|zadd K incr 1 a|zadd K nx ch 1 a|zcard K|zcount K -inf +inf|zdiff 2 K zset
zdiff 2 zset K withscores|zdiffstore D 2 zset K|zdiffstore K 2 zset D|zincrby K 2 a|zinter 2 K zset|zintercard 2 K zset
zinterstore D 2 K zset|zinterstore K 2 zset zset|zlexcount K - +|zmpop 2 K zset min|zmscore K a b|zpopmax K
zpopmin K 2|zrandmember K|zrandmember K 3 withscores|zrange K 0 -1|zrange K -inf +inf byscore|zrangebylex K - +
zrangebyscore K -inf +inf|zrangestore D K 0 -1|zrangestore K zset 0 -1|zrank K a|zrem K a|zremrangebylex K - +
zremrangebyrank K 0 -1|zremrangebyscore K -inf +inf|zrevrange K 0 -1|zrevrangebylex K + -|zrevrangebyscore K +inf -inf
zrevrank K a|zscan K 0|zscore K a|zunion 2 K zset withscores|zunionstore D 2 K zset|zunionstore K 2 zset D
'''

LIVE = {'list': ('RPUSH', 'a', 'b', 'c'), 'set': ('SADD', 'a', 'b', 'c'), 'zset': ('ZADD', '1', 'a', '2', 'b'),
        'hash': ('HSET', 'f', 'v', 'g', 'w'), 'str': ('SET', 'v')}
MORE = {'int': ('SET', '12'), 'hashtable': ('SADD', *(f'm{i}' for i in range(600)))}


def templates(client):
    """The templates, and one for each command with a key that has none."""
    known = [line.strip('\n') for line in re.split(r'[|\n]', TEMPLATES) if line]
    named = {' '.join(t.split(' ')[:n]) for t in known for n in (1, 2)}
    for command in client.ok('COMMAND'):
        for name, arity, _, first, *_ in [command[:6]] + [sub[:6] for sub in command[9]]:
            words = name.decode().replace('|', ' ')
            if first > 0 and words not in named and not words.startswith(('ssub', 'sunsub', 'spub')):   # no keys
                args = words.split(' ') + ['1'] * max(0, abs(arity) - len(words.split(' ')))
                known.append(' '.join(args[:first] + ['K'] + args[first + 1:]))
    return known


def fill(template, side, i, payload):
    """(the command, the live keys it names, all its keys) for one side: `gone` or `none`."""
    names = {word: f'{side}:{word}:{i}' for word in ('K', 'D', *LIVE)}
    words = template.split(' ')
    command = [payload if w == 'PAYLOAD' else names.get(w, w) for w in words]
    return command, [w for w in words if w in LIVE], sorted({names[w] for w in words if w in names})


def test_no_command_sees_an_expired_key(client):
    client.ok('SET', 'p', 'payload')
    payload = client.ok('DUMP', 'p')
    client.ok('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
    cases = [(t, kind) for t in templates(client) for kind in (*LIVE, *MORE)]
    prepare, commands, keys = [], {'gone': [], 'none': []}, {'gone': [], 'none': []}
    for i, (template, kind) in enumerate(cases):
        verb, *args = (LIVE | MORE)[kind]
        prepare += [(verb, f'gone:K:{i}', *args), ('PEXPIRE', f'gone:K:{i}', '1')]
        for side in ('gone', 'none'):
            command, live, names = fill(template, side, i, payload)
            prepare += [(LIVE[w][0], f'{side}:{w}:{i}', *LIVE[w][1:]) for w in live]
            commands[side].append(command)
            keys[side].append(names)
    for start in range(0, len(prepare), 1000):
        assert not any(isinstance(r, harness.Error) for r in client.pipeline(prepare[start:start + 1000]))
    time.sleep(0.02)
    assert client.ok('DBSIZE') > len(cases)                       # they are all held still
    wrong = []
    for i, (template, kind) in enumerate(cases):
        seen = []
        for side in ('none', 'gone'):
            reply = client.raw(*commands[side][i])
            client.call('UNWATCH')
            after = [(client.call('TYPE', k), client.call('DEBUG', 'DIGEST-VALUE', k), client.call('TTL', k))
                     for k in keys[side][i]]
            seen.append(re.sub('gone:|none:', '', repr((reply, after))))
        if seen[0] != seen[1] and 'rand' not in template and 'spop' not in template:
            wrong.append(f'{template} on an expired {kind}: {seen[1]}, on none: {seen[0]}')
    assert not wrong, '\n'.join(wrong[:20])


def test_nothing_that_looks_at_all_keys_sees_an_expired_one(client):
    client.ok('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
    client.pipeline([('SET', f'gone:{i}', 'v', 'PX', '1') for i in range(200)])
    client.ok('RPUSH', 'order', '1', '2', '3')
    client.pipeline([('SET', f'weight_{i}', str(9 - i)) for i in (1, 2, 3)])
    client.ok('PEXPIRE', 'weight_1', '1')
    client.ok('HSET', 'h', 'stays', 'v', 'goes', 'v')
    client.ok('HPEXPIRE', 'h', '1', 'FIELDS', '1', 'goes')
    time.sleep(0.02)
    live = {b'order', b'weight_2', b'weight_3', b'h'}
    assert client.ok('HGETALL', 'h') == [b'stays', b'v'] and client.ok('HLEN', 'h') in (1, 2)
    assert client.ok('HSCAN', 'h', '0')[1] == [b'stays', b'v']
    assert client.ok('SORT', 'order', 'BY', 'weight_*', 'GET', 'weight_*') == [None, b'6', b'7']
    cursor, seen = b'0', []
    while True:
        cursor, part = client.ok('SCAN', cursor, 'COUNT', '7')
        seen += part
        if cursor == b'0':
            break
    assert set(seen) == live
    client.ok('SET', 'soon', 'v', 'PX', '1')
    time.sleep(0.005)
    assert set(client.ok('KEYS', '*')) == live
    assert {client.ok('RANDOMKEY') for _ in range(100)} <= live
    client.ok('DEL', *live)
    client.pipeline([('SET', f'gone:{i}', 'v', 'PX', '1') for i in range(200)])
    time.sleep(0.01)
    assert client.ok('RANDOMKEY') is None


@pytest.mark.parametrize('peer', ['vitrine', pytest.param('oracle', marks=oracle_only)])
def test_time_goes_on_within_a_pipeline(peer):
    sleep = ['DEBUG', 'SLEEP', '0.1']
    with harness.peer(peer) as s, s.client() as c:
        began_ms = 1000 * time.time()
        replies = c.pipeline([['SET', 'short', 'v', 'PX', 50], sleep, sleep, sleep, ['GET', 'short'],
                              ['SET', 'long', 'v', 'PX', 1000], ['PEXPIRETIME', 'long']])
        assert replies[4] is None, 'expired while others slept'
        assert replies[6] >= began_ms + 1290, 'counted from its own command'
        # Within a transaction or a script it stands still.
        c.ok('SET', 'short', 'v', 'PX', 50)
        replies = c.pipeline([['MULTI'], ['GET', 'short'], sleep, ['GET', 'short'], ['EXEC'], ['GET', 'short']])
        assert replies[4] == [b'v', b'OK', b'v'] and replies[5] is None


def test_a_watched_key_that_expires_spoils_no_transaction_before_its_time(client):
    client.ok('SET', 'k', 'v', 'PX', '100000')
    client.ok('WATCH', 'k'), client.ok('MULTI'), client.ok('GET', 'k')
    assert client.ok('EXEC') == [b'v']
    client.ok('PEXPIRE', 'k', '30')
    client.ok('WATCH', 'k')
    time.sleep(0.06)
    client.ok('MULTI'), client.ok('GET', 'k')
    assert client.ok('EXEC') in (None, [None])


def at_once(pid):
    """The thread that executes waits for no other program, where that is allowed."""
    try:
        os.sched_setscheduler(pid, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        pass


def as_all(pid):
    try:
        os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
    except OSError:
        pass


def ping(port, pipe):
    at_once(0)
    longest = 0.0
    with harness.Client(port) as c:
        c.ok('PING')
        pipe.send('ready')
        while not pipe.poll():
            for _ in range(20):
                began = time.perf_counter()
                c.ok('PING')
                longest = max(longest, (time.perf_counter() - began) * 1e3)
            time.sleep(0.0005)
    pipe.send(round(longest, 2))


class Pinger:
    """Pings from a process of its own; `longest` is the longest answer in milliseconds."""

    def __init__(self, server):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=ping, args=(server.port, theirs), daemon=True)

    def __enter__(self):
        self.process.start()
        self.pipe.recv()
        return self

    def __exit__(self, *_):
        self.pipe.send('stop')
        self.longest = self.pipe.recv()
        self.process.join()


def best_of(attempts, good, measure):
    """The first good measurement, else the last of all."""
    seen = []
    for _ in range(attempts):
        seen.append(measure())
        if good(seen[-1]):
            return
    raise AssertionError(f'{attempts} attempts: {seen}')


def due_at_once(server, client, count):
    """(longest answer in ms, longest stall of the server in ms, its cause, seconds until all were reclaimed)"""
    client.ok('FLUSHALL')
    due_ms = int(time.time() * 1000) + 2000 + count // 200
    command = b'*5\r\n$3\r\nSET\r\n$13\r\ndue:%09d\r\n$1\r\nv\r\n$4\r\nPXAT\r\n$13\r\n%d\r\n'
    for start in range(0, count, 5000):
        client.send_bytes(b''.join(command % (i, due_ms) for i in range(start, start + 5000)))
        assert {client.raw_reply() for _ in range(5000)} == {('+', b'OK')}
    if client.ok('DBSIZE') < count or time.time() * 1000 > due_ms - 100:
        return None                                               # loading took too long
    figures = info(client, 'stats')
    assert figures['expired_due_keys'] == '0' and figures['expired_due_age_ms'] == '0'
    expired = int(figures['expired_keys'])
    time.sleep(max(0, due_ms / 1000 - time.time() - 0.4))
    client.ok('CONFIG', 'RESETSTAT')
    keys, ages = [], []
    with Pinger(server) as pinger:
        at_once(0)                                                # or it would not be asked in time how late it is
        end = time.monotonic() + 60
        while time.monotonic() < end and (time.time() * 1000 < due_ms or client.ok('DBSIZE')):
            figures = info(client, 'stats')
            keys.append(int(figures['expired_due_keys'])), ages.append(int(figures['expired_due_age_ms']))
            time.sleep(0.001)
        as_all(0)
        took = time.time() - due_ms / 1000
        figures = info(client, 'stats')
    assert client.ok('DBSIZE') == 0
    assert figures['expired_due_keys'] == '0' and figures['expired_due_age_ms'] == '0'
    assert int(figures['expired_keys']) in (count, count + expired)
    if not keys or max(keys) < count // 20:
        return None                                               # not asked in time to watch it
    assert max(ages) > 0                                          # it has shown how late it was
    assert int(figures['expired_time_cap_reached_count']) > count // 10_000   # many slices, none of them long
    assert max(ages) < took * 1000 + 500
    return (round(pinger.longest, 2), int(figures['longest_stall_us']) / 1000, figures['longest_stall_cause'],
            round(took, 2))


def test_many_keys_due_at_once_keep_nobody_waiting(server, client, request):
    count = 1_000_000 if request.config.getoption('--slow') else 200_000

    def measure():
        result = due_at_once(server, client, count)
        print(result)
        return result

    # In one go it would take some 100 ms for 200,000; in slices of half a millisecond, half a second or so.
    best_of(6, lambda r: r and r[0] < 4 and r[1] < 3 and r[3] < 3 * count / 200_000, measure)


# ---- maxmemory --------------------------------------------------------------------------------------------------

POLICIES = ('allkeys-lru', 'allkeys-lfu', 'allkeys-lrm', 'allkeys-random', 'volatile-lru', 'volatile-lfu',
            'volatile-lrm', 'volatile-ttl', 'volatile-random')
BUFFERS = 64 << 10                     # of the commands in hand, and of INFO itself


def writes(policy, chance, count):
    for _ in range(count):
        key = f'key:{chance.randrange(100_000)}'
        size = chance.choice((1, 20, 100, 500, 2000, chance.randrange(60_000)))
        kind = chance.randrange(10)
        if kind == 0:
            yield ('RPUSH', 'l' + key, *('x' * (size % 400) for _ in range(8)))
        elif kind == 1:
            yield ('HSET', 'h' + key, *(w for i in range(20) for w in (f'field{i}', 'x' * (size % 90))))
        else:
            yield ('SET', key, 'x' * size, 'PX', 10_000 + chance.randrange(10_000_000))
        if kind < 2 and policy.startswith('volatile'):
            yield ('PEXPIRE', ('l' if kind == 0 else 'h') + key, 10_000 + chance.randrange(10_000_000))


@pytest.mark.parametrize('policy', POLICIES)
def test_memory_stays_within_the_limit(server, client, policy):
    limit = number(client, 'used_memory') + 12 * MIB
    client.ok('CONFIG', 'SET', 'maxmemory', limit, 'maxmemory-policy', policy)
    evicted = number(client, 'evicted_keys')
    trouble = []

    def write(seed):
        chance = random.Random(seed)
        with server.client(timeout=60) as c:
            for _ in range(60):
                replies = c.pipeline(list(writes(policy, chance, 30)))
                trouble.extend(r for r in replies if isinstance(r, harness.Error))

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    above = []
    for w in writers:
        w.start()
    while any(w.is_alive() for w in writers):
        above.append(number(client, 'used_memory') - limit)
    for w in writers:
        w.join()
    assert not trouble, trouble[:3]
    # Commands of the writers may be in hand at the same time: 30 of up to 60,000 bytes each in the worst case, and the
    # reply comes only after room was made.
    assert max(above) < 3 * 30 * 60_000 // 4, max(above)
    assert sorted(above)[len(above) * 9 // 10] <= BUFFERS
    got = info(client, 'everything')
    assert int(got['used_memory']) - limit <= BUFFERS
    assert int(got['evicted_keys']) - evicted > 500
    assert int(got['used_memory']) > limit * 8 // 10 and client.ok('DBSIZE') > 100
    # One at a time: never above when a reply has come.
    chance = random.Random(policy)
    for n, command in enumerate(writes(policy, chance, 1500)):
        client.ok(*command)
        if n % 10 == 0:
            assert number(client, 'used_memory') - limit <= BUFFERS
    # A lower limit is reached soon, and by what the policy says.
    client.ok('CONFIG', 'SET', 'maxmemory', limit - 6 * MIB)
    assert settled(client, 'used_memory', lambda used: used <= limit - 6 * MIB + BUFFERS) <= limit - 6 * MIB + BUFFERS


@pytest.mark.parametrize('policy', ['volatile-lru', 'volatile-lrm', 'volatile-ttl', 'volatile-random', 'volatile-lfu'])
def test_volatile_policies_spare_keys_without_a_time(client, policy):
    limit = number(client, 'used_memory') + 4 * MIB
    client.ok('CONFIG', 'SET', 'maxmemory', limit, 'maxmemory-policy', policy)
    stays = [f'stays:{i}' for i in range(1000)]
    client.pipeline([('SET', k, 'x' * 1000) for k in stays])
    client.pipeline([('SET', f'goes:{i}', 'x' * 1000, 'EX', '10000') for i in range(5000)])
    assert client.ok('EXISTS', *stays) == 1000
    client.pipeline([('DEL', *client.ok('KEYS', 'goes:*'))])
    refused = [r for r in client.pipeline([('SET', f'more:{i}', 'x' * 1000) for i in range(5000)])
               if isinstance(r, harness.Error)]
    assert refused and all(r.startswith(b'OOM command not allowed') for r in refused)
    assert number(client, 'used_memory') <= limit + BUFFERS


def test_noeviction_refuses_writes_and_lets_the_rest_through(client):
    limit = number(client, 'used_memory') + 4 * MIB
    client.ok('CONFIG', 'SET', 'maxmemory', limit, 'maxmemory-policy', 'noeviction')
    evicted = number(client, 'evicted_keys')
    replies = [client.call('SET', f'key:{i}', 'x' * 5000) for i in range(1200)]
    full = replies.index(b'OOM command not allowed when used memory > \'maxmemory\'.')
    assert 600 < full < 840 and all(isinstance(r, harness.Error) for r in replies[full:])
    assert number(client, 'used_memory') <= limit + BUFFERS
    for command in (('APPEND', 'key:1', 'y'), ('LPUSH', 'l', 'x'), ('HSET', 'h', 'f', 'v'), ('SADD', 's', 'x'),
                    ('ZADD', 'z', '1', 'x'), ('INCR', 'n'), ('COPY', 'key:1', 'key:2', 'REPLACE')):
        assert client.call(*command).startswith(b'OOM '), command
    assert client.ok('GET', 'key:1') == b'x' * 5000
    assert client.ok('EXISTS', 'key:1', 'nosuch') == 1 and client.ok('TTL', 'key:1') == -1
    assert client.ok('EXPIRE', 'key:1', '1000') == 1 and client.ok('RENAME', 'key:1', 'key:0') == b'OK'
    client.ok('MULTI')
    assert client.call('SET', 'a', 'b').startswith(b'OOM ')
    assert client.call('EXEC').startswith(b'EXECABORT')
    assert client.ok('DEL', *(f'key:{i}' for i in range(2, 20))) == 18
    assert client.ok('SET', 'key:2', 'fits again') == b'OK'
    got = info(client, 'everything')
    assert int(got['evicted_keys']) == evicted and 'errorstat_OOM' in got


# ---- freeing ----------------------------------------------------------------------------------------------------

def put_big(client, key, count):
    for start in range(0, count, 5000):
        client.ok('SADD', key, *(f'member:{i:010}' for i in range(start, start + 5000)))


def expire_soon(client, key):
    client.ok('PEXPIRE', key, '20')
    time.sleep(0.05)


FREEING = {'del': lambda c, k: c.ok('DEL', k), 'unlink': lambda c, k: c.ok('UNLINK', k),
           'flushall-async': lambda c, _: c.ok('FLUSHALL', 'ASYNC'), 'flushdb': lambda c, _: c.ok('FLUSHDB'),
           'overwritten': lambda c, k: c.ok('SET', k, 'v'), 'renamed-over': lambda c, k: c.ok('RENAME', 'other', k),
           'stored-over': lambda c, k: c.ok('SINTERSTORE', k, 'nosuch'), 'expiry': expire_soon}


@pytest.mark.parametrize('how', FREEING)
def test_freeing_a_large_value_blocks_nobody(server, client, how, request):
    count = 5_000_000 if request.config.getoption('--slow') else 500_000

    def measure():
        base = number(client, 'used_memory')
        put_big(client, 'big', count)
        client.ok('SET', 'other', 'v')
        grown = number(client, 'used_memory')
        assert grown - base > count * 20
        client.ok('CONFIG', 'RESETSTAT')
        with Pinger(server) as pinger:
            FREEING[how](client, 'big')
            time.sleep(0.1)
            left = settled(client, 'used_memory', lambda used: used - base < 200_000, 30)
        assert left - base < 200_000
        assert settled(client, 'lazyfree_pending_objects', lambda left: left == 0, 5) == 0
        assert number(client, 'lazyfreed_objects') >= 1
        figures = info(client, 'stats')
        client.ok('FLUSHALL')
        return round(pinger.longest, 2), int(figures['longest_stall_us']) / 1000, figures['longest_stall_cause']

    # Half a million frees in one go take 16 ms and more.
    best_of(6, lambda r: r[0] < 5 and r[1] < 4, measure)


def test_a_large_string_goes_without_a_pause(server, client):
    def measure():
        client.ok('SETRANGE', 'big', (256 << 20) - 1, 'x')
        client.ok('CONFIG', 'RESETSTAT')
        with Pinger(server) as pinger:
            client.ok('DEL', 'big')
            settled(client, 'lazyfree_pending_objects', lambda n: n == 0)
        return pinger.longest, number(client, 'longest_stall_us') / 1000

    best_of(6, lambda r: r[0] < 5 and r[1] < 4, measure)          # the kernel takes 20 ms and more


def fill_all_types(client, chance):
    client.pipeline([('SET', f's:{i}', 'x' * chance.randrange(2000), 'EX', 1000 + i) for i in range(3000)])
    for i in range(300):
        client.pipeline([
            ('RPUSH', f'l:{i}', *('x' * chance.randrange(200) for _ in range(chance.randrange(1, 200)))),
            ('HSET', f'h:{i}', *(w for j in range(chance.randrange(1, 900)) for w in (f'f{j}', 'v'))),
            ('SADD', f't:{i}', *(f'm{j}' for j in range(chance.randrange(1, 300)))),
            ('SADD', f'i:{i}', *(str(j * 7) for j in range(chance.randrange(1, 900)))),
            ('ZADD', f'z:{i}', *(w for j in range(chance.randrange(1, 300)) for w in (j, f'm{j}'))),
            ('HPEXPIRE', f'h:{i}', '1000000', 'FIELDS', '1', 'f0')])


@pytest.mark.parametrize('write', [('SET', 'k', 'other'), ('SET', 'k', 'other', 'KEEPTTL'), ('MSET', 'k', '2'),
                                   ('SUNIONSTORE', 'k', 'set'), ('BITOP', 'NOT', 'k', 'k'), ('SET', 'k', 'x' * 2000)])
def test_overwriting_is_using(client, write):
    client.ok('FLUSHALL')
    client.ok('SADD', 'set', 'a')
    client.ok('SET', 'k', 'a')
    client.ok('RESTORE', 'k', 0, client.ok('DUMP', 'k'), 'REPLACE', 'IDLETIME', 1000)
    assert client.ok('OBJECT', 'IDLETIME', 'k') >= 999
    client.ok(*write)
    assert client.ok('OBJECT', 'IDLETIME', 'k') < 100


@pytest.mark.parametrize('mode', ['SYNC', 'ASYNC'])
def test_memory_returns_to_where_it_was(client, mode):
    fill_all_types(client, random.Random(1))                      # buffers and tables of the server's own have grown
    client.ok('FLUSHALL', 'SYNC')
    settled(client, 'lazyfree_pending_objects', lambda n: n == 0)
    time.sleep(0.2)
    base = number(client, 'used_memory')
    fill_all_types(client, random.Random(2))
    assert number(client, 'used_memory') > base + 5 * MIB
    client.ok('FLUSHALL', mode)
    left = settled(client, 'used_memory', lambda used: abs(used - base) < 32_768)
    assert abs(left - base) < 32_768
    # The same by deleting each.
    fill_all_types(client, random.Random(3))
    for key in client.ok('KEYS', '*'):
        client.ok('DEL', key)
    left = settled(client, 'used_memory', lambda used: abs(used - base) < 65_536)
    assert abs(left - base) < 65_536


def test_fragmentation_is_what_the_kernel_says():
    # A server of its own: what earlier tests have freed stays with the allocator for a while.
    with harness.peer('vitrine') as server, server.client(timeout=60) as client:
        client.pipeline([('SET', f'key:{i}', 'x' * 400) for i in range(150_000)])
        time.sleep(0.2)
        got = info(client, 'memory')
        rss, used = int(got['used_memory_rss']), int(got['used_memory'])
        assert abs(rss - server.rss_kb() * 1024) < 4 * MIB
        assert abs(float(got['mem_fragmentation_ratio']) - rss / used) < 0.02
        assert int(got['mem_fragmentation_bytes']) == rss - used
        if not got['mem_allocator'].startswith('jemalloc'):
            return   # a sanitizer's allocator keeps as much again for itself, and what is freed for a while
        assert 0.95 < rss / used < 1.5
        client.ok('FLUSHALL')
        settled(client, 'lazyfree_pending_objects', lambda n: n == 0)
        client.ok('MEMORY', 'PURGE')
        assert settled(client, 'used_memory_rss', lambda n: n < rss // 2) < rss // 2


GROUPS = {'string': lambda n: ('SET', 'k', 'x' * n), 'list': lambda n: ('RPUSH', 'k', *(f'item{i}' for i in range(n))),
          'hash': lambda n: ('HSET', 'k', *(w for i in range(n) for w in (f'field{i}', f'value{i}'))),
          'set': lambda n: ('SADD', 'k', *(f'member{i}' for i in range(n))),
          'intset': lambda n: ('SADD', 'k', *(str(i) for i in range(n))),
          'zset': lambda n: ('ZADD', 'k', *(w for i in range(n) for w in (i * 7 % 1000, f'member{i}')))}


@pytest.mark.parametrize('kind', GROUPS)
def test_memory_usage_is_the_growth_of_used_memory(client, kind):
    for n in (100, 3000, 60_000):
        client.ok(*GROUPS[kind](n))                               # once before, for the buffers
        client.ok('DEL', 'k')
        settled(client, 'lazyfree_pending_objects', lambda pending: pending == 0)
        time.sleep(0.05)
        base = number(client, 'used_memory')
        client.ok(*GROUPS[kind](n))
        usage = client.ok('MEMORY', 'USAGE', 'k', 'SAMPLES', '0')
        client.ok('PING')
        grown = settled(client, 'used_memory', lambda used: abs(used - base - usage) < usage / 20 + 2000, 2) - base
        assert abs(grown - usage) < usage / 20 + 2000, (n, grown, usage)
        sampled = client.ok('MEMORY', 'USAGE', 'k')
        assert abs(sampled - usage) < usage / 4 + 200
        client.ok('DEL', 'k')


@pytest.mark.parametrize('depth', [1, 3])
def test_lists_are_compressed_between_their_ends(client, depth):
    items = [f'{i:06} the quick brown fox jumps over the lazy dog' for i in range(50000)]

    def fill(key):
        for i in range(0, len(items), 1000):
            client.ok('RPUSH', key, *items[i:i + 1000])
        return client.ok('MEMORY', 'USAGE', key)

    plain = fill('plain')
    client.ok('CONFIG', 'SET', 'list-compress-depth', depth)
    try:
        assert fill('small') < plain / 3
        client.ok('LSET', 'small', 30000, 'other')
        client.ok('LINSERT', 'small', 'BEFORE', items[20000], 'between')
        assert client.ok('LREM', 'small', 0, items[10000]) == 1
        items[30000:30001], items[20000:20000] = ['other'], ['between']
        del items[10000]
        assert client.ok('LRANGE', 'small', 0, -1) == [x.encode() for x in items]
        assert client.ok('LINDEX', 'small', 25000) == items[25000].encode()
        assert client.ok('SORT', 'small', 'ALPHA', 'LIMIT', 0, 3) == [x.encode() for x in sorted(items)[:3]]
        payload = client.ok('DUMP', 'small')
        client.ok('RESTORE', 'again', 0, payload)
        assert client.ok('DEBUG', 'DIGEST-VALUE', 'again') == client.ok('DEBUG', 'DIGEST-VALUE', 'small')
        assert client.ok('MEMORY', 'USAGE', 'again') < plain / 3
    finally:
        client.ok('CONFIG', 'SET', 'list-compress-depth', 0)
