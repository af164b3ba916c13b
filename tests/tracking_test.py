"""Client-side caching: CLIENT TRACKING and what follows from it, over real connections."""

import random
import time

import pytest

from harness import Error, Map, Push, SetReply, peer
from subject import PEER
ALL_KEYS = [b'invalidate', None]


@pytest.fixture(scope='module')
def server():
    with peer(PEER) as s:
        yield s
        assert s.alive(), s.log()


@pytest.fixture
def admin(server):
    with server.client() as c:
        c.ok('FLUSHALL')
        c.ok('CONFIG', 'SET', 'tracking-table-max-keys', 1000000)
        yield c


def keys(*names):
    return [b'invalidate', list(names)]


def pushes_before_pong(client):
    """What was pushed until now: the reply of PING ends it."""
    client.send('PING', 'mark')
    found = []
    while True:
        reply = client.reply()
        if reply == b'mark':
            return found
        assert isinstance(reply, Push), reply
        found.append(list(reply))


def info(admin, name):
    fields = dict(x.split(':', 1) for x in admin.ok('INFO', 'everything').decode().splitlines() if ':' in x)
    return int(fields[name])


def eventually(true, seconds=5):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, 'it does not come'
        time.sleep(0.01)


def test_a_key_that_was_read_is_told_once(server, admin):
    with server.client(resp3=True) as c:
        c.ok('CLIENT', 'TRACKING', 'ON')
        assert c.call('GET', 'a') is None and c.call('MGET', 'b', 'a') == [None, None]
        assert info(admin, 'tracking_total_keys') == 2 and info(admin, 'tracking_total_items') == 2
        assert info(admin, 'tracking_clients') == 1
        admin.ok('SET', 'a', 1)
        admin.ok('SET', 'a', 2)
        admin.ok('SET', 'other', 2)
        assert pushes_before_pong(c) == [keys(b'a')]
        assert info(admin, 'tracking_total_keys') == 1
        c.ok('CLIENT', 'TRACKING', 'OFF')
        admin.ok('SET', 'b', 2)
        assert pushes_before_pong(c) == []
        assert info(admin, 'tracking_clients') == 0


@pytest.mark.parametrize('change', [
    ['DEL', 'k'], ['UNLINK', 'k'], ['RENAME', 'k', 'k2'], ['RENAME', 'other', 'k'], ['MOVE', 'k', '1'],
    ['EXPIRE', 'k', 100],
    ['PERSIST', 't'], ['APPEND', 'k', 'x'], ['COPY', 'other', 'k', 'REPLACE'], ['GETDEL', 'k'], ['PEXPIRE', 'k', 0],
    ['SORT', 'list', 'STORE', 'k'], ['SETEX', 'k', 100, 'v'], ['GETEX', 'k', 'EX', 100], ['HSET', 'h', 'f', 1],
    ['LPUSH', 'list', 1], ['XADD', 's', '*', 'a', 'b'], ['SETRANGE', 'k', 2, 'xx'], ['MSET', 'k', 1, 'n', 1],
    ['BITOP', 'NOT', 'k', 'other'], ['SUNIONSTORE', 'k', 'none'], ['LMOVE', 'list', 'k3', 'LEFT', 'LEFT']])
def test_every_way_to_change_a_key(server, admin, change):
    admin.ok('MSET', 'k', 'v', 'other', 'w')
    admin.ok('SET', 't', 'v', 'EX', 100)
    admin.ok('RPUSH', 'list', 3, 2, 1)
    read = ('k', 'k2', 'other', 't', 'list', 'h', 's', 'n', 'k3')
    with server.client(resp3=True) as c:
        c.ok('CLIENT', 'TRACKING', 'ON')
        dumps = {name: c.call('DUMP', name) for name in read}
        times = {name: c.call('PEXPIRETIME', name) for name in read}
        admin.ok(*change)
        told = {name for _, names in pushes_before_pong(c) for name in names}
        now = {name: (admin.call('DUMP', name), admin.call('PEXPIRETIME', name)) for name in read}
        changed = {name.encode() for name in read if (dumps[name], times[name]) != now[name]}
        assert changed and changed <= told, (changed, told)


def test_expiry(server, admin):
    with server.client(resp3=True) as c:
        c.ok('CLIENT', 'TRACKING', 'ON')
        admin.ok('SET', 'a', 1, 'PX', 30)
        assert c.call('GET', 'a') == b'1'
        push = c.reply()                          # nobody asks for the key: it comes all the same
        assert isinstance(push, Push) and push == keys(b'a')


def test_eviction(server, admin):
    with server.client(resp3=True) as c:
        c.ok('CLIENT', 'TRACKING', 'ON')
        for i in range(200):
            admin.ok('SET', f'key:{i}', 'x' * 2000)
            c.ok('GET', f'key:{i}')
        admin.ok('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random')
        admin.ok('CONFIG', 'SET', 'maxmemory', max(1, info(admin, 'used_memory') - 200 * 1000))
        try:
            admin.call('SET', 'one', 'more')
            eventually(lambda: info(admin, 'evicted_keys') > 0)
            admin.ok('CONFIG', 'SET', 'maxmemory', 0)
            told = {names[0] for _, names in pushes_before_pong(c)}
            gone = {b'key:%d' % i for i in range(200) if admin.call('EXISTS', f'key:{i}') == 0}
            assert gone and gone <= told
        finally:
            admin.ok('CONFIG', 'SET', 'maxmemory', 0)
            admin.ok('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')


@pytest.mark.parametrize('flush', [['FLUSHALL'], ['FLUSHDB'], ['FLUSHALL', 'ASYNC']])
def test_flush_tells_of_all_keys(server, admin, flush):
    with server.client(resp3=True) as c:
        c.ok('CLIENT', 'TRACKING', 'ON')
        c.ok('SET', 'a', 1)
        c.ok('GET', 'a')
        admin.ok(*flush)
        assert pushes_before_pong(c) == [ALL_KEYS]
        assert info(admin, 'tracking_total_keys') == 0


def test_own_changes_and_noloop(server, admin):
    with server.client(resp3=True) as c:
        c.ok('CLIENT', 'TRACKING', 'ON')
        c.ok('SET', 'a', 1)
        c.ok('GET', 'a')
        c.send('SET', 'a', 2)
        assert c.reply() == b'OK' and c.reply() == keys(b'a')      # behind the reply
        c.ok('CLIENT', 'TRACKING', 'ON', 'NOLOOP')
        c.ok('GET', 'a')
        c.ok('SET', 'a', 2)
        assert pushes_before_pong(c) == []
        c.ok('GET', 'a')
        admin.ok('SET', 'a', 3)
        assert pushes_before_pong(c) == [keys(b'a')]


def test_opt_in_and_opt_out(server, admin):
    with server.client(resp3=True) as c:
        assert isinstance(c.call('CLIENT', 'CACHING', 'YES'), Error)
        c.ok('CLIENT', 'TRACKING', 'ON', 'OPTIN')
        c.ok('MGET', 'a', 'b')
        c.ok('CLIENT', 'CACHING', 'YES')
        c.ok('MGET', 'b', 'c')
        c.ok('MGET', 'd')
        c.ok('CLIENT', 'CACHING', 'YES')
        assert c.pipeline([['MULTI'], ['GET', 'e'], ['GET', 'f'], ['EXEC']])[-1] == [None, None]
        admin.ok('MSET', 'a', 1, 'b', 1, 'c', 1, 'd', 1, 'e', 1, 'f', 1)
        assert pushes_before_pong(c) == [keys(x) for x in (b'b', b'c', b'e', b'f')]
        c.ok('CLIENT', 'TRACKING', 'OFF')
        c.ok('CLIENT', 'TRACKING', 'ON', 'OPTOUT')
        c.ok('CLIENT', 'CACHING', 'NO')
        c.ok('MGET', 'a', 'b')
        c.ok('MGET', 'b', 'c')
        admin.ok('MSET', 'a', 1, 'b', 1, 'c', 1)
        assert pushes_before_pong(c) == [keys(b'b'), keys(b'c')]


@pytest.mark.skipif(PEER == 'oracle', reason='7.0 remembers the keys that a script declares (7.2: those that it reads)')
@pytest.mark.parametrize('script,declared,told', [
    ("return redis.call('get', 'a')", ['a'], [keys(b'a')]),
    ("return redis.call('get', 'a')", [], [keys(b'a')]),
    ("#!lua flags=no-writes\nreturn redis.call('mget', 'a', 'b')", ['a'], [keys(b'a'), keys(b'b')]),
    ('return 1', ['a', 'b'], [])])
@pytest.mark.parametrize('verb', ['EVAL', 'EVAL_RO', 'MULTI'])
def test_what_a_script_reads_is_remembered(server, admin, verb, script, declared, told):
    admin.ok('MSET', 'a', 1, 'b', 1)
    with server.client(resp3=True) as c:
        c.ok('CLIENT', 'TRACKING', 'ON')
        if verb == 'MULTI':
            c.ok('MULTI')
        c.ok('EVAL' if verb == 'MULTI' else verb, script, len(declared), *declared)
        if verb == 'MULTI':
            c.ok('EXEC')
        admin.ok('SET', 'a', 2)
        admin.ok('SET', 'b', 2)
        assert pushes_before_pong(c) == told


@pytest.mark.skipif(PEER == 'oracle', reason='what a script reads')
def test_own_writes_of_a_script_are_own_writes(server, admin):
    with server.client(resp3=True) as c:
        c.ok('CLIENT', 'TRACKING', 'ON', 'NOLOOP')
        c.ok('EVAL', "redis.call('get', 'a') redis.call('set', 'a', 1) return redis.call('get', 'a')", 0)
        assert pushes_before_pong(c) == []
        admin.ok('SET', 'a', 2)
        assert pushes_before_pong(c) == [keys(b'a')]


def test_broadcast(server, admin):
    with server.client(resp3=True) as c, server.client(resp3=True) as every:
        c.ok('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'user:', 'PREFIX', 'x')
        every.ok('CLIENT', 'TRACKING', 'ON', 'BCAST', 'NOLOOP')
        assert info(admin, 'tracking_total_prefixes') == 3
        admin.ok('MSET', 'user:1', 1, 'user:2', 1, 'y', 1)
        told = pushes_before_pong(c)
        assert sorted(name for _, names in told for name in names) == [b'user:1', b'user:2']
        assert sorted(n for _, names in pushes_before_pong(every) for n in names) == [b'user:1', b'user:2', b'y']
        every.ok('SET', 'x1', 1)
        assert pushes_before_pong(c) == [keys(b'x1')] and pushes_before_pong(every) == []
        overlap = c.call('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'user')
        assert isinstance(overlap, Error) and b'overlaps' in overlap
        assert isinstance(c.call('CLIENT', 'TRACKING', 'ON', 'OPTIN'), Error)
        about = c.call('CLIENT', 'TRACKINGINFO')
        assert isinstance(about, Map) and isinstance(about.dict()[b'flags'], SetReply)
        assert sorted(about.dict()[b'flags']) == [b'bcast', b'on'] and about.dict()[b'redirect'] == 0
        assert sorted(about.dict()[b'prefixes']) == [b'user:', b'x']


def test_redirect_to_a_resp2_listener(server, admin):
    with server.client() as target, server.client() as c:
        target_id = target.ok('CLIENT', 'ID')
        assert isinstance(c.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', 999999), Error)
        target.ok('SUBSCRIBE', '__redis__:invalidate')
        assert c.call('CLIENT', 'GETREDIR') == -1
        c.ok('CLIENT', 'TRACKING', 'ON', 'REDIRECT', target_id)
        assert c.call('CLIENT', 'GETREDIR') == target_id
        c.call('GET', 'a')
        admin.ok('SET', 'a', 1)
        assert target.reply() == [b'message', b'__redis__:invalidate', [b'a']]
        admin.ok('FLUSHALL')
        assert target.reply() == [b'message', b'__redis__:invalidate', None]


def test_a_redirect_target_that_dies(server, admin):
    with server.client(resp3=True) as c:
        target = server.client()
        target_id = target.ok('CLIENT', 'ID')
        target.ok('SUBSCRIBE', '__redis__:invalidate')
        c.ok('CLIENT', 'TRACKING', 'ON', 'REDIRECT', target_id)
        c.call('GET', 'a')
        target.close()
        eventually(lambda: b'id=%d ' % target_id not in admin.ok('CLIENT', 'LIST'))
        admin.ok('SET', 'a', 1)
        assert pushes_before_pong(c) == [[b'tracking-redir-broken', target_id]]
        assert b'broken_redirect' in c.call('CLIENT', 'TRACKINGINFO').dict()[b'flags']
        mine = [x for x in admin.ok('CLIENT', 'LIST').splitlines() if b'redir=%d ' % target_id in x]
        assert len(mine) == 1 and b'R' in mine[0].split(b'flags=')[1].split(b' ')[0]


def test_a_tracking_client_that_never_reads_is_cut(admin):
    with peer(PEER, ('client-output-buffer-limit', ['normal', '1mb', '0', '0'])) as s, s.client() as writer:
        stuck = s.client(resp3=True)
        stuck.ok('CLIENT', 'TRACKING', 'ON', 'BCAST')
        name, sent = 'n' * 50000, 0
        while info(writer, 'tracking_clients') and sent < 3000:
            began = time.monotonic()
            writer.ok('SET', name + str(sent % 10), 1)
            assert time.monotonic() - began < 2
            sent += 1
        assert sent < 3000, 'it was never cut'
        stuck.close()


def test_the_table_has_a_limit(server, admin):
    with server.client(resp3=True) as c:
        admin.ok('CONFIG', 'SET', 'tracking-table-max-keys', 10)
        c.ok('CLIENT', 'TRACKING', 'ON')
        for i in range(100):
            c.send('GET', f'k{i}')
        told, replies = set(), 0
        while replies < 100:
            reply = c.reply()
            if isinstance(reply, Push):
                told |= set(reply[1])
            else:
                replies += 1
        eventually(lambda: info(admin, 'tracking_total_keys') <= 10)
        told |= {name for _, names in pushes_before_pong(c) for name in names}
        assert len(told) == 100 - info(admin, 'tracking_total_keys')


class Cache:
    """A client that keeps what it reads until it is told otherwise."""

    def __init__(self, server, *options):
        self.client, self.kept = server.client(resp3=True), {}
        self.client.ok('CLIENT', 'TRACKING', 'ON', *options)

    def hear(self, push):
        assert isinstance(push, Push) and push[0] == b'invalidate', push
        if push[1] is None:
            self.kept.clear()
        for name in push[1] or ():
            self.kept.pop(name, None)

    def call(self, *args):
        self.client.send(*args)
        while isinstance(reply := self.client.reply(), Push):
            self.hear(reply)
        return reply

    def sync(self):
        self.call('PING')


@pytest.mark.skipif(PEER == 'oracle', reason='Redis 7.0 tells nobody of SWAPDB')
@pytest.mark.parametrize('seed', range(4))
def test_a_cached_read_is_never_stale(server, admin, seed):
    r = random.Random(f'caches {seed}')
    names = [b'k%d' % i for i in range(12)]
    caches = [Cache(server), Cache(server, 'BCAST'), Cache(server, 'BCAST', 'PREFIX', 'k1', 'PREFIX', 'k2'),
              Cache(server)]
    changes = [
        lambda k: ('SET', k, r.randrange(100)), lambda k: ('DEL', k), lambda k: ('APPEND', k, 'x'),
        lambda k: ('SET', k, r.randrange(100), 'PX', r.randint(1, 5)), lambda k: ('RENAME', k, r.choice(names)),
        lambda k: ('COPY', k, r.choice(names), 'REPLACE'), lambda k: ('MSET', k, 1, r.choice(names), 2),
        lambda k: ('SWAPDB', 0, 1), lambda k: ('FLUSHALL',), lambda k: ('MOVE', k, 1), lambda k: ('SETBIT', k, 3, 1)]
    weights = [8, 4, 4, 4, 3, 3, 3, 1, 1, 2, 3]
    for step in range(1500):
        who = r.choice(caches)
        if r.random() < 0.6:
            name = r.choice(names)
            value = who.call('GET', name)
            if who is not caches[2] or name[:2] in (b'k1', b'k2'):
                who.kept[name] = value
        else:
            change = r.choices(changes, weights)[0](r.choice(names))
            (who.call if r.random() < 0.5 else admin.call)(*change)
        if step % 20 == 0:
            time.sleep(0.003)
            if step % 100 == 0:
                time.sleep(0.15)              # what is due goes by itself
                now = dict(zip(names, admin.ok('MGET', *names)))
                for cache in caches:
                    cache.sync()
                    stale = {k: (v, now[k]) for k, v in cache.kept.items() if v != now[k]}
                    assert not stale, f'seed {seed} step {step}: {stale}'
    for cache in caches:
        cache.client.close()
