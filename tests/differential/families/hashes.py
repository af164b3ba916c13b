"""Hashes."""
from gen import ScanStep


def pairs(name):
    def make(g):
        n = g.few(6) if g.chance(0.98) else g.between(50, 200)
        return [name, g.key('hash')] + [a for _ in range(n) for a in (g.member(), g.value())]
    return make


def fields(name):
    def make(g):
        return [name, g.key('hash')] + [g.member() for _ in range(g.few(6))]
    return make


def one(name):
    return lambda g: [name, g.key('hash'), g.member()]


def whole(name):
    return lambda g: [name, g.key('hash')]


def hrandfield(g):
    args = [b'HRANDFIELD', g.key('hash')]
    if g.chance(0.7):
        args.append(g.signed_count())
        if g.chance(0.5):
            args.append(g.case(b'WITHVALUES'))
    return args


def scan_options(g):
    args = []
    if g.chance(0.4):
        args += [g.case(b'MATCH'), g.pattern()]
    if g.chance(0.6):
        args += [g.case(b'COUNT'), g.pick([b'1', b'2', b'10', b'100', b'1000'])]
    return args


COMMANDS = [
    (10, 'hset', pairs(b'HSET'), ()),
    (3, 'hmset', pairs(b'HMSET'), ()),
    (3, 'hsetnx', lambda g: [b'HSETNX', g.key('hash'), g.member(), g.value()], ()),
    (5, 'hget', one(b'HGET'), ()),
    (3, 'hmget', fields(b'HMGET'), ()),
    (4, 'hdel', fields(b'HDEL'), ()),
    (2, 'hexists', one(b'HEXISTS'), ()),
    (2, 'hstrlen', one(b'HSTRLEN'), ()),
    (2, 'hlen', whole(b'HLEN'), ()),
    (1, 'hgetall', whole(b'HGETALL'), ()),
    (1, 'hkeys', whole(b'HKEYS'), ()),
    (1, 'hvals', whole(b'HVALS'), ()),
    (4, 'hincrby', lambda g: [b'HINCRBY', g.key('hash'), g.member(), g.integer()], ()),
    (4, 'hincrbyfloat', lambda g: [b'HINCRBYFLOAT', g.key('hash'), g.member(), g.number()], ()),
    (2, 'hrandfield', hrandfield, ('fixed',)),
    (0.3, 'hscan', lambda g: ScanStep([b'HSCAN', g.key('hash')] + scan_options(g)), ('alone',)),
    (0.3, 'hscan odd', lambda g: [b'HSCAN', g.key('hash'), g.pick([b'0', b'abc', b'-1', b'', b'99999999999999999999'])] +
     g.pick([[], [b'COUNT', b'0'], [b'COUNT', b'-1'], [b'COUNT', b'abc'], [b'COUNT'], [b'MATCH'], [b'NOSUCH', b'1']]), ()),
]
