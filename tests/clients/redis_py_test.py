"""redis-py 4.3.4, unmodified, as applications use it."""

import os
import pathlib
import sys
import threading
import time

import pytest
import redis

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import harness                                                    # noqa: E402

PEER = os.environ.get('VITRINE_PEER', 'vitrine')


@pytest.fixture(scope='module')
def server():
    with harness.peer(PEER) as s:
        yield s


@pytest.fixture
def r(server):
    client = redis.Redis(port=server.port, decode_responses=True)
    client.flushall()
    yield client
    client.close()


def test_strings(r):
    assert r.set('k', 'v') is True
    assert r.get('k') == 'v'
    assert r.set('k', 'w', nx=True) is None
    assert r.set('k', 'w', xx=True, ex=100) is True
    assert 95 <= r.ttl('k') <= 100
    assert r.set('k', 'x', get=True) == 'w'
    assert r.getex('k', ex=50) == 'x' and r.ttl('k') == 50
    assert r.getdel('k') == 'x' and r.get('k') is None
    assert r.incr('n') == 1 and r.incrby('n', 5) == 6 and r.decr('n') == 5
    assert r.incrbyfloat('f', 0.5) == 0.5
    assert r.mset({'a': 1, 'b': 2}) and r.mget('a', 'b', 'c') == ['1', '2', None]
    assert r.msetnx({'a': 1, 'z': 2}) is False
    assert r.append('s', 'Hello') == 5 and r.setrange('s', 1, 'E') == 5 and r.getrange('s', 0, 1) == 'HE'
    assert r.strlen('s') == 5
    binary = redis.Redis(port=r.connection_pool.connection_kwargs['port'])
    value = bytes(range(256)) * 100
    binary.set('bin', value)
    assert binary.get('bin') == value


def test_keys_and_expiry(r):
    r.set('a', 1)
    assert r.exists('a', 'b') == 1 and r.type('a') == 'string'
    assert r.expire('a', 100) is True and r.expire('a', 50, gt=True) is False
    assert r.persist('a') is True and r.ttl('a') == -1 and r.ttl('no') == -2
    assert r.pexpire('a', 20) and r.get('a') == '1'
    time.sleep(0.05)
    assert r.get('a') is None
    r.set('x', 1)
    assert r.rename('x', 'y') and r.renamenx('y', 'z') and r.copy('z', 'w') is True
    assert sorted(r.keys('*')) == ['w', 'z'] and r.randomkey() in ('w', 'z') and r.dbsize() == 2
    assert r.object('encoding', 'z') == 'int'
    assert r.unlink('w', 'z') == 2


def test_lists(r):
    assert r.rpush('l', 1, 2, 3) == 3 and r.lpush('l', 0) == 4
    assert r.lrange('l', 0, -1) == ['0', '1', '2', '3']
    assert r.lpop('l') == '0' and r.rpop('l', 2) == ['3', '2'] and r.llen('l') == 1
    r.rpush('m', *'abcabc')
    assert r.lpos('m', 'b', count=0) == [1, 4] and r.lrem('m', 1, 'b') == 1
    assert r.linsert('m', 'before', 'a', 'z') == 6 and r.lset('m', 0, 'Z') and r.lindex('m', 0) == 'Z'
    assert r.ltrim('m', 0, 2) and r.lrange('m', 0, -1) == ['Z', 'a', 'c']
    assert r.lmove('m', 'n', 'LEFT', 'RIGHT') == 'Z' and r.rpoplpush('m', 'n') == 'c'
    assert r.lmpop(2, 'none', 'n', direction='LEFT', count=2) == ['n', ['c', 'Z']]


def test_hashes(r):
    assert r.hset('h', mapping={'a': 1, 'b': 2}) == 2 and r.hget('h', 'a') == '1'
    assert r.hgetall('h') == {'a': '1', 'b': '2'} and r.hmget('h', 'a', 'x') == ['1', None]
    assert r.hincrby('h', 'a', 4) == 5 and r.hincrbyfloat('h', 'f', 1.5) == 1.5
    assert sorted(r.hkeys('h')) == ['a', 'b', 'f'] and r.hexists('h', 'a')
    assert r.hlen('h') == 3 and r.hstrlen('h', 'f') == 3
    assert r.hdel('h', 'a', 'x') == 1 and r.hsetnx('h', 'b', 1) == 0
    r.hset('big', mapping={f'f{i}': i for i in range(1000)})
    assert dict(r.hscan_iter('big', count=17)) == {f'f{i}': str(i) for i in range(1000)}
    assert len(r.hrandfield('big', 5)) == 5


def test_sets(r):
    assert r.sadd('s', 'a', 'b', 'c') == 3 and r.smembers('s') == {'a', 'b', 'c'}
    assert r.sismember('s', 'a') and r.smismember('s', ['a', 'x']) == [1, 0] and r.scard('s') == 3
    r.sadd('t', 'b', 'c', 'd')
    assert r.sinter('s', 't') == {'b', 'c'} and r.sunion('s', 't') == set('abcd') and r.sdiff('s', 't') == {'a'}
    assert r.sinterstore('u', 's', 't') == 2 and r.sintercard(2, ['s', 't'], limit=1) == 1
    assert r.smove('s', 't', 'a') and r.srem('t', 'a') == 1
    assert r.spop('u') in ('b', 'c') and len(r.srandmember('t', 2)) == 2
    r.sadd('big', *range(2000))
    assert {int(x) for x in r.sscan_iter('big', count=13)} == set(range(2000))


def test_sorted_sets(r):
    assert r.zadd('z', {'a': 1, 'b': 2, 'c': 3.5}) == 3
    assert r.zadd('z', {'a': 5}, gt=True, ch=True) == 1 and r.zadd('z', {'a': 1}, incr=True) == 6.0
    assert r.zrange('z', 0, -1, withscores=True) == [('b', 2.0), ('c', 3.5), ('a', 6.0)]
    assert r.zrange('z', 0, 0, desc=True) == ['a'] and r.zrevrange('z', 0, 0) == ['a']
    assert r.zrangebyscore('z', 2, '(6', withscores=True) == [('b', 2.0), ('c', 3.5)]
    assert r.zcount('z', '-inf', 'inf') == 3
    assert r.zscore('z', 'a') == 6.0 and r.zmscore('z', ['a', 'x']) == [6.0, None] and r.zrank('z', 'a') == 2
    assert r.zincrby('z', 0.5, 'b') == 2.5 and r.zrem('z', 'c') == 1
    r.zadd('w', {'a': 10})
    assert r.zunionstore('u', {'z': 1, 'w': 2}) == 2 and r.zscore('u', 'a') == 26.0
    assert r.zinter(['z', 'w'], withscores=True) == [('a', 16.0)] and r.zdiff(['z', 'w']) == ['b']
    assert r.zpopmin('z') == [('b', 2.5)] and r.zpopmax('z') == [('a', 6.0)] and r.zcard('z') == 0
    r.zadd('lex', {c: 0 for c in 'abcde'})
    assert r.zrangebylex('lex', '[b', '(d') == ['b', 'c'] and r.zlexcount('lex', '-', '+') == 5
    r.zadd('big', {f'm{i}': i for i in range(1500)})
    assert dict(r.zscan_iter('big', count=11)) == {f'm{i}': float(i) for i in range(1500)}


def test_scan_iterators(r):
    r.mset({f'key:{i}': i for i in range(3000)})
    r.rpush('alist', 1)
    assert set(r.scan_iter('key:*', count=100)) == {f'key:{i}' for i in range(3000)}
    assert list(r.scan_iter(_type='list')) == ['alist']


def test_pipelines_and_transactions(r):
    with r.pipeline(transaction=False) as p:
        for i in range(5000):
            p.set(f'k{i}', i)
        assert all(p.execute())
    with r.pipeline() as p:
        p.incr('n').incr('n').get('n').lpush('n', 1)
        got = p.execute(raise_on_error=False)
    assert got[:3] == [1, 2, '2'] and isinstance(got[3], redis.ResponseError)

    def client_side_incr(pipe):
        current = int(pipe.get('counter') or 0)
        pipe.multi()
        pipe.set('counter', current + 1)
    threads = [threading.Thread(target=lambda: [r.transaction(client_side_incr, 'counter') for _ in range(50)])
               for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert r.get('counter') == '200'
    with r.pipeline() as p:
        p.watch('w')
        r.set('w', 'changed')
        p.multi()
        p.get('w')
        with pytest.raises(redis.WatchError):
            p.execute()


def test_blocking_pops(r):
    got = []
    worker = threading.Thread(target=lambda: got.extend([r.blpop(['q1', 'q2'], timeout=5), r.brpop('q1', timeout=5),
                                                         r.bzpopmin('z', timeout=5), r.blmove('q1', 'q2', timeout=5)]))
    worker.start()
    for act in (lambda: r.rpush('q2', 'a'), lambda: r.rpush('q1', 'b'), lambda: r.zadd('z', {'m': 1}),
                lambda: r.rpush('q1', 'c')):
        time.sleep(0.05)
        act()
    worker.join(5)
    assert got == [('q2', 'a'), ('q1', 'b'), ('z', 'm', 1.0), 'c']
    began = time.monotonic()
    assert r.blpop('none', timeout=1) is None
    assert 0.9 <= time.monotonic() - began < 2


def test_locks(r):
    with _NoScriptLock(r, 'mutex') as held:
        assert held
        assert r.set('mutex', 'other', nx=True) is None
    assert r.get('mutex') is None


class _NoScriptLock:
    """SET NX PX, and WATCH for the compare-and-delete: a lock without scripts."""

    def __init__(self, r, name):
        self.r, self.name, self.token = r, name, os.urandom(8).hex()

    def __enter__(self):
        return self.r.set(self.name, self.token, nx=True, px=10000)

    def __exit__(self, *_):
        def release(pipe):
            same = pipe.get(self.name) == self.token
            pipe.multi()
            if same:
                pipe.delete(self.name)
        self.r.transaction(release, self.name)


def test_server_commands(r):
    assert r.ping() and r.echo('x') == 'x'
    info = r.info()
    assert info['redis_version'] and info['connected_clients'] >= 1 and info['used_memory'] > 0
    assert r.config_get('maxmemory') == {'maxmemory': '0'}
    assert r.config_set('maxmemory', '100mb') and r.config_get('maxmemory')['maxmemory'] == str(100 << 20)
    r.config_set('maxmemory', 0)
    assert r.client_setname('me') and r.client_getname() == 'me' and r.client_id() > 0
    assert any(c['name'] == 'me' for c in r.client_list())
    seconds, micros = r.time()
    assert abs(seconds - time.time()) < 5 and 0 <= micros < 1000000
    assert r.command_count() > 100 and 'get' in r.command()
    assert r.slowlog_len() >= 0 and r.slowlog_reset()
    assert r.memory_usage('nokey') is None
    r.set('k', 'v')
    assert r.memory_usage('k') > 0
    assert r.sort(r.rpush('l', 3, 1, 2) and 'l') == ['1', '2', '3']


def test_errors_have_their_classes(r):
    r.set('s', 'x')
    with pytest.raises(redis.ResponseError, match='WRONGTYPE'):
        r.lpush('s', 1)
    with pytest.raises(redis.ResponseError, match='unknown command'):
        r.execute_command('NOSUCH')
    with pytest.raises(redis.ResponseError, match='wrong number of arguments'):
        r.execute_command('GET')


def test_many_connections_at_once(server):
    pool = redis.BlockingConnectionPool(port=server.port, max_connections=20)
    r = redis.Redis(connection_pool=pool)
    r.flushall()
    threads = [threading.Thread(target=lambda: [r.incr('n') for _ in range(200)]) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert r.get('n') == b'4000'


def messages(pubsub, count):
    """The next messages, confirmations left out."""
    found = []
    deadline = time.monotonic() + 5
    while len(found) < count and time.monotonic() < deadline:
        message = pubsub.get_message(ignore_subscribe_messages=True, timeout=0.1)
        if message:
            found.append((message['type'], message['pattern'], message['channel'], message['data']))
    return found


def test_pubsub(r):
    p = r.pubsub()
    p.subscribe('news', 'sport')
    p.psubscribe('n*')
    deadline = time.monotonic() + 5
    while r.pubsub_numpat() == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(r.pubsub_channels()) == {'news', 'sport'}
    assert r.pubsub_numsub('news', 'none') == [('news', 1), ('none', 0)]
    assert r.publish('news', 'ü') == 2 and r.publish('sport', 'goal') == 1 and r.publish('weather', 'rain') == 0
    assert messages(p, 3) == [('message', None, 'news', 'ü'), ('pmessage', 'n*', 'news', 'ü'),
                              ('message', None, 'sport', 'goal')]
    p.unsubscribe()
    p.punsubscribe()
    p.close()


def test_pubsub_in_a_thread(r):
    got = []
    p = r.pubsub(ignore_subscribe_messages=True)
    p.subscribe(**{'jobs': lambda message: got.append(message['data'])})
    thread = p.run_in_thread(sleep_time=0.01)
    deadline = time.monotonic() + 5
    while r.publish('jobs', '0') == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    with r.pipeline(transaction=True) as pipe:
        for i in range(1, 1000):
            pipe.publish('jobs', i)
        assert pipe.execute() == [1] * 999
    while len(got) < 1000 and time.monotonic() < deadline:
        time.sleep(0.01)
    thread.stop()
    thread.join()
    assert got == [str(i) for i in range(1000)]
def test_users(r):
    port = r.connection_pool.connection_kwargs['port']
    assert r.acl_whoami() == 'default'
    assert r.acl_setuser('py', enabled=True, passwords=['+one', '+two'], categories=['+@read'],
                         commands=['+set', '-get'], keys=['cache:*'], channels=['news'])
    user = r.acl_getuser('py')
    assert user['enabled'] and user['categories'] == ['-@all', '+@read'] and set(user['commands']) == {'+set', '-get'}
    assert user['keys'] == ['~cache:*'] and user['channels'] == ['&news'] and len(user['passwords']) == 2
    assert 'py' in r.acl_users() and any(line.startswith('user py on ') for line in r.acl_list())
    mine = redis.Redis(port=port, username='py', password='two', decode_responses=True)
    assert mine.set('cache:1', 'x') and mine.exists('cache:1') == 1
    for refused in (lambda: mine.get('cache:1'), lambda: mine.set('other', 1), lambda: mine.acl_whoami()):
        with pytest.raises(redis.exceptions.NoPermissionError):
            refused()
    with pytest.raises(redis.exceptions.ResponseError, match='WRONGPASS'):
        redis.Redis(port=port, username='py', password='three').ping()
    assert {'key', 'command', 'auth'} <= {entry['reason'] for entry in r.acl_log()}
    assert r.acl_log_reset()
    assert len(r.acl_genpass()) == 64 and 'string' in r.acl_cat() and 'get' in r.acl_cat('string')
    assert r.acl_deluser('py') == 1 and r.acl_getuser('py') is None
    mine.close()
