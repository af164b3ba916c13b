"""The rows of the throughput, memory and latency tables: what is loaded, what is asked, and the target."""

import random
from dataclasses import dataclass, field

from peers import encode, grouped

KEYS = 1_000_000
VALUE = 'x' * 32


@dataclass
class Check:
    """One target: a ratio to the peer, or microseconds per operation, of total or user CPU time."""
    limit: float
    time: str = 'total'
    unit: str = 'ratio'

    def text(self):
        what = 'user ' if self.time == 'user' else ''
        return f'{what}≤ {self.limit:.2f} ×' if self.unit == 'ratio' else f'{what}≤ {self.limit:.2f} µs'


@dataclass
class Row:
    name: str
    group: str                # rows of a group share the data that GROUPS loads once
    pipeline: int
    args: list                # redis-benchmark's own, after -P
    checks: list = field(default_factory=list)
    before: object = None     # (peer, n) -> None, ahead of each round
    stand_in: list = None     # what Redis is asked instead, where it lacks the command


def strings(peer):
    peer.load(encode('SET', f'key:{i:012}', VALUE) for i in range(KEYS))


def counters(peer):
    peer.load(encode('SET', f'counter:{i:012}', i) for i in range(KEYS))


def lists(peer):
    peer.load(grouped('RPUSH', 'bench:list', [(f'item:{i:010}',) for i in range(1000)]))


def hashes(peer):
    peer.load(encode('HSET', f'user:{i:012}', 'name', f'name-{i:06}', 'mail', f'{i:06}@example.org', 'age', i % 90,
                     'city', 'Firenze', 'score', i * 7 % 1000) for i in range(100_000))


def zset(peer):
    scores = random.Random(1)
    peer.load(grouped('ZADD', 'bench:zset',
                      [(scores.randrange(1_000_000), f'member:{i:012}') for i in range(100_000)]))


def entries(first, last):
    """Entries of a stream that share their two field names, one each millisecond."""
    return (encode('XADD', 'big', f'{1_700_000_000_000 + i}-0', 'temperature', i % 50, 'humidity', i * 7 % 100)
            for i in range(first, last))


def stream(peer):
    peer.load(entries(0, 100_000), lines=2)


ARRAY_AT = 10 ** 12           # redis-benchmark's random numbers begin with zeros, which no index does: a 1 goes before
ARRAY_ITEMS = 1_000_000


def arrays(peer):
    if peer.name == 'redis':
        peer.load(grouped('HSET', 'bench:array', [(ARRAY_AT + i, f'item:{i:010}') for i in range(ARRAY_ITEMS)]))
    else:
        peer.load(encode('ARSET', 'bench:array', ARRAY_AT + at, *(f'item:{i:010}' for i in range(at, at + 500)))
                  for at in range(0, ARRAY_ITEMS, 500))


def places(peer):
    draw = random.Random(2)
    peer.load(grouped('GEOADD', 'bench:places', [(draw.uniform(0, 80), draw.uniform(0, 80), f'place:{i:012}')
                                                 for i in range(100_000)]))


def nothing(peer):
    pass


GROUPS = {'strings': strings, 'counters': counters, 'lists': lists, 'hashes': hashes, 'zset': zset, 'stream': stream,
          'arrays': arrays, 'places': places, 'fresh': nothing}


def forget(*keys):
    def before(peer, n):
        peer.call('DEL', *keys)
        peer.settle()
    return before


def fill_list(peer, n):
    peer.call('DEL', 'mylist')
    peer.load(grouped('RPUSH', 'mylist', ((VALUE,) for _ in range(n)), 1000))
    peer.settle()


def sketches(peer, n):
    """A thousand HyperLogLogs of 300 elements, in their sparse form."""
    peer.call('FLUSHALL')
    peer.load(encode('PFADD', f'hll:{i:012}', *(f'{i}:{k}' for k in range(300))) for i in range(1000))
    peer.settle()


def rows():
    get = ['-r', str(KEYS), '-t', 'get']
    set_ = ['-r', str(KEYS), '-d', '32', '-t', 'set']
    incr = ['-r', str(KEYS), 'INCR', 'counter:__rand_int__']
    mget = ['-r', str(KEYS), 'MGET'] + ['key:__rand_int__'] * 10
    hgetall = ['-r', '100000', 'HGETALL', 'user:__rand_int__']
    zadd = ['-r', '100000', 'ZADD', 'bench:zset', '__rand_int__', 'member:__rand_int__']
    zrank = ['-r', '100000', 'ZRANK', 'bench:zset', 'member:__rand_int__']
    # The rank is fixed: redis-benchmark has no two random numbers ten apart. BYSCORE looks everywhere.
    zrange10 = ['ZRANGE', 'bench:zset', '50000', '50009']
    zscore10 = ['-r', '1000000', 'ZRANGE', 'bench:zset', '__rand_int__', '+inf', 'BYSCORE', 'LIMIT', '0', '10']
    xadd = ['-r', '100', 'XADD', 'mystream', '*', 'temperature', '__rand_int__', 'humidity', '__rand_int__']
    xadd_capped = ['-r', '100', 'XADD', 'mystream', 'MAXLEN', '~', '1000'] + xadd[4:]
    xrange100 = ['XRANGE', 'big', '1700000050000', '+', 'COUNT', '100']
    # Degrees from 0 to 80: redis-benchmark writes twelve digits.
    geoadd = ['-r', '800000', 'GEOADD', 'bench:places', '__rand_int__e-4', '__rand_int__e-4', 'place:__rand_int__']
    geosearch = ['-r', '100000', 'GEOSEARCH', 'bench:places', 'FROMMEMBER', 'place:__rand_int__',
                 'BYRADIUS', '100', 'km', 'ASC', 'COUNT', '10']
    at = ['-r', str(ARRAY_ITEMS)]
    slot = ['bench:array', '1__rand_int__']
    eval_get = ['-r', str(KEYS), 'EVAL', "return redis.call('GET', KEYS[1])", '1', 'key:__rand_int__']
    eval_loop = ['-r', str(KEYS), 'EVAL', "for i = 1, 200 do redis.call('INCR', KEYS[1]) end return 1", '1',
                 'counter:__rand_int__']
    plain = [Check(0.85), Check(1.3, 'user', 'us')]
    wire, tree = [Check(0.55)], [Check(0.40)]
    user = [Check(0.40, 'user')]
    return [
        Row('GET', 'strings', 64, get, [Check(0.30)]), Row('SET', 'strings', 64, set_, [Check(0.30)]),
        Row('GET', 'strings', 16, get, wire), Row('SET', 'strings', 16, set_, wire),
        Row('GET', 'strings', 1, get, plain), Row('SET', 'strings', 1, set_, plain),
        Row('MGET 10', 'strings', 16, mget, [Check(0.35)]), Row('MGET 10', 'strings', 1, mget),
        Row('INCR', 'counters', 16, incr, wire), Row('INCR', 'counters', 1, incr),
        Row('LPUSH', 'fresh', 16, ['-d', '32', '-t', 'lpush'], [Check(0.65)], forget('mylist')),
        Row('LPOP', 'fresh', 16, ['-t', 'lpop'], [Check(0.65)], fill_list),
        Row('SADD', 'fresh', 16, ['-r', str(KEYS), '-t', 'sadd'], [Check(0.65)], forget('myset')),
        Row('PFADD', 'fresh', 16, ['-r', str(KEYS), 'PFADD', 'bench:hll', 'element:__rand_int__'], [Check(0.65)],
            forget('bench:hll')),
        Row('PFADD, 1000 sparse ones', 'fresh', 16, ['-r', '1000', 'PFADD', 'hll:__rand_int__', 'element:__rand_int__'],
            before=sketches),
        Row('PFCOUNT, 1000 sparse ones', 'fresh', 16, ['-r', '1000', 'PFCOUNT', 'hll:__rand_int__']),
        Row('PFCOUNT of two sparse ones', 'fresh', 16, ['-r', '1000', 'PFCOUNT'] + ['hll:__rand_int__'] * 2),
        Row('HSET', 'fresh', 16, ['-r', str(KEYS), '-d', '32', '-t', 'hset'], [Check(0.65)], forget('myhash')),
        Row('XADD', 'fresh', 16, xadd, [Check(0.65)], forget('mystream')),
        Row('XADD, 1000 kept', 'fresh', 16, xadd_capped, [], forget('mystream')),
        Row('XRANGE 100', 'stream', 16, xrange100), Row('XRANGE 100', 'stream', 1, xrange100),
        Row('LRANGE 100', 'lists', 1, ['LRANGE', 'bench:list', '0', '99'], user),
        Row('LRANGE 100', 'lists', 16, ['LRANGE', 'bench:list', '0', '99'], user),
        Row('LRANGE 600', 'lists', 1, ['LRANGE', 'bench:list', '0', '599'], user),
        Row('HGETALL 5', 'hashes', 1, hgetall, user), Row('HGETALL 5', 'hashes', 16, hgetall, user),
        Row('ZADD', 'zset', 16, zadd, tree), Row('ZADD', 'zset', 1, zadd, user),
        Row('ZRANK', 'zset', 16, zrank, tree), Row('ZRANK', 'zset', 1, zrank, user),
        Row('ZRANGE 10', 'zset', 16, zrange10, tree), Row('ZRANGE 10', 'zset', 1, zrange10, user),
        Row('ZRANGE BYSCORE 10', 'zset', 16, zscore10, tree),
        Row('GEOADD', 'places', 16, geoadd), Row('GEOSEARCH 100 km, nearest 10', 'places', 16, geosearch),
        Row('ARGET (Redis: HGET)', 'arrays', 16, [*at, 'ARGET', *slot], stand_in=[*at, 'HGET', *slot]),
        Row('ARSET (Redis: HSET)', 'arrays', 16, [*at, 'ARSET', *slot, 'item:0000000001'],
            stand_in=[*at, 'HSET', *slot, 'item:0000000001']),
        Row('EVAL of a GET', 'strings', 16, eval_get, [Check(0.50)]), Row('EVAL of a GET', 'strings', 1, eval_get),
        Row('EVAL of 200 INCR', 'counters', 1, eval_loop, [Check(0.50)]),
    ]


# ---- memory -----------------------------------------------------------------------------------------------------

@dataclass
class Holding:
    """A row of the memory table: `items(first, last)` yields the commands that add those items."""
    name: str
    target: float
    items: object
    lines: int = 1            # of each reply
    stand_in: object = None   # the same for Redis, where it lacks the command


def five_fields(first, last):
    for i in range(first, last):
        yield encode('HSET', f'user:{i:011}', *(x for f in range(5) for x in (f'f{f}', f'v{i % 100000:05}')))


PEOPLE = ('name', 'email', 'city', 'age', 'score')


def person(i):
    return f'name-{i:07}', f'{i:07}@example.org', 'Firenze', i % 90, i * 7 % 1000


def people(first, last):
    for i in range(first, last):
        yield encode('HSET', f'user:{i:011}', *(x for pair in zip(PEOPLE, person(i)) for x in pair))


def imported_people(first, last):
    yield encode('HIMPORT', 'PREPARE', 'people', *PEOPLE)
    for i in range(first, last):
        yield encode('HIMPORT', 'SET', f'user:{i:011}', 'people', *person(i))


def scores(first, last):
    # Scattered scores: a fixed multiplicative shuffle, so that both servers get the same ones in the same order.
    return ((i * 2654435761 % 1_000_000_007, f'member:{i:010}') for i in range(first, last))


def holdings():
    def each(make):
        return lambda first, last: (make(i) for i in range(first, last))

    def many(command, make):
        return lambda first, last: grouped(command, 'big', (make(i) for i in range(first, last)))

    return [
        Holding('string, 16 B key, 8 B value', 50, each(lambda i: encode('SET', f'key:{i:012}', f'v{i:07}'))),
        Holding('string, 16 B key, 32 B value', 78, each(lambda i: encode('SET', f'key:{i:012}', f'value:{i:026}'))),
        Holding('string, 16 B key, 32 B value, with a TTL', 86,
                each(lambda i: encode('SET', f'key:{i:012}', f'value:{i:026}', 'EX', 100_000 + i % 7919))),
        Holding('string, integer value', 50, each(lambda i: encode('SET', f'key:{i:012}', 1_000_000 + i))),
        Holding('hash of 5 small fields, per key', 140, five_fields),
        Holding('hash of 5 fields, imported (Redis: HSET), per key', 140, imported_people, stand_in=people),
        Holding('the same by HSET', 160, people),
        Holding('one hash, fields of 16 B + 13 B', 52, many('HSET', lambda i: (f'field:{i:010}', f'value:{i:07}'))),
        Holding('one set, members of 17 B', 42, many('SADD', lambda i: (f'member:{i:010}',))),
        Holding('one set, integers', 24, many('SADD', lambda i: (1_000_000 + i,))),
        Holding('one sorted set, members of 17 B', 64, lambda a, b: grouped('ZADD', 'big', scores(a, b))),
        Holding('one list, items of 15 B', 17.5, many('RPUSH', lambda i: (f'item:{i:010}',))),
        Holding('one stream, entries of 2 small fields', 13.5, entries, lines=2),
        Holding('one array, items of 15 B (Redis: list)', 19,
                many('ARINSERT', lambda i: (f'item:{i:010}',)),
                stand_in=many('RPUSH', lambda i: (f'item:{i:010}',))),
    ]
